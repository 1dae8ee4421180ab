"""Media as people have them: what a file holds decides, and what is lost is told."""

from __future__ import annotations

import math
import os
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from talkingface.errors import MediaError
from talkingface.media.content import content_of
from talkingface.media.conversion import Storage, can_convert
from talkingface.media.ffmpeg import address
from talkingface.media.image import read_image
from talkingface.media.pictures import is_picture, picture_files
from talkingface.media.sounds.audio import read_audio
from talkingface.media.sounds.buffer import open_audio
from talkingface.media.sounds.track import sound_track
from talkingface.media.video import open_video, probe
from talkingface.media.writer import open_writer

from .clips import ffmpeg, moving_picture, smooth_frames

REPORTS = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "reports"
shared = pytest.mark.skipif(not REPORTS.is_dir(), reason="the shared reports are not here (TALKINGFACE_SHARED)")
LUMA = np.array([0.2126, 0.7152, 0.0722])
STILL = ["PNG", "JPEG", "WEBP", "BMP", "TIFF", *(["AVIF"] if features.check("avif") else [])]


def picture() -> np.ndarray:
    return smooth_frames(1)[0]


def frames_of(path: Path, **options: object) -> np.ndarray:
    with open_video(path, **options) as reader:  # type: ignore[arg-type]
        return np.stack(list(reader))


def luma(frames: np.ndarray) -> np.ndarray:
    return frames @ LUMA


# Content, not names


@pytest.mark.parametrize("kind", STILL)
@pytest.mark.parametrize("name", ["x", "x.jfif", "x.mp4", "x.Bild"])
def test_a_picture_is_one_under_any_name(tmp_path: Path, kind: str, name: str) -> None:
    Image.fromarray(picture()).save(tmp_path / name, format=kind)
    assert content_of(tmp_path / name) == "still" and is_picture(tmp_path / name)
    assert picture_files(tmp_path) == [tmp_path / name]
    assert frames_of(tmp_path / name).shape == (1, 64, 80, 3)
    assert np.abs(read_image(tmp_path / name).astype(int) - picture()).mean() < 6


@pytest.mark.parametrize("kind", ["mp4", "avi", "mkv", "webm", "mpg", "gif", "flv"])
@pytest.mark.parametrize("name", ["x", "x.png"])
def test_a_film_is_one_under_any_name(tmp_path: Path, kind: str, name: str) -> None:
    if kind == "mpg" and name != "x":
        pytest.skip("ffmpeg knows short program streams by their endings")
    moving_picture(tmp_path / f"whole.{kind}", seconds=0.2).rename(tmp_path / name)
    assert content_of(tmp_path / name) == "film" and not is_picture(tmp_path / name)
    assert len(frames_of(tmp_path / name)) == 5


def test_what_is_nothing_has_its_ending(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("BM is how this text begins")
    (tmp_path / "x.txt").write_text("text")
    assert content_of(tmp_path / "x.png") == content_of(tmp_path) == content_of(tmp_path / "gone") == ""
    assert is_picture(tmp_path / "x.png") and not is_picture(tmp_path / "x.txt")
    os.mkfifo(tmp_path / "pipe")
    assert content_of(tmp_path / "pipe") == ""


@shared
@pytest.mark.parametrize("name", ["face.jfif", "exif6.jfif"])
def test_shared_jfif(name: str, tmp_path: Path) -> None:
    shutil.copy(REPORTS / name, tmp_path)
    assert picture_files(tmp_path) == [tmp_path / name] and is_picture(REPORTS / name)
    assert np.abs(read_image(REPORTS / name).astype(int) - read_image(REPORTS / "face.jfif")).mean() < 6


# Animations


def animation(path: Path, delays_ms: list[int], kind: str) -> Path:
    frames = [Image.fromarray(np.full((16, 20, 3), 20 * k, np.uint8)) for k in range(len(delays_ms))]
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(path, format=kind, save_all=True, append_images=frames[1:], duration=delays_ms, loop=0, **options)
    return path


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
@pytest.mark.parametrize("name", ["x.png", "x.webp", "x"])
def test_animations_have_their_own_delays(tmp_path: Path, kind: str, name: str) -> None:
    file = animation(tmp_path / name, [80, 80, 240, 80], kind)
    info, frames = probe(file), frames_of(file)
    assert (info.fps, info.frames, info.duration_s) == (Fraction(25, 2), 6, Fraction(12, 25))
    assert frames[:, 0, 0, 0].tolist() == [0, 20, 40, 40, 40, 60]
    assert not is_picture(file)
    assert len(frames_of(file, fps=Fraction(25))) == 12


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_a_frame_of_hours_is_not_filled(tmp_path: Path, kind: str) -> None:
    video = open_video(
        animation(tmp_path / "x", [40, 5_000_000 if kind == "WEBP" else 60_001, 40], kind), fps=Fraction(1)
    )
    assert len(list(video)) == 60 and "for a minute" in video.warnings[0]


def test_a_png_whose_first_picture_is_for_others(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), (level, 0, 0)) for level in (9, 50, 90)]
    rest = frames[1:]
    frames[0].save(tmp_path / "x.png", save_all=True, append_images=rest, default_image=True, duration=100)
    assert frames_of(tmp_path / "x.png")[:, 0, 0, 0].tolist() == [50, 90]


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_one_frame_is_a_picture(tmp_path: Path, kind: str) -> None:
    Image.fromarray(picture()).save(tmp_path / "x", format=kind)
    assert content_of(tmp_path / "x") == "still" and probe(tmp_path / "x").frames == 1


@shared
def test_shared_animation() -> None:
    assert (probe(REPORTS / "anim.webp").fps, len(frames_of(REPORTS / "anim.webp"))) == (Fraction(25, 2), 15)


@pytest.mark.parametrize("fps", ["10", "30000/1001", "30"])
@pytest.mark.parametrize("quality", ["high", "lossless"])
@pytest.mark.parametrize("channels", [3, 4])
def test_equal_frames_stay_an_animation(tmp_path: Path, fps: str, quality: str, channels: int) -> None:
    frame = np.full((16, 20, channels), 120, np.uint8)
    with open_writer(tmp_path / "x.webp", fps=Fraction(fps), quality=quality) as writer:
        for _ in range(300):
            writer.write(frame)
    info = probe(tmp_path / "x.webp")
    assert (info.fps, info.frames, info.has_alpha) == (Fraction(fps), 300, channels == 4)
    assert len(frames_of(tmp_path / "x.webp")) == 300
    with Image.open(tmp_path / "x.webp") as image:
        assert getattr(image, "n_frames", 1) > 1


def test_minutes_of_one_picture_come_back(tmp_path: Path) -> None:
    with open_writer(tmp_path / "x.webp", fps=Fraction(2)) as writer:
        for _ in range(302):
            writer.write(np.full((16, 20, 3), 120, np.uint8))
    assert (probe(tmp_path / "x.webp").fps, len(frames_of(tmp_path / "x.webp"))) == (2, 302)


def test_a_folder_with_the_name_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.webm").mkdir()
    with pytest.raises(MediaError, match="is a folder"):
        open_writer(tmp_path / "x.webm", fps=Fraction(25))
    assert list((tmp_path / "x.webm").iterdir()) == []


# Colours and fields


def test_storage_is_read_off_the_report() -> None:
    pq = Storage.of("hevc", "tv, bt2020nc/bt2020/smpte2084, progressive")
    assert (pq.matrix, pq.primaries, pq.transfer, pq.fields, pq.hdr) == ("bt2020nc", "bt2020", "smpte2084", "", "PQ")
    assert Storage.of("h264", "tv, bt709, top coded first (swapped").fields == "top"
    assert Storage.of("h264", "tv, unknown/bt709/bt709").matrix == ""
    assert Storage.of("h264", "pc, bt709, progressive") == Storage("h264", "bt709", "bt709", "bt709")
    assert Storage.of("mpeg2video", "") == Storage("mpeg2video")


def test_plain_files_take_the_filters_they_took() -> None:
    plain = Storage("h264", "bt709", "bt709", "bt709")
    assert plain.whole_frames() == [] == plain.notes()
    flags = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
    assert plain.scale(64, 80, 64) == [f"scale=80:64:{flags}", "setsar=1"]
    assert Storage("h264").scale(64, 80, 720) == [f"scale=80:64:{flags}:in_color_matrix=bt709", "setsar=1"]


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc"])
@pytest.mark.parametrize("span", ["tv", "pc"])
def test_matrix_and_range_come_back(tmp_path: Path, matrix: str, span: str) -> None:
    colours = smooth_frames(1)[0]
    Image.fromarray(colours).save(tmp_path / "colours.png")
    known = {"smpte170m": "bt601", "bt2020nc": "bt2020"}.get(matrix, matrix)
    convert = f"scale=out_color_matrix={known}:out_range={span}:flags=accurate_rnd+full_chroma_int,format=yuv444p"
    tags = ["-colorspace", matrix, "-color_range", span, "-color_primaries", "bt709", "-color_trc", "bt709"]
    lossless = ["-frames:v", "5", "-c:v", "libx264", "-qp", "0", *tags, address(tmp_path / "x.mp4")]
    ffmpeg("-loop", "1", "-i", address(tmp_path / "colours.png"), "-vf", convert, *lossless)
    video = open_video(tmp_path / "x.mp4")
    assert np.abs(next(iter(video)).astype(int) - colours).mean() < 1.5 and video.warnings == []


def high_range(path: Path, transfer: str) -> Path:
    """The gradients with white at 203 nits, in BT.2020 and a transfer of high dynamic range."""
    Image.fromarray(smooth_frames(1)[0]).save(path.with_suffix(".png"))
    curve = f"zscale=m=2020_ncl:p=2020:t={transfer}:r=tv:npl=203:pin=709:tin=709,format=yuv420p10le"
    start = "scale=out_color_matrix=bt709:out_range=tv,format=yuv444p,setparams=colorspace=bt709:color_primaries=bt709"
    tags = f"log-level=0:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:crf=5"
    codec = ["-frames:v", "5", "-c:v", "libx265", "-x265-params", tags, address(path)]
    ffmpeg("-loop", "1", "-i", address(path.with_suffix(".png")), "-vf", f"{start}:color_trc=bt709,{curve}", *codec)
    return path


@pytest.mark.skipif(not can_convert(), reason="this ffmpeg has no zscale")
@pytest.mark.parametrize(("transfer", "name"), [("smpte2084", "PQ"), ("arib-std-b67", "HLG")])
def test_high_dynamic_range_is_tone_mapped(tmp_path: Path, transfer: str, name: str) -> None:
    video = open_video(high_range(tmp_path / "x.mp4", transfer))
    frame, plain = next(iter(video)), smooth_frames(1)[0]
    assert luma(frame).std() == pytest.approx(luma(plain).std(), rel=0.1)
    assert np.abs(frame.astype(int) - plain).mean() < 12
    assert name in video.warnings[0] and "tone-mapped" in video.warnings[0]


def test_without_the_filters_the_loss_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talkingface.media.conversion._filters_of", lambda program: frozenset())
    hdr = Storage("hevc", "bt2020nc", "bt2020", "smpte2084")
    assert "looks pale" in hdr.notes()[0] and "zscale" not in ",".join(hdr.scale(8, 8, 8))


@shared
@pytest.mark.skipif(not can_convert(), reason="this ffmpeg has no zscale")
def test_shared_high_dynamic_range(tmp_path: Path) -> None:
    tagged = tmp_path / "twin.mp4"
    tags = ["-c", "copy", "-bsf:v", "h264_metadata=matrix_coefficients=1"]
    ffmpeg("-i", address(REPORTS / "base512.mp4"), *tags, address(tagged))
    spread = luma(frames_of(REPORTS / "hdr_pq.mp4", frame_limit=5)).std()
    assert spread == pytest.approx(luma(frames_of(tagged, frame_limit=5)).std(), rel=0.05)


def combs(frames: np.ndarray) -> tuple[float, float]:
    """Mean difference of neighbouring lines, and of every second one."""
    levels = luma(frames)
    return float(np.abs(np.diff(levels, axis=1)).mean()), float(np.abs(levels[:, 2:] - levels[:, :-2]).mean())


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264"])
@pytest.mark.parametrize("first", ["top", "bottom"])
def test_interlaced_films_have_no_combs(tmp_path: Path, codec: str, first: str) -> None:
    source = "testsrc2=size=160x128:rate=50:duration=1,scroll=h=0.02"
    fields = f"tinterlace=interleave_{first},setfield={'tff' if first == 'top' else 'bff'}"
    order = ["-flags", "+ilme+ildct", "-q:v", "2"] if codec == "mpeg2video" else ["-x264-params", "interlaced=1"]
    file = tmp_path / ("x.mpg" if codec == "mpeg2video" else "x.mp4")
    ffmpeg("-f", "lavfi", "-i", source, "-vf", fields, "-c:v", codec, *order, address(file))
    video = open_video(file)
    near, far = combs(np.stack(list(video)))
    assert near < far and "interlaced" in video.warnings[0] and video.frames == 25


@shared
def test_shared_interlaced() -> None:
    near, far = combs(frames_of(REPORTS / "interlaced3.mpg"))
    assert near < far


# Sound


def tracks(path: Path, *levels: float, default: int) -> Path:
    """A clip with a tone of each level as a sound track of its own."""
    tones = [f"sine=440:duration=1,volume={level}" for level in levels]
    inputs = [word for tone in tones for word in ("-f", "lavfi", "-i", tone)]
    maps = [word for number in range(len(levels)) for word in ("-map", f"{number + 1}:a")]
    marks = [
        word
        for number in range(len(levels))
        for word in (f"-disposition:a:{number}", "default" if number == default else "0")
    ]
    ffmpeg("-f", "lavfi", "-i", "color=size=32x32:duration=1", *inputs, "-map", "0:v", *maps, *marks, address(path))
    return path


@pytest.mark.parametrize("default", [0, 1, 2])
@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_the_default_track_is_heard_and_kept(tmp_path: Path, default: int, ending: str) -> None:
    levels = [0.02, 0.02, 0.02]
    levels[default] = 1.0
    file = tracks(tmp_path / f"x.{ending}", *levels, default=default)
    wave = open_audio(file, 16000)
    assert np.abs(wave.samples).max() > 0.05 and f"3 sound tracks; number {default + 1} is heard" in wave.notes[0]
    with open_writer(tmp_path / "y.mp4", fps=Fraction(25), audio=file) as writer:
        for frame in smooth_frames(25):
            writer.write(frame)
    assert "3 sound tracks" in writer.warnings[0]
    assert np.abs(read_audio(tmp_path / "y.mp4")).max() > 0.05


@pytest.mark.parametrize("right", [-1.0, -0.9, 0.0, 0.5, 1.0])
def test_channels_that_cancel_are_not_mixed(tmp_path: Path, right: float) -> None:
    graph = f"sine=440:duration=1:sample_rate=16000,pan=stereo|c0=c0|c1={right}*c0"
    ffmpeg("-f", "lavfi", "-i", graph, address(tmp_path / "x.wav"))
    wave = open_audio(tmp_path / "x.wav", 16000)
    loudest = 0.125 * math.sqrt(0.5)
    assert float(np.sqrt(np.square(wave.samples).mean())) >= 0.49 * loudest
    assert bool(wave.notes) == (right < 0)
    with open_writer(tmp_path / "y.mp4", fps=Fraction(25), audio=tmp_path / "x.wav") as writer:
        for frame in smooth_frames(25):
            writer.write(frame)
    assert float(np.sqrt(np.square(read_audio(tmp_path / "y.mp4")).mean())) >= 0.45 * loudest


@shared
def test_shared_sounds() -> None:
    for name in ("antiphase.wav", "twotracks.mp4", "u8mono.wav"):
        wave = open_audio(REPORTS / name, 16000)
        track, notes = sound_track(REPORTS / name, None)
        assert track is not None and float(np.abs(wave.samples).max()) > 0.1, name
        assert not any("silent" in note for note in (*wave.notes, *notes)), name
        assert bool(wave.notes) == (name != "u8mono.wav")
