"""``--train.loss_parity=DIR``: losses of recorded training steps beside ours."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import DataError
from ..paths import CLONE, in_clone


def compare(root: Path) -> int:
    """Print each loss of the recorded steps below a folder beside ours; returns 1 where they part, else 0.

    Raises:
        DataError: if there is no recorded step, or one is damaged.
    """
    steps = _package()
    folders = steps.loss_cases(root)
    if not folders:
        cure = "Give a folder with case.json and expected.npz, at any depth."
        raise DataError("no recorded losses", where=f"--train.loss_parity={root}", cure=cure)
    return max([_print_step(folder, steps.run_step(folder)) for folder in folders])


def _package() -> ModuleType:
    """The modules that know the recorded cases: a package beside ours in a clone, a part of it in a wheel."""
    if not in_clone():
        return import_module("talkingface._parity.losses")
    if str(CLONE) not in sys.path:
        sys.path.append(str(CLONE))
    return import_module("parity.losses")


def _print_step(folder: Path, step: Any) -> int:
    """Print a step, a row for each loss; returns 1 if it parts, or cannot be run, else 0."""
    print(folder)
    if step is None:
        print("    not covered: nothing here computes these losses", flush=True)
        return 1
    width = max([len(loss.name) for loss in step.losses], default=0)
    print(f"    {'':{width}}  {'recorded':>14}  {'ours':>14}  error")
    for loss in step.losses:
        print(f"    {loss.name:{width}}  {loss.recorded:>14.7g}  {loss.ours:>14.7g}  {_verdict(loss.deviation)}")
    if step.others:
        worst = max(step.others, key=lambda deviation: deviation.ratio)
        print(f"    {len(step.others)} gradients, pictures and statistics, worst {worst.output}: {_verdict(worst)}")
    sys.stdout.flush()
    return 0 if step.agrees else 1


def _verdict(deviation: Any) -> str:
    text = deviation.fault or f"{deviation.error:.1e} of {deviation.tolerance:.0e}"
    return text if deviation.passed else f"{text}  PARTS"
