"""A landmark backend for portraits that are cut already: the face fills the middle of every picture."""

from collections.abc import Sequence

from talkingface.face.detect.analyser import Backend, FaceAnalyser
from talkingface.face.face import Box, Face
from talkingface.media.image import Picture


class MiddleAnalyser(FaceAnalyser):
    """Takes the middle half of a picture for a face."""

    name = "middle"

    def faces(self, picture: Picture) -> list[Face]:
        height, width = picture.shape[:2]
        box = Box(width / 4, height / 4, width * 3 / 4, height * 3 / 4)
        return [Face(box, score=1.0, landmarks=None, mesh=None, backend=self.name)]

    def follow(self, picture: Picture, previous: Sequence[Face]) -> list[Face | None]:
        return list(previous)


MIDDLE = Backend(open=lambda root, device, file: MiddleAnalyser(), gives=frozenset())
