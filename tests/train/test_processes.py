"""Two processes on the CPU train like one with the batch of both."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from talkingface.data import open_store
from talkingface.models.base import Batch, Losses, Phase
from talkingface.train import Trainer, TrainSettings

from .tiny import Tiny, quick, write_clips


class JudgeOnly(Tiny):
    """The discriminator alone: no batch norm and no noise, so that two halves of a batch add up to the whole."""

    def phases(self, train: TrainSettings) -> list[Phase]:
        return super().phases(train)[1:]

    def _judge(self, batch: Batch) -> Losses:
        self._painted = torch.zeros_like(batch["driving"])
        return super()._judge(batch)


def train(clips: Path, folder: Path, batch_size: int) -> None:
    settings = quick(batch_size=batch_size, max_steps=3, learning_rate=1e-3, ema_decay=0)
    Trainer(JudgeOnly(), open_store(clips), settings, folder).run()


def discriminator(folder: Path) -> dict[str, torch.Tensor]:
    state = load_file(folder / "states" / "step-00000003" / "networks.safetensors")
    return {key: value for key, value in state.items() if key.startswith("discriminator/")}


PROGRAM = """
import sys
from pathlib import Path
import torch
from talkingface.train.processes import join
sys.path.insert(0, sys.argv[1])
from train.test_processes import train
train(Path(sys.argv[2]), Path(sys.argv[3]), 2)
join(torch.device("cpu")).finish()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(rank: int, port: int, clips: Path, folder: Path) -> subprocess.Popen[str]:
    """One of two processes, with the variables that torchrun sets."""
    tests = Path(__file__).parents[1]
    group = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, "-c", PROGRAM, str(tests), str(clips), str(folder)]
    environment = {**os.environ, **group, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, cwd=tests.parent, stderr=subprocess.PIPE, text=True)


def test_two_processes_train_like_one_with_the_batch_of_both(tmp_path: Path) -> None:
    clips, port = write_clips(tmp_path / "clips"), free_port()
    for child in [start(rank, port, clips, tmp_path / "two") for rank in range(2)]:
        _, errors = child.communicate(timeout=120)
        assert child.returncode == 0, errors
    train(clips, tmp_path / "one", 4)
    begun = {f"discriminator/{key}": value for key, value in JudgeOnly().networks["discriminator"].state_dict().items()}
    two, one = discriminator(tmp_path / "two"), discriminator(tmp_path / "one")
    for key, value in one.items():
        assert (value - begun[key]).abs().max() > 1e-3
        assert torch.allclose(two[key], value, atol=1e-4), key
