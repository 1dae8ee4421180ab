"""Files of an evaluation: report.json and report.html, the same for the same run, and speed.json, which is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..metric import Metric
from ..report import Report, save_json, save_text
from .page import page
from .stills import Still


def write_reports(
    folder: Path,
    title: str,
    tables: Mapping[str, Report],
    stills: Sequence[Still],
    speeds: Mapping[str, Mapping[str, tuple[float, int]]],
    protocol: Mapping[str, Any],
    not_measured: Mapping[str, str],
    notes: Sequence[str],
) -> list[Path]:
    """Write the files; returns their paths, report.json last.

    Args:
        folder: made where it is not there.
        title, tables, stills, not_measured, protocol, notes: as for `page`.
        speeds: by table and method, seconds spent and frames drawn in them.
    """
    document = {
        "title": title,
        "protocol": protocol,
        "tables": {name: _lasting(report) for name, report in tables.items()},
        "not_measured": not_measured,
        "notes": notes,
    }
    rates = {
        table: {
            method: {"frames_per_s": frames / seconds if seconds else None, "frames": frames}
            for method, (seconds, frames) in own.items()
        }
        for table, own in speeds.items()
    }
    return [
        save_json({"speed": rates, "peak_memory_mb": peak_memory_mb()}, folder / "speed.json"),
        save_text(page(title, tables, stills, not_measured, protocol, notes), folder / "report.html"),
        save_json(document, folder / "report.json"),
    ]


def peak_memory_mb() -> int | None:
    """Largest memory that this process has taken; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024))


def directions(metrics: Mapping[str, type[Metric]]) -> dict[str, str]:
    """Metric -> the direction of good numbers, or the number that is best."""
    return {name: metric.better if metric.aim is None else f"{metric.aim:g}" for name, metric in metrics.items()}


def _lasting(report: Report) -> dict[str, Any]:
    """A report without what is another one each time."""
    document = asdict(report)
    document["facts"].pop("seconds", None)
    return document
