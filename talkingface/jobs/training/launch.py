"""``--train.launch=N``: start the processes of a training on this machine, with the variables that torchrun sets."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...children import Program, start
from ...console import Stopped, exit_status
from ...errors import TrainingError
from ...paths import PACKAGE

if TYPE_CHECKING:
    from ...config import Settings

LAUNCHED = "TALKINGFACE_LAUNCHED"
"""Variable that says that this process watches the others, so that they need not tell of each other's end."""
_POLL_S = 0.1
_LEAVE_S = 20.0
"""Time for the other processes to leave by themselves after one has ended."""


def wanted(settings: Settings) -> bool:
    """True if this process has to start those of the training, and is none of them itself."""
    train = settings.train
    several = train.launch > 1 or (train.launcher == "ray" and train.sweep is None and train.loss_parity is None)
    return settings.run_mode == "train" and several and "RANK" not in os.environ


def launch(words: Sequence[str], settings: Settings) -> int:
    """Run a command in several processes to its end; returns the exit status.

    A signal is passed on to all of them, so that they save and leave; a second one ends them at once.

    Args:
        words: the command line, the same in each process.

    Raises:
        TrainingError: if a signal ended one of them; the others are ended too.
    """
    if settings.train.launcher == "ray":
        from . import on_ray

        return on_ray.launch(words, settings)
    count = settings.train.launch
    common = {**os.environ, **_variables(count)}
    programs: list[Program] = []
    try:
        for rank in range(count):
            own = {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            command = [sys.executable, "-m", "talkingface", *words]
            programs.append(start(command, stdout=None, stderr=None, environment=own))
        return _status(_wait(programs), count)
    except KeyboardInterrupt as stop:
        for program in programs:
            program.send_signal(stop.number if isinstance(stop, Stopped) else signal.SIGINT)
        for program in programs:
            program.wait()
        return exit_status(stop)
    finally:
        for program in programs:
            program.end()


def _variables(count: int) -> dict[str, str]:
    """Variables of all processes; threads are shared out, as each would take all cores."""
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]))
    threads = os.environ.get("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(count)}
    place[LAUNCHED] = "1"
    return {**place, "LOCAL_WORLD_SIZE": str(count), "OMP_NUM_THREADS": threads, "PYTHONPATH": path}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(programs: Sequence[Program]) -> list[int | None]:
    """Wait until all have ended, or for a short time after one has failed; returns what is known of each then."""
    deadline = float("inf")
    while True:
        found = [program.poll() for program in programs]
        if any(found) and deadline == float("inf"):
            deadline = time.monotonic() + _LEAVE_S
        if None not in found or time.monotonic() >= deadline:
            return found
        time.sleep(_POLL_S)


def _status(found: Sequence[int | None], count: int) -> int:
    """Exit status of all together: that of the first process that failed."""
    for rank, status in enumerate(found):
        if status is not None and status < 0:
            what = f"process {rank} of {count} was ended by {signal.Signals(-status).name}, the others with it"
            raise TrainingError(what, where="train", cure="Go on from the last saved state with --train.resume=auto.")
    return next((status for status in found if status), 0)
