"""The data set that the settings of a job name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..config import Settings


def data_root(settings: Settings) -> Path:
    """The folder of the data set.

    Raises:
        ConfigError: if neither a flag nor a file names one.
    """
    if settings.data.root is None:
        cure = "Give --dataset=NAME_OR_FOLDER; --dataset=sample is a tiny one that ships with the toolkit."
        raise ConfigError(f"--run_mode={settings.run_mode} needs a data set", cure=cure)
    return settings.data.root


def run_folder(settings: Settings) -> Path:
    """Where a job on a data set leaves its results: ``--output_dir``, or a name in ``runs/``.

    Raises:
        ConfigError: if ``--output`` names one file for what fills a folder.
    """
    if settings.output is not None:
        what = f"--run_mode={settings.run_mode} fills a folder"
        raise ConfigError(what, where=f"--output={settings.output}", cure="Use --output_dir=FOLDER.")
    name = Path(settings.dataset or data_root(settings)).name
    return settings.output_dir or Path("runs") / f"{settings.model}_{name}"
