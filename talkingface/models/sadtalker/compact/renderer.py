"""What draws with the compact networks: rows of the mesh space in, frames out."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ....errors import MotionError, ShapeError
from ....nn.blocks.folded import fold_blocks
from ....nn.compact.generator import CompactState
from ....nn.geometry.keypoints import Keypoints
from ....nn.visualize import draw_keypoints
from ....types import Motion, Source
from ...base import Renderer
from ...mesh_faces import points_of
from ..config import SadTalkerConfig
from ..voice.rows import ROW
from .generator import FastFaceGenerator


@dataclass(frozen=True)
class EncodedFace:
    """A source picture.

    Attributes:
        state: what the generator keeps of it.
        keypoints: of the source.
        row: (1, 70), its coefficients.
        identity: (1, 80), who it is.
        points: (1, 468, 2), points of its face, (x, y) in [-1, 1].
    """

    state: CompactState
    keypoints: Keypoints
    row: Tensor
    identity: Tensor
    points: Tensor


class CompactRenderer(Renderer):
    """Draws each frame from its own row alone.

    Args:
        networks: ``kp_extractor``, ``mapping`` and ``generator``, with weights; they are put into eval mode.
        config: of the networks.
        precision: of the generator's convolutions; keypoints and points are float32 in any case.
    """

    takes, space = "3dmm.70", "mesh"

    def __init__(self, networks: nn.ModuleDict, config: SadTalkerConfig, precision: torch.dtype) -> None:
        self.kp_extractor: Any = fold_blocks(copy.deepcopy(networks["kp_extractor"])).requires_grad_(False).eval()
        self.mapping = networks["mapping"].eval()
        self.generator = FastFaceGenerator(networks["generator"].eval(), precision)  # type: ignore[arg-type]
        self.size = (config.image_size, config.image_size)

    @torch.inference_mode()
    def encode_source(self, source: Source) -> EncodedFace:
        """As in the base class.

        Raises:
            ShapeError: if the source comes without its coefficients or its identity.
        """
        if source.coefficients is None or source.identity is None:
            raise ShapeError("the source has no coefficients, which tell where its face is")
        row, identity = source.coefficients[:, :ROW].float(), source.identity.float()
        points = points_of(identity, row).to(source.image)
        return EncodedFace(
            self.generator.encode(source.image),
            self.kp_extractor(source.image),
            row.to(source.image),
            identity,
            points,
        )

    @torch.inference_mode()
    def render(self, state: EncodedFace, motion: Motion) -> Tensor:
        """As in the base class."""
        return self._decode(state, motion)["prediction"]

    @torch.inference_mode()
    def explain(self, state: EncodedFace, motion: Motion) -> dict[str, Tensor]:
        """Source and result with keypoints, the warped source, and where the face's points decide (white)."""
        out = self._decode(state, motion, explain=True)
        drawn, keypoints = out["prediction"], self._keypoints(state, self._rows(state, motion))
        source = state.state.image.expand_as(drawn)
        return {
            "keypoints_source": draw_keypoints(source, state.keypoints["value"].expand(len(motion), -1, -1)),
            "keypoints_driving": draw_keypoints(drawn, keypoints["value"]),
            "deformed": out["deformed"],
            "gate": nn.functional.interpolate(out["gate"], size=self.size).expand_as(drawn),
        }

    def _decode(self, state: EncodedFace, motion: Motion, *, explain: bool = False) -> dict[str, Tensor]:
        rows = self._rows(state, motion)
        points = points_of(state.identity, rows).to(rows)
        keypoints = self._keypoints(state, rows)
        return self.generator.decode_face(
            state.state, state.keypoints, keypoints, state.points, points, explain=explain
        )

    def _keypoints(self, state: EncodedFace, rows: Tensor) -> Keypoints:
        moved: Keypoints = self.mapping(state.row, rows, state.keypoints)
        return moved

    def _rows(self, state: EncodedFace, motion: Motion) -> Tensor:
        if motion.kind != self.takes:
            raise MotionError(f"the renderer draws '{self.takes}', not '{motion.kind}'")
        return motion.values["coefficients"].to(state.row)
