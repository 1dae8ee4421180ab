"""One training over several processes, as torchrun starts them. With one process everything here is plain."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from ..errors import ConfigError
from ..models.base import Batch, Losses, Phase


@dataclass(frozen=True)
class Processes:
    """Which process this is.

    Attributes:
        rank: number of this process; 0 writes logs and states.
        world: how many there are.
    """

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any process; the same answer in all."""
        if self.world == 1:
            return flag
        value = torch.tensor([int(flag)], device="cuda" if distributed.get_backend() == "nccl" else "cpu")
        distributed.all_reduce(value, distributed.ReduceOp.MAX)
        return bool(value.item())

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            distributed.barrier()

    def leave(self) -> None:
        """Part from the others, when all are done: one that ends earlier can take the rest down with it."""
        if self.world > 1:
            distributed.barrier()
            distributed.destroy_process_group()


def join(device: torch.device) -> Processes:
    """Join the processes that torchrun started; a single one where it did not.

    Args:
        device: decides how they talk: NCCL between GPUs, gloo on the CPU.
    """
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return Processes()
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Processes(distributed.get_rank(), distributed.get_world_size())


def local_device(device: torch.device) -> torch.device:
    """The GPU of this process where torchrun started several on one machine; else the device itself."""
    if device.type == "cuda" and device.index is None and "LOCAL_RANK" in os.environ:
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    return device


def share_statistics(networks: nn.ModuleDict, device: torch.device) -> None:
    """Replace batch norms by ones that average over all processes.

    Raises:
        ConfigError: on the CPU, where torch has no such layer.
    """
    if device.type != "cuda":
        raise ConfigError("needs GPUs", where="--train.sync_batchnorm", cure="Leave it out on the CPU.")
    for name in list(networks):
        networks[name] = nn.SyncBatchNorm.convert_sync_batchnorm(networks[name])


class PhaseLoss(nn.Module):
    """The loss of a phase as a module whose parameters are those that the phase steps.

    DistributedDataParallel averages the gradients of the module that it wraps; wrapped like this the plug-in keeps its
    plain networks, and each phase communicates for itself.
    """

    def __init__(self, phase: Phase, networks: nn.ModuleDict) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks.get_submodule(name) for name in phase.networks)
        self._loss = phase.loss

    def forward(self, batch: Batch) -> Losses:
        return self._loss(batch)


def spread(
    phases: list[Phase], networks: nn.ModuleDict, processes: Processes
) -> Mapping[str, Callable[[Batch], Losses]]:
    """Loss functions by phase; with several processes their gradients are averaged."""
    losses: dict[str, nn.Module] = {phase.name: PhaseLoss(phase, networks) for phase in phases}
    if processes.world == 1:
        return losses
    # Without device_ids the batch is handed on as it is, so that phases can tell that they see the same one.
    return {name: nn.parallel.DistributedDataParallel(loss) for name, loss in losses.items()}


def mean_over(processes: Processes, values: dict[str, Tensor]) -> dict[str, float]:
    """Scalars averaged over the processes, for the log."""
    if not values:
        return {}
    stacked = torch.stack([value.detach().float() for value in values.values()])
    if processes.world > 1:
        distributed.all_reduce(stacked)
        stacked /= processes.world
    return dict(zip(values, stacked.tolist(), strict=True))
