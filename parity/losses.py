"""Losses of recorded training steps beside ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .case import Case, find_cases, read_case
from .check import Deviation, deviations
from .draw import Array
from .run import find_runner

_NOT_LOSSES = ("grad", "after:")


@dataclass(frozen=True)
class Loss:
    """A loss of a recorded step.

    Attributes:
        name: of the loss.
        recorded: its value in the published code.
        ours: its value here.
        deviation: distance of the two, and the tolerance.
    """

    name: str
    recorded: float
    ours: float
    deviation: Deviation


@dataclass(frozen=True)
class Step:
    """A recorded training step, run again.

    Attributes:
        losses: in the order of the case.
        others: deviations of what is no loss, such as gradients and statistics after the step.
    """

    losses: tuple[Loss, ...]
    others: tuple[Deviation, ...]

    @property
    def agrees(self) -> bool:
        return all(one.deviation.passed for one in self.losses) and all(one.passed for one in self.others)


def loss_cases(root: Path) -> list[Path]:
    """Folders of the cases at any depth below ``root`` that record losses, by name."""
    return [folder for folder in find_cases(root) if "loss" in read_case(folder).kind]


def run_step(folder: Path) -> Step | None:
    """Run a recorded step; None if there is no runner for it.

    Raises:
        DataError: if the case is damaged, or asks for what our networks do not have.
    """
    case = read_case(folder)
    runner = find_runner(case.kind)
    if runner is None:
        return None
    outputs = {name: value.detach().cpu().numpy() for name, value in runner(case).items()}
    found = deviations(case, outputs)
    losses = tuple(_losses(case, outputs, found))
    names = {loss.deviation.output for loss in losses}
    return Step(losses, tuple(one for one in found if one.output not in names))


def _losses(case: Case, outputs: Mapping[str, Array], found: list[Deviation]) -> Iterator[Loss]:
    for one in found:
        recorded, ours = case.expected[one.output], outputs.get(one.output)
        if recorded.size != 1 or one.output.startswith(_NOT_LOSSES):
            continue
        value = float(ours.reshape(-1)[0]) if ours is not None and ours.size == 1 else float("nan")
        yield Loss(one.output.removeprefix("loss:"), float(recorded.reshape(-1)[0]), value, one)
