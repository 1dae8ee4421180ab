"""The command: flags -> settings -> one job. Exit status 0: done; 2: something to mend; 128 + n: signal n."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence

from . import __version__
from .config import Settings, describe, read_settings
from .config.flags import named_model
from .config.report import asks_for_help, help_text
from .console import exit_status, full, lasting_streams, stop_in_order
from .errors import TalkingFaceError, of_place, together
from .jobs import job
from .jobs.launch import launch, wanted
from .jobs.sweep import Trial, read_trials, score_table
from .registry import own_name

OK, MENDABLE = 0, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; a bug keeps its traceback."""
    words = list(sys.argv[1:] if argv is None else argv)
    with lasting_streams() as (output, _), stop_in_order():
        try:
            status = _command(words)
        except KeyboardInterrupt as stop:  # before a job has begun
            status = exit_status(stop)
        output.flush()
        if full(output):
            print(f"warning: standard output cannot be written ({output.lost})", file=sys.stderr)
    return status


def _command(words: list[str]) -> int:
    if "--version" in words:
        return _show(__version__)
    try:
        help_wanted = asks_for_help(words)
        if help_wanted is not None:
            named = named_model(words)
            return _show(help_text(named and own_name(named), everything=help_wanted == "all"))
        settings, problems = read_settings(words)
        if not _silent(settings) and not wanted(settings):
            _print_notes(settings.notes)
        if settings.print_config and not problems:
            return _show(describe(settings))
        problems += _further(settings, problems)
        if problems:
            raise together(problems)
        trials = read_trials(words, settings) if settings.run_mode == "train" else []
        if trials:
            return _sweep(trials)
        return launch(words, settings) if wanted(settings) else _run(settings)
    except TalkingFaceError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return MENDABLE
    except OSError as error:
        message = of_place(error)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        return MENDABLE


def _show(text: str) -> int:
    """Print what is itself the result, and return the exit status."""
    print(text, flush=True)
    return MENDABLE if full(sys.stdout) else OK


def _print_notes(notes: Sequence[str]) -> None:
    for note in dict.fromkeys(notes):
        print(f"note: {note}", file=sys.stderr)


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


def _silent(settings: Settings) -> bool:
    """True if only errors are reported; of the processes of a training the first reports for all."""
    return settings.quiet or os.environ.get("RANK", "0") != "0"


def _sweep(trials: Sequence[Trial]) -> int:
    """Run trainings in order and show the table; returns the status of the first that did not finish, else 0."""
    for trial in trials:
        if status := _run(trial.settings):
            return status
    return _show(score_table(trials))


def _run(settings: Settings) -> int:
    """One job, with the log of the package on standard error; says what is kept when it is stopped."""
    level = logging.ERROR if _silent(settings) else logging.DEBUG if settings.verbose else logging.INFO
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
    except KeyboardInterrupt as stop:
        print(f"\nstopped{f' by {stop}' if str(stop) else ''}: {chosen.WHEN_STOPPED}", file=sys.stderr)
        return exit_status(stop)
    finally:
        logger.removeHandler(handler)
