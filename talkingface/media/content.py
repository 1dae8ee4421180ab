"""Kind of a file by its first bytes: a still picture, an animation, or a film; names and endings decide nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO, Literal

Content = Literal["still", "webp", "apng", "film", ""]
"""A still picture, an animated webp or png, a film that ffmpeg reads; "" for what is none of them by its beginning."""

_HEAD = 32  # bytes
_PNG = b"\x89PNG\r\n\x1a\n"
_WEBP_ANIMATED = 0x02  # flag of the chunk VP8X
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # bytes; "BM" alone also begins texts
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_FILM = re.compile(
    rb"GIF8[79]a|\x1aE\xdf\xa3|RIFF....AVI |\0\0\x01[\xb3\xba]|FLV\x01|OggS|\x30\x26\xb2\x75\x8e\x66\xcf\x11|"
    rb"....(?:moov|mdat|wide|free|skip)|....ftyp(?!M4A |M4B |avif|mif1|heic|heix)",
    re.DOTALL,
)
_AVIF = re.compile(rb"....ftyp(?:avif|mif1....(?:.{4})*?avif)", re.DOTALL)
_UNREAD = {
    "netpbm": rb"P[1-7]\s",
    "JPEG 2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "JPEG XL": rb"\0\0\0\x0cJXL |\xff\x0a",
    "Photoshop": rb"8BPS",
    "OpenEXR": rb"\x76\x2f\x31\x01",
    "icon": rb"\0\0\x01\0",
    "DDS": rb"DDS ",
    "SGI": rb"\x01\xda[\0\x01][\x01\x02]",
    "SVG": rb"\s*<svg|\s*<\?xml[^<]*<svg",
    "PDF": rb"%PDF",
    "PostScript": rb"%!PS",
}
_MAX_CHUNKS = 1_000_000  # more in a file are damage


def content_of(path: str | Path) -> Content:
    """Kind of a file by its content; "" for folders and what cannot be read, too."""
    path = Path(path)
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            return ""
        with path.open("rb") as stream:
            return _kind(stream, stream.read(_HEAD))
    except OSError:
        return ""


def _kind(stream: BinaryIO, head: bytes) -> Content:
    if head.startswith(_PNG):
        before_pixels = takewhile(lambda name: name != b"IDAT", (name for name, _ in chunks(stream, len(_PNG), "big")))
        return "apng" if b"acTL" in before_pixels else "still"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        animated = head[12:16] == b"VP8X" and len(head) > 29 and head[20] & _WEBP_ANIMATED
        return "webp" if animated else "still"
    is_bmp = head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    if head[:3] == b"\xff\xd8\xff" or head[:4] in _TIFF or is_bmp or _AVIF.match(head):
        return "still"
    return "film" if _FILM.match(head) else ""


def unread_picture(path: Path) -> str:
    """Kind of a picture that is not read here, by its first bytes; "" for what is none as far as they tell."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD * 8)
    except OSError:
        return ""
    return next((kind for kind, begin in _UNREAD.items() if re.match(begin, head)), "")


def chunks(stream: BinaryIO, start: int, order: Literal["little", "big"]) -> Iterator[tuple[bytes, int]]:
    """Name and length of each chunk from a place in a file on; the stream then stands at the chunk's data.

    Args:
        order: of bytes: "little" for webp (name, length, data, filled up to an even length), "big" for png (length,
            name, data, checksum).
    """
    for _ in range(_MAX_CHUNKS):
        stream.seek(start)
        head = stream.read(8)
        if len(head) < 8:
            return
        little = order == "little"
        name, length = (head[:4], head[4:]) if little else (head[4:], head[:4])
        size = int.from_bytes(length, order)
        start += 8 + size + size % 2 if little else 12 + size
        yield name, size
