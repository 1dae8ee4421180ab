"""The command: flags -> settings -> one job. Exit status 0: done; 2: something to mend; 130: stopped by Ctrl-C."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from . import __version__
from .config import Settings, describe, read_settings
from .config.flags import named_model
from .config.report import help_text
from .errors import TalkingFaceError, together
from .jobs import job

OK, MENDABLE, STOPPED = 0, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; a bug keeps its traceback."""
    words = list(sys.argv[1:] if argv is None else argv)
    if "--version" in words:
        print(__version__)
        return OK
    try:
        if {"-h", "--help"} & set(words):
            print(help_text(named_model(words)), flush=True)
            return OK
        settings, problems = read_settings(words)
        if settings.print_config and not problems:
            print(describe(settings), flush=True)
            return OK
        problems += _further(settings, problems)
        if problems:
            raise together(problems)
        return _run(settings)
    except TalkingFaceError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return MENDABLE
    except BrokenPipeError:
        # Whoever reads the output has seen enough, as in `... | head`; Python's own flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def _further(settings: Settings, problems: list[TalkingFaceError]) -> list[TalkingFaceError]:
    """Everything that is wrong beside wrong flags, before the job's own modules are loaded.

    Nothing is looked at where no right flag says what is to be done.
    """
    if settings.print_config or (problems and not settings.set_by_flags):
        return []
    from .jobs.checks import job_problems  # pictures and weights are looked at only here

    return job_problems(settings, problems)


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
        return chosen.run(settings)
    except KeyboardInterrupt:
        print(f"\nstopped: {chosen.WHEN_STOPPED}", file=sys.stderr)
        return STOPPED
    finally:
        logger.removeHandler(handler)
