"""Every model trains in two processes as in one with the batch of both; processes are started, stopped and lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from contracts.small import MIXED, SMALL
from safetensors.torch import load_file, save_file

from talkingface.data import open_store
from talkingface.models.base import Batch
from talkingface.paths import CLONE, shipped
from talkingface.testing import SmallModel
from talkingface.train import Trainer, TrainSettings
from talkingface.train.state import find, read_facts

from .test_processes import free_port

OURS = {f"{small.model}-{small.label}": small for small in [*SMALL, MIXED] if small.model != "Drift"}
RENDERER = OURS["SadTalker-published-70"]
STILL = {"render": RENDERER.params["train_params"]["render"] | {"sigma_affine": 0, "sigma_tps": 0}}
OURS["SadTalker-published-70"] = replace(RENDERER, params={**RENDERER.params, "train_params": STILL})
# Without random draws and losses over pairs of items; the others draw other numbers in each process.
# Relative tolerance of each step; Adam's first steps have the size of the rate even where a gradient is but rounding.
COMPARED = {"FOM-published": (2e-4, 2e-3, 2e-2), "SadTalker-published-70": (2e-4, 1e-2)}
STEPS = 3
TESTS = Path(__file__).parents[1]


class FixedBatch(Trainer):
    """Trains on one batch of four items, of which each process takes its part."""

    items: Batch

    def _batches(self) -> Iterator[Batch]:
        count = 4 // self._group.world
        first = count * self._group.rank
        own = {name: value[first : first + count] for name, value in self.items.items()}
        return iter([own] * (self._total - self.step))

    def _report_if_due(self) -> None:
        """Leave the pictures of the last step out."""


def settings_of(small: SmallModel) -> TrainSettings:
    values: dict[str, Any] = {
        "log_every": 1, "max_steps": STEPS, "image_every": 99, "sync_batchnorm": True, "ema_decay": 0,
        "transform": {"sigma_affine": 0, "sigma_tps": 0}, "learning_rate": 1e-4, "checkpoint_every_s": 999,
    }  # fmt: skip
    if small.model == "StyleHeat" or small is MIXED:
        del values["transform"]
    return small.settings().model_copy(update=values)


def train(folder: Path, only: set[str] | None = None) -> None:
    """Train each model on the batch in ``folder``; each process writes its parameters."""
    rank, world = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    for name in only or OURS:
        small = OURS[name]
        store = open_store(shipped("dataset", "sample", "lmdb"), "train", size=small.side)
        plugin = small.build()
        settings = settings_of(small)
        held = [network for phase in plugin.phases(settings) for network in phase.through]
        trainer = FixedBatch(plugin, store, settings, folder / f"{name}-{world}", held=held)
        trainer.items = load_file(folder / f"{name}.safetensors")
        trainer.run()
        parameters = {key: value.detach().contiguous() for key, value in plugin.networks.named_parameters()}
        save_file(parameters, folder / f"{name}-{world}" / f"rank{rank}.safetensors")


PROGRAM = """
import sys
from pathlib import Path
import torch
from talkingface.train.processes import join
sys.path.insert(0, sys.argv[2])
from train.test_several_processes import train
train(Path(sys.argv[1]))
join(torch.device("cpu")).finish()
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with what two processes trained, and one process with the batch of both."""
    folder = tmp_path_factory.mktemp("trained")
    for name, small in OURS.items():
        batch = small.batch(small.build())
        other = {key: value * 0.8 if value.is_floating_point() else value for key, value in batch.items()}
        save_file({key: torch.cat([batch[key], other[key]]) for key in batch}, folder / f"{name}.safetensors")
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder), str(TESTS)],
            env={**os.environ, **place, "RANK": str(rank), "OMP_NUM_THREADS": "1"},
            cwd=CLONE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for child in children:
        _, errors = child.communicate(timeout=300)
        assert child.returncode == 0, errors[-3000:]
    train(folder, set(COMPARED))
    return folder


@pytest.mark.parametrize("name", OURS)
def test_both_processes_have_the_same_parameters(trained: Path, name: str) -> None:
    one, other = (load_file(trained / f"{name}-2" / f"rank{rank}.safetensors") for rank in range(2))
    assert one and one.keys() == other.keys()
    assert [key for key, value in one.items() if not torch.equal(value, other[key])] == []


def curve(folder: Path) -> list[dict[str, float]]:
    """Loss terms by name of each logged step."""
    entries = [json.loads(line) for line in (folder / "scalars.jsonl").read_text().splitlines()]
    left_out = ("step", "seconds", "group", "steps_per_s")
    return [{key: value for key, value in entry.items() if key not in left_out} for entry in entries]


@pytest.mark.parametrize("name", sorted(COMPARED))
def test_the_loss_curve_is_that_of_one_process_with_the_batch_of_both(trained: Path, name: str) -> None:
    two, one = curve(trained / f"{name}-2"), curve(trained / f"{name}-1")
    assert len(one) == len(two) == STEPS and one[0] != one[-1]
    for step, tolerance in enumerate(COMPARED[name]):
        assert two[step] == pytest.approx(one[step], rel=tolerance, abs=1e-5), step


COMMAND = [
    sys.executable, "-m", "talkingface", "--run_mode=train", "--dataset=sample", "--device=cpu",
    "--model_params.architecture=compact", "--model_params.image_size=64",
    "--model_params.compact_params.motion_size=32", "--model_params.compact_params.generator_widths=8,8,8",
    "--train.image_size=64", "--train.batch_size=1", "--train.workers=0", "--train.loss_weights.perceptual=0",
    "--train.loss_weights.reconstruction=10", "--train.log_every=1", "--train.tensorboard=false",
    "--train.image_every=999", "--train.validate_every=99999", "--evaluate.split=",
]  # fmt: skip


def launched(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A training in two processes that has taken its first steps."""
    process = subprocess.Popen(
        [*COMMAND, f"--output_dir={folder}", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=CLONE,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while "step 2 train" not in (log.read_text() if (log := folder / "train.log").is_file() else ""):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return process


def workers_of(pid: int) -> list[int]:
    """Processes of a training by rank."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(path.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            variables = path.joinpath("environ").read_bytes().split(b"\0") if parent == pid else []
        except OSError:
            continue
        found |= {int(word[5:]): int(path.name) for word in variables if word.startswith(b"RANK=")}
    return [found[rank] for rank in sorted(found)]


def test_a_signal_saves_in_all_processes_and_one_process_goes_on(tmp_path: Path) -> None:
    process = launched(tmp_path, "--train.launch=2", "--train.max_steps=5000")
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert output.splitlines() == [str(tmp_path / "export" / "last.safetensors")], "the first process alone says it"
    saved = find(tmp_path)
    assert saved is not None, errors
    steps = int(read_facts(saved)["step"])
    words = [f"--output_dir={tmp_path}", "--train.resume=auto", f"--train.max_steps={steps + 1}"]
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, cwd=CLONE, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == tmp_path / "export" / "last.safetensors"
    assert f"step-{steps + 1:08d}" in str(find(tmp_path))


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
def test_the_death_of_one_process_ends_the_others_with_one_line(tmp_path: Path) -> None:
    process = launched(tmp_path, "--train.launch=2", "--train.max_steps=5000", "--quiet")
    first, second = workers_of(process.pid)
    os.kill(second, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    (line,) = errors.splitlines()
    assert "process 1 of 2 was ended by SIGKILL" in line and "--train.resume=auto" in line
    assert not Path(f"/proc/{first}").exists()
