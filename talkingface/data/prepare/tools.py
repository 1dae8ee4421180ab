"""Landmark backend and reconstructor of the preparation, opened once in each process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...face.detect.analyser import FaceAnalyser
    from ...face3d.reconstruction import Reconstructor


@dataclass(frozen=True)
class PrepareTools:
    """Choice of landmark backend and reconstructor.

    Attributes:
        landmarks: landmark backend, as ``--landmarks``.
        space: space of the coefficients, as ``--prepare.space``.
        root: folder of the weights that the user adds; None takes the default.
        device: device of the networks.
    """

    landmarks: str = "auto"
    space: str = "auto"
    root: Path | None = None
    device: str = "cpu"

    def analyser(self) -> FaceAnalyser:
        """Open the landmark backend; errors as :func:`talkingface.face.detect.analyser.open_analyser`."""
        return _analyser(self.landmarks, self.root, self.device)

    def reconstructor(self) -> Reconstructor:
        """Open the reconstructor of coefficients; errors as :func:`talkingface.face3d.open_reconstructor`."""
        return _reconstructor(self.space, self.root, self.device)

    def resolved(self, *, landmarks: bool, space: bool) -> PrepareTools:
        """Replace "auto" by the actual choice, so that the manifests record it.

        Args:
            landmarks, space: the ones that are needed; the others stay as they are, and may be missing.

        Raises:
            TalkingFaceError: if one that is needed cannot be opened.
        """
        name = self.analyser().name if landmarks else self.landmarks
        return replace(self, landmarks=name, space=self.reconstructor().space if space else self.space)


@lru_cache(maxsize=1)
def _analyser(name: str, root: Path | None, device: str) -> FaceAnalyser:
    from ...face.detect.analyser import open_analyser

    return open_analyser(name, root=root, device=device)


@lru_cache(maxsize=1)
def _reconstructor(space: str, root: Path | None, device: str) -> Reconstructor:
    from ...face3d.reconstruction import open_reconstructor

    return open_reconstructor(space, root=root, device=device)
