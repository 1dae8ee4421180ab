"""The cropped clips: what is in them, what is left out and why, and the command line."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from talkingface.errors import MediaError, NoFaceError
from talkingface.face.crop.video import CropOutput, CropPlan, ffmpeg_commands, find_crops, write_crops
from talkingface.face.detect.analyser import FaceAnalyser
from talkingface.face.track.segments import CropRules, crops_of, split_track
from talkingface.face.track.track import Track
from talkingface.media.ffmpeg import executable
from talkingface.media.image import read_image, write_image
from talkingface.media.sounds.audio import read_audio
from talkingface.media.video import open_video, probe
from talkingface.media.writer import open_writer
from talkingface.paths import shipped

from .discs import Discs, frame

SCRIPT = Path(__file__).parents[2] / "scripts" / "crop_video.py"
RULES = CropRules(min_frames=10, min_size=16, size=(64, 64))


def video(path: Path, frames: list[np.ndarray], *, fps: Fraction = Fraction(25), audio: Path | None = None) -> Path:
    with open_writer(path, fps=fps, audio=audio, quality=0) as writer:
        for picture in frames:
            writer.write(picture)
    return path


class SoftDiscs(Discs):
    """Discs in compressed frames: nearly white ones."""

    def _found(self, picture):  # type: ignore[no-untyped-def]
        return [one for one in super()._found(np.where(picture > 200, 255, 0).astype(np.uint8)) if one.box.side > 8]


def moving(frames: int, *, start: float = 40, step: float = 0, radius: float = 20) -> Track:
    boxes = [[start + step * k - radius, 40 - radius, start + step * k + radius, 40 + radius] for k in range(frames)]
    return Track(0, 100, np.array(boxes, np.float32), None, np.ones(frames, np.float32))


def crop(plan: CropPlan, **options: object) -> list[Path]:
    return write_crops(plan, **options)  # type: ignore[arg-type]


def test_a_stretch_ends_where_the_face_has_left_its_first_place() -> None:
    parts = list(split_track(moving(30, step=2), 0.25))
    assert [(part.start, part.stop) for part in parts] == [(100, 113), (113, 126), (126, 130)]
    for part in parts[:2]:
        assert part.box.width == pytest.approx(40 + 2 * 12)
    assert [len(part) for part in split_track(moving(30), 0.25)] == [30]


def test_a_short_stretch_names_the_setting_that_takes_it() -> None:
    crops, refused = crops_of([moving(75)], CropRules(), (720, 1280))
    assert crops == [] and refused[0].startswith("face 0, frames 100-174: shorter than --min_frames=150")
    assert "only 40 pixels large, below --min_size=64" in refused[0]
    assert refused[0].endswith("--min_frames=75 --min_size=40 accept it")


@pytest.mark.parametrize(
    ("track", "size"),
    [(moving(75), (720, 1280)), (moving(200, step=0.4), (81, 400)), (moving(60, step=3, radius=30), (81, 400))],
)
def test_the_settings_that_are_named_do_take_it(track: Track, size: tuple[int, int]) -> None:
    rules = CropRules(iou=0.05)
    crops, refused = crops_of([track], rules, size)
    assert crops == [] and refused
    kinds = {"min_frames": int, "min_size": int, "iou": float}
    for sentence in refused:
        first, last = map(int, re.findall(r"frames (\d+)-(\d+):", sentence)[0])
        named = re.findall(r"--(\w+)=([\d.]+)", sentence.split(";")[1])
        changed = {name: kinds[name](value) for name, value in named}
        crops, _ = crops_of([track], CropRules(**{**vars(rules), **changed}), size)
        assert any(part.start <= last and part.stop > first for part, _ in crops), sentence


def test_a_crop_has_the_margin_and_stays_inside() -> None:
    ((_, one),), _ = crops_of([moving(20, start=200)], CropRules(10, 16, 0.1), (400, 400))
    assert one.box.width == one.box.height == pytest.approx(48) and one.outside == 0
    ((_, edge),), _ = crops_of([moving(20, start=15)], CropRules(10, 16, 0.5), (400, 400))
    assert edge.box.left == -0.5 and edge.outside == 0 and edge.box.width == pytest.approx(80)
    ((_, full),), _ = crops_of([moving(20, start=40, radius=60)], CropRules(10, 16), (80, 100))
    assert full.outside == 0 and full.box.height == pytest.approx(80)


def test_clips_hold_the_frames_of_their_stretch_at_the_same_rate(tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    frames = [frame((50, 60, 20), (150, 60 + k / 2, 15)) if k < 30 else frame((50, 60, 20)) for k in range(40)]
    source = video(tmp_path / "two discs.mp4", frames, fps=rate)
    plan = find_crops(source, SoftDiscs(), RULES, CropOutput(tmp_path / "out"))
    assert plan.refused == [] and not plan.is_still
    names = ["two discs_face0_0000-0039.mp4", "two discs_face1_0000-0029.mp4"]
    paths = crop(plan)
    assert [path.name for path in paths] == names
    for path, count in zip(paths, (40, 30), strict=True):
        info = probe(path)
        assert (info.width, info.height, info.fps, info.frames, info.has_audio) == (64, 64, rate, count, False)
    seen = np.stack([picture[..., 0] > 128 for picture in open_video(paths[0])])
    y, x = np.nonzero(seen.all(axis=0))
    assert x.mean() == pytest.approx(31.5, abs=1) and y.mean() == pytest.approx(31.5, abs=1)
    assert np.sqrt(seen[0].mean() / np.pi) == pytest.approx(20 / 49.2, abs=0.02)  # 1.2 times the disc's 41 pixels


def test_the_sound_of_a_clip_is_that_of_its_frames(tmp_path: Path) -> None:
    wave = np.where(np.arange(64000) // 16000 == 2, np.sin(np.arange(64000) / 6), 0) / 2  # loud in the third second
    soundfile.write(tmp_path / "tone.wav", wave, 16000)
    frames = [frame(*([(60, 60, 20)] if 40 <= k < 90 else [])) for k in range(100)]
    source = video(tmp_path / "d.mp4", frames, audio=tmp_path / "tone.wav")
    (path,) = crop(find_crops(source, SoftDiscs(), RULES, CropOutput(tmp_path)))
    start, stop = map(int, re.findall(r"\d{4}", path.stem))
    assert 40 <= start < 45 and stop == 89
    wave = read_audio(path)
    assert abs(len(wave) / 16000 - (stop + 1 - start) / 25) < 0.1
    onset_s = np.argmax(np.abs(wave) > 0.05) / 16000
    assert abs(onset_s - (2 - start / 25)) < 0.05


def test_a_picture_gives_a_picture_of_each_face(tmp_path: Path) -> None:
    source = write_image(tmp_path / "discs.png", frame((50, 60, 20), (150, 60, 30)))
    plan = find_crops(source, Discs(), RULES, CropOutput(tmp_path))
    assert [path.name for path in crop(plan)] == ["discs_face0.png", "discs_face1.png"]
    assert read_image(tmp_path / "discs_face1.png").shape == (64, 64, 3)
    assert all(cropped[32, 32].min() == 255 for cropped in map(read_image, crop(plan)))


@pytest.mark.parametrize(("kind", "ending"), [("gif", ".gif"), ("png", "")])
def test_other_formats(tmp_path: Path, kind: str, ending: str) -> None:
    source = video(tmp_path / "d.gif", [frame((60, 60, 20))] * 12, fps=Fraction(10))
    (path,) = crop(find_crops(source, SoftDiscs(), RULES, CropOutput(tmp_path, kind)))
    assert path.name == f"d_face0_0000-0011{ending}"
    with open_video(path) as frames:
        assert len(list(frames)) == 12


def test_nothing_that_exists_is_replaced_unless_asked(tmp_path: Path) -> None:
    source = write_image(tmp_path / "a_face0.png", frame((60, 60, 20)))
    before = source.read_bytes()
    stem = write_image(tmp_path / "a.png", frame((60, 60, 20)))
    write = [crop(find_crops(stem, Discs(), RULES, CropOutput(tmp_path)))[0].name for _ in range(2)]
    assert write == ["a_face0_2.png", "a_face0_3.png"] and source.read_bytes() == before
    output = CropOutput(tmp_path, overwrite=True)
    assert crop(find_crops(stem, Discs(), RULES, output))[0].name == "a_face0.png" and source.read_bytes() != before


def test_the_input_is_never_an_output(tmp_path: Path) -> None:
    output = CropOutput(tmp_path, overwrite=True)
    source = write_image(tmp_path / "a.png", frame((60, 60, 20)))
    link = tmp_path / "a_face0.png"
    link.symlink_to(source)
    (path,) = crop(find_crops(source, Discs(), RULES, output))
    assert path.name == "a_face0_2.png" and read_image(source).shape == (120, 200, 3)


def test_a_file_without_a_face(tmp_path: Path) -> None:
    source = video(tmp_path / "empty.mp4", [frame()] * 12)
    with pytest.raises(NoFaceError, match=r"12 frames.*'discs'"):
        find_crops(source, SoftDiscs(), RULES, CropOutput(tmp_path), debug_dir=tmp_path / "debug")
    assert (tmp_path / "debug" / "empty_no_face.png").is_file()


def test_a_clip_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    source = video(tmp_path / "d.mp4", [frame((60, 60, 20))] * 12)
    (tmp_path / "out").write_text("a file, not a folder")
    with pytest.raises(MediaError):
        crop(find_crops(source, SoftDiscs(), RULES, CropOutput(tmp_path / "out")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.mp4", "out"]


def test_the_printed_commands_make_the_same_clips(tmp_path: Path) -> None:
    frames = [frame(*([(60, 60, 20)] if 15 <= k < 32 else [])) for k in range(50)]
    source = video(tmp_path / 'it\'s a "clip" é.mp4', frames)
    plan = find_crops(source, SoftDiscs(), RULES, CropOutput(tmp_path))
    (line,) = ffmpeg_commands(plan)
    assert "\n" not in line and not list(tmp_path.glob("*face*"))
    (path,) = crop(plan)
    ours = np.stack(list(open_video(path))).astype(int)
    path.unlink()
    command = shlex.split(line)
    subprocess.run([executable(), "-loglevel", "error", *command[1:]], check=True)
    theirs = np.stack(list(open_video(path))).astype(int)
    assert theirs.shape == ours.shape and np.abs(theirs - ours).mean() < 4


def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_command_on_the_shipped_clip(tmp_path: Path, mesh: FaceAnalyser) -> None:
    clip = shipped("dataset", "sample", "driving.mp4")
    name = "-ein Gesicht ü.mp4"
    (tmp_path / name).write_bytes(clip.read_bytes())
    frames = probe(clip).frames
    done = run("--inp", name, "--output_dir", "out", "--min_frames", "30", "--cpu", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    path = tmp_path / done.stdout.strip()
    assert path.name == f"-ein Gesicht ü_face0_0000-{(frames or 0) - 1:04d}.mp4"
    info = probe(path)
    assert (info.width, info.height, info.frames, info.fps) == (256, 256, frames, probe(clip).fps)
    assert info.has_audio == probe(clip).has_audio


def test_the_command_says_why_nothing_was_cropped(tmp_path: Path, mesh: FaceAnalyser) -> None:
    clip = shipped("dataset", "sample", "driving.mp4")
    frames = probe(clip).frames or 0
    done = run("--inp", clip, "--min_frames", frames + 1, "--landmarks=mesh", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == "" and not list(tmp_path.iterdir())
    assert (
        f"face 0, frames 0-{frames - 1}: shorter than --min_frames={frames + 1}; --min_frames={frames}" in done.stderr
    )
    done = run("--inp", clip, "--min_frames", frames, "--print", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("ffmpeg -i ") and done.stdout.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--inp", "none.mp4"), "no such file"),
        (("--inp", "none.mp4", "--iou=1.5"), "a number from 0 to 1"),
        (("--inp", "none.mp4", "--min_frames=0"), "a whole number from 1 on"),
        (("--inp", "none.mp4", "--increase=nan"), "a number from 0 to 10"),
        (("--inp", "none.mp4", "--image_shape=256"), "such as 256,256"),
        ((), "--inp"),
    ],
)
def test_the_command_refuses(arguments: tuple[str, ...], message: str, tmp_path: Path, mesh: FaceAnalyser) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "rules", "spans"),
    [
        ("driving/d05_wide_1280x720.mp4", CropRules(), ["0000-0239"]),
        ("driving/d07_headpose_480x270.gif", CropRules(min_frames=23), ["0000-0022"]),
        ("driving/d07_headpose_480x270.gif", CropRules(), []),
        ("driving/d15_face_then_none_960x540.mov", CropRules(min_frames=60), ["0000-0062"]),
    ],
)
def test_shared_clips(
    name: str, rules: CropRules, spans: list[str], mesh: FaceAnalyser, shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / name
    plan = find_crops(source, mesh, rules, CropOutput(tmp_path), notify=lambda note: None)
    assert len(plan.refused) == (not spans)
    paths = crop(plan)
    assert [path.name for path in paths] == [f"{source.stem}_face0_{span}.mp4" for span in spans]
    for path in paths:
        with open_video(path) as frames:
            (face,) = mesh.faces(next(iter(frames)))
            assert face.box.side > 0.4 * 256 and frames.fps == probe(source).fps
