"""Pairs of a source and a driving clip of another person: from a list, or drawn by a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from ...data.store import Clip
from ...errors import DataError, quoted
from ...text.lists import read_table

COLUMNS = ("source", "driving")


def choose_pairs(clips: Sequence[Clip], count: int, listed: Path | None, seed: int) -> list[tuple[Clip, Clip]]:
    """Pairs (source, driving) of clips of different people.

    Args:
        clips: to draw from, or that the list names.
        count: of the pairs that are drawn.
        listed: a table with the columns ``source`` and ``driving``, as FOM publishes them; None draws.
        seed: of the draw.

    Raises:
        DataError: if the list cannot be read or names a clip that is not there, or all clips show one person.
    """
    if listed is not None:
        return _from_list(clips, listed)
    people = sorted({clip.identity for clip in clips})
    if len(people) < 2:
        raise DataError("another person's motion needs clips of two people at least", where="evaluate.tables")
    rng = random.Random(seed)
    by_person = {person: [clip for clip in clips if clip.identity == person] for person in people}
    everyone = [(a, b) for a in people for b in people if a != b]
    drawn = rng.sample(everyone, min(count, len(everyone)))
    return [(rng.choice(by_person[a]), rng.choice(by_person[b])) for a, b in drawn]


def _from_list(clips: Sequence[Clip], listed: Path) -> list[tuple[Clip, Clip]]:
    known = {key: clip for clip in clips for key in (clip.name, Path(clip.name).name, Path(clip.name).stem)}
    pairs = []
    for row in read_table(listed, COLUMNS):
        missing = [row[column] for column in COLUMNS if row[column] not in known]
        if missing:
            raise DataError(f"{quoted(missing[0])} is no clip of the data set", where=row.where)
        pairs.append((known[row["source"]], known[row["driving"]]))
    if not pairs:
        raise DataError("lists no pairs", where=listed, cure="Write a line source,driving for each.")
    return pairs
