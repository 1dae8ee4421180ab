"""Finds who is to be moved, and who moves them: by a face analyser, else by the model's own search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..errors import ConfigError, NoFaceError
from ..face.crop.crop import Crop
from ..face.crop.framing import (
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
from ..face.detect.analyser import FaceAnalyser, insists_on_a_face
from ..face.detect.debug import no_face
from ..face.detect.from_file import FileAnalyser
from ..face.face import Face
from ..face.track.select import left_to_right, select_face, select_faces, select_track
from ..face.track.track import Track, TrackSettings
from ..models.base import Driver
from ..paths import default_checkpoint_root
from .cut import first_looks, picture_size
from .eyes import Eyes, open_eyes
from .frames import Frame, to_tensor
from .progress import SILENT, Progress
from .roles import Role
from .source import first_good_frame
from .tracking import track_video

if TYPE_CHECKING:
    from ..config.schema import Settings

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """A part of a picture.

    Attributes:
        crop: cuts it at the renderer's or driver's size.
        number: of the face in it, from the left; 0 where no face was looked for.
        face: in pixels of the picture; None where none was found or looked for.
    """

    crop: Crop
    number: int = 0
    face: Face | None = None


@dataclass(frozen=True, eq=False)
class Sight:
    """The part of a driving video that is looked at.

    Attributes:
        crop: the same for all frames.
        track: the face in it, in pixels of the full frames; None where no face was found or looked for.
    """

    crop: Crop
    track: Track | None = None


class Finder:
    """Chooses the parts of source and driving that the model is shown.

    Attributes:
        name: what finds faces, for the user.
    """

    def __init__(
        self,
        settings: Settings,
        driver: Driver | None,
        device: torch.device | str = "cpu",
        *,
        framing: str = "face",
        keep_mesh: bool = False,
    ) -> None:
        """Open the face analyser that the settings name.

        Args:
            driver: None where coefficients drive: then a face is needed everywhere, and nothing else takes its place.
            framing: of the renderer, see :func:`talkingface.face.crop.framing.framed`.
            keep_mesh: whether the tracks of driving videos hold the face mesh.

        Raises:
            DependencyError, WeightsError, ConfigError: it cannot be opened; with ``--landmarks=auto`` the model's own
                search takes its place.
        """
        self._settings, self._driver, self._device, self._framing = settings, driver, device, framing
        self._keep_mesh = keep_mesh or settings.face3dvis
        self._scale = face_scale(settings.preprocess)
        self._cuts = settings.if_align and settings.preprocess != "resize"
        self._looks = self._cuts or driver is None
        if driver is None and settings.landmarks == "none":
            what = f"{settings.model} moves faces by coefficients that are read off them, so a face has to be found"
            raise ConfigError(what, where="--landmarks=none", cure="Leave it out.")
        # A mesh, where it is needed, comes from one backend alone.
        prefer = None if keep_mesh else PREFERRED.get(framing)
        self._eyes = open_eyes(settings, device, needed=driver is None, prefer=prefer) if self._looks else Eyes()
        self._locates = driver is not None and driver.locates
        self.name = self._named()

    def people(self, path: Path, picture: Frame, roles: Sequence[Role], size: Size, tell: Tell) -> list[Place]:
        """The parts of a source that are to be moved.

        Args:
            path: of the source, for messages.
            picture: all of it.
            roles: who drives which face.
            size: (height, width) of the crops.
            tell: takes what the user should know.

        Raises:
            FaceError: none, several or no usable faces, and the settings do not say what to do.
        """
        shape = picture.shape[0], picture.shape[1]
        if not self._looks:
            return [Place(self._fixed(shape, size))]
        analyser = self._eyes.source
        faces = left_to_right(analyser.faces(picture)) if analyser else []
        if not faces:
            self._check_found(analyser, path, picture, wish=self._settings.face or self._settings.drive)
            return [Place(self._by_model(analyser, path, [picture], size, tell))]
        meant = self._meant(faces, roles, shape, path, tell)
        numbers = [number for number, face in enumerate(faces) if any(face is one for one in meant)]
        places = [self.place(faces[number], number, size, shape) for number in numbers]
        if not self._cuts:
            for place in places:
                check_inside(faces[place.number].box, place.crop, path)
        return places

    def place(self, face: Face, number: int, size: Size, shape: Size) -> Place:
        """The part of a picture of (height, width) ``shape`` that shows a face as the renderer wants to see it."""
        if not self._cuts:
            return Place(self._fixed(shape, size), number, face)
        return Place(framed(self._framing, face, size, shape, self._settings.preprocess), number, face)

    def first_good(self, path: Path) -> int:
        """Number of the first frame of a source video with a face that can be used; 0 where none is found."""
        analyser = self._eyes.source
        if analyser is None or isinstance(analyser, FileAnalyser):
            return 0
        return first_good_frame(path, analyser) or 0

    def driving(
        self,
        path: Path,
        size: Size,
        tell: Tell,
        *,
        fps: Fraction | None = None,
        limit: int | None = None,
        progress: Progress = SILENT,
    ) -> Sight:
        """The part of a driving video that shows the face, the same for all frames: around its boxes in all of them.

        The video is decoded once for that, and no frame is kept.

        Args:
            path: video, gif, folder of frames or picture.
            size: (height, width) of the crop.
            tell: takes what the user should know.
            fps: the rate at which it will be read; None is its own.
            limit: frames at most.

        Raises:
            FaceError: no face, and the settings insist on one; or too little of it can be seen.
        """
        shape = picture_size(path)
        if not self._looks:
            return Sight(self._fixed(shape, size))
        analyser, wish = self._eyes.driving, self._settings.driving_face
        settings = TrackSettings(keep_mesh=self._keep_mesh)
        tracks: list[Track] = []
        if analyser is not None:
            tracks = track_video(path, shape, analyser, settings, fps=fps, frame_limit=limit, progress=progress)
        if not tracks:
            self._check_found(analyser, path, next(first_looks(path), None), wish=wish)
            return Sight(self._by_model(analyser, path, first_looks(path), size, tell))
        track = select_track(tracks, wish or "largest", shape, path, tell=tell)
        if len(tracks) > 1 and wish is None:
            tell(f"{path}: {len(tracks)} faces or scenes; number {track.number}, the largest, drives (--driving_face)")
        crop = face_crop(track.union, size, shape, self._scale) if self._cuts else self._fixed(shape, size)
        return Sight(crop, track)

    def ways(self) -> dict[str, Any]:
        """What decides, beside the video, which face :meth:`driving` follows and what it cuts; JSON can say it."""
        settings = self._settings
        root = settings.checkpoint_root or default_checkpoint_root()
        wishes = {"face": settings.driving_face, "preprocess": settings.preprocess, "mesh": self._keep_mesh}
        return {**wishes, "looks": self._looks, "cuts": self._cuts, "finder": self._eyes.identity(root)}

    def _named(self) -> str:
        if not self._looks:
            return "not looked for"
        search = "the model's own search" if self._locates else "the central square"
        instead = f"{search} ({self._eyes.missing})" if self._eyes.missing else search
        source, driving = (one.name if one else instead for one in (self._eyes.source, self._eyes.driving))
        return source if source == driving else f"{source} (source), {driving} (driving)"

    def _fixed(self, shape: Size, size: Size) -> Crop:
        return whole_crop(shape, size) if self._settings.preprocess == "resize" else central_crop(shape, size)

    def _meant(self, faces: list[Face], roles: Sequence[Role], shape: Size, path: Path, tell: Tell) -> list[Face]:
        """The faces that some role moves, in any order, maybe some twice."""
        named = [role.face for role in roles if role.face is not None]
        chosen = [select_face(faces, str(number), shape, path, flag="--drive", tell=tell) for number in named]
        if len(named) < len(roles):
            wish = self._settings.face or ("all" if named else None)
            chosen += select_faces(faces, wish, shape, path, tell=tell)
        return chosen

    def _check_found(self, analyser: FaceAnalyser | None, path: Path, picture: Frame | None, wish: object) -> None:
        """Refuse a picture without a face where the settings insist on one; draw what was looked at where they ask."""
        insists = bool(wish) or insists_on_a_face(self._settings.landmarks) or self._driver is None
        if analyser is None or picture is None:
            if insists:
                raise NoFaceError(f"no face can be looked for: {self.name}", where=path, cure="See --run_mode=doctor.")
            return
        if insists or self._settings.debug_dir is not None:
            error = no_face(path, picture, analyser, self._settings.debug_dir)
            if insists:
                raise error

    def _by_model(
        self, analyser: FaceAnalyser | None, path: Path, pictures: Iterable[Frame], size: Size, tell: Tell
    ) -> Crop:
        """Where the model itself finds its subject, in the first of the pictures that shows one."""
        why = f"no face was found by '{analyser.name}'" if analyser else "no face finder"
        shape = (1, 1)
        for picture in pictures:
            shape = picture.shape[0], picture.shape[1]
            square = None
            if self._driver is not None and self._locates:
                square = self._driver.locate(to_tensor([picture], self._device))
            if square is not None:
                tell(f"{path}: {why}; the model's own search took {square.side} pixels at {square.left},{square.top}")
                return face_crop(subject_box(square), size, shape, self._scale)
        if analyser or self._eyes.missing or self._locates:
            nor = ", nor a subject by the model's own search" if self._locates else ""
            tell(f"{path}: {why}{nor}; the central square is taken")
        return central_crop(shape, size)
