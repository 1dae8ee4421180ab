"""The parts of CONTRIBUTING.md really work, by the command, and are as short as it says."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from pipelines.small import save_tiny_weights
from pipelines.speaking import needs_mesh
from train.tiny import write_clips

from talkingface.cli import main
from talkingface.config.layers import load_settings
from talkingface.jobs.doctor import examine
from talkingface.media.image import over_background, read_image
from talkingface.media.video import open_video, probe
from talkingface.media.writer import open_writer
from talkingface.motion.coefficients import COEFFICIENTS, LAYOUT_73
from talkingface.motion.file import load_motion
from talkingface.paths import CLONE, shipped
from talkingface.plugins import PASTES

from .test_example import QUOTE

SAMPLE = shipped("dataset", "sample")


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A data set of four clips of 64 x 64."""
    return write_clips(tmp_path / "clips", size=64)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return save_tiny_weights(tmp_path / "tiny.safetensors")


def test_each_is_at_most_twenty_lines_and_whole() -> None:
    quotes = dict(QUOTE.findall((CLONE / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    codes = {path: text for path, text in quotes.items() if "/parts/" in path and path.endswith(".py")}
    assert [Path(path).stem for path in codes] == ["landmarks", "metrics", "formats", "pastes", "drivers", "__init__"]
    for path, text in codes.items():
        assert len([line for line in text.splitlines() if line.strip()]) <= 20, path
        assert (CLONE / path).read_text(encoding="utf-8").endswith(text), "imports are quoted too"


def test_backend_format_and_paste_by_the_command(tmp_path: Path, weights: Path) -> None:
    animate = [f"--image_source={SAMPLE / 'source.png'}", f"--video_source={SAMPLE / 'driving.mp4'}", "--cpu"]
    animate += [f"--checkpoint={weights}", "--frame_limit=3", "--threads=1", "--landmarks=middle", "--preprocess=full"]
    results = {}
    for paste in ("soft", "tinted"):
        output = tmp_path / f"{paste}.mkv"
        assert main([*animate, f"--paste={paste}", f"--output={output}"]) == 0
        results[paste] = np.stack(list(open_video(output)))
    picture = read_image(SAMPLE / "source.png")
    assert results["soft"].shape == (3, *picture.shape)
    changed = (results["tinted"] != picture).any(axis=-1)
    assert changed.any() and not changed[:, :4, :4].any(), "the crop is put back, the corner stays"
    assert (results["soft"] != results["tinted"]).any()


def test_the_metric_by_the_command(tmp_path: Path, weights: Path, clips: Path, capsys: pytest.CaptureFixture) -> None:
    evaluate = ["--run_mode=evaluate", f"--data.root={clips}", f"--checkpoint={weights}", "--cpu", "--evaluate.split="]
    evaluate += [f"--output_dir={tmp_path}", "--evaluate.max_clips=1", "--evaluate.max_frames=3", "--threads=1"]
    assert main([*evaluate, "--evaluate.metrics", "l1", "crispness", "--evaluate.tables=reconstruction"]) == 0
    printed = capsys.readouterr().out
    assert "crispness identities" in printed and "SSIM" not in printed
    rows = json.loads(Path(printed.splitlines()[-1]).read_text())["rows"]
    # The source repeated is as sharp as the clip; what random weights draw is not.
    assert {row["method"]: row for row in rows}["repeat"]["over_clips"]["crispness"] == pytest.approx(1, abs=0.1)


def test_the_format_keeps_frames_and_transparency_bit_by_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (17, 23, 4), dtype=np.uint8) for _ in range(3)]
    with open_writer(tmp_path / "x.mkv", fps=Fraction(24)) as writer:
        for frame in frames:
            writer.write(frame)
    assert probe(tmp_path / "x.mkv").has_alpha and probe(tmp_path / "x.mkv").frames == 3
    # Our reader composes over white, and nothing else happened to them.
    read = list(open_video(tmp_path / "x.mkv"))
    assert all(np.array_equal(one, over_background(frame)) for one, frame in zip(read, frames, strict=True))


def test_the_tint_goes_half_of_the_way() -> None:
    fit = PASTES.get("tinted").fit
    assert fit is not None
    old, result = np.full((8, 8, 3), 100, np.uint8), np.full((8, 8, 3), 140, np.uint8)
    assert (fit(old, result) == 120).all()


def test_doctor_names_all_of_them() -> None:
    listed = [finding.text for finding in examine(load_settings([])) if finding.topic == "plug-ins"]
    wanted = ["landmark backend 'middle'", "metric 'crispness'", "output format 'mkv'", "way to paste 'tinted'"]
    wanted += ["driver 'nod'"]
    assert listed == wanted


@needs_mesh
def test_the_driver_brings_its_flag_and_moves_the_head(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["--help"]) == 0
    assert "--nod_seconds" in capsys.readouterr().out
    nod = ["--model=SadTalker", "--checkpoint=sadtalker_compact", f"--image_source={SAMPLE / 'source.png'}", "--cpu"]
    nod += ["--nod_seconds=0.4", "--overwrite", f"--output={tmp_path / 'nod.mp4'}"]
    nod += [f"--save_motion={tmp_path / 'nod.motion'}"]
    assert main([*nod, "--threads=1"]) == 0
    pitch = load_motion(tmp_path / "nod.motion").values[COEFFICIENTS][:, LAYOUT_73.angle][:, 0]
    assert len(pitch) == 10 and float(pitch.max() - pitch[0]) == pytest.approx(0.1, abs=0.01)
    frames = np.stack(list(open_video(tmp_path / "nod.mp4"))).astype(int)
    assert len(frames) == 10 and np.abs(frames[6] - frames[0]).max() > 20
    assert main([*nod, "--frame_limit=3", "--fps=10", f"--output={tmp_path / 'short.mp4'}"]) == 0
    assert (probe(tmp_path / "short.mp4").frames, probe(tmp_path / "short.mp4").fps) == (3, 10)
    capsys.readouterr()
    assert main([*nod, "--model=FOM"]) == 2
    assert "--nod_seconds: FOM is not driven by face coefficients" in capsys.readouterr().err
    assert main([*nod, "--idle_seconds=1"]) == 2
    assert "--idle_seconds and --nod_seconds would both drive" in capsys.readouterr().err
