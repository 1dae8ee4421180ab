"""The command: what it prints where, and its exit status."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import yaml

from talkingface import __version__
from talkingface.cli import main
from talkingface.config import load_settings
from talkingface.config.options import options
from talkingface.config.report import COMMON
from talkingface.jobs import doctor
from talkingface.media.ffmpeg import executable
from talkingface.paths import CLONE, shipped

RUN = [sys.executable, str(CLONE / "run_talkingface.py")]
SAMPLE = shipped("dataset", "sample")
TINY = {
    "model_params": {
        "common_params": {"num_kp": 4},
        "kp_detector_params": {"block_expansion": 4, "max_features": 16, "num_blocks": 2},
        "generator_params": {
            **{"block_expansion": 4, "max_features": 16, "num_down_blocks": 2, "num_bottleneck_blocks": 1},
            "dense_motion_params": {"block_expansion": 4, "max_features": 16, "num_blocks": 2},
        },
        "discriminator_params": {"block_expansion": 4, "max_features": 16, "num_blocks": 2},
    },
    "train": {"image_size": 32, "batch_size": 2, "workers": 0, "tensorboard": False},
}


def command(*words: str, cwd: Path = CLONE, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [*RUN, *words], cwd=cwd, capture_output=True, text=True, env=surroundings, timeout=300, check=False
    )


def test_help_is_quick_and_shows_every_setting_in_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help", "all"]) == 0
    text = capsys.readouterr().out
    assert [key for key in options() if f"--{key} " not in text and f"--{key}\n" not in text] == []
    headings = ["Model and job", "Picture to animate", "Output", "Weights", "Machine", "Training of a model"]
    assert [text.count(f"\n{heading}") for heading in headings] == [1] * len(headings)
    assert max(map(len, text.splitlines())) <= 120
    start = time.process_time()
    main(["--help", "all"])
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_shows_fifteen_flags_and_how_to_see_the_others(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 0
    text = capsys.readouterr().out
    shown = re.findall(r"^  --(\w+)", text, re.MULTILINE)
    assert tuple(shown) == COMMON and len(shown) == 15
    assert "--help all" in text and len(text.splitlines()) < 60
    assert main(["--help=all"]) == main([word, "all"]) == 0
    assert capsys.readouterr().out.count("\n  --train.max_steps N") == 2


@pytest.mark.parametrize("words", [[], ["my", "face.png"]])
def test_a_command_without_flags_is_told_what_it_needs(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    errors = capsys.readouterr().err
    assert "--image_source=PICTURE" in errors and "see --help." in errors


def test_help_of_a_model_adds_its_own_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "FOM", "--help"]) == 0
    short = capsys.readouterr().out
    assert main(["--help", "all", "--model", "FOM"]) == 0
    for text in (short, capsys.readouterr().out):
        assert "--model_params.common_params.num_kp N" in text
    assert "\n  --train.max_steps N" not in short


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    "words",
    [
        ["--modle=FOM"],
        ["--model=FON", "--help"],
        ["--run_mode=infer"],
        ["--run_mode=train"],
        ["--run_mode=evaluate"],
        ["--run_mode=fetch", "--checkpoint=fom_vox"],
        ["--video_source=no-such-file.mp4"],
        ["--fps=x", "--batch_size=0"],
    ],
)
def test_what_the_user_can_mend_is_plain_lines_and_status_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert all(line.startswith("error: ") for line in captured.err.splitlines())
    assert captured.err.count("\n") == (2 if len(words) == 2 and words[0] == "--fps=x" else 1)


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(settings: object) -> int:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(doctor, "run", fail)
    with pytest.raises(ZeroDivisionError):
        main(["--run_mode=doctor"])


def test_ctrl_c_says_what_is_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(settings: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "run", stop)
    assert main(["--run_mode=doctor"]) == 130
    assert "stopped: nothing was changed" in capsys.readouterr().err


def test_doctor_looks_at_everything() -> None:
    topics = {finding.topic for finding in doctor.examine(load_settings([]))}
    wanted = {
        "program",
        "torch",
        "devices",
        "computes",
        "ffmpeg",
        "codec",
        "landmarks",
        "operations",
        "models",
        "animates",
        "weights",
    }
    assert wanted <= topics


def test_doctor_tells_the_cure_of_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "none"))
    executable.cache_clear()
    try:
        assert main(["--run_mode=doctor", f"--checkpoint_root={tmp_path}"]) == 2
        summary = capsys.readouterr().out
        assert main(["--run_mode=doctor", "--verbose", f"--checkpoint_root={tmp_path}"]) == 2
    finally:
        executable.cache_clear()
    lines = capsys.readouterr().out.splitlines()
    assert summary.count("\n") <= 5
    assert re.search(r"^error  ffmpeg: .* -> pip install imageio-ffmpeg", summary, re.MULTILINE)
    place = next(number for number, line in enumerate(lines) if line.startswith("error  ffmpeg"))
    assert "pip install imageio-ffmpeg" in lines[place + 1]
    place = next(number for number, line in enumerate(lines) if "fom_vox_256 (" in line)
    assert lines[place].endswith(str(tmp_path / "vox-cpk.pth.tar"))
    assert "--run_mode=fetch --checkpoint=fom_vox_256" in lines[place + 1]


def test_doctor_sums_up_what_works_and_what_to_do_in_five_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--run_mode=doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 5 and lines[0].startswith("works  FOM, SadTalker, StyleHeat on ")
    assert "weights: " in lines[1] and lines[-1].endswith("--run_mode=doctor --verbose")


def test_the_summary_tells_the_worst_first_and_never_more_than_five_lines() -> None:
    fine = [doctor.Finding("models", "FOM"), doctor.Finding("computes", "device cpu"), doctor.Finding("animates", "w")]
    spare = [doctor.Finding("weights", "a", "fetch it", optional=True)] * 3
    lacks = [doctor.Finding(f"part {number}", "is missing", f"cure {number}") for number in range(4)]
    lines = doctor.summary([*fine, *spare])
    assert lines[2] == "option can be added, is not needed: 3 published weight files"
    lines = doctor.summary([*fine, *spare, *lacks])
    assert len(lines) == 5 and "4 more" in lines[2] and "3 published" in lines[3]
    lines = doctor.summary([*fine, *lacks, doctor.Finding("torch", "is old", "renew it", broken=True)])
    assert lines[0] == "error  torch: is old -> renew it" and lines[1].startswith("to do  part 0: is missing -> cure 0")
    assert len(lines) == 5 and not any(line.startswith("works") for line in lines)


def test_quiet_keeps_warnings_to_itself_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def warn(settings: object) -> int:
        logging.getLogger("talkingface.jobs").warning("of ours")
        warnings.warn("of a library", UserWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(doctor, "run", warn)
    monkeypatch.setattr(sys, "warnoptions", [])
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main(["--run_mode=doctor", "--quiet"]) == 0
        assert capsys.readouterr() == ("", "")
        with pytest.warns(UserWarning, match="of a library"):
            assert main(["--run_mode=doctor"]) == 0
        assert "warning: of ours" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--run_mode=doctor", "--device=cuda:99"]) == 2
    assert "no such device" in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["train", "evaluate"])
def test_a_job_that_fills_a_folder_refuses_a_file(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"--run_mode={mode}", "--dataset=sample", "--output=scores.json"]) == 2
    assert "Use --output_dir=FOLDER." in capsys.readouterr().err


@pytest.mark.skipif(not (SAMPLE / "clips.csv").is_file(), reason="this installation has no sample clips")
def test_train_resume_and_evaluate_through_the_command(tmp_path: Path) -> None:
    config = tmp_path / "tiny.yaml"
    config.write_text(yaml.safe_dump({**TINY, "train": {**TINY["train"], "loss_weights": {"perceptual": []}}}))
    common = [f"--config={config}", "--dataset=sample", f"--output_dir={tmp_path / 'run'}", "--cpu", "--threads=1"]
    train = ["--run_mode=train", *common]
    first = command(*train, "--train.max_steps=2", "--seed=5")
    assert first.returncode == 0, first.stderr
    log = (tmp_path / "run" / "train.log").read_text()
    wanted = ["cpu, float32, threads: 1", "weights: new, of seed 5", "seed: 5", f"data: {SAMPLE}, training on 'train'"]
    wanted.append(f"settings: {tmp_path / 'run' / 'settings.yaml'} ({config})")
    assert [part for part in wanted if part not in log] == []
    again = command(*train, "--train.max_steps=4", "--train.resume=auto")
    assert again.returncode == 0, again.stderr
    assert "goes on from" in again.stderr
    weights = again.stdout.splitlines()[-1]
    assert Path(weights).suffix == ".safetensors"
    evaluate = ["--run_mode=evaluate", *common, f"--checkpoint={weights}", "--evaluate.max_frames=3"]
    report = command(*evaluate, "--evaluate.max_clips=1")
    assert report.returncode == 0, report.stderr
    assert Path(report.stdout.splitlines()[-1]).suffix == ".json"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "talkingface", "--print_config"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout is not None and command.stderr is not None
    command.stdout.close()
    assert command.stderr.read() == b""
    assert command.wait(60) == 0
