"""Jobs for ``--run_mode``: one module each, imported when it runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from ..config import Settings


class Job(Protocol):
    """A module with one job.

    Attributes:
        WHEN_STOPPED: note on what remains when the user stops it.
    """

    WHEN_STOPPED: str

    def run(self, settings: Settings) -> int:
        """Run the job and return the exit status."""


def job(run_mode: str) -> Job:
    """Import the job of a ``--run_mode`` that the settings have validated."""
    return cast(Job, import_module(f"{__name__}.{run_mode}"))
