"""Processes of a training: several ones as torchrun starts them, and an orderly stop on a signal or after a time."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

import torch
from torch import Tensor, distributed, nn

from ..console import STOP_SIGNALS
from ..errors import ConfigError, TrainingError
from ..models.base import Batch, Losses, Phase

LAUNCHED = "TALKINGFACE_LAUNCHED"
SIGNALS = (signal.SIGINT, *STOP_SIGNALS)
TIME_IS_UP = "time is up"
NO_BETTER = "no better score"
REASONS = ("", NO_BETTER, TIME_IS_UP, *(number.name for number in SIGNALS))
# What torch says where the connection to another process breaks; gloo raises a plain RuntimeError.
_BROKEN = re.compile(r"gloo|nccl|connection (closed|reset)|broken pipe|recvValue|TCPStore", re.IGNORECASE)


@dataclass(frozen=True)
class Processes:
    """Number of this process and of all processes.

    Attributes:
        rank: number of this process; 0 writes logs and states.
        world: number of processes.
    """

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def agree(self, reason: str) -> str:
        """Reason to stop of any of the processes, the same in all of them; empty if none has one."""
        if self.world == 1:
            return reason
        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        value = torch.tensor([REASONS.index(reason)], device=device)
        distributed.all_reduce(value, distributed.ReduceOp.MAX)
        return REASONS[int(value.item())]

    def wait(self) -> None:
        """Wait until all processes have called this."""
        if self.world > 1:
            distributed.barrier()

    def finish(self) -> None:
        """Leave the process group after all are done; a process that ends earlier can abort the others."""
        if self.world > 1:
            distributed.barrier()
            distributed.destroy_process_group()


def join(device: torch.device) -> Processes:
    """Join the processes that torchrun started; without torchrun there is a single one.

    Args:
        device: selects the backend: NCCL between GPUs, gloo on the CPU.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return Processes()
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Processes(distributed.get_rank(), distributed.get_world_size())


def local_device(device: torch.device) -> torch.device:
    """GPU of this process if torchrun started several on one machine, else the device itself."""
    if device.type != "cuda" or device.index is not None or "LOCAL_RANK" not in os.environ:
        return device
    number, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if number >= there:
        cure = f"Start {there} at most, or give --device=cpu."
        raise ConfigError(f"process {number} of this machine finds {there} GPUs", where="train", cure=cure)
    return torch.device("cuda", number)


@contextmanager
def losing_others(processes: Processes) -> Iterator[None]:
    """Say in one line that another process has ended, where the block loses its connection to it.

    Raises:
        TrainingError: in place of torch's error.
    """
    try:
        yield
    except RuntimeError as error:
        lost = isinstance(error, distributed.DistError) or _BROKEN.search(str(error))
        if processes.world == 1 or not lost:
            raise
        if LAUNCHED in os.environ:  # the process that started all of them says which one has ended
            raise SystemExit(2) from error
        what = f"another of the {processes.world} processes has ended; nothing is saved since the last state"
        cure = "Look for its own error, then go on with --train.resume=auto."
        raise TrainingError(what, where=f"process {processes.rank}", cure=cure) from error


class PhaseLoss(nn.Module):
    """Loss of a phase, batch (N, ...) -> loss terms (), as a module with the parameters that the phase trains.

    DistributedDataParallel averages the gradients of the module that it wraps. With this module the plug-in keeps its
    plain networks, and each phase averages its own gradients.
    """

    def __init__(self, phase: Phase, networks: nn.ModuleDict) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks.get_submodule(name) for name in phase.networks)
        self._loss = phase.loss

    def forward(self, batch: Batch) -> Losses:
        return self._loss(batch)


def phase_losses(
    phases: list[Phase], networks: nn.ModuleDict, processes: Processes
) -> Mapping[str, Callable[[Batch], Losses]]:
    """Loss functions by phase: batch (N, ...) -> loss terms (); with several processes gradients are averaged."""
    losses: dict[str, nn.Module] = {phase.name: PhaseLoss(phase, networks) for phase in phases}
    if processes.world == 1:
        return losses
    # Without device_ids the batch is passed on as it is, so that phases can tell that it is the same one.
    return {name: nn.parallel.DistributedDataParallel(loss) for name, loss in losses.items()}


def without_sync(loss: Callable[[Batch], Losses], *, last: bool) -> AbstractContextManager[None]:
    """Context of a backward pass that keeps its gradients in this process, unless it is the last one of a step."""
    if last or not isinstance(loss, nn.parallel.DistributedDataParallel):
        return nullcontext()
    return loss.no_sync()  # type: ignore[no-any-return]


def mean_over(processes: Processes, values: dict[str, Tensor]) -> dict[str, float]:
    """Average scalars () over the processes, for the log."""
    if not values:
        return {}
    stacked = torch.stack([value.detach().float() for value in values.values()])
    if processes.world > 1:
        distributed.all_reduce(stacked)
        stacked /= processes.world
    return dict(zip(values, stacked.tolist(), strict=True))


class StopRequest:
    """Context in which the first Ctrl-C, SIGTERM or SIGHUP only sets `reason`; the second one acts as usual.

    Args:
        max_seconds: time after which a stop is requested too; None: never.
    """

    def __init__(self, max_seconds: float | None = None) -> None:
        self._reason = ""
        self._end = None if max_seconds is None else time.monotonic() + max_seconds
        self._before: dict[int, Any] = {}

    @property
    def reason(self) -> str:
        """Reason to stop, for example ``"SIGTERM"`` or ``"time is up"``; empty to continue."""
        if not self._reason and self._end is not None and time.monotonic() >= self._end:
            self._reason = TIME_IS_UP
        return self._reason

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            handled = (number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN)  # as by nohup
            self._before = {number: signal.signal(number, self._remember) for number in handled}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._reason = signal.Signals(number).name
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
