"""The compact architecture: SadTalker's networks at a small fraction of their size, in the mesh space.

Names are those of the published ones, so that stages of training and weight files are laid out alike.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ....face3d.mesh_space import shipped_space
from ....face3d.mesh_topology import EYE_CORNERS
from ....nn.compact.config import CommonParams
from ....nn.compact.motion import CompactKPDetector
from ....nn.geometry.keypoints import Keypoints
from ...base import Renderer, VoiceModel
from ..config import SadTalkerConfig
from ..voice.rows import POSE
from .generator import FaceGenerator
from .pose import CompactPose
from .renderer import CompactRenderer
from .voice import CompactAudio2Exp, CompactVoice

ROW = 70
_VALUES = 6  # of a keypoint: x, y and the four of its Jacobian


class CompactMapping(nn.Module):
    """How the keypoints of a source move when its coefficients change.

    Keypoints differ from person to person in ways that coefficients do not tell, so it is their change that is found,
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
        self.register_buffer("deviation", torch.ones(ROW))
        self.frame = nn.Sequential(nn.Linear(ROW, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.change = nn.Sequential(
            nn.Linear(2 * width + _VALUES * num_kp + ROW, width),
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
        before = (source[:, :ROW] / self.deviation).expand(count, -1)
        after = driving[:, :ROW] / self.deviation
        own = torch.cat([kp_source["value"], kp_source["jacobian"].flatten(2)], dim=2).expand(count, -1, -1)
        seen_before, seen_after = self.frame(before), self.frame(after)
        change = self.change(torch.cat([seen_after - seen_before, seen_after, own.flatten(1), after - before], dim=1))
        moved = own + change.view(-1, self.num_kp, _VALUES)
        return {"value": moved[..., :2], "jacobian": moved[..., 2:].unflatten(-1, (2, 2))}


NEIGHBOURS, SPREAD = 5, 0.6
POSE_DEVIATION = 0.1  # of angles in radians and of translations; that of an expression is 1


def build_compact(config: SadTalkerConfig) -> nn.ModuleDict:
    """This project's small networks."""
    params, voice = config.compact_params, config.compact_voice
    common = CommonParams(num_kp=config.common_params.num_kp)
    generator, mapping = FaceGenerator(params, common), CompactMapping(common.num_kp, voice.mapping_width)
    generator.spread.copy_(usual_spread())
    mapping.deviation[POSE] = POSE_DEVIATION
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
    """(468,): the size of each point's spot, from how near its five neighbours are on the mean face."""
    points = torch.from_numpy(shipped_space().mean).float()
    eyes = (points[EYE_CORNERS[1], :2] - points[EYE_CORNERS[0], :2]).norm()
    nearest = torch.cdist(points, points).topk(1 + NEIGHBOURS, largest=False).values[:, 1:]
    return SPREAD * nearest.mean(dim=1) / eyes


def compact_renderer(networks: nn.ModuleDict, config: SadTalkerConfig, precision: torch.dtype) -> Renderer:
    """What draws with them."""
    return CompactRenderer(networks, config, precision)


def compact_voice(networks: nn.ModuleDict, config: SadTalkerConfig, precision: torch.dtype) -> VoiceModel:
    """What speaks with them: in float32 in any precision, as it takes a hundredth of the time."""
    return CompactVoice(networks)
