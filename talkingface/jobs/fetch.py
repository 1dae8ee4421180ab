"""``--run_mode=fetch``: download weight files by a name of the catalogue."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ..errors import WeightsError
from ..weights import Entry, load_catalogue
from ..weights.download.fetch import fetch
from ..weights.download.packages import PackageCache

if TYPE_CHECKING:
    from ..config import Settings

WHEN_STOPPED = "the same command goes on from there if the file's sha256 is known, and else begins anew"


# Fetched without a name: small, free, and useful for every model.
DEFAULT_NAME = "mesh"


def run(settings: Settings) -> int:
    """Fetch the files that ``--checkpoint`` names; their paths are the last lines on standard output."""
    entries = load_catalogue().entries_for(settings.checkpoint or DEFAULT_NAME)
    root = settings.weights_root
    failed = []
    with PackageCache() as packages:
        for entry in entries:
            try:
                print(_fetch(entry, root, settings, packages), flush=True)
            except WeightsError as error:  # the other files are still useful
                failed.append(str(error))
    if failed:
        raise WeightsError("\n".join(failed))
    if settings.checkpoint is None and not settings.quiet:
        names = ", ".join(entry.name for entry in load_catalogue().choices(settings.model))
        print(
            f"note: these find faces; for weights of {settings.model} give --checkpoint, one of: {names}",
            file=sys.stderr,
        )
    return 0


def _fetch(entry: Entry, root: Path, settings: Settings, packages: PackageCache) -> Path:
    quiet = settings.quiet or not sys.stderr.isatty()
    with tqdm(desc=entry.name, unit="B", unit_scale=True, file=sys.stderr, disable=quiet) as bar:

        def show(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return fetch(entry, root, settings.offline, show, packages=packages)
