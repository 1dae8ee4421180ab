"""Finding faces and their landmarks: the protocol of all backends, and the choice between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ...errors import ConfigError, DependencyError, TalkingFaceError, UnknownNameError, WeightsError, did_you_mean
from ...media.image import Picture
from ...paths import default_checkpoint_root
from ...weights import Entry, load_catalogue
from ...weights.download.http import sha256_of
from ..face import Box, Face, Points
from .report import Candidate, Evidence

NAMES = ("mesh", "retinaface", "face_alignment", "given")  # also the order of "auto", behind a file of the user's own


class FaceAnalyser(ABC):
    """Finds faces in pictures.

    Attributes:
        name: the backend's word for ``--landmarks``; the faces it finds carry it.
    """

    name: str

    @abstractmethod
    def faces(self, picture: Picture) -> list[Face]:
        """All faces of a picture, the largest first.

        Args:
            picture: (H, W, 3), RGB, uint8.
        """

    def faces_of(self, pictures: Sequence[Picture]) -> list[list[Face]]:
        """All faces of each picture; the pictures may differ in size."""
        return [self.faces(picture) for picture in pictures]

    @abstractmethod
    def follow(self, picture: Picture, previous: Sequence[Face]) -> list[Face | None]:
        """The same faces in the next picture of a video, looked for where they were, without a detector.

        Args:
            picture: (H, W, 3), RGB, uint8.
            previous: faces of the picture before it.

        Returns:
            As many as in ``previous``, in their order; None where a face is lost.
        """

    def evidence(self, picture: Picture) -> Evidence:
        """What is looked at in a picture and what is weighed there, for the user of a picture without a face.

        A backend that tells nothing of its search gives the whole picture and the faces it finds.
        """
        found = (Candidate(face.box, face.score) for face in self.faces(picture))
        return Evidence(self.name, (Box.of_picture(picture),), tuple(found))


@dataclass(frozen=True)
class Availability:
    """Whether a backend can be used on this machine.

    Attributes:
        name: its word for ``--landmarks``.
        problem: the error that opening it would raise; None if it can be used.
    """

    name: str
    problem: TalkingFaceError | None

    @property
    def state(self) -> str:
        """In a few words."""
        if self.problem is None:
            return "can be used"
        return "its files are not there" if isinstance(self.problem, WeightsError) else "not installed"


@dataclass(frozen=True)
class _Needs:
    """What a backend needs: a bundle of the catalogue, and maybe a package and the command that installs it."""

    bundle: str
    package: str | None = None
    install: str = ""


_NEEDS = {
    "mesh": _Needs("mesh", "ai_edge_litert", 'pip install "talkingface[landmarks]"'),
    "retinaface": _Needs("sadtalker_faces"),
    "face_alignment": _Needs("face_alignment", "face_alignment", 'pip install "talkingface[fan]"'),
}


def open_analyser(
    name: str = "auto",
    *,
    root: Path | None = None,
    device: str = "cpu",
    landmarks_file: Path | None = None,
    prefer: str | None = None,
) -> FaceAnalyser:
    """Open a backend.

    Args:
        name: ``"mesh"``, ``"retinaface"``, ``"face_alignment"``, ``"given"``, or ``"auto"``: the file if one is given,
            else the first of the others that is installed and whose files are there.
        root: folder of the weights that the user adds; None takes the usual one.
        device: where networks of torch run; the mesh always runs on the CPU.
        landmarks_file: points or boxes for ``"given"``.
        prefer: the backend that ``"auto"`` tries first: the one whose points the networks behind it were trained on.

    Raises:
        UnknownNameError: if there is no such backend.
        DependencyError: if its package is not installed.
        WeightsError: if one of its files is not there.
        ConfigError: if ``"given"`` has no file, or the file is not as documented.
    """
    root = root or default_checkpoint_root()
    if name == "auto":
        name = "given" if landmarks_file else _first_available(root, prefer)
    if name == "given":
        return _open_given(landmarks_file)
    if name not in _NEEDS:
        raise UnknownNameError(
            f"no landmark backend {name!r}", where="--landmarks", cure=did_you_mean(name, ("auto", *NAMES))
        )
    problem = problem_of(name, root)
    if problem is not None:
        raise problem
    return _open_mesh(root) if name == "mesh" else _OPENED_BY_TORCH[name](root, device)


def available(root: Path) -> list[Availability]:
    """The backends that need something, in the order in which ``"auto"`` tries them."""
    return [Availability(name, problem_of(name, root)) for name in _NEEDS]


def problem_of(name: str, root: Path) -> TalkingFaceError | None:
    """Why a backend cannot be used, with the cure; None if it can."""
    needs = _NEEDS[name]
    if needs.package is not None and find_spec(needs.package) is None:
        return DependencyError(
            f"{needs.package} is not installed", where=f"--landmarks={name}", cure=f"Install it: {needs.install}"
        )
    missing = [entry for entry in load_catalogue().meant_by(needs.bundle) if not entry.path(root).is_file()]
    return missing_files(f"--landmarks={name}", missing, root) if missing else None


def identity_of(name: str, root: Path) -> dict[str, str]:
    """What tells one state of a backend from another: the digests of its files, and the version of its package.

    Args:
        name: of a backend that can be used; one that needs nothing has no states.
        root: folder of the weights that the user adds.
    """
    needs = _NEEDS.get(name)
    if needs is None:
        return {}
    known = {entry.name: sha256_of(entry.path(root)) for entry in load_catalogue().meant_by(needs.bundle)}
    return known if needs.package is None else known | {needs.package: version(needs.package)}


def missing_files(where: str, entries: Sequence[Entry], root: Path) -> WeightsError:
    """The error that says which files are not there, where they come from, and where they go."""
    places = "; ".join(f"{entry.path(root)}, from {entry.origin}{_hash_note(entry)}" for entry in entries)
    word = entries[0].bundle or entries[0].name
    cure = f"Run with --run_mode=fetch --checkpoint={word}, or put them there by hand."
    return WeightsError(f"not there: {places}", where=where, cure=cure)


def _hash_note(entry: Entry) -> str:
    if entry.sha256:
        return f", sha256 {entry.sha256}"
    return f", sha256 beginning with {entry.sha256_start}" if entry.sha256_start else ""


def _first_available(root: Path, prefer: str | None) -> str:
    found = available(root)
    for backend in sorted(found, key=lambda one: one.name != prefer):
        if backend.problem is None:
            return backend.name
    reasons = ", ".join(f"{item.name}: {item.state}" for item in found)
    fetch = "--run_mode=fetch --checkpoint="
    cures = [f"{needs.install}{', then ' if needs.install else ''}{fetch}{needs.bundle}" for needs in _NEEDS.values()]
    raise DependencyError(
        f"no landmark backend is there ({reasons})", where="--landmarks=auto", cure=f"Either {', or '.join(cures)}."
    )


def _open_given(file: Path | None) -> FaceAnalyser:
    from .from_file import GivenAnalyser

    if file is None:
        raise ConfigError("needs a file with points or boxes", where="--landmarks=given", cure="Give --landmarks_file.")
    return GivenAnalyser.open(file)


def _open_mesh(root: Path) -> FaceAnalyser:
    from .mediapipe import MeshAnalyser

    return MeshAnalyser.open(root)


def _open_fan(root: Path, device: str) -> FaceAnalyser:
    from .face_alignment import FanAnalyser

    return FanAnalyser.open(root, device=device)


def _open_retinaface(root: Path, device: str) -> FaceAnalyser:
    from .retinaface import RetinaAnalyser

    return RetinaAnalyser.open(root, device=device)


_OPENED_BY_TORCH = {"retinaface": _open_retinaface, "face_alignment": _open_fan}


# One that is followed counts as lost when its landmarks' box has less in common than this with the one before, as
# points that find nothing to hold on to collapse or scatter.
FOLLOWED_OVERLAP = 0.3


def moved(face: Face, landmarks: Points, backend: str) -> Face | None:
    """The face with new landmarks and its box moved and scaled as they were; None where they no longer fit it.

    Args:
        face: as it was in the picture before; with a box alone it keeps that.
        landmarks: (68, 2), in the box of it.
        backend: who found them.
    """
    new = Box.around(landmarks)
    old = Box.around(face.landmarks) if face.landmarks is not None else face.box
    if new.iou(old) < FOLLOWED_OVERLAP:
        return None
    if face.landmarks is None:
        return Face(face.box, face.score, landmarks, None, backend)
    scale = new.side / old.side
    (x, y), (old_x, old_y), (new_x, new_y) = face.box.center, old.center, new.center
    half_width, half_height = face.box.width * scale / 2, face.box.height * scale / 2
    x, y = new_x + (x - old_x) * scale, new_y + (y - old_y) * scale
    box = Box(x - half_width, y - half_height, x + half_width, y + half_height)
    return Face(box, face.score, landmarks, None, backend)
