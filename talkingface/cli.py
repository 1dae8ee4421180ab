"""The command: flags -> settings -> one job. Exit status 0: done; 2: something to mend; 130: stopped by Ctrl-C."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence

from . import __version__
from .config import Settings, describe, load_settings
from .config.flags import named_model
from .config.report import asks_for_help, help_text
from .errors import TalkingFaceError, of_place
from .jobs import job
from .registry import own_name

OK, MENDABLE, STOPPED = 0, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; a bug keeps its traceback."""
    words = list(sys.argv[1:] if argv is None else argv)
    if "--version" in words:
        print(__version__)
        return OK
    try:
        wanted = asks_for_help(words)
        if wanted is not None:
            named = named_model(words)
            print(help_text(named and own_name(named), everything=wanted == "all"), flush=True)
            return OK
        settings = load_settings(words)
        if not settings.quiet:
            _tell(settings.notes)
        if settings.print_config:
            print(describe(settings), flush=True)
            return OK
        return _run(settings)
    except TalkingFaceError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return MENDABLE
    except BrokenPipeError:
        # Whoever reads the output has seen enough, as in `... | head`; Python's own flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        told = of_place(error)
        if told is None:
            raise
        print(f"error: {told}", file=sys.stderr)
        return MENDABLE


def _tell(notes: Sequence[str]) -> None:
    for note in dict.fromkeys(notes):
        print(f"note: {note}", file=sys.stderr)


class _Format(logging.Formatter):
    """Plain lines; warnings and errors say so."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return f"{record.levelname.lower()}: {line}" if record.levelno >= logging.WARNING else line


def _run(settings: Settings) -> int:
    """One job, with the log of the package on standard error; says what is kept when it is stopped."""
    level = logging.ERROR if settings.quiet else logging.DEBUG if settings.verbose else logging.INFO
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Format())
    logger = logging.getLogger("talkingface")
    logger.addHandler(handler)
    logger.setLevel(level)
    chosen = job(settings.run_mode)
    try:
        with warnings.catch_warnings():
            if settings.quiet and not sys.warnoptions:  # those of libraries; -W asks for them nevertheless
                warnings.simplefilter("ignore")
            return chosen.run(settings)
    except KeyboardInterrupt:
        print(f"\nstopped: {chosen.WHEN_STOPPED}", file=sys.stderr)
        return STOPPED
    finally:
        logger.removeHandler(handler)
