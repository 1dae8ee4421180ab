"""Data set and output folder of a job."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, DataError
from ..paths import shipped

if TYPE_CHECKING:
    from ..config import Settings

logger = logging.getLogger(__name__)


def data_root(settings: Settings) -> Path:
    """Folder of the data set.

    Raises:
        ConfigError: if neither a flag nor a file names one.
    """
    if settings.data.root is None:
        cure = "Give --dataset=NAME_OR_FOLDER; --dataset=sample is a tiny one that ships with the toolkit."
        raise ConfigError(f"--run_mode={settings.run_mode} needs a data set", cure=cure)
    return settings.data.root


def with_data(settings: Settings) -> Settings:
    """Return the settings with an existing data set: the one they name, or the sample if they allow it.

    Raises:
        ConfigError: if no data set is named.
        DataError: if it does not exist, with ways to prepare it or to continue without.
    """
    root = data_root(settings)
    if root.exists():
        return settings
    name = settings.dataset or root
    if not settings.data.sample_if_missing:
        cure = (
            f"Prepare it with --run_mode=prepare --dataset={name} --raw DIR (DIR: the raw videos); or go on with the "
            "tiny sample that ships with the toolkit: --dataset=sample, or --sample_if_missing."
        )
        raise DataError(f"the data set '{name}' is not there", where=root, cure=cure)
    logger.warning("the data set '%s' is not at %s: going on with the shipped sample", name, root)
    sample = settings.data.model_copy(update={"root": shipped("dataset", "sample")})
    return settings.model_copy(update={"data": sample})


def run_folder(settings: Settings) -> Path:
    """Folder for the results of a job on a data set: ``--output_dir``, or a name in ``runs/``.

    Raises:
        ConfigError: if ``--output`` names a file although the job writes several.
    """
    if settings.output is not None:
        what = f"--run_mode={settings.run_mode} fills a folder"
        raise ConfigError(what, where=f"--output={settings.output}", cure="Use --output_dir=FOLDER.")
    name = Path(settings.dataset or data_root(settings)).name
    return settings.output_dir or Path("runs") / f"{settings.model}_{name}"
