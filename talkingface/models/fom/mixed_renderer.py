"""Driver and renderer of FOM with mixed keypoints: its own ones, and points of the face mesh where a face is found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import MotionError
from ...nn.geometry.keypoints import Keypoints
from ...nn.visualize import draw_keypoints
from ...types import Motion, Source
from ..base import Renderer
from ..mesh_faces import MeshDetector
from ..mixed_generator import FacePoints, MixedState
from .renderer import KeypointExtractor, RowBuffer
from .retarget import POINTS, PRESENT


@dataclass(frozen=True)
class EncodedFace:
    """A source picture (1, 3, H, W), its keypoints, and what the generator keeps of it."""

    image: Tensor
    keypoints: Keypoints
    state: MixedState


class MixedExtractor(KeypointExtractor):
    """Finds keypoints and points of the face mesh in each driving frame.

    Args:
        detector, kind, size, space: as in `KeypointExtractor`.
        mesh_detector: of the points.
    """

    def __init__(
        self, detector: nn.Module, kind: str, size: tuple[int, int], space: str, mesh_detector: MeshDetector
    ) -> None:
        super().__init__(detector, kind, size, space)
        self._mesh_detector = mesh_detector

    @torch.inference_mode()
    def extract(self, frames: Iterable[Tensor], fps: Fraction) -> Motion:
        """Motion with the points of the face under the names ``points`` and ``present``."""
        kept: dict[str, RowBuffer] = defaultdict(RowBuffer)
        self._mesh_detector.forget()
        for chunk in frames:
            points, present = self._mesh_detector(chunk)
            for name, value in {**self.detector(chunk), POINTS: points, PRESENT: present}.items():
                kept[name].append(value)
        return Motion(self.gives, fps, {name: rows.tensor() for name, rows in kept.items()}, self.space)


class MixedRenderer(Renderer):
    """Draws keypoints and points of the mesh on a source picture.

    Args:
        detector: as in the driver.
        generator: a FastMixedGenerator.
        kind, size, space: as in `FOMRenderer`.
        mesh_detector: of the points of the source.
    """

    def __init__(
        self,
        detector: nn.Module,
        generator: Any,
        kind: str,
        size: tuple[int, int],
        space: str,
        mesh_detector: MeshDetector,
    ) -> None:
        self.detector, self.generator, self.takes, self.size, self.space = detector, generator, kind, size, space
        self._mesh_detector = mesh_detector

    @torch.inference_mode()
    def encode_source(self, source: Source) -> EncodedFace:
        self._mesh_detector.forget()
        face = FacePoints(*self._mesh_detector(source.image))
        return EncodedFace(source.image, self.detector(source.image), self.generator.encode_face(source.image, face))

    @torch.inference_mode()
    def render(self, state: EncodedFace, motion: Motion) -> Tensor:
        drawn: Tensor = self._decode(state, motion)["prediction"]
        return drawn

    @torch.inference_mode()
    def explain(self, state: EncodedFace, motion: Motion) -> dict[str, Tensor]:
        """Source and result with keypoints, the warped source, and where the face's points decide (white)."""
        out = self._decode(state, motion, explain=True)
        prediction = out["prediction"]
        source = state.image.expand_as(prediction)
        gate = nn.functional.interpolate(out["gate"].float(), size=prediction.shape[-2:])
        return {
            "keypoints_source": draw_keypoints(source, state.keypoints["value"].expand(len(motion), -1, -1)),
            "keypoints_driving": draw_keypoints(prediction, motion.values["value"]),
            "deformed": out["deformed"].clamp(0, 1),
            "gate": gate.expand_as(prediction),
        }

    def _decode(self, state: EncodedFace, motion: Motion, *, explain: bool = False) -> dict[str, Tensor]:
        if motion.kind != self.takes:
            raise MotionError(f"the renderer draws '{self.takes}', not '{motion.kind}'")
        values = dict(motion.values)
        face = FacePoints(values.pop(POINTS), values.pop(PRESENT))
        drawn: dict[str, Tensor] = self.generator.decode_face(
            state.state, state.keypoints, values, face, explain=explain
        )
        return drawn
