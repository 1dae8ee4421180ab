"""Videos, gifs and folders come as upright frames at an exact constant rate."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from talkingface.errors import MediaError
from talkingface.media.ffmpeg import address
from talkingface.media.image import write_image
from talkingface.media.video import open_video, probe
from talkingface.types import Square

from .clips import ffmpeg, moving_picture, smooth_frames, with_sound


@pytest.mark.parametrize("ending", ["mp4", "mov", "avi", "mpg", "webm", "mkv"])
def test_containers(tmp_path: Path, ending: str) -> None:
    file = moving_picture(tmp_path / f"x.{ending}")
    with open_video(file) as video:
        frames = list(video)
    assert (video.fps, video.frames, len(frames), video.warnings) == (25, 25, 25, [])
    assert frames[0].shape == (48, 64, 3) and frames[0].dtype == np.uint8
    assert not np.array_equal(frames[0], frames[-1])


@pytest.mark.parametrize("rate", ["30000/1001", "24000/1001", "60000/1001", "15"])
@pytest.mark.parametrize("ending", ["mp4", "webm"])
def test_rates_stay_exact_fractions(tmp_path: Path, rate: str, ending: str) -> None:
    file = moving_picture(tmp_path / f"x.{ending}", rate=rate, seconds=1.6)
    info = probe(file)
    assert info.fps == Fraction(rate) and info.constant_rate
    assert info.duration_s == info.frames / info.fps
    assert len(list(open_video(file))) == info.frames


@pytest.mark.parametrize("name", ["-x.mp4", "a 'b' \"c\".mp4", "100%d.mp4", "été 视频.mp4", "a:b;c|d.mp4"])
def test_names_are_only_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "50% of 'it'"
    folder.mkdir()
    moving_picture(folder / name, seconds=0.2)
    monkeypatch.chdir(folder)
    assert len(list(open_video(name))) == 5


def test_rotation_is_honoured(tmp_path: Path) -> None:
    stored = moving_picture(tmp_path / "stored.mp4", seconds=0.2)
    ffmpeg("-display_rotation", "-90", "-i", address(stored), "-c", "copy", address(tmp_path / "turned.mp4"))
    video = open_video(tmp_path / "turned.mp4")
    assert (video.height, video.width) == (64, 48)
    for upright, lying in zip(video, open_video(stored), strict=True):
        assert np.abs(upright.astype(int) - np.rot90(lying, -1)).mean() < 3


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    file = moving_picture(tmp_path / "x.mp4", "-vf", "setsar=2/1", seconds=0.2)
    assert next(iter(open_video(file))).shape == (48, 128, 3)
    square = open_video(file, square=True, size=(32, 32))
    whole = next(iter(open_video(file)))[:, 40:88]
    small = np.asarray(Image.fromarray(whole).resize((32, 32), Image.Resampling.BICUBIC))
    assert np.abs(next(iter(square)).astype(int) - small).mean() < 8


def test_variable_rate_shows_each_frame_at_its_time(tmp_path: Path) -> None:
    # The first second at 25, the next two at 5 frames/s; the brightness of a frame is its time.
    source = "color=black:size=32x32:rate=25:duration=3,geq=lum='16+70*T':cb=128:cr=128"
    thin = "select='lt(t,1)+not(mod(n,5))'"
    file = tmp_path / "x.mp4"
    ffmpeg("-f", "lavfi", "-i", source, "-vf", thin, "-fps_mode", "vfr", "-crf", "1", address(file))
    video = open_video(file)
    levels = [frame.mean() for frame in video]
    assert len(levels) == video.frames and "varies" in video.warnings[0]
    assert abs(len(levels) / video.fps - 3) < 0.25  # the container does not say how long the last frame lasts
    at_1_s, at_2_s = levels[round(video.fps)], levels[round(2 * video.fps)]
    assert abs((at_2_s - at_1_s) / (255 / 219) - 70) < 16  # the frame shown is at most one slow frame old


def test_wanted_rate_limit_and_size(tmp_path: Path) -> None:
    file = moving_picture(tmp_path / "x.mp4")
    video = open_video(file, fps=Fraction(10), frame_limit=7, size=(24, 32))
    frames = list(video)
    assert len(frames) == video.frames == 7 and frames[0].shape == (24, 32, 3)
    assert len(list(open_video(file, fps=Fraction(10)))) == 10
    assert len(list(open_video(file, fps=Fraction(50)))) == 50


@pytest.mark.parametrize("wish", [{"fps": Fraction(0)}, {"frame_limit": 0}])
def test_impossible_wishes(tmp_path: Path, wish: dict) -> None:
    with pytest.raises(MediaError, match="Use"):
        open_video(moving_picture(tmp_path / "x.mp4", seconds=0.2), **wish)


def test_iterating_again_starts_again_and_leaving_early_ends_the_child(tmp_path: Path) -> None:
    with open_video(moving_picture(tmp_path / "x.mp4", size="640x480", seconds=4)) as video:
        first = next(iter(video))
        assert np.array_equal(first, next(iter(video)))
    assert video._running is None


def test_late_first_picture_is_the_first_frame(tmp_path: Path) -> None:
    early = moving_picture(tmp_path / "early.mp4", seconds=0.4)
    ffmpeg("-itsoffset", "0.7", "-i", address(early), "-c", "copy", "-copyts", address(tmp_path / "late.mkv"))
    assert len(list(open_video(tmp_path / "late.mkv"))) == 10


def test_gif_timing_and_transparency(tmp_path: Path) -> None:
    frames = [Image.new("RGBA", (8, 6), (200, 0, 0, 0 if k == 0 else 255)) for k in range(6)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:], duration=[100] * 6, disposal=2)
    video = open_video(tmp_path / "x.gif")
    shown = list(video)
    assert video.fps == 10
    assert (shown[0] == 255).all() and shown[-1][0, 0].tolist() == [200, 0, 0]


def test_folder_in_natural_order_scaled_to_the_first(tmp_path: Path) -> None:
    for number in (10, 9, 100):
        size = (6, 8) if number == 9 else (12, 12)
        write_image(tmp_path / f"frame{number}.png", np.full((*size, 3), number, np.uint8))
    (tmp_path / "notes.txt").write_text("not a frame")
    (tmp_path / "._frame1.png").write_bytes(b"shadow copy")
    video = open_video(tmp_path)
    frames = list(video)
    assert [int(frame[0, 0, 0]) for frame in frames] == [9, 10, 100]
    assert {frame.shape for frame in frames} == {(6, 8, 3)}
    assert (video.fps, video.frames, len(video.warnings)) == (25, 3, 1)
    assert open_video(tmp_path, fps=Fraction(12)).fps == 12
    assert probe(tmp_path).frames == 3


def test_single_picture_is_one_frame(tmp_path: Path) -> None:
    write_image(tmp_path / "x.png", smooth_frames(1)[0])
    assert [frame.shape for frame in open_video(tmp_path / "x.png", size=(32, 32), square=True)] == [(32, 32, 3)]


def test_truncated_tail_gives_the_readable_part_and_a_warning(tmp_path: Path) -> None:
    whole = moving_picture(tmp_path / "whole.mp4", "-movflags", "+faststart", "-g", "5", seconds=2)
    data = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
    video = open_video(tmp_path / "cut.mp4")
    count = len(list(video))
    assert 5 < count < 50 and f"{count} frames" in video.warnings[0]


def test_what_is_no_video_says_so_in_one_line(tmp_path: Path) -> None:
    whole = moving_picture(tmp_path / "whole.mp4").read_bytes()
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.2", address(tmp_path / "sound.m4a"))
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "noindex.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.mp4").write_text("words\n" * 100)
    (tmp_path / "text.txt").write_text("words\n" * 100)
    (tmp_path / "folder").mkdir()
    cases = {"sound.m4a": "no video", "empty.mp4": "empty", "noindex.mp4": "index", "text.mp4": "not a video"}
    cases |= {"text.txt": "not a video", "folder": "no pictures", "none.mp4": "no such file"}
    for name, words in cases.items():
        with pytest.raises(MediaError, match=words) as caught:
            open_video(tmp_path / name)
        assert "\n" not in str(caught.value) and name in str(caught.value) and caught.value.cure


def test_cover_art_is_not_a_video(tmp_path: Path) -> None:
    write_image(tmp_path / "cover.png", smooth_frames(1)[0])
    ffmpeg(
        *("-f", "lavfi", "-i", "sine=duration=0.5", "-i", address(tmp_path / "cover.png"), "-map", "0", "-map", "1"),
        *("-c:v", "copy", "-disposition:v", "attached_pic", address(tmp_path / "x.mp3")),
    )
    info = probe(tmp_path / "x.mp3")
    assert info.has_audio and not info.has_video


def test_sound_is_seen(tmp_path: Path) -> None:
    assert probe(with_sound(tmp_path / "x.mp4")).sample_rate_hz == 16000
    assert not probe(moving_picture(tmp_path / "y.mp4")).has_audio


def test_a_given_square_is_cut_out(tmp_path: Path) -> None:
    square = Square(20, 8, 32)
    path = moving_picture(tmp_path / "x.mkv", "-c:v", "ffv1", "-pix_fmt", "bgr0")
    parts, wholes = list(open_video(path, square=square)), list(open_video(path))
    assert len(parts) == len(wholes) == 25
    for part, whole in zip(parts, wholes, strict=True):
        assert np.array_equal(part, whole[8:40, 20:52])
    write_image(tmp_path / "x.png", wholes[0])
    (still,) = open_video(tmp_path / "x.png", square=square)
    assert np.array_equal(still, wholes[0][8:40, 20:52])
