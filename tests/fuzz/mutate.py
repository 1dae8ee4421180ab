"""Damage as files meet it, drawn from a seed: flips, cuts, repeats, and numbers that promise too much."""

from __future__ import annotations

import random

_WORDS = (
    b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00" * 8, b"\xff" * 8, b"-1", b"0", b"1e999",
    b"nan", b"9" * 40, b"9" * 6000, b"{}", b"[]", b"null", b'"', b"\xb2", b"\xc3\x28", b"2001-13-45", b"&a *a",
    b"!!int x", b"../../x", b"/", b",", b"\n", b"\r\n", b"\t", b" ", b":", b"PK\x03\x04", b"true",
)  # fmt: skip


def mutated(data: bytes, seed: int) -> bytes:
    """Return the data after one to four changes; the same seed gives the same ones."""
    chosen = random.Random(seed)
    for _ in range(chosen.randint(1, 4)):
        data = chosen.choice(_CHANGES)(data, chosen)
    return data


def _place(data: bytes, chosen: random.Random) -> int:
    """A place in the data; half of the time in its first part, where formats keep what describes the rest."""
    reach = min(len(data), 400) if chosen.random() < 0.5 else len(data)
    return chosen.randrange(reach) if reach else 0


def _flip(data: bytes, chosen: random.Random) -> bytes:
    if not data:
        return data
    place = _place(data, chosen)
    return data[:place] + bytes([data[place] ^ (1 << chosen.randrange(8))]) + data[place + 1 :]


def _overwrite(data: bytes, chosen: random.Random) -> bytes:
    place, new = _place(data, chosen), chosen.randbytes(chosen.choice((1, 2, 4, 8, 64)))
    return data[:place] + new + data[place + len(new) :]


def _word(data: bytes, chosen: random.Random) -> bytes:
    place, word = _place(data, chosen), chosen.choice(_WORDS)
    return data[:place] + word + data[place + (len(word) if chosen.random() < 0.5 else 0) :]


def _cut(data: bytes, chosen: random.Random) -> bytes:
    return data[: _place(data, chosen)] if chosen.random() < 0.5 else data[: len(data) - chosen.randint(1, 40)]


def _remove(data: bytes, chosen: random.Random) -> bytes:
    place = _place(data, chosen)
    return data[:place] + data[place + chosen.choice((1, 2, 7, 64, 4096)) :]


def _repeat(data: bytes, chosen: random.Random) -> bytes:
    place, length = _place(data, chosen), chosen.choice((1, 8, 64, 512))
    return data[:place] + data[place : place + length] * chosen.choice((2, 3, 20)) + data[place + length :]


def _move(data: bytes, chosen: random.Random) -> bytes:
    source, target, length = _place(data, chosen), _place(data, chosen), chosen.choice((4, 16, 128))
    return data[:target] + data[source : source + length] + data[target + length :]


_CHANGES = (_flip, _flip, _overwrite, _word, _word, _cut, _remove, _repeat, _move)
