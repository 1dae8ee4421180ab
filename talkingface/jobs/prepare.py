"""``--run_mode=prepare``: prepare a data set from raw videos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..data.prepare.chain import Folders, prepare
from ..data.prepare.tools import PrepareTools
from ..errors import ConfigError
from ..face.detect.analyser import searching_backends

if TYPE_CHECKING:
    from ..config import Settings

WHEN_STOPPED = "everything that was finished is kept; the same command goes on from there"


def run(settings: Settings) -> int:
    """Prepare; the last line on standard output is the folder of the data set. Exit status 2 without usable results."""
    root = output_root(settings)
    report = prepare(settings.prepare, Folders.under(root), tools(settings), offline=settings.offline)
    print(report.table())
    print(root, flush=True)
    return 0 if report.usable else 2


def output_root(settings: Settings) -> Path:
    """Folder of the new data set.

    Raises:
        ConfigError: if no setting names it.
    """
    root = settings.prepare.out or settings.data.root
    if root is None:
        cure = "Give --dataset=NAME (or a folder that exists), or --prepare.out=DIR."
        raise ConfigError("preparation needs a place for the data set", where="--run_mode=prepare", cure=cure)
    return root


def tools(settings: Settings) -> PrepareTools:
    """Landmark backend and reconstructor from the settings.

    Workers have one CPU thread each, or share the GPUs of ``--device_ids``; a GPU is never used by default.
    """
    searching = ("auto", *searching_backends())
    if settings.landmarks not in searching:
        cure = f"Use --landmarks={', '.join(searching[:-1])} or {searching[-1]}."
        raise ConfigError("faces of raw videos have to be found", where=f"--landmarks={settings.landmarks}", cure=cure)
    wanted = "cpu" if settings.device == "auto" else settings.device
    device = "cuda" if settings.prepare.device_ids else wanted
    return PrepareTools(settings.landmarks, settings.prepare.space, settings.checkpoint_root, device)
