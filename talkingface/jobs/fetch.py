"""``--run_mode=fetch``: get weight files by a name in the catalogue."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from ..errors import WeightsError
from ..paths import default_checkpoint_root
from ..weights import Entry, load_catalogue
from ..weights.download.fetch import Wheels, fetch

if TYPE_CHECKING:
    from ..config import Settings

WHEN_STOPPED = "the same command goes on from there if the file's sha256 is known, and else begins anew"


# What a fetch without a name brings: small, free, and of use to every model.
USEFUL = "mesh"


def run(settings: Settings) -> int:
    """Fetch the files that ``--checkpoint`` names; their paths are the last lines on standard output."""
    entries = load_catalogue().meant_by(settings.checkpoint or USEFUL)
    root = settings.checkpoint_root or default_checkpoint_root()
    failed = []
    with Wheels() as wheels:
        for entry in entries:
            try:
                print(_fetch(entry, root, settings, wheels), flush=True)
            except WeightsError as error:  # the others are of use all the same
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


def _fetch(entry: Entry, root: Path, settings: Settings, wheels: Wheels) -> Path:
    quiet = settings.quiet or not sys.stderr.isatty()
    with tqdm(desc=entry.name, unit="B", unit_scale=True, file=sys.stderr, disable=quiet) as bar:

        def show(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return fetch(entry, root, settings.offline, show, wheels=wheels)
