"""Every file of the shared test data either works or gives one clear line."""

import csv
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from talkingface.errors import MediaError
from talkingface.media.image import read_image
from talkingface.media.sounds.audio import has_audio, read_audio
from talkingface.media.video import open_video
from talkingface.media.writer import open_writer

SHARED = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[3] / "shared")) / "data"
pytestmark = pytest.mark.skipif(not (SHARED / "MANIFEST.csv").is_file(), reason="shared test data is not here")

BAD_PICTURES = {"s21": "damaged or cut off", "s22": "not a picture"}
BAD_VIDEOS = {"d11": "index", "d13": "no video", "d22": "empty"}
BAD_SOUNDS = {"a26": "no samples", "a30": "not a video or sound", "a32": "not a video or sound"}
RESAMPLED = {"d09", "d15"}


def rows(folder: str) -> Iterator[dict[str, str]]:
    if not (SHARED / "MANIFEST.csv").is_file():
        return
    with (SHARED / "MANIFEST.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            if row["file"].startswith(f"{folder}/") and row["file"].count("/") == 1:
                yield row


def params(folder: str) -> list:
    return [pytest.param(row, id=Path(row["file"]).stem) for row in rows(folder)]


def fails_in_one_line(file: Path, expected: str, read: object) -> None:
    with pytest.raises(MediaError, match=expected) as caught:
        read(file)  # type: ignore[operator]
    assert "\n" not in str(caught.value) and file.name in str(caught.value) and caught.value.cure


@pytest.mark.parametrize("row", params("source"))
def test_picture(row: dict[str, str]) -> None:
    file = SHARED / row["file"]
    if file.name[:3] in BAD_PICTURES:
        return fails_in_one_line(file, BAD_PICTURES[file.name[:3]], read_image)
    width, height = map(int, row["resolution"].split("x"))
    picture = read_image(file)
    assert picture.shape == (height, width, 3) and picture.dtype == np.uint8


@pytest.mark.parametrize("name", ["s18_exif6_512.jpg", "s19_cmyk_512.jpg", "s20_16bit_512.png", "s25_webp_512.webp"])
def test_variants_look_like_the_plain_portrait(name: str) -> None:
    plain = read_image(SHARED / "source" / "s01_astronaut_512.png").astype(int)
    assert np.abs(read_image(SHARED / "source" / name) - plain).mean() < 6


@pytest.mark.parametrize("row", params("driving"))
def test_video(row: dict[str, str]) -> None:
    file = SHARED / row["file"]
    if file.name[:3] in BAD_VIDEOS:
        return fails_in_one_line(file, BAD_VIDEOS[file.name[:3]], open_video)
    width, height = map(int, row["resolution"].split("x"))
    if file.name.startswith("d10"):
        width, height = height, width
    with open_video(file) as video:
        count, black = 0, True
        for frame in video:
            count, black = count + 1, black and not frame.any()
    assert frame.shape == (height, width, 3) and not black
    assert count == video.frames and abs(count - int(row["frames"])) <= 2
    assert abs(count / video.fps - int(row["frames"]) / float(row["fps"])) < 0.1
    assert bool(video.warnings) == (file.name[:3] in RESAMPLED | {"d12"})


@pytest.mark.parametrize("row", [*params("audio"), *params("driving")])
def test_sound(row: dict[str, str]) -> None:
    file = SHARED / row["file"]
    stem = file.name[:3]
    silent = stem in ("d11", "d22") or (stem.startswith("d") and not has_audio(file))
    if stem in BAD_SOUNDS or silent:
        return fails_in_one_line(file, BAD_SOUNDS.get(stem, stem), read_audio)
    wave = read_audio(file)
    assert wave.dtype == np.float32 and wave.ndim == 1 and np.isfinite(wave).all()
    if stem.startswith("a") and stem != "a31":
        assert abs(len(wave) / 16000 - float(row["seconds"])) < 0.06


@pytest.mark.parametrize("row", params("audio"))
def test_sound_beside_pictures_never_loses_them(row: dict[str, str], tmp_path: Path) -> None:
    file, output = SHARED / row["file"], tmp_path / "x.mp4"
    try:
        writer = open_writer(output, fps=Fraction(25), audio=file)
    except MediaError as error:
        assert file.name[:3] in BAD_SOUNDS and "\n" not in str(error) and not list(tmp_path.iterdir())
        return
    with writer:
        for _ in range(10):
            writer.write(np.zeros((32, 32, 3), np.uint8))
    assert len(list(open_video(output))) == 10
    assert has_audio(output) == (file.name[:3] != "a26") == (not writer.warnings or file.name[:3] == "a31")


def test_late_sound_of_a_phone_clip_stays_late(tmp_path: Path) -> None:
    driving = SHARED / "driving" / "d15_face_then_none_960x540.mov"
    with (
        open_video(driving, size=(54, 96)) as video,
        open_writer(tmp_path / "x.mp4", fps=video.fps, audio=driving) as out,
    ):
        for frame in video:
            out.write(frame)
    before, after = read_audio(driving), read_audio(tmp_path / "x.mp4")
    lag = int(np.correlate(after, before[:32000], "valid").argmax())
    assert abs(lag / 16000 - 2.43) < 0.01
