"""Each format keeps what the writer promises: count, rate, colours, sound in step, transparency, old results."""

from __future__ import annotations

import subprocess
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from third_party import offer

from talkingface import plugins
from talkingface.errors import DependencyError, UnknownNameError
from talkingface.media import formats
from talkingface.media.ffmpeg import executable
from talkingface.media.formats import endings
from talkingface.media.image import over_background, read_image
from talkingface.media.sounds.audio import read_audio
from talkingface.media.video import open_video, probe
from talkingface.media.writer import open_writer
from talkingface.plugins import FORMATS

from .clips import onset_s, smooth_frames, with_sound
from .test_writer import colour_error, write

VIDEOS = ("x.mp4", "x.mov", "x.webm")
ALPHA = ("x.webm", "x.webp", "frames")


def moving_disc(count: int, height: int = 48, width: int = 62) -> list[np.ndarray]:
    """RGBA: a disc that wanders to the right over a transparent ground, half transparent at its edge."""
    y, x = np.mgrid[:height, :width]
    frames = []
    for number, picture in enumerate(smooth_frames(count, height, width)):
        inside = 16 - np.hypot(x - 18 - number, y - height / 2)
        frames.append(np.dstack([picture, (inside * 60).clip(0, 255).astype(np.uint8)]))
    return frames


def stored_alpha(file: Path, count: int, height: int, width: int) -> np.ndarray:
    """(count, H, W), what the file itself holds, read by other means than our reader."""
    if file.suffix == ".webp":
        with Image.open(file) as image:
            assert image.n_frames == count and image.info["loop"] == 0
            return np.stack([_alpha_of(image, number) for number in range(count)])
    if file.is_dir():
        return np.stack([np.array(Image.open(path))[..., 3] for path in sorted(file.iterdir())])
    raw = ["-i", str(file), "-f", "rawvideo", "-pix_fmt", "rgba", "pipe:1"]
    done = subprocess.run([executable(), "-v", "error", "-c:v", "libvpx-vp9", *raw], capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(count, height, width, 4)[..., 3]


def _alpha_of(image: Image.Image, number: int) -> np.ndarray:
    image.seek(number)
    return np.array(image.convert("RGBA"))[..., 3]


@pytest.mark.parametrize("fps", ["25", "30000/1001", "12"])
@pytest.mark.parametrize("name", ["x.mov", "x.webm", "x.webp"])
def test_rate_count_and_colours_come_back(tmp_path: Path, name: str, fps: str) -> None:
    frames = smooth_frames(20)
    assert write(tmp_path / name, frames, Fraction(fps)) == []
    info = probe(tmp_path / name)
    assert info.frames == 20 and info.matrix_known and info.constant_rate
    # Others than mov count whole milliseconds, from which a short clip does not tell 30000/1001 from 30.
    assert info.fps == Fraction(fps if name == "x.mov" or fps != "30000/1001" else 30)
    assert colour_error(tmp_path / name, frames) < 4


@pytest.mark.parametrize("name", ["x.webm", "x.webp"])
def test_broadcast_rates_come_back_from_a_longer_clip(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, smooth_frames(150, 16, 16), Fraction(30000, 1001))
    info = probe(tmp_path / name)
    assert (info.fps, info.frames) == (Fraction(30000, 1001), 150)


@pytest.mark.parametrize("name", ["x.mov", "x.webm", "x.webp"])
def test_quality_orders_sizes_and_lossless_is_exact(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (51, 63, 3), dtype=np.uint8) for _ in range(3)]
    sizes = []
    for quality in (51, "low", "medium", "high", "lossless"):
        write(tmp_path / name, frames, quality=quality)
        sizes.append((tmp_path / name).stat().st_size)
    assert sizes == sorted(sizes)
    assert colour_error(tmp_path / name, frames) == 0


@pytest.mark.parametrize("name", ["x.webm", "x.webp"])
def test_odd_sides_stay(tmp_path: Path, name: str) -> None:
    frames = smooth_frames(3, 51, 63)
    write(tmp_path / name, frames)
    assert next(iter(open_video(tmp_path / name))).shape == (51, 63, 3)
    assert colour_error(tmp_path / name, frames) < 4


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize(("starts_s", "sound_s"), [(0, 3), (0.6, 2), (0, 0.3)])
def test_sound_keeps_its_place_and_ends_with_the_pictures(
    tmp_path: Path, name: str, starts_s: float, sound_s: float
) -> None:
    driving = with_sound(tmp_path / "d.mp4", seconds=1.2, sound_starts_s=starts_s, sound_s=sound_s)
    assert write(tmp_path / name, smooth_frames(30), audio=driving) == []
    info, wave = probe(tmp_path / name), read_audio(tmp_path / name)
    assert info.frames == 30 and info.has_audio
    assert abs(len(wave) / 16000 - 1.2) < 0.1
    assert abs(onset_s(wave) - starts_s) < 0.03


@pytest.mark.parametrize("name", VIDEOS)
def test_sound_does_not_run_past_pictures_that_come_slowly(tmp_path: Path, name: str) -> None:
    driving = with_sound(tmp_path / "d.mp4", seconds=3, sound_s=3)
    with open_writer(tmp_path / name, fps=Fraction(25), audio=driving, audio_duration_s=3) as writer:
        for frame in smooth_frames(3):
            writer.write(frame)
            time.sleep(0.3)
    assert writer.warnings == [] and probe(tmp_path / name).frames == 3
    assert len(read_audio(tmp_path / name)) / 16000 < 0.12 + 0.03


def test_formats_without_sound_say_so(tmp_path: Path) -> None:
    driving = with_sound(tmp_path / "d.mp4")
    for name in ("x.gif", "x.webp"):
        (warning,) = write(tmp_path / name, smooth_frames(3), audio=driving)
        assert warning == f"a {name[2:]} holds no sound; write .mp4 to keep it"


@pytest.mark.parametrize("name", ALPHA)
def test_transparency_is_kept_and_our_reader_shows_it_over_white(tmp_path: Path, name: str) -> None:
    frames = moving_disc(6)
    write(tmp_path / name, frames)
    alpha = stored_alpha(tmp_path / name, 6, 48, 62)
    assert np.abs(alpha.astype(int) - np.stack(frames)[..., 3]).mean() < 2
    assert colour_error(tmp_path / name, [over_background(frame) for frame in frames]) < 3


@pytest.mark.parametrize("name", ["x.mp4", "x.mov", "x.gif"])
def test_other_formats_get_frames_over_white(tmp_path: Path, name: str) -> None:
    frames = moving_disc(4)
    write(tmp_path / name, frames)
    assert not probe(tmp_path / name).has_alpha or name == "x.gif"  # a palette may always hold transparency
    assert colour_error(tmp_path / name, [over_background(frame) for frame in frames]) < 8


def test_an_animated_webp_lasts_as_long_as_its_frames_and_runs_for_ever(tmp_path: Path) -> None:
    first, second = smooth_frames(2)
    # Equal frames are stored once, with the time of all of them.
    write(tmp_path / "x.webp", [first] * 5 + [second] * 20, Fraction(30000, 1001), quality="lossless")
    info = probe(tmp_path / "x.webp")
    assert info.duration_s == pytest.approx(25 * 1001 / 30000, abs=0.002)
    with Image.open(tmp_path / "x.webp") as image:
        assert image.info["loop"] == 0
    read = list(open_video(tmp_path / "x.webp", fps=Fraction(30000, 1001)))
    assert len(read) == 25
    assert all(np.array_equal(frame, first) for frame in read[:5])
    assert all(np.array_equal(frame, second) for frame in read[5:])


def test_an_animated_webp_is_read_as_a_video(tmp_path: Path) -> None:
    frames = smooth_frames(20)
    write(tmp_path / "x.webp", frames, quality="lossless")
    limited = list(open_video(tmp_path / "x.webp", frame_limit=3, size=(32, 40), square=False))
    assert [frame.shape for frame in limited] == [(32, 40, 3)] * 3
    square = next(iter(open_video(tmp_path / "x.webp", square=True)))
    assert square.shape == (64, 64, 3) and np.array_equal(square, frames[0][:, 8:72])
    assert len(list(open_video(tmp_path / "x.webp", fps=Fraction(50)))) == 40
    data = (tmp_path / "x.webp").read_bytes()
    (tmp_path / "cut.webp").write_bytes(data[: len(data) // 2])
    with open_video(tmp_path / "cut.webp") as reader:
        assert len(list(reader)) < 20 and "damaged" in reader.warnings[0]


def test_a_still_webp_stays_a_picture(tmp_path: Path) -> None:
    Image.fromarray(smooth_frames(1)[0]).save(tmp_path / "still.webp", lossless=True)
    assert probe(tmp_path / "still.webp").frames == 1
    assert np.array_equal(read_image(tmp_path / "still.webp"), smooth_frames(1)[0])


MATROSKA = """
from talkingface.media.formats import Format

MKV = Format(lambda encoding: ["-c:v", "ffv1", "-pix_fmt", "bgra"], "matroska", sound=("-c:a", "flac"), alpha=True)
NEVER = Format(lambda encoding: [], "never", encoders=("no_such_encoder",))
"""


def test_a_format_of_another_package_is_written_and_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "matroska_format.py").write_text(MATROSKA)
    lines = ["mkv = matroska_format:MKV", "never = matroska_format:NEVER", "odd = matroska_format:Nothing"]
    offer(tmp_path, "matroska", *lines, group=FORMATS.group)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.forget()
    assert endings()[-3:] == [".mkv", ".never", ".odd"]
    driving = with_sound(tmp_path / "d.mp4", seconds=1)
    assert write(tmp_path / "x.MKV", smooth_frames(25), audio=driving) == []
    assert colour_error(tmp_path / "x.MKV", smooth_frames(25)) == 0 and probe(tmp_path / "x.MKV").has_audio
    with pytest.raises(DependencyError, match="no encoder no_such_encoder"):
        open_writer(tmp_path / "x.never", fps=Fraction(25))
    with pytest.raises(UnknownNameError, match="output format 'odd' of matroska is broken: AttributeError"):
        open_writer(tmp_path / "x.odd", fps=Fraction(25))
    plugins.forget()


def test_ours_lack_nothing_in_the_shipped_program() -> None:
    assert {name: FORMATS.get(name).lacks() for name in FORMATS.names()} == {name: [] for name in FORMATS.names()}
    assert formats.MP4 is FORMATS.get("mp4")
