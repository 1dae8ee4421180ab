"""The one form in which all benchmarks report: a table on the terminal, the same figures as JSON."""

from __future__ import annotations

import argparse
import json
import operator
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

COMPARE = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        name: what was measured.
        value: the number.
        unit: its unit; ``""`` for a ratio.
        aim: what it should be, such as ``">= 20"``; ``""`` where it only informs.
    """

    name: str
    value: float
    unit: str = ""
    aim: str = ""

    @property
    def met(self) -> bool | None:
        """True if the aim is met; None where there is none."""
        if not self.aim:
            return None
        sign, bound = self.aim.split()
        return bool(COMPARE[sign](self.value, float(bound)))


def machine() -> dict[str, str | int]:
    """Conditions that the figures depend on."""
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return {
        "cpu": str(capabilities.get("cpu_name") or platform.processor() or platform.machine()),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "amx_bf16": int(bool(capabilities.get("amx_bf16", False))),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def table(title: str, figures: Sequence[Figure]) -> str:
    """The figures as lines of text, with aim and verdict."""
    width = max(len(figure.name) for figure in figures)
    lines = [f"{figure.name:<{width}}  {_told(figure)}".rstrip() for figure in figures]
    return "\n".join([title, ", ".join(f"{key} {value}" for key, value in machine().items()), *lines])


def _told(figure: Figure) -> str:
    verdict = {None: "", True: "met", False: "MISSED"}[figure.met]
    return f"{figure.value:>10.4g} {figure.unit:<9} {figure.aim:<9} {verdict}"


def publish(title: str, figures: Sequence[Figure], json_file: Path | None = None) -> int:
    """Print the table and, where a file is named, write the JSON.

    Returns:
        Exit status: 0, or 1 where an aim is missed.
    """
    print(table(title, figures))
    if json_file is not None:
        content = {"title": title, "machine": machine(), "figures": [asdict(f) | {"met": f.met} for f in figures]}
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return int(any(figure.met is False for figure in figures))


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has: ``--json`` and ``--threads``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--threads", type=int, help="CPU threads of torch (default: all cores)")
    return parser
