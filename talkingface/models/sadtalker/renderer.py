"""SadTalker's renderer, which draws windows of coefficients, and its compilation."""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import ShapeError
from ...motion.coefficients import COEFFICIENTS, LAYOUTS
from ...motion.windows import RADIUS, windows
from ...nn.geometry.grids import resize_map
from ...nn.visualize import draw_keypoints
from ...types import Motion, Source
from ..base import Renderer
from .config import SadTalkerConfig
from .networks.fast import FastGenerator
from .networks.generator import SourceState
from .networks.mapping import WINDOW
from .networks.motion import Angles, transform_keypoints

WORTH_FRAMES = 100
"""Frames from which compiling pays: it takes about a minute, and with bfloat16 units saves about a second a frame
of 256 (2.0 to 0.9 s on two cores with AMX)."""

logger = logging.getLogger("talkingface")


def decide(mode: str, frames: int, precision: torch.dtype, device: torch.device) -> tuple[bool, str]:
    """Decide on compilation; return (True to compile, the reason as a line for the user or "").

    The decision follows from numbers that are known before, not from measured time, so that the same command gives the
    same frames. In float32 compiling was measured to gain a seventh at best, and GPUs draw a clip in the time it takes.

    Args:
        mode: ``"auto"``, ``"on"`` or ``"off"``.
    """
    gains = precision == torch.bfloat16 and device.type == "cpu"
    if mode == "off" or (mode == "auto" and not gains):
        return False, ""
    if mode == "auto" and frames < WORTH_FRAMES:
        return False, f"not compiled: {frames} frames are drawn sooner without (--compile=on compiles)"
    problem = no_compiler(device)
    if problem:
        return False, f"not compiled: {problem}"
    return True, f"the renderer is compiled first, about a minute, for {frames} frames (--compile=off does not)"


def no_compiler(device: torch.device) -> str:
    """Reason why torch.compile cannot work here, or ""; on a CPU it writes C++."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    if device.type == "cpu" and not any(shutil.which(name) for name in names):
        return f"no C++ compiler ({', '.join(names)}) is there"
    return ""


class CompiledGenerator:
    """A generator whose `decode` is compiled when it is first called; if that fails, it stays as it is, with a warning.

    Frames are drawn one at a time: one shape, one compilation, and a CPU gains nothing from drawing several.

    Args:
        generator: a `FastGenerator`.
        backend: of torch.compile.
    """

    def __init__(self, generator: Any, backend: Any = "inductor") -> None:
        self.generator = generator
        self._compiled: Any = torch.compile(generator.decode, dynamic=False, backend=backend)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.generator, name)

    def decode(self, state: Any, kp_source: Tensor, kp_driving: Tensor) -> Tensor:
        """Frames (N, 3, S, S), as of the generator."""
        if self._compiled is not None:
            try:
                return torch.cat([self._compiled(state, kp_source, keypoints) for keypoints in kp_driving.split(1)])
            except RuntimeError as error:  # of torch, where a compiler or a kernel fails
                self._compiled = None
                logger.warning("the renderer cannot be compiled and goes on without: %s", _first_line(error))
        drawn: Tensor = self.generator.decode(state, kp_source, kp_driving)
        return drawn


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@dataclass(frozen=True)
class EncodedSource:
    """A source picture.

    Attributes:
        image: (1, 3, S, S).
        canonical: (1, K, 3), keypoints without pose and expression.
        keypoints: (1, K, 3), in the pose and with the expression of the picture.
        state: of the generator.
    """

    image: Tensor
    canonical: Tensor
    keypoints: Tensor
    state: SourceState


class SadTalkerRenderer(Renderer):
    """Draws windows of coefficients on a source picture.

    Args:
        networks: ``kp_extractor``, ``mapping`` and ``generator``, with weights; they are put into eval mode.
        config: of the networks.
        precision: of the generator's convolutions that run for every frame; keypoints are float32 in any case.
    """

    radius, framing = RADIUS, "sadtalker"

    def __init__(self, networks: nn.ModuleDict, config: SadTalkerConfig, precision: torch.dtype) -> None:
        self.kp_extractor, self.mapping = networks["kp_extractor"].eval(), networks["mapping"].eval()
        self.generator: Any = FastGenerator(networks["generator"].eval(), precision)  # type: ignore[arg-type]
        self.precision = precision
        self.columns, self.space = config.coefficients, config.space
        self.takes = LAYOUTS[self.columns].kind
        self.size = (config.image_size, config.image_size)

    def expect(self, frames: int, compile_mode: str = "auto") -> str:
        """Compile the generator where that pays; otherwise see the base class."""
        if isinstance(self.generator, CompiledGenerator):
            return ""
        device = next(self.mapping.parameters()).device
        compiles, note = decide(compile_mode, frames, self.precision, device)
        if compiles:
            self.generator = CompiledGenerator(self.generator)
        return note

    @torch.inference_mode()
    def encode_source(self, source: Source) -> EncodedSource:
        """Encode the picture and its keypoints; see the base class.

        Raises:
            ShapeError: if the source comes without its coefficients.
        """
        if source.coefficients is None:
            raise ShapeError("the source has no coefficients, by which its keypoints are found")
        canonical = self.kp_extractor(source.image)
        row = source.coefficients[:, : self.columns].to(source.image)
        keypoints = self._keypoints(canonical, row[:, :, None].expand(-1, -1, WINDOW))
        return EncodedSource(source.image, canonical, keypoints, self.generator.encode(source.image))

    def render(self, state: EncodedSource, motion: Motion) -> Tensor:
        return self.render_part(state, motion, slice(None))

    @torch.inference_mode()
    def render_part(self, state: EncodedSource, motion: Motion, part: slice) -> Tensor:
        drawn: Tensor = self.generator.decode(state.state, state.keypoints, self.drive(state, motion, part))
        return drawn

    @torch.inference_mode()
    def explain(self, state: EncodedSource, motion: Motion) -> dict[str, Tensor]:
        """Pictures (n, 3, S, S) in [0, 1]: source and result with keypoints, and the occlusion (black)."""
        driving = self.drive(state, motion, slice(None))
        dense = self.generator.move(state.state, state.keypoints, driving)
        drawn = self.generator.draw(state.state.expand(len(motion)).features, dense)
        source = state.image.expand_as(drawn)
        pictures = {
            "keypoints_source": draw_keypoints(source, state.keypoints[..., :2].expand(len(motion), -1, -1)),
            "keypoints_driving": draw_keypoints(drawn, driving[..., :2]),
        }
        if dense.occlusion is not None:
            pictures["occlusion_map"] = resize_map(dense.occlusion, self.size).expand_as(drawn)
        return pictures

    def drive(self, state: EncodedSource, motion: Motion, part: slice) -> Tensor:
        """Keypoints (n, K, 3) of a part of a motion, whose other frames only enter the windows."""
        rows = motion.values[COEFFICIENTS].to(state.image)
        frames = range(len(motion))[part]
        return self._keypoints(state.canonical, windows(rows, frames), user_angles(motion, part))

    def _keypoints(self, canonical: Tensor, rows: Tensor, angles: Angles | None = None) -> Tensor:
        return transform_keypoints(canonical, self.mapping(rows), angles)


def user_angles(motion: Motion, part: slice) -> Angles | None:
    """Degrees (n,) that the user set for some frames, by name; None where there are none."""
    angles = motion.values.get("angles")
    return None if angles is None else dict(zip(("yaw", "pitch", "roll"), angles[part].unbind(1), strict=True))
