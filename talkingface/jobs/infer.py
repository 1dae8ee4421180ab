"""``--run_mode=infer``: animate one picture, or each picture of a folder."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..media.keep.names import ReservedNames
from ..pipelines.animate import Result, animate_plans
from ..pipelines.plan.inputs import plan_each
from ..pipelines.progress import progress_for

if TYPE_CHECKING:
    from ..config import Settings

WHEN_STOPPED = "results that were finished are kept; the one in work is removed, but for what a line above says"


def run(settings: Settings) -> int:
    """Animate; the paths of the results are the last lines on standard output, the rest goes to standard error.

    The command has checked the settings, see `jobs.checks`.
    """
    with ReservedNames() as names:
        batch = animate_plans(plan_each(settings, names), settings, progress_for(sys.stderr, quiet=settings.quiet))
    for source, error in batch.failures:
        print(f"error: {error}" if str(source) in str(error) else f"error: {source}: {error}", file=sys.stderr)
    for result in batch.results:
        _report(result, settings)
    return 2 if batch.failures else 0


def _report(result: Result, settings: Settings) -> None:
    if not settings.quiet and not result.kept:
        for warning in dict.fromkeys(result.warnings):
            print(f"warning: {warning}", file=sys.stderr)
        length = f"{result.frames} frames at {float(result.fps):g} frames/s, {float(result.seconds):.1f} s"
        length = "1 frame" if result.frames == 1 else length
        print(f"{length}, made in {result.elapsed_s:.1f} s", file=sys.stderr)
    print(result.path, flush=True)
