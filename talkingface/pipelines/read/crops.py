"""Crops of sources and driving videos: around faces, else around what the model's own search finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...errors import ConfigError, DependencyError, MediaError, NoFaceError, WeightsError
from ...face.crop.crop import Crop
from ...face.crop.framing import (
    PREFERRED,
    Size,
    central_crop,
    check_inside,
    face_crop,
    face_scale,
    framed,
    subject_box,
    whole_crop,
)
from ...face.detect.analyser import FaceAnalyser, identity_of, insists_on_a_face, open_analyser
from ...face.detect.debug import no_face
from ...face.face import Box, Face
from ...face.track.people import people, without_cut_ends
from ...face.track.select import left_to_right, select_face, select_faces, select_track, validate_face
from ...face.track.track import Track, TrackSettings
from ...media.video import probe
from ..frames import Frame, to_tensor
from ..plan.options import CropOptions
from ..progress import SILENT, Progress
from .motion_reader import MotionReader, Place
from .video import first_good_frame, first_looks, picture_size, spread_looks, track_video

if TYPE_CHECKING:
    from ..drivers import DriverAssignment


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
        analyser = open_analyser(
            name,
            root=options.root,
            device=str(device),
            landmarks_file=file,
            prefer=prefer,
            threshold=options.face_threshold,
        )
        return analyser, ""
    except (DependencyError, WeightsError) as error:
        if needed or name != "auto":
            raise
        return None, str(error)


SOURCE_BOX, DRIVING_BOX = "--source_box", "--driving_box"
Notify = Callable[[str], None]


def box_in(numbers: Sequence[float], shape: Size, path: Path, flag: str) -> Box:
    """Box of x, y, width and height in a picture of (height, width) ``shape``.

    Raises:
        ConfigError: less than a half of it lies in the picture.
    """
    x, y, width, height = numbers
    box = Box(x - 0.5, y - 0.5, x + width - 0.5, y + height - 0.5)
    if box.overlap(Box(-0.5, -0.5, shape[1] - 0.5, shape[0] - 0.5)) < box.area / 2:
        what = f"{','.join(f'{number:g}' for number in numbers)} does not lie in {path}, {shape[1]} x {shape[0]} pixels"
        raise ConfigError(what, where=flag, cure="Give x,y,w,h in pixels of that picture, x,y its upper left corner.")
    return box


@dataclass(frozen=True, eq=False)
class DrivingView:
    """Part of a driving video that is read.

    Attributes:
        crop: the same for all frames.
        track: the face in it, in pixels of the full frames; None where no face was found or looked for.
    """

    crop: Crop
    track: Track | None = None


class Cropper:
    """Chooses the parts of source and driving that the model is shown.

    Attributes:
        name: what finds faces, for the user.
    """

    def __init__(
        self,
        options: CropOptions,
        reader: MotionReader,
        device: torch.device | str = "cpu",
        *,
        framing: str = "face",
    ) -> None:
        """Open the face detectors that the options name.

        Args:
            reader: reads motion off the crops; where it needs a face, nothing else takes its place.
            framing: of the renderer, see :func:`talkingface.face.crop.framing.framed`.

        Raises:
            DependencyError, WeightsError, ConfigError: they cannot be opened; with ``--landmarks=auto`` the model's own
                search takes their place.
        """
        self._options, self._reader, self._device, self._framing = options, reader, device, framing
        self._keep_mesh = reader.needs_mesh or options.keep_mesh
        self._scale = face_scale(options.preprocess)
        self._searches = options.cuts or reader.needs_face
        if reader.needs_face and options.landmarks == "none":
            what = f"{options.model} moves faces by coefficients that are read off them, so a face has to be found"
            raise ConfigError(what, where="--landmarks=none", cure="Leave it out.")
        # A mesh, where it is needed, comes from one backend alone.
        prefer = None if reader.needs_mesh else PREFERRED.get(framing)
        self._detectors = FaceDetectors()
        if self._searches:
            self._detectors = open_detectors(options, device, needed=reader.needs_face, prefer=prefer)
        self.name = self._named()

    def people(
        self, path: Path, picture: Frame, assignments: Sequence[DriverAssignment], size: Size, notify: Notify
    ) -> list[Place]:
        """Choose the parts of a source that are to be moved.

        Args:
            path: of the source, for messages.
            picture: all of it.
            assignments: of drivers to faces.
            size: (height, width) of the crops.
            notify: takes what the user should know.

        Raises:
            FaceError: none, several or no usable faces, and the settings do not say what to do.
        """
        shape = picture.shape[0], picture.shape[1]
        if not self._searches:
            return [Place(self._fixed(shape, size))]
        analyser = self._detectors.source
        if self._options.source_box:
            return [self._in_box(analyser, path, picture, size, notify)]
        faces = left_to_right(analyser.faces(picture)) if analyser else []
        if not faces:
            insist = bool(self._options.face or self._options.names_faces)
            self._check_found(analyser, path, [picture], SOURCE_BOX, insist=insist)
            return [Place(self._by_model(analyser, path, [picture], size, SOURCE_BOX, notify))]
        meant = self._meant(faces, assignments, shape, path, notify)
        numbers = [number for number, face in enumerate(faces) if any(face is chosen for chosen in meant)]
        places = [self.place(faces[number], number, size, shape) for number in numbers]
        if not self._options.cuts:
            for place in places:
                check_inside(faces[place.number].box, place.crop, path)
        return places

    def place(self, face: Face, number: int, size: Size, shape: Size) -> Place:
        """Part of a picture of (height, width) ``shape`` that shows a face as the renderer was trained to see it."""
        if not self._options.cuts:
            return Place(self._fixed(shape, size), number, face)
        return Place(framed(self._framing, face, size, shape, self._options.preprocess), number, face)

    def first_good(self, path: Path) -> int:
        """Number of the first frame of a source video with a usable face; 0 where none is found."""
        analyser = self._detectors.source
        if analyser is None or analyser.from_file or self._options.source_box:
            return 0
        return first_good_frame(path, analyser) or 0

    def driving(
        self,
        path: Path,
        size: Size,
        notify: Notify,
        *,
        fps: Fraction | None = None,
        limit: int | None = None,
        progress: Progress = SILENT,
    ) -> DrivingView:
        """Choose the part of a driving video that shows the face: around its boxes in all frames, the same for all.

        The video is decoded once for that, and no frame is kept.

        Args:
            path: video, gif, folder of frames or picture.
            size: (height, width) of the crop.
            notify: takes what the user should know.
            fps: the rate at which it will be read; None is its own.
            limit: frames at most.

        Raises:
            FaceError: no face, and the settings insist on one; or too little of it can be seen.
        """
        shape = picture_size(path)
        if not self._searches:
            return DrivingView(self._fixed(shape, size))
        analyser, choice = self._detectors.driving, self._options.driving_face
        settings = TrackSettings(keep_mesh=self._keep_mesh, keep_looks=True)
        named = box_in(self._options.driving_box, shape, path, DRIVING_BOX) if self._options.driving_box else None
        tracks: list[Track] = []
        if analyser is not None:
            found = track_video(
                path, shape, analyser, settings, fps=fps, frame_limit=limit, box=named, progress=progress
            )
            tracks = people(found)
        if not tracks and named is not None:
            face = self._without_points(path, named, DRIVING_BOX)
            validate_face(face, shape, path, notify)
            return DrivingView(face_crop(named, size, shape, self._scale))
        if not tracks:
            with progress.waiting(f"{path}: looking for what may be a face"):
                looks = spread_looks(path, limit or probe(path).frames)
                self._check_found(analyser, path, looks, DRIVING_BOX, insist=bool(choice))
            with progress.waiting(f"{path}: the model looks for what moves"):
                return DrivingView(self._by_model(analyser, path, first_looks(path), size, DRIVING_BOX, notify))
        track = without_cut_ends(select_track(tracks, choice or "largest", shape, path, notify=notify), shape)
        if len(tracks) > 1 and choice is None:
            notify(
                f"{path}: {len(tracks)} faces or scenes; number {track.number}, the largest, drives (--driving_face)"
            )
        crop = face_crop(track.union, size, shape, self._scale) if self._options.cuts else self._fixed(shape, size)
        return DrivingView(crop, track)

    def facts(self) -> dict[str, Any]:
        """Facts, for JSON, that decide beside the video which face :meth:`driving` follows and what it cuts."""
        options = self._options
        chosen: dict[str, Any] = {
            "face": options.driving_face,
            "preprocess": options.preprocess,
            "mesh": self._keep_mesh,
        }
        finder = self._detectors.identity(options.root)
        # Only where they are given: what was kept before there were such settings stays valid.
        given = {"box": list(options.driving_box), "threshold": options.face_threshold}
        chosen |= {name: value for name, value in given.items() if value}
        return {**chosen, "looks": self._searches, "cuts": options.cuts, "finder": finder}

    def _named(self) -> str:
        if not self._searches:
            return "not looked for"
        search = "the model's own search" if self._reader.locates else "the central square"
        instead = f"{search} ({self._detectors.missing})" if self._detectors.missing else search
        source, driving = (
            found.name if found else instead for found in (self._detectors.source, self._detectors.driving)
        )
        return source if source == driving else f"{source} (source), {driving} (driving)"

    def _fixed(self, shape: Size, size: Size) -> Crop:
        return whole_crop(shape, size) if self._options.preprocess == "resize" else central_crop(shape, size)

    def _meant(
        self, faces: list[Face], assignments: Sequence[DriverAssignment], shape: Size, path: Path, notify: Notify
    ) -> list[Face]:
        """Faces that some driver moves, in any order, maybe some twice."""
        named = [assignment.face for assignment in assignments if assignment.face is not None]
        chosen = [select_face(faces, str(number), shape, path, flag="--drive", notify=notify) for number in named]
        if len(named) < len(assignments):
            choice = self._options.face or ("all" if named else None)
            chosen += select_faces(faces, choice, shape, path, notify=notify)
        return chosen

    def _in_box(self, analyser: FaceAnalyser | None, path: Path, picture: Frame, size: Size, notify: Notify) -> Place:
        """Place of the face that ``--source_box`` names, with its points where the analyser sees them."""
        shape = picture.shape[0], picture.shape[1]
        box = box_in(self._options.source_box, shape, path, SOURCE_BOX)
        face = analyser.face_in(picture, box) if analyser else None
        if face is None:
            face = self._without_points(path, box, SOURCE_BOX)
        validate_face(face, shape, path, notify)
        place = self.place(face, 0, size, shape)
        if not self._options.cuts:
            check_inside(face.box, place.crop, path)
        return place

    def _without_points(self, path: Path, box: Box, flag: str) -> Face:
        """The face of a box that the user named, which shows no points of one.

        Raises:
            NoFaceError: the reader needs points.
        """
        if self._reader.needs_face:
            what = f"'{self.name}' sees no eyes, nose and mouth there, by which {self._options.model} moves faces"
            cure = "Give the face from chin to forehead, ask for less with --face_threshold, or use --model=FOM."
            raise NoFaceError(what, where=f"{path}: {flag}", cure=cure)
        return Face(box, 1.0, None, None, self.name)

    def _check_found(
        self, analyser: FaceAnalyser | None, path: Path, looks: Iterable[Frame], box_flag: str, *, insist: bool
    ) -> None:
        """Refuse a file without a face where one is insisted on; draw what was searched then, or if the options ask."""
        insists = insist or insists_on_a_face(self._options.landmarks) or self._reader.needs_face
        if analyser is None:
            if insists:
                raise NoFaceError(f"no face can be looked for: {self.name}", where=path, cure="See --run_mode=doctor.")
            return
        if insists or self._options.debug_dir is not None:
            error = self._no_face(analyser, path, list(looks), box_flag)
            if insists:
                raise error

    def _no_face(self, analyser: FaceAnalyser, path: Path, looks: Sequence[Frame], box_flag: str) -> NoFaceError:
        """The error of a file without a face, with a sheet of what was seen where one can be written."""
        if not looks:
            return NoFaceError("no face was found", where=path)
        picture, *others = looks
        if self._options.debug_dir is not None:
            return no_face(path, picture, analyser, self._options.debug_dir, others=others, box_flag=box_flag)
        try:
            return no_face(path, picture, analyser, self._options.sheets, others=others, box_flag=box_flag)
        except MediaError:  # the folder of results cannot be written, which is not what went wrong first
            return no_face(path, picture, analyser, None, others=others, box_flag=box_flag)

    def _by_model(
        self,
        analyser: FaceAnalyser | None,
        path: Path,
        pictures: Iterable[Frame],
        size: Size,
        box_flag: str,
        notify: Notify,
    ) -> Crop:
        """Crop around the subject that the model itself finds in the first of the pictures that shows one."""
        why = f"no face was found by '{analyser.name}'" if analyser else "no face finder"
        shape = (1, 1)
        for picture in pictures:
            shape = picture.shape[0], picture.shape[1]
            square = self._reader.locate(to_tensor([picture], self._device)) if self._reader.locates else None
            if square is not None:
                notify(f"{path}: {why}; the model's own search took {square.side} pixels at {square.left},{square.top}")
                return face_crop(subject_box(square), size, shape, self._scale)
        if analyser or self._detectors.missing or self._reader.locates:
            nor = ", nor a subject by the model's own search" if self._reader.locates else ""
            notify(f"{path}: {why}{nor}; the central square is taken ({box_flag}=x,y,w,h says where the face is)")
        return central_crop(shape, size)
