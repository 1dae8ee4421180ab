"""The compact networks: their mapping network, all of them built from settings, and the renderer over them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ....errors import ShapeError
from ....face3d.mesh import EYE_CORNERS
from ....face3d.mesh_space import shipped_space
from ....motion.coefficients import COEFFICIENTS, LAYOUT_70, row70
from ....nn.blocks.folded import fold_blocks
from ....nn.compact.config import CommonParams
from ....nn.compact.motion import CompactKPDetector
from ....nn.geometry.keypoints import Keypoints
from ....nn.visualize import draw_keypoints
from ....types import Motion, Source
from ...base import Renderer
from ...mesh_faces import points_of
from ...points_generator import PointsGenerator
from ..config import SadTalkerConfig
from .generator import FaceGenerator, FastFaceGenerator
from .pose import CompactPose
from .voice import CompactAudio2Exp

_VALUES = 6  # of a keypoint: x, y and the four of its Jacobian


class CompactMapping(nn.Module):
    """Mapping from changes of coefficients to the movement of a source's keypoints.

    Keypoints differ from person to person in ways that coefficients do not hold, so the network predicts their change
    from the change of the coefficients; no change gives the source's own keypoints to within a small error.

    Args:
        num_kp: K.
        width: of the hidden layers.

    Attributes:
        deviation: (70,), standard deviations that coefficients are divided by; measured, and kept with the weights.
    """

    deviation: Tensor

    def __init__(self, num_kp: int = 15, width: int = 256) -> None:
        super().__init__()
        self.num_kp = num_kp
        self.register_buffer("deviation", torch.ones(LAYOUT_70.width))
        self.frame = nn.Sequential(nn.Linear(LAYOUT_70.width, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.change = nn.Sequential(
            nn.Linear(2 * width + _VALUES * num_kp + LAYOUT_70.width, width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, _VALUES * num_kp),
        )
        nn.init.zeros_(self.change[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.change[-1].bias)  # type: ignore[arg-type]

    def forward(self, source: Tensor, driving: Tensor, kp_source: Keypoints) -> Keypoints:
        """Keypoints of frames.

        Args:
            source: (1 or N, 70 or more), coefficients of the source; the first 70 count.
            driving: (N, 70 or more), of the frames.
            kp_source: of the source, (1 or N, ...), with Jacobians.

        Returns:
            Keypoints of the N frames.
        """
        count = len(driving)
        before = (source[:, : LAYOUT_70.width] / self.deviation).expand(count, -1)
        after = driving[:, : LAYOUT_70.width] / self.deviation
        own = torch.cat([kp_source["value"], kp_source["jacobian"].flatten(2)], dim=2).expand(count, -1, -1)
        features_before, features_after = self.frame(before), self.frame(after)
        change = self.change(
            torch.cat([features_after - features_before, features_after, own.flatten(1), after - before], dim=1)
        )
        moved = own + change.view(-1, self.num_kp, _VALUES)
        return {"value": moved[..., :2], "jacobian": moved[..., 2:].unflatten(-1, (2, 2))}


NEIGHBOURS, SPREAD = 5, 0.6
POSE_DEVIATION = 0.1  # of angles in radians and of translations; that of an expression is 1


def build_compact(config: SadTalkerConfig) -> nn.ModuleDict:
    """This project's small networks."""
    return networks_around(FaceGenerator, config)


def networks_around(kind: type[PointsGenerator], config: SadTalkerConfig) -> nn.ModuleDict:
    """A kind of generator with the networks around it, freshly initialised."""
    params, voice = config.compact_params, config.compact_voice
    common = CommonParams(num_kp=config.common_params.num_kp)
    generator, mapping = kind(params, common), CompactMapping(common.num_kp, voice.mapping_width)
    generator.spread.copy_(usual_spread())
    mapping.deviation[LAYOUT_70.pose] = POSE_DEVIATION
    return nn.ModuleDict(
        {
            "kp_extractor": CompactKPDetector(params, common),
            "generator": generator,
            "mapping": mapping,
            "audio2exp": CompactAudio2Exp(voice.expression_width),
            "audio2pose": CompactPose(voice.pose_width),
        }
    )


def usual_spread() -> Tensor:
    """Size of each point's spot (468,): a part of the mean distance to its five neighbours on the mean face."""
    points = torch.from_numpy(shipped_space().mean).float()
    eyes = (points[EYE_CORNERS[1], :2] - points[EYE_CORNERS[0], :2]).norm()
    nearest = torch.cdist(points, points).topk(1 + NEIGHBOURS, largest=False).values[:, 1:]
    return SPREAD * nearest.mean(dim=1) / eyes


@dataclass(frozen=True)
class EncodedFace:
    """A source picture.

    Attributes:
        image: the picture, (1, 3, H, W).
        state: what the generator keeps of it.
        keypoints: of the source.
        row: (1, 70), its coefficients.
        identity: (1, 80), its identity coefficients.
        points: (1, 468, 2), points of its face, (x, y) in [-1, 1].
    """

    image: Tensor
    state: Any
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

    takes, space = LAYOUT_70.kind, "mesh"
    fast: ClassVar[Callable[..., nn.Module]] = FastFaceGenerator

    def __init__(self, networks: nn.ModuleDict, config: SadTalkerConfig, precision: torch.dtype) -> None:
        self.kp_extractor: Any = fold_blocks(copy.deepcopy(networks["kp_extractor"])).requires_grad_(False).eval()
        self.mapping = networks["mapping"].eval()
        self.generator: Any = self.fast(networks["generator"].eval(), precision)
        self.size = (config.image_size, config.image_size)

    @torch.inference_mode()
    def encode_source(self, source: Source) -> EncodedFace:
        """Encode the picture, its keypoints and the points of its face; see the base class.

        Raises:
            ShapeError: if the source comes without its coefficients or its identity.
        """
        if source.coefficients is None or source.identity is None:
            raise ShapeError("the source has no coefficients, which tell where its face is")
        row, identity = row70(source.coefficients).float(), source.identity.float()
        points = points_of(identity, row).to(source.image)
        return EncodedFace(
            source.image,
            self._encode(source.image, points),
            self.kp_extractor(source.image),
            row.to(source.image),
            identity,
            points,
        )

    @torch.inference_mode()
    def render(self, state: EncodedFace, motion: Motion) -> Tensor:
        return self._decode(state, motion)["prediction"]

    @torch.inference_mode()
    def explain(self, state: EncodedFace, motion: Motion) -> dict[str, Tensor]:
        """Pictures (n, 3, S, S) in [0, 1]: source and result with keypoints, warped source, the face's gate (white)."""
        out = self._decode(state, motion, explain=True)
        drawn, keypoints = out["prediction"], self._keypoints(state, motion.values[COEFFICIENTS].to(state.row))
        source = state.image.expand_as(drawn)
        return {
            "keypoints_source": draw_keypoints(source, state.keypoints["value"].expand(len(motion), -1, -1)),
            "keypoints_driving": draw_keypoints(drawn, keypoints["value"]),
            "deformed": out["deformed"],
            "gate": nn.functional.interpolate(out["gate"], size=self.size).expand_as(drawn),
        }

    def _decode(self, state: EncodedFace, motion: Motion, *, explain: bool = False) -> dict[str, Tensor]:
        rows = motion.values[COEFFICIENTS].to(state.row)
        return self._draw(state, self._keypoints(state, rows), points_of(state.identity, rows).to(rows), explain)

    def _encode(self, image: Tensor, points: Tensor) -> Any:
        """State that the generator keeps of a picture (1, 3, H, W) whose face has `points` (1, 468, 2)."""
        return self.generator.encode(image)

    def _draw(self, state: EncodedFace, keypoints: Keypoints, points: Tensor, explain: bool) -> dict[str, Tensor]:
        """Frames of keypoints and points (N, 468, 2); see `FaceGenerator.decode_face`."""
        drawn: dict[str, Tensor] = self.generator.decode_face(
            state.state, state.keypoints, keypoints, state.points, points, explain=explain
        )
        return drawn

    def _keypoints(self, state: EncodedFace, rows: Tensor) -> Keypoints:
        moved: Keypoints = self.mapping(state.row, rows, state.keypoints)
        return moved
