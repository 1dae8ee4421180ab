"""Face detectors of a run, opened as the options say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from ..errors import DependencyError, WeightsError
from ..face.detect.analyser import FaceAnalyser, identity_of, open_analyser
from .options import CropOptions


@dataclass(frozen=True)
class FaceDetectors:
    """Detectors of faces in sources and in driving videos.

    Attributes:
        source, driving: None: nothing looks for faces.
        missing: why ``auto`` found no backend, or "".
    """

    source: FaceAnalyser | None = None
    driving: FaceAnalyser | None = None
    missing: str = ""

    def identity(self, root: Path) -> dict[str, str]:
        """Name, files and version of the detector for driving videos, which distinguish one state of it from another.

        Args:
            root: folder of the weights that the user adds.
        """
        return {} if self.driving is None else {"name": self.driving.name} | identity_of(self.driving.name, root)


def open_detectors(
    options: CropOptions, device: torch.device | str, *, needed: bool = False, prefer: str | None = None
) -> FaceDetectors:
    """Open the backend that ``--landmarks`` names.

    A file with points or boxes speaks of the source; driving videos are then searched as without it.

    Args:
        needed: whether nothing else can take its place.
        prefer: the backend that ``auto`` tries first.

    Raises:
        DependencyError, WeightsError, ConfigError: the backend that was named cannot be opened; ``auto`` raises for
            that only where it is needed.
    """
    if options.landmarks == "none":
        return FaceDetectors()
    analyser, missing = _open(options.landmarks, options, device, options.landmarks_file, needed=needed, prefer=prefer)
    if analyser is None or not analyser.from_file:
        return FaceDetectors(analyser, analyser, missing)
    driving, missing = _open("auto", options, device, prefer=prefer)
    return FaceDetectors(analyser, driving, missing)


def _open(
    name: str,
    options: CropOptions,
    device: torch.device | str,
    file: Path | None = None,
    *,
    needed: bool = False,
    prefer: str | None = None,
) -> tuple[FaceAnalyser | None, str]:
    """(the analyser, why there is none)."""
    try:
        return open_analyser(name, root=options.root, device=str(device), landmarks_file=file, prefer=prefer), ""
    except (DependencyError, WeightsError) as error:
        if needed or name != "auto":
            raise
        return None, str(error)
