"""Results are whole or absent, in step with their sound, and of the right colours."""

import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from talkingface.errors import MediaError, ShapeError
from talkingface.media import formats
from talkingface.media.formats import check_output, output_format
from talkingface.media.image import read_image
from talkingface.media.sounds.audio import read_audio
from talkingface.media.video import open_video, probe
from talkingface.media.writer import open_writer

from .clips import moving_picture, onset_s, smooth_frames, with_sound


def write(output: Path | str, frames: list[np.ndarray], fps: Fraction = Fraction(25), **options: object) -> list[str]:
    with open_writer(output, fps=fps, **options) as writer:  # type: ignore[arg-type]
        for frame in frames:
            writer.write(frame)
    return writer.warnings


def colour_error(file: Path, frames: list[np.ndarray]) -> float:
    height, width = frames[0].shape[:2]
    read = np.stack([frame[:height, :width] for frame in open_video(file)]).astype(int)
    return float(np.abs(read - np.stack(frames)).mean())


@pytest.mark.parametrize("fps", ["25", "30000/1001", "131/8", "12"])
def test_mp4_keeps_rate_count_and_colours(tmp_path: Path, fps: str) -> None:
    frames = smooth_frames(20)
    assert write(tmp_path / "a" / "x.mp4", frames, Fraction(fps)) == []
    info = probe(tmp_path / "a" / "x.mp4")
    assert (info.fps, info.frames, info.matrix_known) == (Fraction(fps), 20, True)
    assert colour_error(info.path, frames) < 3  # chroma of half size; a wrong matrix gives more than 8


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 150, 120)])
def test_flat_colours_come_back(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    frame = np.full((64, 64, 3), colour, np.uint8)
    write(tmp_path / "x.mp4", [frame] * 3)
    assert np.abs(next(iter(open_video(tmp_path / "x.mp4"))).astype(int) - frame).max() <= 3


def test_mp4_is_h264_yuv420p_and_streamable(tmp_path: Path) -> None:
    write(tmp_path / "x.mp4", smooth_frames(5))
    data = (tmp_path / "x.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat") and b"avc1" in data


def test_odd_sides_grow_by_their_last_row_and_column(tmp_path: Path) -> None:
    frames = smooth_frames(3, 51, 63)
    write(tmp_path / "x.mp4", frames)
    read = next(iter(open_video(tmp_path / "x.mp4"))).astype(int)
    assert read.shape == (52, 64, 3)
    assert np.abs(read[51] - read[50]).mean() < 4 and np.abs(read[:, 63] - read[:, 62]).mean() < 4
    assert colour_error(tmp_path / "x.mp4", frames) < 2


def test_quality_orders_sizes_and_lossless_is_exact(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (51, 63, 3), dtype=np.uint8) for _ in range(3)]
    sizes = []
    for quality in ("low", "medium", "high", "lossless", 51, "51"):
        write(tmp_path / "x.mp4", frames, quality=quality)
        sizes.append((tmp_path / "x.mp4").stat().st_size)
        if quality == "lossless":
            assert colour_error(tmp_path / "x.mp4", frames) == 0
    assert sizes[:4] == sorted(sizes[:4]) and sizes[4] == sizes[5] < sizes[0]


@pytest.mark.parametrize("quality", ["best", -1, 52, "1.5"])
def test_unknown_quality(tmp_path: Path, quality: object) -> None:
    with pytest.raises(MediaError, match="lossless"):
        open_writer(tmp_path / "x.mp4", fps=Fraction(25), quality=quality)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("starts_s", "sound_s"), [(0, 3), (0, 0.3), (0.6, 2)])
def test_sound_keeps_its_place_and_ends_with_the_pictures(tmp_path: Path, starts_s: float, sound_s: float) -> None:
    driving = with_sound(tmp_path / "d.mp4", seconds=1.2, sound_starts_s=starts_s, sound_s=sound_s)
    assert write(tmp_path / "x.mp4", smooth_frames(30), audio=driving) == []
    info, wave = probe(tmp_path / "x.mp4"), read_audio(tmp_path / "x.mp4")
    assert info.frames == 30 and info.has_audio
    assert abs(len(wave) / 16000 - 1.2) < 0.1
    assert abs(onset_s(wave) - starts_s) < 0.03
    assert (np.abs(wave[-3000:-1600]).max() > 0.05) == (starts_s + sound_s > 1.2)


def test_sound_is_cut_with_a_frame_limit(tmp_path: Path) -> None:
    driving = with_sound(tmp_path / "d.mp4", seconds=3, sound_s=3)
    write(tmp_path / "x.mp4", smooth_frames(10), audio=driving)
    assert abs(len(read_audio(tmp_path / "x.mp4")) / 16000 - 0.4) < 0.1


def test_sound_does_not_run_past_pictures_that_come_slowly(tmp_path: Path) -> None:
    driving = with_sound(tmp_path / "d.mp4", seconds=3, sound_s=3)
    for length_s in (None, 3):
        with open_writer(tmp_path / "x.mp4", fps=Fraction(25), audio=driving, audio_duration_s=length_s) as writer:
            for frame in smooth_frames(3):
                writer.write(frame)
                time.sleep(0.7)
        assert probe(tmp_path / "x.mp4").frames == 3
        assert len(read_audio(tmp_path / "x.mp4")) / 16000 < 0.12 + 0.03


def test_audio_duration_limits_the_sound(tmp_path: Path) -> None:
    driving = with_sound(tmp_path / "d.mp4", seconds=2, sound_s=2)
    write(tmp_path / "x.mp4", smooth_frames(50), audio=driving, audio_duration_s=0.5)
    wave = read_audio(tmp_path / "x.mp4")
    assert probe(tmp_path / "x.mp4").frames == 50
    assert np.abs(wave[: 16000 // 3]).max() > 0.05 and not (np.abs(wave[10000:]) > 1e-3).any()


@pytest.mark.parametrize("start_s", [0.4, Fraction(2, 5)])
def test_a_part_of_a_video_has_the_sound_of_that_part(tmp_path: Path, start_s: float | Fraction) -> None:
    driving = with_sound(tmp_path / "d.mp4", seconds=2, sound_starts_s=0.6, sound_s=0.5)
    write(tmp_path / "x.mp4", smooth_frames(25), audio=driving, audio_start_s=start_s, audio_duration_s=1)
    wave = read_audio(tmp_path / "x.mp4")
    assert abs(onset_s(wave) - 0.2) < 0.03 and abs(len(wave) / 16000 - 1) < 0.1
    loud = np.flatnonzero(np.abs(wave) > 0.05)
    assert abs(loud[-1] / 16000 - 0.7) < 0.05


def test_unusable_sound_leaves_the_pictures_and_a_warning(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16000)
    moving_picture(tmp_path / "silent.mp4", seconds=0.2)
    for name in ("none.wav", "silent.mp4"):
        warnings = write(tmp_path / "x.mp4", smooth_frames(5), audio=tmp_path / name)
        assert len(warnings) == 1 and name in warnings[0] and "silent" in warnings[0]
        assert probe(tmp_path / "x.mp4").frames == 5 and not probe(tmp_path / "x.mp4").has_audio


def test_sound_with_samples_that_are_no_numbers_does_not_stop_the_encoder(tmp_path: Path) -> None:
    wave = np.full(16000, np.nan, np.float32)
    soundfile.write(tmp_path / "nan.wav", wave, 16000, subtype="FLOAT")
    write(tmp_path / "x.mp4", smooth_frames(10), audio=tmp_path / "nan.wav")
    assert probe(tmp_path / "x.mp4").has_audio


def test_unreadable_sound_file_is_an_error_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("not sound")
    for name in ("text.wav", "missing.wav"):
        with pytest.raises(MediaError, match=name):
            open_writer(tmp_path / "out" / "x.mp4", fps=Fraction(25), audio=tmp_path / name)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("fps", "shown"), [("25", "25"), ("30", "30"), ("10", "10"), ("60", "50")])
def test_gif_timing_and_colours(tmp_path: Path, fps: str, shown: str) -> None:
    frames = smooth_frames(30, 33, 41)
    warnings = write(tmp_path / "x.GIF", frames, Fraction(fps))
    info = probe(tmp_path / "x.GIF")
    assert info.fps == Fraction(shown) and abs(info.duration_s - 30 / Fraction(fps)) < 0.05
    assert (info.height, info.width) == (33, 41) and len(warnings) == (fps != shown)
    if fps == shown:
        assert colour_error(info.path, frames) < 8


def test_folder_of_png_is_exact_and_replaced_whole(tmp_path: Path) -> None:
    frames = smooth_frames(4, 31, 33)
    folder = tmp_path / "100%d frames"
    warnings = write(folder, frames, audio=with_sound(tmp_path / "d.mp4"))
    assert "no sound" in warnings[0]
    assert [file.name for file in sorted(folder.iterdir())] == [f"{k:06d}.png" for k in range(4)]
    assert all(np.array_equal(read, frame) for read, frame in zip(open_video(folder), frames, strict=True))
    write(f"{folder}/", frames[:2])
    assert len(list(folder.iterdir())) == 2
    assert {file.name for file in tmp_path.iterdir()} == {folder.name, "d.mp4"}


def test_folder_with_other_things_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(MediaError, match=r"diary\.txt"):
        open_writer(tmp_path, fps=Fraction(25))
    assert (tmp_path / "diary.txt").read_text() == "dear diary"


@pytest.mark.parametrize("name", ["x.mp4", "x.gif", "x.mov", "x.webm", "x.webp", "frames"])
def test_an_error_leaves_nothing_new_and_the_old_result(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, smooth_frames(2))
    before = sorted(str(file) for file in tmp_path.rglob("*"))
    with pytest.raises(KeyboardInterrupt), open_writer(tmp_path / name, fps=Fraction(25)) as writer:
        writer.write(smooth_frames(1)[0])
        raise KeyboardInterrupt
    assert sorted(str(file) for file in tmp_path.rglob("*")) == before
    assert len(list(open_video(tmp_path / name))) == 2


@pytest.mark.parametrize("name", ["x.mp4", "x.gif", "x.mov", "x.webm", "x.webp", "frames"])
def test_no_frame_is_no_result(tmp_path: Path, name: str) -> None:
    with pytest.raises(MediaError, match="no frame"), open_writer(tmp_path / name, fps=Fraction(25)):
        pass
    assert not list(tmp_path.iterdir())


def test_frames_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="frame 1"), open_writer(tmp_path / "x.mp4", fps=Fraction(25)) as writer:
        writer.write(smooth_frames(1)[0])
        writer.write(smooth_frames(1, 10, 10)[0])
    assert not list(tmp_path.iterdir())


def test_a_failing_encoder_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    huge = np.zeros((2, 20000, 3), np.uint8)  # wider than h264 allows
    with pytest.raises(MediaError, match="encoder") as caught, open_writer(tmp_path / "x.mp4", fps=Fraction(25)) as out:
        for _ in range(50):
            out.write(huge)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_endings(tmp_path: Path) -> None:
    assert output_format("a.mp4") is output_format("A.MP4") is formats.MP4
    assert output_format("a.gif") is formats.GIF
    assert output_format("a.b.webm") is formats.WEBM and output_format("a.webp") is formats.WEBP
    assert output_format("frames") is output_format("frames.v2/") is output_format(tmp_path) is None
    with pytest.raises(MediaError, match=r"\.mp4, \.gif, \.mov, \.webm, \.webp, or a name"):
        output_format("a.avi")


def test_targets_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for target in (tmp_path / "file", tmp_path / "file" / "x.mp4"):
        with pytest.raises(MediaError):
            open_writer(target, fps=Fraction(25))
    with pytest.raises(MediaError, match="frame rate"):
        open_writer(tmp_path / "x.mp4", fps=Fraction(0))


@pytest.mark.parametrize("name", ["-x.mp4", "a 'b' \"c\".mp4", "100%d.mp4", "été 视频.gif", "n" * 240 + ".mp4"])
def test_names_are_only_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(name, smooth_frames(3))
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_written_pictures_are_readable_by_others(tmp_path: Path) -> None:
    write(tmp_path / "x.mp4", smooth_frames(2))
    (tmp_path / "probe").touch()
    assert (tmp_path / "x.mp4").stat().st_mode == (tmp_path / "probe").stat().st_mode
    write(tmp_path / "f", smooth_frames(1))
    assert read_image(tmp_path / "f" / "000000.png").shape == (64, 80, 3)


@pytest.mark.parametrize("name", ["deep/er/x.mp4", "deep/er/frames"])
def test_looking_whether_a_target_can_be_made_leaves_nothing(tmp_path: Path, name: str) -> None:
    check_output(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
