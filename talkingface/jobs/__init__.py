"""What ``--run_mode`` chooses from: one module per job, loaded when it runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from ..config import Settings


class Job(Protocol):
    """A module that does one job.

    Attributes:
        WHEN_STOPPED: what is kept when the user stops it.
    """

    WHEN_STOPPED: str

    def run(self, settings: Settings) -> int:
        """Do it and return the exit status."""


def job(run_mode: str) -> Job:
    """The job of a ``--run_mode``, which the settings have checked."""
    return cast(Job, import_module(f"{__name__}.{run_mode}"))
