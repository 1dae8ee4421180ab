"""The Slurm script is stopped in order and goes on after it was queued again, with stand-ins for Slurm's commands."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from talkingface.paths import CLONE

SCRIPT = CLONE / "examples" / "cluster" / "train.slurm"
SHELLCHECK = shutil.which("shellcheck")
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")

# srun runs the command on this machine; scancel signals it, as slurmstepd signals the step's own processes; scontrol
# names the machine and notes what is queued again.
SLURM = {
    "srun": 'while [ "${1#--}" != "$1" ]; do shift; done; echo $$ >"$SLURM_TEST/step"; exec "$@"',
    "scancel": '[ "$1 $2" = "--signal=TERM 4711" ] && kill -TERM "$(cat "$SLURM_TEST/step")"',
    "scontrol": 'if [ "$1" = requeue ]; then echo "$2" >>"$SLURM_TEST/queued"; else echo 127.0.0.1; fi',
}


def slurm(folder: Path) -> dict[str, str]:
    """Write the stand-ins; returns the variables of a job on one machine with two devices."""
    (folder / "bin").mkdir()
    for name, text in SLURM.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    job = {"JOB_ID": "4711", "JOB_NUM_NODES": "1", "JOB_NODELIST": "here", "GPUS_ON_NODE": "2"}
    return {
        **os.environ,
        **{f"SLURM_{name}": value for name, value in job.items()},
        "SLURM_TEST": str(folder),
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHON": sys.executable,
        "PROGRAM": str(CLONE / "run_talkingface.py"),
        "PYTHONPATH": str(CLONE),
        "OMP_NUM_THREADS": "1",
    }


def command(run: Path, steps: int) -> list[str]:
    small = ["compact_params.detector_widths=8,8", "compact_params.motion_widths=8,8"]
    settings = ["train.batch_size=1", "train.image_size=64", "train.workers=0", f"train.max_steps={steps}"]
    return [
        "bash",
        str(SCRIPT),
        "--model=FOM",
        "--dataset=sample",
        "--device=cpu",
        f"--output_dir={run}",
        "--evaluate.split=",
        "--train.loss_weights.perceptual=0",
        *(f"--model_params.{word}" for word in small),
        *(f"--{word}" for word in settings),
    ]


def states(run: Path) -> list[int]:
    return sorted(int(path.name.rpartition("-")[2]) for path in (run / "states").glob("step-*"))


def test_a_stopped_job_saves_is_queued_again_and_goes_on(tmp_path: Path) -> None:
    run, environment = tmp_path / "run", slurm(tmp_path)
    with (tmp_path / "log").open("w") as log:
        job = subprocess.Popen(command(run, 100_000), env=environment, stderr=log, stdout=log)
        deadline = time.monotonic() + 120
        while "step 1" not in (tmp_path / "log").read_text() and job.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        job.send_signal(signal.SIGTERM)
        told = job.wait(timeout=120)
    text = (tmp_path / "log").read_text()
    assert told != 0 and "SIGTERM after step" in text, text
    (reached,) = states(run)
    assert (tmp_path / "queued").read_text() == "4711\n"
    again = subprocess.run(command(run, reached + 1), env=environment, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0, again.stderr
    assert states(run)[-1] == reached + 1
    assert f"{run}/export/" in again.stdout
    assert (tmp_path / "queued").read_text() == "4711\n", "a job that is done is not queued again"


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is not installed")
def test_the_linter_finds_nothing_in_the_script() -> None:
    linted = subprocess.run([str(SHELLCHECK), str(SCRIPT)], capture_output=True, text=True, check=False)
    assert linted.stdout == ""
