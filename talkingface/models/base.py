"""Interfaces of a model: a motion extractor or a voice (make motion), a renderer (draws it), and training phases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import ConfigError, MotionError
from ..types import Motion, Source, Square
from .settings import unknown_stage

Batch = dict[str, Tensor]
Losses = dict[str, Tensor]


class MotionExtractor(ABC):
    """Extracts the motion of driving frames.

    Attributes:
        takes: the signals it accepts, of ``"video"``, ``"image"``.
        gives: the kind of motion it makes.
        size: (height, width) of the frames it takes.
        locates: true if `locate` searches.
    """

    takes: frozenset[str]
    gives: str
    size: tuple[int, int]
    locates: bool = False

    @abstractmethod
    def extract(self, frames: Iterable[Tensor], fps: Fraction) -> Motion:
        """Motion of a driving video, one entry a frame.

        Args:
            frames: chunks (n, 3, H, W), RGB, [0, 1], read once and in order.
            fps: frames per second of the chunks.
        """

    def locate(self, picture: Tensor) -> Square | None:
        """Part of a picture (1, 3, H, W), RGB, [0, 1], that shows the subject framed as in training, in pixels.

        None where there is no such part, and from extractors that cannot search for it.
        """
        return None


@dataclass(frozen=True)
class SpeechRequest:
    """Request of speech from a voice.

    Attributes:
        wave: (samples,), mono at the voice's rate, full scale -1..1; None: nobody speaks.
        frames: length at the voice's frame rate; at least one.
        style: of the head motion.
        blink: the eyes close now and then by themselves.
        eyes: (R, 70 or more), of a video whose expression, blinks above all, is the reference; or None.
        poses: (R, 70 or more), of a video whose head motion is added; or None.
        seed: of all that is random.
    """

    wave: Tensor | None
    frames: int
    style: int = 0
    blink: bool = True
    eyes: Tensor | None = None
    poses: Tensor | None = None
    seed: int = 0


class VoiceModel(ABC):
    """Turns a voice, or nothing but time, into a motion of coefficients.

    Attributes:
        gives: the kind of motion it makes.
        space: meaning of its numbers, see :class:`~talkingface.types.Motion`.
        fps: frames per second of its motion.
        sample_rate: of the sound it takes, in Hz.
        styles: number of styles of head motion.
    """

    gives: str
    space: str
    fps: Fraction
    sample_rate: int
    styles: int

    @abstractmethod
    def speak(self, request: SpeechRequest, source: Tensor) -> Motion:
        """Motion of a face that speaks as requested; the same for the same seed on the same machine.

        Args:
            source: (1, 70 or more), coefficients of the source picture.

        Returns:
            ``"coefficients"`` -> (T, 70), float32, on the CPU.

        Raises:
            ConfigError: if there is no such style.
        """


class Renderer(ABC):
    """Draws a motion on a source picture.

    Attributes:
        takes: the kind of motion it draws.
        size: (height, width) of the pictures it takes and gives.
        space: meaning that the numbers must have where a kind has several, see :class:`~talkingface.types.Motion`.
        radius: frames to each side that a frame's picture depends on (0: its own motion only).
        framing: cut of the face that it takes: ``"face"`` (upright, 1.5 times the face), ``"sadtalker"`` (the published
            rectangle around 68 landmarks) or ``"ffhq"`` (turned with the face); see ``talkingface.face.crop.framing``.
    """

    takes: str
    size: tuple[int, int]
    space: str = ""
    radius: int = 0
    framing: str = "face"

    @abstractmethod
    def encode_source(self, source: Source) -> Any:
        """Everything that depends on the source alone, computed once; opaque to the caller."""

    def check(self, motion: Motion) -> None:
        """Refuse a motion that is not drawn; the steps of an animation ask before `render`, which need not.

        Raises:
            MotionError: if it is of another kind.
        """
        if motion.kind != self.takes:
            raise MotionError(f"the renderer draws '{self.takes}', not '{motion.kind}'")

    @abstractmethod
    def render(self, state: Any, motion: Motion) -> Tensor:
        """Frames (n, 3, H, W), RGB, [0, 1], of the n frames of ``motion``."""

    def render_part(self, state: Any, motion: Motion, part: slice) -> Tensor:
        """Frames (n, 3, H, W) of a part of ``motion``; those outside are only context.

        Renderers with a radius draw the part alone; without one, motions come without anything to leave out.
        """
        return self.render(state, motion)[part]

    def kept(self, state: Any) -> Mapping[str, Tensor]:
        """Parts (N, ...) of an encoded source that took long to compute and are worth a file, by name; may be empty."""
        return {}

    def expect(self, frames: int, compile_mode: str = "auto") -> str:
        """Prepare for a number of frames, before the first of them; return a line for the user, or ``""``.

        A renderer that can be compiled decides here whether that pays.

        Args:
            compile_mode: ``"auto"``, ``"on"`` or ``"off"``.
        """
        return ""

    def explain(self, state: Any, motion: Motion) -> dict[str, Tensor]:
        """Pictures (n, 3, H, W) in [0, 1] of intermediate results, by name; for ``--visualize``."""
        return {}

    def explain_part(self, state: Any, motion: Motion, part: slice) -> dict[str, Tensor]:
        """Pictures as of `explain`, of a part of ``motion``; frames outside are only context."""
        return {name: pictures[part] for name, pictures in self.explain(state, motion).items()}


@dataclass
class Phase:
    """One step of training: some parameters, their loss and their optimizer.

    Attributes:
        name: used in logs and saved states.
        networks: names of the networks whose parameters it steps; all others are frozen meanwhile. A part of a network
            is named with a dot, as ``"audio2pose.netG"``.
        loss: batch -> named scalars, already weighted; their sum is minimised.
        optimizer: parameters -> optimizer.
        every: runs at each ``every``-th step.
        milestones: epochs after which the learning rate is divided by ten.
        through: names of networks that the loss uses as they are, so that they have to be trained before.
    """

    name: str
    networks: Sequence[str]
    loss: Callable[[Batch], Losses]
    optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    every: int = 1
    milestones: Sequence[int] = ()
    through: Sequence[str] = ()


class ModelPlugin(ABC):
    """Interface of a model family. Built from a typed config; holds its networks by their published names.

    Attributes:
        name: the word after ``--model=``.
        Config: pydantic class of the model's own settings.
        networks: name -> network, named as the top-level keys of the released checkpoints.
        inference_networks: names of the networks that inference needs (and that released files must hold); of the
            class, or of an instance where they depend on its config. The same goes for the next.
        voice_networks: names of those among them that :meth:`voice` needs; empty: the model has no voice.
        space_networks: names of those whose weights decide what the numbers of its motions mean, see
            :meth:`motion_space`; empty: the config says it.
        stages: parts of the model that are trained one after another, the first unless the user names another; empty
            where all of it is trained at once.
    """

    name: ClassVar[str]
    Config: ClassVar[type]

    inference_networks: tuple[str, ...]
    voice_networks: tuple[str, ...] = ()
    space_networks: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    config: Any
    networks: nn.ModuleDict
    _stage: str = ""

    def __init__(self, config: Any) -> None:
        """Build the networks, with fresh weights, from an instance of :attr:`Config`."""
        self.config = config

    @property
    def stage(self) -> str:
        """The stage that is trained now, of which `samples`, `phases` and `validate` are; empty without stages."""
        return self._stage or next(iter(self.stages), "")

    def choose_stage(self, name: str) -> None:
        """Train this stage from now on.

        Args:
            name: one of `stages`; empty for the first.

        Raises:
            ConfigError: if the model has no such stage.
        """
        if name and name not in self.stages:
            raise unknown_stage(self.name, name, self.stages)
        self._stage = name

    def motion_space(self) -> str:
        """Word for what the numbers of its motions mean, where the weights of `space_networks` decide it; else ""."""
        return ""

    def adapt(self, name: str, state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """State of a network under its own names and shapes, where files of others differ; here unchanged."""
        return state

    def prepare(self, options: Mapping[str, Any]) -> Mapping[str, Callable[[Mapping[str, Tensor]], None]]:
        """Take the settings of an inference, before its renderer is built.

        Args:
            options: the model's inference settings, as named by their flags: the shared ones of movement, and its own
                (see :class:`~talkingface.models.settings.ModelOptions`).

        Returns:
            Further files that these settings need: name in the catalogue, or path -> function that takes the content.

        Raises:
            ConfigError: if settings contradict each other, or these weights cannot follow them.
        """
        return {}

    def file_for_kept(self, options: Mapping[str, Any]) -> Path | None:
        """File for the parts of :meth:`Renderer.kept`; None: nothing is kept.

        Args:
            options: the model's inference settings, as named by their flags.
        """
        return None

    def own_motion(self, source: Motion) -> Motion:
        """Demonstration of the model on a face, without anything that drives.

        Args:
            source: one frame of kind ``"3dmm.73"``.

        Raises:
            ConfigError: if the model has none.
        """
        raise ConfigError(f"{self.name} has no motion of its own", cure="Choose another --model.")

    def extractor(self, precision: torch.dtype = torch.float32) -> MotionExtractor:
        """Extractor of the motion of frames, ready for inference.

        Not used where the renderer takes face coefficients (a kind ``"3dmm..."``): these are read off faces in
        the same way for all models.
        """
        raise ConfigError(f"{self.name} extracts no motion of its own", cure="Give it an `extractor`.")

    def voice(self, precision: torch.dtype = torch.float32) -> VoiceModel | None:
        """Model that turns sound into motion, ready for inference; None where the model has none of its own."""
        return None

    @abstractmethod
    def renderer(self, precision: torch.dtype = torch.float32) -> Renderer:
        """The renderer, ready for inference; may hold a faster copy of the networks."""

    @abstractmethod
    def retarget(self, source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
        """Driving motion fitted to the source.

        Args:
            source: one frame, the motion that is read off the source picture. Where motions are coefficients,
                of kind ``"3dmm.73"`` whatever the renderer takes: the crop of the source is in it.
            driving: the whole driving motion. Coefficients are ``"3dmm.70"`` or ``"3dmm.73"``, on the CPU, and may come
                with ``"angles"``: (T, 3), the yaw, pitch and roll in degrees that the user set, NaN where none.
            options: the model's inference settings, as named by its flags. ``relative`` is false where the driving is
                meant for this source already: a voice, or the video that the source was taken from.

        Returns:
            Motion of the kind that the renderer takes, of as many frames as ``driving``.
        """

    @abstractmethod
    def samples(self) -> Mapping[str, Any]:
        """Contents of a training item: name -> frames, as described in ``talkingface.data.samples``."""

    def auxiliary(self, train: Any) -> Mapping[str, Callable[[Mapping[str, Tensor]], None]]:
        """Fixed networks of others that training needs, such as ``vgg19``: name in the catalogue -> taker of weights.

        The caller loads those that are there before it asks for the phases, which report the others.
        """
        return {}

    @abstractmethod
    def phases(self, train: Any) -> list[Phase]:
        """The training phases, in the order in which they run within a step."""

    @abstractmethod
    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Scores and pictures (N, 3, H, W) in [0, 1] of one batch, without gradients."""
