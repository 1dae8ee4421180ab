"""``--run_mode=fetch``: get a weight file by its name in the catalogue."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tqdm import tqdm

from ..errors import ConfigError
from ..paths import default_checkpoint_root
from ..weights import load_catalogue
from ..weights.fetch import fetch

if TYPE_CHECKING:
    from ..config import Settings

WHEN_STOPPED = "the same command goes on from there if the file's sha256 is known, and else begins anew"


def run(settings: Settings) -> int:
    """Fetch the file that ``--checkpoint`` names; its path is the last line on standard output."""
    catalogue = load_catalogue()
    if settings.checkpoint is None:
        names = ", ".join(entry.name for entry in catalogue.of(settings.model))
        raise ConfigError("--run_mode=fetch needs a name", cure=f"Give --checkpoint=NAME, one of: {names}.")
    entry = catalogue[settings.checkpoint]
    root = settings.checkpoint_root or default_checkpoint_root()
    quiet = settings.quiet or not sys.stderr.isatty()
    with tqdm(desc=entry.name, unit="B", unit_scale=True, file=sys.stderr, disable=quiet) as bar:

        def show(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        path = fetch(entry, root, settings.offline, show)
    print(path, flush=True)
    return 0
