"""What finds faces and gives coefficients, opened once in each process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...face.detect.analyser import FaceAnalyser
    from ...face3d.reconstruction import Reconstructor


@dataclass(frozen=True)
class Tools:
    """Which ones to open.

    Attributes:
        landmarks: landmark backend, as ``--landmarks``.
        space: kind of coefficients, as ``--prepare.space``.
        root: folder of the weights that the user adds; None takes the usual one.
        device: where networks of torch run.
    """

    landmarks: str = "auto"
    space: str = "auto"
    root: Path | None = None
    device: str = "cpu"

    def analyser(self) -> FaceAnalyser:
        """The landmark backend; raises what :func:`talkingface.face.detect.analyser.open_analyser` does."""
        return _analyser(self.landmarks, self.root, self.device)

    def reconstructor(self) -> Reconstructor:
        """What gives coefficients; raises what :func:`talkingface.face3d.open_reconstructor` does."""
        return _reconstructor(self.space, self.root, self.device)

    def chosen(self, *, landmarks: bool, space: bool) -> Tools:
        """With "auto" replaced by what it stands for here, so that manifests tell one from another.

        Args:
            landmarks, space: which of them are needed; what is not is left as it is, and may be missing.

        Raises:
            TalkingFaceError: if one that is needed cannot be opened; says what is missing.
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
