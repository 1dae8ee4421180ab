"""All settings: name, type, range, default and meaning, in one place. Each base class is a heading of ``--help``."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator

from .. import registry
from ..data.prepare.settings import PrepareSettings
from ..errors import did_you_mean
from ..evaluation.settings import EvaluateSettings
from ..models.settings import ModelOptions
from ..paths import default_checkpoint_root
from ..plugins import FORMATS, LANDMARKS, PASTES, OneOf
from ..text.lists import rate_of
from ..train.settings import TrainSettings

RunMode = Literal["infer", "train", "evaluate", "compare", "prepare", "doctor", "fetch"]
Degrees = Annotated[float, Field(ge=-180, le=180)]
QUALITIES = ("low", "medium", "high", "lossless")
FACES = ("largest", "left", "right", "all")


class SettingsGroup(BaseModel):
    """Settings that belong together: an unknown key is an error, and the docstring is the heading in ``--help``."""

    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)


class Job(SettingsGroup):
    """Model and job"""

    model: str = Field("FOM", description="the model family")
    run_mode: RunMode = Field("infer", description="the job to do; train, if only a data set is given")
    variant: str | None = Field(None, description="a published configuration of the model, such as vox")
    train_variant: str | None = Field(None, description="the variant that training takes where none is named")
    dataset: str | None = Field(None, description="a name in properties/dataset, or a folder with clips")
    config: list[Path] = Field([], description="YAML files with settings; later ones win, flags win over all")
    model_params: dict[str, Any] = Field({}, description="the model's own settings; they win over the weights' own")


class Inputs(SettingsGroup):
    """Picture to animate, and its driver"""

    image_source: Path | None = Field(None, description="the picture to animate; none: the video's own first frame")
    video_source: Path | None = Field(None, description="what drives it: a video, gif, folder of frames or picture")
    cross_id: bool | None = Field(None, description="picture and video show different people; none: if both are given")
    if_align: bool = Field(
        True, description="cut picture and video to the face, or what the model can find; off: the central square"
    )
    if_extract: bool = Field(
        False, description="find the coefficients of videos anew, also where they are kept from an earlier run"
    )
    motion_path: Path | None = Field(None, description="a saved motion that drives the picture, in place of a video")
    audio_path: Path | None = Field(None, description="a sound that the picture speaks; a video gives its sound")
    idle_seconds: float | None = Field(
        None, gt=0, le=86400, description="no sound: the picture moves and blinks for so many seconds"
    )
    frame_limit: int | None = Field(None, ge=1, description="make the first frames only")


class Speech(SettingsGroup):
    """Speech (with --audio_path or --idle_seconds)"""

    pose_style: int = Field(0, ge=0, description="style of the head motion; SadTalker knows 0 to 45")
    blink: bool = Field(True, description="the eyes close now and then")
    ref_eyeblink: Path | None = Field(None, description="a video whose blinks and expression are the reference")
    ref_pose: Path | None = Field(None, description="a video whose head motion is added")
    voice_model: str | None = Field(
        None, description="the model that makes motion of sound; none: the model itself, else one that fits"
    )

    @field_validator("voice_model")
    @classmethod
    def _voice_model(cls, value: str | None) -> str | None:
        return value and registry.own_name(value)


class Faces(SettingsGroup):
    """Faces: choice, crop and paste-back"""

    landmarks: Annotated[str, OneOf(LANDMARKS, before=["auto"], after=["none"])] = Field(
        "auto", description="what finds faces; auto: the first that is there; none: the model's own search"
    )
    landmarks_file: Path | None = Field(None, description="points or boxes of faces, for --landmarks=given")
    face: str | None = Field(
        None, description="the source's face: largest, left, right, a number from 0, or all; none: the only one"
    )
    driving_face: str | None = Field(None, description="the driving video's face, as --face; none: the largest")
    source_box: list[float] = Field(
        [], description="says where the source's face is if none is found: x,y,w,h in pixels, x,y its upper left corner"
    )
    driving_box: list[float] = Field(
        [], description="says where the driving video's face is at first, likewise; it is followed from there"
    )
    face_threshold: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="lowest score that counts as a face; lower ones find more, also what is none; "
        "none: that of --landmarks",
    )
    drive: list[str] = Field([], description="a driver for each face of the source, such as 0=a.mp4 1=b.mp4")
    preprocess: Literal["crop", "extcrop", "resize", "full", "extfull"] | None = Field(
        None,
        description="crop: the face alone; full: put back into the picture; ext: with more around it; resize: "
        "the whole picture; none: crop, or full for several faces",
    )
    paste: Annotated[str, OneOf(PASTES)] = Field(
        "soft", description="how a face is put back: a soft edge, seamless cloning, or an ellipse"
    )
    ratio: float = Field(0.4, gt=0, le=1, description="half-axes of the ellipse of --paste=round, of the crop's side")
    debug_dir: Path | None = Field(
        None, description="folder for pictures of what was looked at where a face is missing; none: that of the result"
    )

    @field_validator("source_box", "driving_box")
    @classmethod
    def _box(cls, value: list[float]) -> list[float]:
        if value and (len(value) != 4 or min(value[2:]) <= 0):
            raise ValueError("is no box. Write x,y,w,h in pixels, such as 120,80,200,240, with a width and a height.")
        return value

    @field_validator("face", "driving_face", mode="before")
    @classmethod
    def _face(cls, value: Any) -> str | None:
        word = None if value is None else str(value)
        if word is None or word in FACES or (word.isascii() and word.isdecimal() and len(word) < 10):
            return word
        near = did_you_mean(word, FACES)
        raise ValueError(f"is no choice of a face. {near} Or give a number from 0, counted from the left.")


class Output(SettingsGroup):
    """Output"""

    output: Path | None = Field(
        None, description=f"the result: {', '.join(f'.{name}' for name in FORMATS.own)}, or a folder for png frames"
    )
    output_dir: Path | None = Field(None, description="folder for results with a made-up name; none: results or runs")
    overwrite: bool | None = Field(None, description="replace what exists; none: only the file that --output names")
    restart: bool = Field(False, description="begin anew where an earlier run of the same command was killed")
    commit_seconds: float = Field(
        30, ge=0, description="seconds of work after which a run that is killed can be gone on with"
    )
    fps: Fraction | None = Field(
        None, gt=0, le=240, description="frames per second, such as 30000/1001; none: as given"
    )
    audio: str = Field("driving", description="sound of the result: driving, source, none or a file")
    quality: str = Field("high", description="low, medium, high, lossless, or an h264 crf from 0 (best) to 51")
    save_motion: Path | None = Field(None, description="write the driving motion to this file, for --motion_path")
    compare: bool = Field(False, description="write source, driving and result side by side")
    visualize: bool = Field(False, description="add keypoints and the model's inner pictures")
    preview: bool = Field(
        False, description="a small quick version: the first 48 frames, at most 256 pixels high, nothing enhanced"
    )
    enhancer: Literal["gfpgan", "RestoreFormer"] | None = Field(
        None, description="restores the faces of the finished frames; needs talkingface[enhance]"
    )
    background_enhancer: Literal["realesrgan"] | None = Field(
        None, description="redraws the rest of them at twice the size, likewise; slow without a GPU"
    )
    upscale: int | None = Field(
        None, ge=1, le=2, description="times the size of the result, with an enhancer; none: 2, up to 1920 pixels"
    )
    face3dvis: bool = Field(False, description="write the reconstructed face of the driving video beside the result")

    @field_validator("fps", mode="before")
    @classmethod
    def _fps(cls, value: Any) -> Any:
        return rate_of(value)

    @field_validator("quality", mode="before")
    @classmethod
    def _quality(cls, value: Any) -> str:
        text = str(value)
        if text not in QUALITIES and not (text.isdecimal() and len(text) < 3 and int(text) <= 51):
            raise ValueError(f"must be one of {', '.join(QUALITIES)}, or a number from 0 to 51")
        return text


class Scoring(SettingsGroup):
    """Videos to compare (with --run_mode=evaluate)"""

    real: Path | None = Field(None, description="a folder of real videos, or one video")
    made: list[Path] = Field([], description="folders of videos that programs made of them, under the same names")


class Movement(SettingsGroup):
    """Transfer of the movement"""

    image_size: int | None = Field(None, ge=16, description="side of the result in pixels; none: the model's own")
    relative: bool = Field(True, description="carry the change since the first driving frame, not the pose itself")
    adapt_scale: bool = Field(False, description="scale the movement to the size of the source's face")
    find_best_frame: bool = Field(False, description="start from the driving frame that is most like the source")
    best_frame: int | None = Field(None, ge=0, description="start from this driving frame (counted from 0)")
    expression_scale: float = Field(1.0, ge=0, le=10, description="times the expression; needs coefficients")
    still: bool = Field(False, description="the head stays as in the source, the face alone moves; needs coefficients")
    input_yaw: list[Degrees] = Field([], description="yaw of the head in degrees, several are spread over the video")
    input_pitch: list[Degrees] = Field([], description="pitch of the head, likewise")
    input_roll: list[Degrees] = Field([], description="roll of the head, likewise")


class Weights(SettingsGroup):
    """Weights"""

    checkpoint: str | None = Field(None, description="a name in properties/checkpoints.yaml, or a file")
    checkpoint_root: Path | None = Field(None, description="folder with weights; none: checkpoints/ of the clone")
    offline: bool = Field(False, description="never use the network")


class Machine(SettingsGroup):
    """Machine"""

    device: str = Field("auto", description="auto, cpu, mps, cuda or cuda:N")
    precision: Literal["auto", "float32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 where the device is fast at it; fp16: training alone"
    )
    compile: Literal["auto", "on", "off"] = Field(
        "auto", description="compile the renderer, which takes a minute; auto: for long clips where that pays"
    )
    threads: int | None = Field(None, ge=1, description="CPU threads; none: all cores")
    batch_size: int = Field(4, ge=1, description="frames rendered at once; does not change the result")
    seed: int = Field(0, ge=0, description="seed of all random numbers")

    @field_validator("device")
    @classmethod
    def _device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", value):
            raise ValueError("must be auto, cpu, mps, cuda or cuda:N")
        return value


class Messages(SettingsGroup):
    """Messages"""

    quiet: bool = Field(False, description="errors and the result's path only")
    verbose: bool = Field(False, description="tell more about each step")
    print_config: bool = Field(False, description="print every setting with its origin, and stop")


class DataSettings(SettingsGroup):
    """Clips of the data set"""

    sample_if_missing: bool = Field(False, description="train on the shipped sample where the data set is not there")

    root: Path | None = Field(None, description="folder or file of the data set")
    train_split: str = Field("train", description="part of the data set to train on; empty: all of it")
    sound: Path | None = Field(None, description="folder with the sound of clips that hold none, named as they are")
    unsure_sync: bool = Field(False, description="train on clips too whose list doubts that sound and picture agree")
    cache: Path | None = Field(None, description="folder for what is found in clips once; none: in the user's cache")


class Settings(Job, Inputs, Speech, Faces, Output, Movement, Scoring, Weights, Machine, Messages):
    """All settings of one run; :meth:`origin` tells which file or flag set a value.

    Those of a model with flags of its own have these as well, see :func:`~talkingface.config.options.settings_class`.
    """

    data: DataSettings = Field(default_factory=DataSettings, description="the data set")
    train: TrainSettings = Field(default_factory=TrainSettings, description="training")
    evaluate: EvaluateSettings = Field(default_factory=EvaluateSettings, description="evaluation")
    prepare: PrepareSettings = Field(default_factory=PrepareSettings, description="data preparation")

    OwnOptions: ClassVar[type[ModelOptions]] = ModelOptions
    DriverOptions: ClassVar[tuple[type[BaseModel], ...]] = ()
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _notes: list[str] = PrivateAttr(default_factory=list)

    @property
    def own(self) -> ModelOptions:
        """The model's own flags, as the class that its entry in the registry names."""
        values = {name: getattr(self, name) for name in self.OwnOptions.model_fields}
        return self.OwnOptions.model_construct(**values)

    @property
    def weights_root(self) -> Path:
        """Folder with weights: ``checkpoint_root``, or the default one."""
        return self.checkpoint_root or default_checkpoint_root()

    @property
    def notes(self) -> list[str]:
        """Sentences for the user about what the flags and files of other programs became."""
        return self._notes

    def origins_in(self, group: str) -> list[str]:
        """The files and flags that set keys of a group such as ``model_params``."""
        return sorted({origin for key, origin in self._origins.items() if key.startswith(f"{group}.")})

    @property
    def scores_videos(self) -> bool:
        """True where an evaluation compares videos that programs made, without a model or a data set."""
        return self.real is not None or bool(self.made)

    @property
    def set_by_flags(self) -> list[str]:
        """Settings (dotted) that a flag set."""
        return [key for key, origin in self._origins.items() if origin.startswith("--")]

    def origin(self, key: str) -> str:
        """The file or flag that set ``key`` (dotted, as ``train.max_steps``), or ``"default"``."""
        return self._origins.get(key, "default")


HEADINGS: tuple[type[SettingsGroup], ...] = (
    Job,
    Inputs,
    Speech,
    Faces,
    Output,
    Movement,
    Scoring,
    Weights,
    Machine,
    Messages,
)
