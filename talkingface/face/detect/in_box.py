"""Detection of the one face of a video whose place the user names."""

from __future__ import annotations

from collections.abc import Sequence

from ...media.image import Picture
from ..face import Box, Face
from .analyser import FaceAnalyser


class FaceInBox(FaceAnalyser):
    """Finds the face in a box, and once it is found, at its last place; for one video."""

    def __init__(self, analyser: FaceAnalyser, box: Box) -> None:
        """
        Args:
            analyser: looks at the place.
            box: where the face is at first, in pixels.
        """
        self._analyser, self._box = analyser, box
        self.name = analyser.name

    def faces(self, picture: Picture) -> list[Face]:
        face = self._analyser.face_in(picture, self._box)
        return [] if face is None else [face]

    def follow(self, picture: Picture, previous: Sequence[Face]) -> list[Face | None]:
        followed = self._analyser.follow(picture, previous)
        self._box = next((face.box for face in followed if face is not None), self._box)
        return followed
