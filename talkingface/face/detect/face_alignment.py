"""The backend of the package face-alignment: S3FD or BlazeFace find faces, FAN puts 68 landmarks on them.

The package would fetch its files itself, without checking them. Here they come from the catalogue: each is checked
against what is known of its sha256, and the package is pointed to their folder. Its landmarks are left as it
gives them, whole pixels, because networks trained on them expect them (Bulat & Tzimiropoulos 2017, "How far are
we from solving the 2D & 3D Face Alignment problem?").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ConfigError, DependencyError, WeightsError, did_you_mean
from ...media.image import Picture, check_picture
from ...paths import install_command
from ...weights import Entry, load_catalogue
from ...weights.download.http import sha256_of
from ..face import Box, Face, Points, largest_first
from .analyser import FaceAnalyser, missing_files, track_by_landmarks

WHERE = "--landmarks=face_alignment"
INSTALL = install_command("fan")
# Detector -> what it needs: the package's word for a file, and the file's name in the catalogue.
DETECTORS = {
    "sfd": {"path_to_detector": "s3fd"},
    "blazeface": {"path_to_detector": "blazeface", "path_to_anchor": "blazeface_anchors"},
}
LANDMARKS = "fan_2d"


class FaceAlignmentAnalyser(FaceAnalyser):
    """Finds faces as the package does. Slow on a CPU: a second or more for a picture."""

    name = "face_alignment"

    def __init__(self, network: Any) -> None:
        """Args: network: a ``face_alignment.FaceAlignment``."""
        self._network = network

    @classmethod
    def open(
        cls, root: Path, *, device: str = "cpu", detector: str = "sfd", batch_size: int = 8
    ) -> FaceAlignmentAnalyser:
        """Load the package and its files.

        Args:
            root: checkpoint folder.
            device: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
            detector: ``"sfd"`` (faces of any size) or ``"blazeface"`` (near faces, faster).
            batch_size: faces at once in the landmark network.

        Raises:
            ConfigError: if there is no such detector.
            WeightsError: if a file is not there, or is another one than the catalogue's.
            DependencyError: if the package cannot be imported.
        """
        if detector not in DETECTORS:
            raise ConfigError(f"no face detector {detector!r}", where=WHERE, cure=did_you_mean(detector, DETECTORS))
        files = {word: load_catalogue()[name] for word, name in DETECTORS[detector].items()}
        landmarks = load_catalogue()[LANDMARKS]
        _check_files([landmarks, *files.values()], root)
        package = _package()
        with _files_in(landmarks.path(root).parents[1]):
            network = package.FaceAlignment(
                package.LandmarksType.TWO_D,
                device=device,
                face_detector=detector,
                face_detector_kwargs={word: str(entry.path(root)) for word, entry in files.items()},
                compile=False,  # it takes minutes, and writes to the user's home
                max_batch_size=batch_size,
            )
        return cls(network)

    def faces(self, picture: Picture) -> list[Face]:
        check_picture(picture)
        return self._faces(picture, self._network.face_detector.detect_from_image(picture.copy()))

    def faces_of(self, pictures: Sequence[Picture]) -> list[list[Face]]:
        """All faces of each picture, (H, W, 3) RGB uint8; pictures of one size pass the detector together."""
        import torch

        if len({picture.shape for picture in pictures}) != 1:
            return super().faces_of(pictures)
        for picture in pictures:
            check_picture(picture)
        batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        detected = self._network.face_detector.detect_from_batch(batch)
        return [self._faces(picture, boxes) for picture, boxes in zip(pictures, detected, strict=True)]

    def follow(self, picture: Picture, previous: Sequence[Face]) -> list[Face | None]:
        """Follow faces as the interface demands; a face of another backend is searched for in its box."""
        check_picture(picture)
        points = self._landmarks_in(picture, [face.box for face in previous])
        return [
            track_by_landmarks(face, landmarks, self.name) for face, landmarks in zip(previous, points, strict=True)
        ]

    def _faces(self, picture: Picture, detected: Any) -> list[Face]:
        """Faces of the detector's boxes, each (left, top, right, bottom, score, ...)."""
        rows = [np.asarray(row, np.float64)[:5].tolist() for row in detected if len(row) >= 5]
        boxes = [(Box(*edges), score) for *edges, score in rows]
        boxes = [(box, score) for box, score in boxes if box.overlap(Box.of_picture(picture)) >= 1]
        points = self._landmarks_in(picture, [box for box, _ in boxes])
        faces = [
            Face(box, min(max(score, 0.0), 1.0), landmarks, None, self.name)
            for (box, score), landmarks in zip(boxes, points, strict=True)
        ]
        return largest_first(faces)

    def _landmarks_in(self, picture: Picture, boxes: Sequence[Box]) -> list[Points]:
        """The landmarks, (68, 2), of the face in each box."""
        if not boxes:
            return []
        edges = [np.array([box.left, box.top, box.right, box.bottom]) for box in boxes]
        points = self._network.get_landmarks_from_image(picture, detected_faces=edges)
        return [np.asarray(face, np.float32)[:, :2] for face in points]


def _check_files(entries: Sequence[Entry], root: Path) -> None:
    missing = [entry for entry in entries if not entry.path(root).is_file()]
    if missing:
        raise missing_files(WHERE, missing, root)
    for entry in entries:
        path = entry.path(root)
        if entry.digest is not None and not sha256_of(path).startswith(entry.digest):
            raise WeightsError(
                f"its sha256 does not begin with {entry.digest}, so it is damaged or another file",
                where=path,
                cure=f"Delete it and run with --run_mode=fetch --checkpoint={entry.bundle or entry.name}.",
            )


def _package() -> Any:
    try:
        import face_alignment
    except (ImportError, OSError) as error:  # OSError: a library that OpenCV wants is not on this system
        raise DependencyError(
            f"face_alignment cannot be imported ({error})", where=WHERE, cure=f"Install it: {INSTALL}"
        ) from error
    return face_alignment


@contextmanager
def _files_in(folder: Path) -> Iterator[None]:
    """Let torch's hub, through which the package looks for its files, look in ``folder``/checkpoints for a while."""
    import torch

    usual = torch.hub.get_dir()
    torch.hub.set_dir(str(folder))
    try:
        yield
    finally:
        torch.hub.set_dir(usual)
