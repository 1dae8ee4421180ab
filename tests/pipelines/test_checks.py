"""Refusals before the networks' own modules are loaded, all of them in one run."""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from talkingface.config import load_settings
from talkingface.motion.file import save_motion
from talkingface.pipelines.model import motion_space
from talkingface.pipelines.plan.checks import settings_problems
from talkingface.pipelines.plan.known_weights import config_of
from talkingface.types import Motion

SAMPLE = Path(__file__).resolve().parents[2] / "dataset" / "sample"
NO_TORCH = "sys.exit(status if 'torch' not in sys.modules else 9)"
BACKEND = "--landmarks=auto: no landmark backend is there"
CODE = """
import sys
from talkingface.cli import main
status = main(sys.argv[1:])
sys.exit(9 if [name for name in sys.modules if name.startswith("talkingface.models.") and "plugin" in name] else status)
"""


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ("--video_source=none.mp4", ["--video_source=none.mp4: no such file or folder"]),
        (
            "--device=cuda:99 --checkpoint=no-such --video_source=none.mp4",
            ["--device=cuda:99: no such device", "--checkpoint: 'no-such' is", "--video_source=none.mp4: no such file"],
        ),
        (
            "--model=StyleHeat --attribute_edit=old --intuitive_edit --image_source=none.png",
            [BACKEND, "--attribute_edit: edits move codes of 512 numbers", "--image_source=none.png: no such file"],
        ),
        (
            "--model=StyleHeat --inversion_option=load --inversion_file=no.npz --image_source=a.png --intuitive_edit",
            [BACKEND, "no.npz: its file no.npz is not there", "--image_source=a.png: no such file"],
        ),
        (
            "--landmarks_file=points.md --video_source=none.mp4",
            ["points.md: unknown ending", "--video_source=none.mp4: no such file"],
        ),
    ],
)
def test_refused_before_networks_are_loaded(words: str, lines: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE, *words.split(), f"--checkpoint_root={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    errors = done.stderr.splitlines()
    assert len(errors) == len(lines)
    for line, begin in zip(errors, lines, strict=True):
        assert line.startswith(f"error: {begin}"), line


def refused(words: list[str], folder: Path) -> list[str]:
    """Lines of a run that is refused, without torch and in less than three seconds of the processor's time."""
    code = "import sys; from talkingface.cli import main; status = main(sys.argv[1:]);" + NO_TORCH
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=folder, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 2, done.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3
    return done.stderr.splitlines()


def check_told(lines: list[str], expected: list[str]) -> None:
    for begin in expected:
        assert sum(line.startswith(f"error: {begin}") for line in lines) == 1, (begin, lines)
    assert len(lines) == len(expected), lines


def test_all_that_is_wrong_is_told_in_one_run(tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes((SAMPLE / "source.png").read_bytes()[:3000])
    (tmp_path / "words.mp4").write_text("no video at all")
    (tmp_path / "damaged.motion").write_bytes(b"\xff" * 64)
    motion = Motion("3dmm.73", Fraction(25), {"coefficients": torch.zeros(3, 73)}, "mesh")
    save_motion(tmp_path / "other.motion", motion)
    (tmp_path / "file").touch()
    words = "--modle=x --face=lrgest --best_frame=3 --find_best_frame --pose_style=3 --device=cpu --checkpoint=no-such"
    words += " --drive 0=none.mp4 1=damaged.motion 2=words.mp4 --ref_pose=none.mov --audio=none.wav"
    words += " --image_source=cut.png --output=result.xyz --save_motion=file/a.motion --landmarks_file=points.md"
    lines = refused(words.split(), tmp_path)
    expected = ["--modle: unknown flag", "--face: 'lrgest' is no choice", "--best_frame and --find_best_frame both"]
    expected += ["--pose_style is for a picture that speaks", "--checkpoint: 'no-such' is", "points.md: unknown ending"]
    expected += ["--drive=0=none.mp4: no such file", "damaged.motion: its header", "words.mp4: not a video"]
    expected += ["--ref_pose is for a picture", "--ref_pose=none.mov: no such file", "--audio=none.wav: no such file"]
    expected += ["cut.png: the picture is damaged", "result.xyz: unknown ending '.xyz'"]
    check_told(lines, [*expected, "--save_motion: one file cannot hold several"])
    assert not (tmp_path / "results").exists()


def test_a_folder_that_cannot_be_written_and_a_motion_of_another_model(tmp_path: Path) -> None:
    save_motion(tmp_path / "a.motion", Motion("fom.kp4", Fraction(25), {"value": torch.zeros(3, 4, 2)}, "here"))
    (tmp_path / "file").touch()
    common = ["--motion_path=a.motion", f"--image_source={SAMPLE / 'source.png'}", "--output_dir=file/deeper"]
    place, kind = str(tmp_path / "file" / "deeper"), "a.motion: holds a motion of kind 'fom.kp4', and this model draws"
    check_told(refused(["--model=FOM", *common, "--best_frame=5"], tmp_path), [place, f"{kind} 'fom."])
    words = ["--model=SadTalker", "--checkpoint=sadtalker_compact", *common, "--still", "--face3dvis"]
    errors = [place, f"{kind} '3dmm.70'", "a.motion: --face3dvis needs a driving video"]
    check_told(refused(words, tmp_path), errors)


@pytest.mark.parametrize(("model", "space"), [("SadTalker", "bfm"), ("StyleHeat", "bfm")])
def test_a_motion_of_another_space_is_told(model: str, space: str, tmp_path: Path) -> None:
    motion = Motion("3dmm.73", Fraction(25), {"coefficients": torch.zeros(3, 73)}, space)
    save_motion(tmp_path / "a.motion", motion)
    words = [f"--model={model}", "--motion_path=a.motion", f"--image_source={SAMPLE / 'source.png'}", "--best_frame=3"]
    check_told(refused(words, tmp_path), [f"a.motion: its numbers are of the space '{space}', and these weights draw"])
    save_motion(tmp_path / "a.motion", replace(motion, space="mesh"))
    check_told(refused(words, tmp_path), ["--best_frame: there is no frame 3. Use 0 to 2."])


def test_a_motion_of_another_keypoint_detector_is_told_before_the_networks_are_loaded(tmp_path: Path) -> None:
    settings = load_settings([f"--image_source={SAMPLE / 'source.png'}", f"--motion_path={tmp_path / 'a.motion'}"])
    kind, own = config_of(settings).motion_kind, motion_space(settings)
    motion = Motion(kind, Fraction(25), {"value": torch.zeros(3, 10, 2)}, "0123456789ab")
    save_motion(tmp_path / "a.motion", motion)
    (problem,) = settings_problems(settings)
    assert f"the space '0123456789ab', and these weights draw '{own}'" in str(problem)
    save_motion(tmp_path / "a.motion", replace(motion, space=own))
    assert settings_problems(settings) == []


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("--model=FOM --variant=vox-256", ["vgg19"]),
        ("--model=StyleHeat --train.stage=inversion --train.loss_weights.identity=1", ["ir_se50"]),
        ("--model=SadTalker --variant=256 --train.stage=render", ["vgg19"]),
    ],
)
def test_networks_that_a_loss_needs_are_told_before_a_training_begins(
    model: str, names: list[str], tmp_path: Path
) -> None:
    words = ["--run_mode=train", *model.split(), f"--dataset={SAMPLE}", f"--checkpoint_root={tmp_path / 'none'}"]
    lines = refused([*words, f"--output_dir={tmp_path / 'run'}"], tmp_path)
    check_told(lines, [f"train.loss_weights: a loss needs the weights of {name}" for name in names])
    assert not (tmp_path / "run").exists()


def test_a_frame_beyond_the_video_is_told(tmp_path: Path) -> None:
    words = [f"--image_source={SAMPLE / 'source.png'}", f"--video_source={SAMPLE / 'driving.mp4'}"]
    check_told(refused([*words, "--best_frame=150"], tmp_path), ["--best_frame: there is no frame 150. Use 0 to 149."])


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (
            "--model=FOM --train.stage=a --train.transform.sigma=1 --train.learning_rates.detector=1e-4",
            ["FOM has no stage 'a'", "'transform_params.sigma'", "no phase 'detector'. Choose one of: discriminator"],
        ),
        ("--model=FOM --model_params.architecture=mixed", ["mixed keypoints are not trained from clips alone"]),
        (
            "--model=SadTalker --train.stage=render --train.learning_rates.rendr=1",
            ["no phase 'rendr'. Did you mean 'render'?"],
        ),
        ("--model=SadTalker --train.stage=rendr", ["SadTalker has no stage 'rendr'. Did you mean 'render'?"]),
        (
            "--model=StyleHeat --train.stage=joint --train.learning_rates.joints=1",
            ["no phase 'joints'. Did you mean 'joint'?"],
        ),
    ],
)
def test_names_of_a_training_are_told_in_one_run(words: str, lines: list[str], tmp_path: Path) -> None:
    wrong = "--train.loss_weights.perceptul=1 --train.schedule=cosin --train.init_from=absent --dataset=no/a --output=a"
    errors = refused(["--run_mode=train", *words.split(), *wrong.split()], tmp_path)
    common = [
        "--train.schedule: 'cosin' is no choice. Did you mean 'cosine'?",
        "--train.init_from=absent: no such file",
    ]
    common += ["no/a: the data set", "--output=a: --run_mode=train fills a folder"]
    perceptual = ["perceptul"] if "stage=rendr" not in words else []
    for part in [*common, *lines, *perceptual]:
        assert sum(part in line for line in errors) == 1, (part, errors)
    assert len(errors) == len(common) + len(lines) + len(perceptual), errors


def test_nothing_is_wrong_with_what_works() -> None:
    assert settings_problems(load_settings([f"--video_source={SAMPLE / 'driving.mp4'}"])) == []
