"""Slices of the settings, one for each step of an animation: a step sees what it depends on and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...paths import default_checkpoint_root

if TYPE_CHECKING:
    from ...config.schema import Settings


PREVIEW_FRAMES, PREVIEW_HEIGHT = 48, 256  # frames of a preview, and pixels that it is high at most


def results_folder(settings: Settings) -> Path:
    """Folder for results with a made-up name."""
    return settings.output_dir or Path("results") / settings.model


def preview_of(settings: Settings) -> Settings:
    """Settings of the preview of a run: few frames, quickly encoded, nothing enhanced and nothing saved beside it."""
    limit = min(settings.frame_limit or PREVIEW_FRAMES, PREVIEW_FRAMES)
    left_out = dict.fromkeys(("enhancer", "background_enhancer", "upscale", "save_motion"))
    changes = {"frame_limit": limit, "quality": "low", "compile": "off", "face3dvis": False, **left_out}
    return settings.model_copy(update=changes)


@dataclass(frozen=True)
class CropOptions:
    """Choice of faces: which are meant, what looks for them, how much around them is cut.

    Attributes:
        model: name of the model, for messages.
        landmarks, landmarks_file, face, driving_face, if_align, preprocess, debug_dir: as the settings of these names.
        source_box, driving_box, face_threshold: likewise.
        names_faces: whether ``--drive`` names faces of the source.
        sheets: folder for a drawing of what was seen where the lack of a face is an error and there is no debug_dir.
        keep_mesh: whether tracks of driving videos keep the face mesh.
        root: folder of the weights that the user adds.
    """

    model: str = ""
    landmarks: str = "auto"
    landmarks_file: Path | None = None
    face: str | None = None
    driving_face: str | None = None
    source_box: tuple[float, ...] = ()
    driving_box: tuple[float, ...] = ()
    face_threshold: float | None = None
    names_faces: bool = False
    if_align: bool = True
    preprocess: str | None = None
    debug_dir: Path | None = None
    sheets: Path | None = None
    keep_mesh: bool = False
    root: Path = field(default_factory=default_checkpoint_root)

    @classmethod
    def of(cls, settings: Settings) -> CropOptions:
        """Slice of the settings of a run."""
        return cls(
            model=settings.model,
            landmarks=settings.landmarks,
            landmarks_file=settings.landmarks_file,
            face=settings.face,
            driving_face=settings.driving_face,
            source_box=tuple(settings.source_box),
            driving_box=tuple(settings.driving_box),
            face_threshold=settings.face_threshold,
            names_faces=bool(settings.drive),
            if_align=settings.if_align,
            preprocess=settings.preprocess,
            debug_dir=settings.debug_dir,
            sheets=settings.output.parent if settings.output else results_folder(settings),
            keep_mesh=settings.face3dvis,
            root=settings.weights_root,
        )

    @property
    def cuts(self) -> bool:
        """True where pictures are cut to the face."""
        return self.if_align and self.preprocess != "resize"


@dataclass(frozen=True)
class VideoOptions:
    """Rate, length and reading of driving videos.

    Attributes:
        fps: the rate wanted; None: the file's own.
        frame_limit: frames at most; None: all.
        chunk: frames that networks see at once.
        read_anew: whether motions kept from earlier runs are left aside.
        keep_track: whether the track of the face is kept beside the motion.
        face_scale: side of the crop over that of the face, 0 where frames are not cut; noted in saved motions.
    """

    fps: Fraction | None = None
    frame_limit: int | None = None
    chunk: int = 4
    read_anew: bool = False
    keep_track: bool = False
    face_scale: float = 0

    @classmethod
    def of(cls, settings: Settings) -> VideoOptions:
        """Slice of the settings of a run."""
        from ...face.crop.framing import face_scale

        return cls(
            fps=settings.fps,
            frame_limit=settings.frame_limit,
            chunk=settings.batch_size,
            read_anew=settings.if_extract or settings.face3dvis,
            keep_track=settings.face3dvis,
            face_scale=face_scale(settings.preprocess) if CropOptions.of(settings).cuts else 0,
        )


@dataclass(frozen=True)
class SpeechOptions:
    """Speech of a picture, or its idling: as the settings of these names."""

    pose_style: int = 0
    blink: bool = True
    ref_eyeblink: Path | None = None
    ref_pose: Path | None = None
    idle_seconds: float | None = None
    seed: int = 0

    @classmethod
    def of(cls, settings: Settings) -> SpeechOptions:
        """Slice of the settings of a run."""
        return cls(
            settings.pose_style,
            settings.blink,
            settings.ref_eyeblink,
            settings.ref_pose,
            settings.idle_seconds,
            settings.seed,
        )


@dataclass(frozen=True)
class MovementOptions:
    """Fitting of a motion to a source.

    Attributes:
        model: the model's inference settings, by the names of their flags.
        yaw, pitch, roll: key angles of the head in degrees; empty: as the motion has them.
        single_frame: whether the user asked for one frame only.
        save_motion: file for the motion before it is fitted, or None.
        face_scale: as in :class:`VideoOptions`.
    """

    model: Mapping[str, Any] = field(default_factory=dict)
    yaw: tuple[float, ...] = ()
    pitch: tuple[float, ...] = ()
    roll: tuple[float, ...] = ()
    single_frame: bool = False
    save_motion: Path | None = None
    face_scale: float = 0

    @classmethod
    def of(cls, settings: Settings, model: Mapping[str, Any]) -> MovementOptions:
        """Slice of the settings of a run; ``model`` as the attribute."""
        return cls(
            model=model,
            yaw=tuple(settings.input_yaw),
            pitch=tuple(settings.input_pitch),
            roll=tuple(settings.input_roll),
            single_frame=settings.frame_limit == 1,
            save_motion=settings.save_motion,
            face_scale=VideoOptions.of(settings).face_scale,
        )


@dataclass(frozen=True)
class OutputOptions:
    """Look of a result, and its file.

    Attributes:
        preprocess: ``"crop"``, ``"extcrop"``, ``"full"``, ``"extfull"`` or ``"resize"``.
        paste, ratio, compare, visualize, quality: as the settings of these names.
        chunk: frames that are drawn at once.
        highest: pixels that the result is high at most; None: any number.
    """

    preprocess: str = "crop"
    paste: str = "soft"
    ratio: float = 0.4
    compare: bool = False
    visualize: bool = False
    quality: str = "high"
    chunk: int = 4
    highest: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> OutputOptions:
        """Slice of the settings of a run; several faces are shown in their places where nothing else is asked for."""
        several = settings.face == "all" or bool(settings.drive)
        return cls(
            settings.preprocess or ("full" if several else "crop"),
            settings.paste,
            settings.ratio,
            settings.compare,
            settings.visualize,
            settings.quality,
            settings.batch_size,
            PREVIEW_HEIGHT if settings.preview else None,
        )
