"""Enhanced results: whatever happens to the enhancement, the result as it was drawn is there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from talkingface.config import Settings
from talkingface.enhance.align import TEMPLATE
from talkingface.errors import ConfigError, DependencyError
from talkingface.face.detect.analyser import FaceAnalyser
from talkingface.face.detect.from_file import FileAnalyser
from talkingface.face.face import Box, Face
from talkingface.media.image import Picture, read_image
from talkingface.media.keep.folder import WorkFolder
from talkingface.media.sounds.audio import has_audio
from talkingface.media.video import open_video
from talkingface.pipelines.animate import animate
from talkingface.pipelines.draw import enhance as enhanced
from talkingface.pipelines.draw.drawing import Drawing
from talkingface.pipelines.draw.enhance import Enhancement
from talkingface.pipelines.plan import checks

FPS = Fraction(25)
FRAMES = 5
FIVE = (TEMPLATE * 0.1 + 5).astype(np.float32)  # a face of 51 pixels


def pictures(count: int = FRAMES, height: int = 64, width: int = 80) -> Iterator[Picture]:
    """Noise, the hardest to copy; a little brighter from frame to frame, as within one scene."""
    noise = np.random.default_rng(0).integers(0, 200, (height, width, 3), dtype=np.uint8)
    return (noise + np.uint8(10 * number) for number in range(count))


def faces() -> FaceAnalyser:
    return FileAnalyser([Face(Box.around(FIVE), 1.0, None, None, "given", FIVE)], Path("points.json"))


def enhancement(restorer: Callable[[Tensor], Tensor], upscale: int | None = 1, **changes: Any) -> Enhancement:
    values = {"restorer": restorer, "upscaler": None, "analyser": faces(), "device": torch.device("cpu")}
    return Enhancement(name="gfpgan", upscale=upscale, **(values | changes))


def shown(path: Path) -> np.ndarray:
    with open_video(path) as reader:
        return np.stack(list(reader))


def write(output: Path, how: Enhancement | None, sound: Path | None = None) -> tuple[int, list[str]]:
    return enhanced.write(pictures(), output, how, fps=FPS, sound=sound, quality="lossless")


def black(seen: Tensor) -> Tensor:
    return torch.zeros_like(seen)


def test_a_restorer_that_changes_nothing_gives_the_plain_result_bit_for_bit(tmp_path: Path) -> None:
    assert write(tmp_path / "plain.mp4", None) == (FRAMES, [])
    assert write(tmp_path / "better.mp4", enhancement(lambda seen: seen)) == (FRAMES, [])
    assert np.array_equal(shown(tmp_path / "better.mp4"), shown(tmp_path / "plain.mp4"))


def test_faces_of_all_frames_are_restored_and_nothing_is_left_behind(tmp_path: Path, clips: Path) -> None:
    count, notes = write(tmp_path / "better.mp4", enhancement(black), clips / "voice.wav")
    frames = shown(tmp_path / "better.mp4")
    x, y = FIVE.mean(0).round().astype(int)
    assert count == len(frames) == FRAMES and notes == [] and has_audio(tmp_path / "better.mp4")
    assert (frames[:, y, x] == 0).all() and frames[:, :, -1].max() > 180
    assert [path.name for path in tmp_path.iterdir()] == ["better.mp4"]


@pytest.mark.parametrize(("upscale", "size"), [(None, (128, 160)), (2, (128, 160)), (1, (64, 80))])
def test_results_are_doubled_unless_they_are_told_not_to(
    tmp_path: Path, upscale: int | None, size: tuple[int, int]
) -> None:
    write(tmp_path / "better.mp4", enhancement(lambda seen: seen, upscale))
    assert shown(tmp_path / "better.mp4").shape == (FRAMES, *size, 3)


def test_results_that_would_become_too_large_keep_their_size() -> None:
    how = enhancement(black, upscale=None)
    assert how.enhancer((960, 540)).factor == 2 and how.enhancer((1080, 1920)).factor == 1


@pytest.mark.parametrize("at", [0, 3])
def test_a_failure_in_the_middle_keeps_the_plain_result_with_its_sound(tmp_path: Path, clips: Path, at: int) -> None:
    calls = iter(range(FRAMES))

    def failing(seen: Tensor) -> Tensor:
        if next(calls) == at:
            raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")
        return black(seen)

    write(tmp_path / "plain.mp4", None, clips / "voice.wav")
    count, notes = write(tmp_path / "result.mp4", enhancement(failing), clips / "voice.wav")
    assert count == FRAMES and has_audio(tmp_path / "result.mp4")
    assert np.array_equal(shown(tmp_path / "result.mp4"), shown(tmp_path / "plain.mp4"))
    assert len(notes) == 1 and "gfpgan failed (OutOfMemoryError: CUDA out of memory. Tried" in notes[0]
    assert "result.mp4 is as drawn" in notes[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain.mp4", "result.mp4"]


def test_the_plain_result_is_there_before_the_enhancement_begins(tmp_path: Path) -> None:
    there: list[int] = []

    def looking(seen: Tensor) -> Tensor:
        there.append(len(shown(tmp_path / "result.mp4")))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "result.mp4", enhancement(looking))
    assert there == [FRAMES] and len(shown(tmp_path / "result.mp4")) == FRAMES
    assert [path.name for path in tmp_path.iterdir()] == ["result.mp4"]


def test_a_drawing_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[Picture]:
        yield from pictures(2)
        raise ValueError("drawing failed")

    with pytest.raises(ValueError, match="drawing failed"):
        enhanced.write(broken(), tmp_path / "result.mp4", enhancement(black), fps=FPS)
    assert list(tmp_path.iterdir()) == []


def test_a_result_without_a_face_is_told_of(tmp_path: Path) -> None:
    count, notes = write(tmp_path / "result.mp4", enhancement(black, analyser=FileAnalyser([], Path("points.json"))))
    assert count == FRAMES and notes == ["no face was found in the result, so gfpgan restored none"]


def test_pictures_and_folders_are_enhanced_too(tmp_path: Path) -> None:
    how = enhancement(black)
    enhanced.write(pictures(1), tmp_path / "one.png", how, fps=FPS)
    enhanced.write(pictures(), tmp_path / "frames", how, fps=FPS)
    x, y = FIVE.mean(0).round().astype(int)
    assert read_image(tmp_path / "one.png")[y, x].tolist() == [0, 0, 0]
    assert shown(tmp_path / "frames").shape == (FRAMES, 64, 80, 3) and not shown(tmp_path / "frames")[:, y, x].any()


def test_what_is_missing_is_said_before_anything_is_drawn(
    make: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(DependencyError, match="spandrel is not installed"):
        animate(make(enhancer="gfpgan"))
    assert list(tmp_path.iterdir()) == []


def test_enhanced_results_of_a_model(make: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_enhancers", lambda _: [])  # the published file need not be here
    monkeypatch.setattr(enhanced, "open_restorer", lambda *_: black)
    monkeypatch.setattr(enhanced, "open_analyser", lambda *_, **__: faces())
    plain, better = animate(make()), animate(make(enhancer="gfpgan", overwrite=True))
    assert better.frames == plain.frames and better.fps == plain.fps and better.warnings == plain.warnings
    assert shown(better.path).shape[1:3] == (128, 128) and has_audio(better.path)


@pytest.mark.parametrize(
    ("flags", "where"),
    [({"upscale": 2}, "--upscale=2"), ({"enhancer": "gfpgan", "compare": True}, "--compare")],
)
def test_wishes_that_contradict_each_other_are_refused(
    make: Callable[..., Settings], flags: dict[str, object], where: str
) -> None:
    with pytest.raises(ConfigError, match=where):
        enhanced.open_enhancement(make(**flags))


@pytest.mark.parametrize("at", ["plain", "enhanced"])
def test_a_killed_enhancement_goes_on_where_it_was(tmp_path: Path, at: str) -> None:
    seen = {"drawn": 0, "restored": 0}

    def run(output: Path, stop: int | None = None) -> None:
        def drawn(first: int) -> Iterator[Picture]:
            for number, frame in enumerate(pictures()):
                if number >= first:
                    seen["drawn"] += 1
                    if at == "plain" and number == stop:
                        raise KeyboardInterrupt
                    yield frame

        def restore(face: Tensor) -> Tensor:
            if at == "enhanced" and seen["restored"] == stop:
                raise KeyboardInterrupt
            seen["restored"] += 1
            return face / 2

        with WorkFolder(output, "k" * 16, {}, commit_s=0) as work:
            enhanced.write(Drawing(drawn, FRAMES), output, enhancement(restore), fps=FPS, quality="lossless", work=work)
            work.finish()

    run(tmp_path / "whole.mp4")
    seen |= {"drawn": 0, "restored": 0}
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "x.mp4", stop=3)
    run(tmp_path / "x.mp4")
    # The first frame is made again each time, to be compared.
    wanted = {"plain": {"drawn": 4 + 1 + 2, "restored": 5}, "enhanced": {"drawn": 5 + 1, "restored": 3 + 1 + 2}}[at]
    assert seen == wanted and np.array_equal(shown(tmp_path / "x.mp4"), shown(tmp_path / "whole.mp4"))
    assert (tmp_path / "x.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["whole.mp4", "x.mp4"]
