"""Detection of faces and their landmarks: the interface of all backends, and the choice between them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ...errors import ConfigError, DependencyError, TalkingFaceError, UnknownNameError, WeightsError
from ...media.image import Picture
from ...paths import default_checkpoint_root
from ...plugins import LANDMARKS
from ...weights import Entry, load_catalogue
from ...weights.download.http import sha256_of
from ..face import Box, Face, Points
from .report import Candidate, DetectionReport


class FaceAnalyser(ABC):
    """Finds faces in pictures.

    Attributes:
        name: the backend's word for ``--landmarks``; the faces it finds carry it.
        from_file: true if it reads a file, see :class:`Backend`.
    """

    name: str
    from_file: bool = False

    @abstractmethod
    def faces(self, picture: Picture) -> list[Face]:
        """All faces of a picture, the largest first.

        Args:
            picture: (H, W, 3), RGB, uint8.
        """

    def faces_of(self, pictures: Sequence[Picture]) -> list[list[Face]]:
        """All faces of each picture, each (H, W, 3), RGB, uint8; the pictures may differ in size."""
        return [self.faces(picture) for picture in pictures]

    @abstractmethod
    def follow(self, picture: Picture, previous: Sequence[Face]) -> list[Face | None]:
        """Follow faces into the next picture of a video, from where they were, without a detector.

        Args:
            picture: (H, W, 3), RGB, uint8.
            previous: faces of the picture before it.

        Returns:
            As many as in ``previous``, in their order; None where a face is lost.
        """

    def face_in(self, picture: Picture, box: Box) -> Face | None:
        """The face in a box that the user names, in a picture (H, W, 3), RGB, uint8; None where it sees none there.

        The default follows a face that lay there.
        """
        return self.follow(picture, [Face(box, 1.0, None, None, self.name)])[0]

    def set_threshold(self, threshold: float) -> None:
        """Count as a face what has this score or more, from 0 to 1.

        Raises:
            ConfigError: the backend has no such limit; the default.
        """
        cure = "Leave it out, or choose --landmarks=mesh or --landmarks=retinaface."
        raise ConfigError(f"'{self.name}' has no limit to set", where=f"--face_threshold={threshold:g}", cure=cure)

    def report(self, picture: Picture) -> DetectionReport:
        """Parts of a picture (H, W, 3), RGB, uint8, that are searched, and the candidates in them.

        It explains a picture without a face. The default is the whole picture and the faces found in it.
        """
        candidates = (Candidate(face.box, face.score) for face in self.faces(picture))
        return DetectionReport(self.name, (Box.of_picture(picture),), tuple(candidates))


@dataclass(frozen=True)
class Availability:
    """A backend and the reason why it cannot be used on this machine, if there is one.

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
        if isinstance(self.problem, UnknownNameError):
            return "broken"
        return "its files are not there" if isinstance(self.problem, WeightsError) else "not installed"


@dataclass(frozen=True)
class Backend:
    """A landmark backend, as ``--landmarks`` names it: how it is opened, what it gives and what it needs.

    Attributes:
        open: (folder of the weights that the user adds, device of torch, file of the user's own or None) -> the
            analyser; called only where nothing that is listed here is missing.
        gives: of ``"landmarks"`` (68 points) and ``"mesh"`` (468 points), what its faces have besides a box.
        from_file: it reads ``--landmarks_file`` and detects nothing, so it serves the source alone.
        insists: a user who names it wants a face; there is no fallback where none is found.
        bundle: word of the catalogue that fetches its files; empty where it has none there.
        package, install: Python package that it needs, and the command that installs it.
        cpu_only: it does not run on ``--device``.
        version: part of the cache key of its results; change it when they change.
    """

    open: Callable[[Path, str, Path | None], FaceAnalyser]
    gives: frozenset[str] = frozenset({"landmarks"})
    from_file: bool = False
    insists: bool = True
    bundle: str = ""
    package: str = ""
    install: str = ""
    cpu_only: bool = False
    version: str = ""


def open_analyser(
    name: str = "auto",
    *,
    root: Path | None = None,
    device: str = "cpu",
    landmarks_file: Path | None = None,
    prefer: str | None = None,
    threshold: float | None = None,
) -> FaceAnalyser:
    """Open a backend.

    Args:
        name: a backend, or ``"auto"``: the file if one is given, else the first of the others that is installed and
            whose files are there.
        root: folder of the weights that the user adds; None takes the usual one.
        device: where networks of torch run; the mesh always runs on the CPU.
        landmarks_file: points or boxes for ``"given"``.
        prefer: the backend that ``"auto"`` tries first: the one whose points the networks behind it were trained on.
        threshold: score from which a face counts; None: the backend's own. A file has none.

    Raises:
        UnknownNameError: if there is no such backend.
        DependencyError: if its package is not installed.
        WeightsError: if one of its files is not there.
        ConfigError: if ``"given"`` has no file, or the file is not as documented; the backend has no threshold.
    """
    root = root or default_checkpoint_root()
    if name == "auto":
        name = "given" if landmarks_file else _first_available(root, prefer)
    backend = LANDMARKS.get(name, where="--landmarks")
    problem = problem_of(name, root)
    if problem is not None:
        raise problem
    analyser = backend.open(root, device, landmarks_file)
    if threshold is not None and not analyser.from_file:
        analyser.set_threshold(threshold)
    return analyser


def insists_on_a_face(name: str) -> bool:
    """True if a user who writes this word after ``--landmarks`` wants a face or an error."""
    return name not in ("auto", "none") and LANDMARKS.get(name, where="--landmarks").insists


def searching_backends() -> list[str]:
    """Names of the backends that look at pictures, in the order in which ``"auto"`` tries them."""
    return [name for name in LANDMARKS.names() if name in LANDMARKS.broken() or not LANDMARKS.get(name).from_file]


def available(root: Path) -> list[Availability]:
    """State of each backend that reads pictures, in the order in which ``"auto"`` tries them."""
    return [Availability(name, problem_of(name, root)) for name in searching_backends()]


def problem_of(name: str, root: Path) -> TalkingFaceError | None:
    """Reason why a backend cannot be used, with the cure; None if it can."""
    try:
        backend = LANDMARKS.get(name, where="--landmarks")
    except (UnknownNameError, ConfigError) as error:
        return error
    if backend.package and find_spec(backend.package) is None:
        what, cure = f"{backend.package} is not installed", f"Install it: {backend.install}"
        return DependencyError(what, where=f"--landmarks={name}", cure=cure)
    missing = [entry for entry in _files_of(backend) if not entry.path(root).is_file()]
    return missing_files(f"--landmarks={name}", missing, root) if missing else None


def identity_of(name: str, root: Path) -> dict[str, str]:
    """Digests of a backend's files and versions of its code: together they identify its state.

    Args:
        name: of a backend that can be used; one that needs nothing has no states.
        root: folder of the weights that the user adds.
    """
    backend = LANDMARKS.get(name)
    known = {entry.name: sha256_of(entry.path(root)) for entry in _files_of(backend)}
    known |= {backend.package: version(backend.package)} if backend.package else {}
    return known | ({"version": backend.version} if backend.version else {})


def _files_of(backend: Backend) -> Sequence[Entry]:
    return load_catalogue().entries_for(backend.bundle) if backend.bundle else ()


def missing_files(where: str, entries: Sequence[Entry], root: Path) -> WeightsError:
    """The error of missing files, with their origin and their place."""
    places = "; ".join(f"{entry.path(root)}, from {entry.origin}{_hash_note(entry)}" for entry in entries)
    word = entries[0].bundle or entries[0].name
    cure = f"Run with --run_mode=fetch --checkpoint={word}, or put them there by hand."
    return WeightsError(f"not there: {places}", where=where, cure=cure)


def _hash_note(entry: Entry) -> str:
    if entry.sha256:
        return f", sha256 {entry.sha256}"
    return f", sha256 beginning with {entry.sha256_start}" if entry.sha256_start else ""


def _first_available(root: Path, prefer: str | None) -> str:
    tried = []
    for name in sorted(searching_backends(), key=lambda name: name != prefer):
        tried.append(Availability(name, problem_of(name, root)))
        if tried[-1].problem is None:
            return name
    reasons = ", ".join(f"{item.name}: {item.state}" for item in available(root))
    cures = [_how_to_get(LANDMARKS.get(item.name)) for item in available(root) if item.state != "broken"]
    what, cure = f"no landmark backend is there ({reasons})", f"Either {', or '.join(filter(None, cures))}."
    raise DependencyError(what, where="--landmarks=auto", cure=cure)


def _how_to_get(backend: Backend) -> str:
    """Commands that install a backend and fetch its files."""
    fetch = f"--run_mode=fetch --checkpoint={backend.bundle}" if backend.bundle else ""
    return ", then ".join(filter(None, (backend.install, fetch)))


# A followed face counts as lost when the box of its landmarks overlaps the one before by less than this:
# points without a face under them collapse or scatter.
FOLLOWED_OVERLAP = 0.3


def track_by_landmarks(face: Face, landmarks: Points, backend: str) -> Face | None:
    """The face with new landmarks and its box moved and scaled as they were; None where they no longer fit it.

    Args:
        face: as it was in the picture before; with a box alone it keeps that.
        landmarks: (68, 2), in that box.
        backend: name of the backend that found them.
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
