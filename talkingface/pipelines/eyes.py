"""The face analysers of a run, opened as the settings say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..errors import DependencyError, WeightsError
from ..face.detect.analyser import FaceAnalyser, identity_of, open_analyser
from ..face.detect.from_file import FileAnalyser
from ..paths import default_checkpoint_root

if TYPE_CHECKING:
    from ..config.schema import Settings


@dataclass(frozen=True)
class Eyes:
    """What looks for faces.

    Attributes:
        source, driving: in the source and in driving videos; None: nothing does.
        missing: why ``auto`` found no backend, or "".
    """

    source: FaceAnalyser | None = None
    driving: FaceAnalyser | None = None
    missing: str = ""

    def identity(self, root: Path) -> dict[str, str]:
        """What tells one state of what looks in driving videos from another: its name, files and version.

        Args:
            root: folder of the weights that the user adds.
        """
        return {} if self.driving is None else {"name": self.driving.name} | identity_of(self.driving.name, root)


def open_eyes(
    settings: Settings, device: torch.device | str, *, needed: bool = False, prefer: str | None = None
) -> Eyes:
    """Open what ``--landmarks`` names.

    A file with points or boxes speaks of the source; driving videos are then looked at as without it.

    Args:
        needed: whether nothing else can take its place.
        prefer: the backend that ``auto`` tries first.

    Raises:
        DependencyError, WeightsError, ConfigError: what was named cannot be opened; ``auto`` raises for that only where
            it is needed.
    """
    if settings.landmarks == "none":
        return Eyes()
    analyser, missing = _open(
        settings.landmarks, settings, device, settings.landmarks_file, needed=needed, prefer=prefer
    )
    if not isinstance(analyser, FileAnalyser):
        return Eyes(analyser, analyser, missing)
    watcher, missing = _open("auto", settings, device, prefer=prefer)
    return Eyes(analyser, watcher, missing)


def _open(
    name: str,
    settings: Settings,
    device: torch.device | str,
    file: Path | None = None,
    *,
    needed: bool = False,
    prefer: str | None = None,
) -> tuple[FaceAnalyser | None, str]:
    """(the analyser, why there is none)."""
    root = settings.checkpoint_root or default_checkpoint_root()
    try:
        return open_analyser(name, root=root, device=str(device), landmarks_file=file, prefer=prefer), ""
    except (DependencyError, WeightsError) as error:
        if needed or name != "auto":
            raise
        return None, str(error)
