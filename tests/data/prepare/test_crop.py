"""Cutting: whose face is taken, which region, and whether sound and pictures stay together."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benchmarks.raw_videos import place
from talkingface.data.prepare.files import Record
from talkingface.data.prepare.items import Video, VideoPart
from talkingface.data.prepare.steps.crop import CropVideo, segments_of
from talkingface.data.prepare.tools import PrepareTools
from talkingface.face.track.segments import CropRules
from talkingface.face.track.track import Track
from talkingface.media.ffmpeg import address, output_of
from talkingface.media.sounds.audio import read_audio
from talkingface.media.video import open_video
from talkingface.paths import shipped

RULES = CropRules(min_frames=16, min_size=40, size=(64, 64))


def crop(root: Path, video: Path, *parts: VideoPart, fps: int = 25, format: str = ".mp4", version: int = 1) -> Record:
    step = CropVideo(
        root, root / "clips", PrepareTools("mesh"), RULES, fps=Fraction(fps), format=format, dataset_version=version
    )
    return step.run(Video("id1#v", "id1", "train", video, parts=parts)).record


def frames_of(path: Path) -> np.ndarray:
    with open_video(path) as reader:
        return np.stack(list(reader))


@pytest.fixture(scope="module")
def two_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400x256: one person on the left half, another on the right half."""
    folder = tmp_path_factory.mktemp("two")
    left = place(shipped("dataset", "sample", "train", "portrait_01.mp4"), folder / "left.mp4", 190, 0, 30)
    right = place(shipped("dataset", "sample", "train", "painted1_01.mp4"), folder / "right.mp4", 190, 205, 30)
    graph = "[1:v]crop=200:256:200:0[r];[0:v][r]overlay=200:0[out]"
    target = folder / "two.mp4"
    status, _, messages = output_of(
        ["-y", "-i", address(left), "-i", address(right), "-filter_complex", graph, "-map", "[out]", address(target)]
    )
    assert status == 0, messages
    return target


@pytest.mark.parametrize(("side", "centre"), [("left", 100), ("right", 300)])
@pytest.mark.parametrize("version", [1, 2])
def test_the_annotated_face_is_taken(
    mesh: None, two_people: Path, tmp_path: Path, side: str, centre: int, version: int
) -> None:
    box = np.array([centre - 60, 70, 120, 120])
    numbers = box * 360 / 256 if version == 1 else box / [400, 256, 400, 256]
    rows = "".join(f"{frame:06d} \t" + " \t".join(f"{number:.4f}" for number in numbers) + " \n" for frame in range(40))
    annotation = tmp_path / "00001.txt"
    annotation.write_text(f"Identity  : \tid1\n\nFRAME \tX \tY \tW \tH \n{rows}")
    record = crop(tmp_path, two_people, VideoPart("id1#v#00001", annotation=annotation), version=version)
    assert [clip["name"] for clip in record.facts["clips"]] == ["id1#v#00001#000"], record.reason
    clip = frames_of(tmp_path / record.outputs[0].path)[5].astype(int)
    whole = frames_of(two_people)[5]
    likeness = {name: np.abs(clip - _square(whole, x)).mean() for name, x in (("left", 100), ("right", 300))}
    assert min(likeness, key=likeness.__getitem__) == side


def _square(frame: np.ndarray, x: int) -> np.ndarray:
    from talkingface.media.image import resize

    return resize(np.ascontiguousarray(frame[60:220, x - 80 : x + 80]), (64, 64)).astype(int)


def test_both_faces_are_taken_where_nothing_is_annotated(mesh: None, two_people: Path, tmp_path: Path) -> None:
    record = crop(tmp_path, two_people)
    assert [clip["name"] for clip in record.facts["clips"]] == ["id1#v#000", "id1#v#001"]


@pytest.fixture(scope="module")
def beep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 seconds of 320x240 at 25 frames/s: black, white and loud from 2.0 s to 2.2 s."""
    target = tmp_path_factory.mktemp("beep") / "beep.mp4"
    loud = "between(t,2,2.199)"
    status, _, messages = output_of(
        [
            *("-y", "-f", "lavfi", "-i", "color=black:size=320x240:rate=25:duration=3"),
            *("-f", "lavfi", "-i", f"aevalsrc='0.8*sin(2*PI*1000*t)*{loud}':s=16000:d=3"),
            *("-vf", f"drawbox=t=fill:c=white:enable='{loud}'", "-c:a", "aac", address(target)),
        ]
    )
    assert status == 0, messages
    return target


def test_sound_and_pictures_of_a_part_stay_together(beep: Path, tmp_path: Path) -> None:
    part = VideoPart("id1#v#part", start_s=1.2, end_s=3.0, box=(40, 20, 240, 220))
    record = crop(tmp_path, beep, part)
    path = tmp_path / record.outputs[0].path
    frames = frames_of(path)
    assert frames.shape == (45, 64, 64, 3)
    white = np.flatnonzero(frames.mean(axis=(1, 2, 3)) > 128)
    assert (white.min(), white.max()) == (20, 24)
    heard = np.flatnonzero(np.abs(read_audio(path, 16000)) > 0.2) / 16000
    assert abs(heard.min() - 0.8) < 0.03 and abs(heard.max() - 1.0) < 0.03


@pytest.mark.parametrize("height", [None, 480])
def test_a_listed_region_is_taken_as_it_is(tmp_path: Path, height: int | None) -> None:
    source = tmp_path / "ramp.mp4"
    ramp = "nullsrc=size=320x240:rate=25:duration=1,geq=lum='X*0.7':cb=128:cr=128"
    assert output_of(["-y", "-f", "lavfi", "-i", ramp, "-pix_fmt", "yuv420p", address(source)])[0] == 0
    scale = 1 if height is None else 2
    box = (100 * scale, 40 * scale, 200 * scale, 140 * scale)
    record = crop(tmp_path, source, VideoPart("id1#v#p", 0.0, 0.8, box=box, frame_height=height))
    (clip,) = [frames_of(tmp_path / known.path) for known in record.outputs]
    whole = frames_of(source)[3]
    assert len(clip) == 20
    for column, x in ((0, 100.5), (63, 199)):
        assert abs(int(clip[3, 32, column, 0]) - int(whole[90, round(x), 0])) <= 4


def test_a_video_that_ends_early_gives_what_there_is(beep: Path, tmp_path: Path) -> None:
    box = (40.0, 20.0, 240.0, 220.0)
    parts = (
        VideoPart("id1#v#a", 2.0, 9.0, box=box),
        VideoPart("id1#v#b", 2.8, 9.0, box=box),
        VideoPart("id1#v#c", 60, 70, box=box),
    )
    record = crop(tmp_path, beep, *parts)
    assert record.facts["clips"] == [{"name": "id1#v#a", "frames": 25}]
    assert [path.name for path in (tmp_path / "clips" / "train").iterdir()] == ["id1#v#a.mp4"]


def test_folders_of_pictures(beep: Path, tmp_path: Path) -> None:
    part = VideoPart("id1#v#p", 0.0, 1.0, box=(40, 20, 240, 220))
    record = crop(tmp_path, beep, part, format=".png")
    folder = tmp_path / record.outputs[0].path
    assert folder.name == "id1#v#p"
    assert sorted(path.name for path in folder.iterdir())[-1] == "000024.png"


def test_a_missing_video_is_tried_again(tmp_path: Path) -> None:
    record = crop(tmp_path, tmp_path / "none.mp4")
    assert record.outcome == "failed" and record.passing


def track(start: int, *lefts: float) -> Track:
    boxes = np.array([(left, 0, left + 100, 100) for left in lefts], np.float32)
    return Track(0, start, boxes, None, np.ones(len(lefts), np.float32))


def test_clips_end_where_the_face_leaves_its_first_place() -> None:
    moving = track(7, *([0] * 20), *([55] * 20), *([70] * 20))
    segments, refused = segments_of([moving], "v", RULES, 1000, (300, 400))
    # Overlap of 100 pixels moved by 55: 45/155, above a quarter; by 70: 30/170, below.
    assert [(part.name, part.start, part.stop) for part in segments] == [("v#000", 7, 47), ("v#001", 47, 67)]
    assert refused == []


def test_long_stretches_are_cut_and_short_rests_refused() -> None:
    segments, refused = segments_of([track(0, *([0] * 50))], "v", RULES, 20, (300, 400))
    assert [(part.start, part.stop) for part in segments] == [(0, 20), (20, 40)]
    assert len(refused) == 1 and refused[0].startswith("v#002, frames 40-49") and "--min_frames=10" in refused[0]


def test_names_do_not_depend_on_the_limits() -> None:
    tracks = [track(0, *([0] * 10)), replace(track(30, *([0] * 20)), number=1)]
    strict, _ = segments_of(tracks, "v", RULES, 1000, (300, 400))
    loose, _ = segments_of(tracks, "v", replace(RULES, min_frames=1), 1000, (300, 400))
    assert strict[0].name == loose[1].name == "v#001"
