#!/usr/bin/env python3
"""Check that our networks give the numbers of the published ones.

Runs every recorded case below a folder and prints a line for each: status, error against its tolerance of the output
that comes off worst, seconds. Exit status 1 if a case fails, 2 if there is none.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from parity import Report, Status, find_cases, run_case

CLONE = Path(__file__).resolve().parents[1]


def default_root() -> Path:
    """Full collection, in TALKINGFACE_SHARED or beside the clone, else the small cases among the tests."""
    shared = Path(os.environ.get("TALKINGFACE_SHARED", CLONE.parent / "shared")) / "parity"
    return shared if shared.is_dir() else CLONE / "tests" / "parity_cases"


def line(report: Report, root: Path) -> str:
    """Describe a case in one line; a failed one gets a line more for each output that is off."""
    name = str(report.folder.relative_to(root)) if report.folder != root else report.folder.name
    head, worst = f"{report.status.value:<12} {name:<34}", report.worst
    if worst is None:
        return f"{head} {report.fault}".rstrip()
    off = [deviation for deviation in report.deviations if not deviation.passed]
    details = "".join(f"\n    {d.output}: {d.fault or f'error {d.error:.3g} of {d.tolerance:.0e}'}" for d in off)
    return f"{head} error {worst.error:.1e} of {worst.tolerance:.0e} ({worst.output})  {report.seconds:.1f} s{details}"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--root", type=Path, default=default_root(), help="folder with cases at any depth (%(default)s)"
    )
    parser.add_argument("--match", default="", help="only cases whose path holds this text")
    parser.add_argument("--float64", action="store_true", help="compute in float64, by the tolerances for it")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    folders = [folder for folder in find_cases(args.root) if args.match in str(folder.relative_to(args.root))]
    if not folders:
        print(f"no case below {args.root} matches '{args.match}'", file=sys.stderr)
        return 2
    counts: Counter[Status] = Counter()
    for folder in folders:
        report = run_case(folder, torch.float64 if args.float64 else torch.float32)
        counts[report.status] += 1
        print(line(report, args.root), flush=True)
    print(", ".join(f"{counts[status]} {status.value}" for status in Status))
    return 1 if counts[Status.FAILED] else 0


if __name__ == "__main__":
    sys.exit(main())
