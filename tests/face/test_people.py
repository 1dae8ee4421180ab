"""Pieces of one face are one person, whatever parts them; another face never is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from talkingface.face.detect.analyser import FaceAnalyser
from talkingface.face.track.look import aligned, likeness, look_of
from talkingface.face.track.people import nearest_of, people, without_cut_ends
from talkingface.face.track.track import Track, TrackSettings, track_faces
from talkingface.media.image import Picture, resize
from talkingface.media.video import open_video
from talkingface.paths import CLONE

SAMPLE = CLONE / "dataset" / "sample"
SIZE = 256


def frames_of(name: str, count: int = 20) -> list[Picture]:
    with open_video(SAMPLE / name, frame_limit=count, size=(SIZE, SIZE)) as reader:
        return list(reader)


def found(frames: list[Picture], mesh: FaceAnalyser) -> list[Track]:
    return people(track_faces(frames, mesh, TrackSettings(keep_looks=True)))


def grey(count: int) -> list[Picture]:
    return [np.full((SIZE, SIZE, 3), 110, np.uint8)] * count


CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "as before": lambda frame: frame,
    "nearer": lambda frame: resize(frame[20:236, 20:236], (SIZE, SIZE)),
    "darker": lambda frame: (frame * 0.8).astype(np.uint8),
    "aside": lambda frame: np.roll(frame, 30, axis=1),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("gap", [0, 15])
def test_one_person_in_two_pieces(mesh: FaceAnalyser, change: str, gap: int) -> None:
    first = frames_of("driving.mp4", 24)
    (person,) = found([*first[:12], *grey(gap), *map(CHANGES[change], first[12:])], mesh)
    assert person.start == 0 and person.frames[-1] == 23 + gap
    assert set(range(12)) <= set(person.followed.tolist()) and person.followed[-1] == 23 + gap
    assert len(person.followed) >= 20 and not set(range(12, 12 + gap)) & set(person.followed.tolist())
    held = person.landmarks
    assert held is not None and len(held) == len(person)
    if gap:
        assert np.array_equal(held[12], held[11]) and person.scores[12] == 0


def test_somebody_else_between_is_not_joined(mesh: FaceAnalyser) -> None:
    first = frames_of("driving.mp4", 24)
    one, two = found([*first[:12], *frames_of("test/painted2_01.mp4", 12), *first[12:]], mesh)
    assert [(piece.start, piece.stop) for piece in one.pieces] == [(0, 12), (24, 36)]
    assert (two.number, two.start, len(two), two.gaps) == (1, 12, 12, ())


def test_no_two_people_of_the_sample_are_alike(mesh: FaceAnalyser) -> None:
    looks = {}
    for name in ["driving.mp4", *(f"{path.parent.name}/{path.name}" for path in sorted(SAMPLE.glob("t*/*.mp4")))]:
        if "portrait" in name or "relative" in name:  # may be the person of another clip
            continue
        frames = frames_of(name, 9)
        faces = [mesh.faces(frame)[0] for frame in frames[::4]]
        looks[name] = np.stack([look_of(aligned(*pair)) for pair in zip(frames[::4], faces, strict=True)])
    for name, one in looks.items():
        assert likeness(one, one) > 0.99
        assert all(likeness(one, two) < 0.85 for other, two in looks.items() if other != name), name


def track(start: int, length: int, looks: np.ndarray | None) -> Track:
    return Track(
        0, start, np.full((length, 4), start, np.float32), None, np.ones(length, np.float32), None, "", None, looks
    )


def test_faces_that_are_seen_at_once_are_two() -> None:
    look = look_of(np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3))[None]
    assert len(people([track(0, 9, look), track(8, 9, look)])) == 2
    (joined,) = people([track(0, 9, look), track(9, 9, look)])
    assert (len(joined), joined.gaps, joined.pieces) == (18, (), [range(18)])
    assert len(people([track(0, 9, None), track(9, 9, None)])) == 2


def test_frames_at_the_edge_of_the_picture_are_not_held(mesh: FaceAnalyser) -> None:
    frame = frames_of("driving.mp4", 1)[0]
    slide = [np.roll(np.pad(frame, ((0, 0), (0, SIZE), (0, 0))), 16 * k, axis=1)[:, :SIZE] for k in range(13)]
    (person,) = found([*slide, *grey(14), *slide[::-1]], mesh)
    kept = without_cut_ends(person, (SIZE, SIZE))
    assert len(kept) == len(person) == 40 and set(kept.followed) < set(person.followed)
    assert kept.union.right < person.union.right and kept.pieces[0].start == 0 and kept.pieces[-1].stop == 40
    assert without_cut_ends(kept, (SIZE, SIZE)).gaps == kept.gaps
    whole = track(0, 5, None)
    assert without_cut_ends(whole, (SIZE, SIZE)) is whole


def test_the_nearest_known_frame() -> None:
    known = np.array([2, 3, 7])
    assert known[nearest_of(known, np.arange(10))].tolist() == [2, 2, 2, 3, 3, 3, 7, 7, 7, 7]
    assert nearest_of(np.array([4]), np.arange(3)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("name", "pieces"), [("slide", [(0, 22), (42, 60)]), ("leaves", [(0, 13), (26, 40)])])
def test_shared_pieces(name: str, pieces: list[tuple[int, int]], mesh: FaceAnalyser, shared_data: Path) -> None:
    with open_video(shared_data / "reports" / f"{name}.mp4") as reader:
        (person,) = found(list(reader), mesh)
    spans = [edge for piece in person.pieces for edge in (piece.start, piece.stop)]
    assert spans == pytest.approx([edge for piece in pieces for edge in piece], abs=2)
