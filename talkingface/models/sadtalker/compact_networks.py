"""The compact architecture: SadTalker's networks at a small fraction of their size, in the mesh space.

Names are those of the published ones, so that stages of training and weight files are laid out alike.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...face3d.mesh_space import shipped_space
from ...face3d.mesh_topology import EYE_CORNERS
from ...nn.compact.config import CommonParams
from ...nn.compact.motion import CompactKPDetector
from ..base import Renderer, VoiceDriver
from .compact_audio import CompactAudio2Exp
from .compact_generator import FaceGenerator
from .compact_mapping import CompactMapping
from .compact_pose import CompactPose
from .compact_renderer import CompactRenderer
from .compact_voice import CompactVoice
from .config import SadTalkerConfig
from .rows import POSE

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


def compact_voice(networks: nn.ModuleDict, config: SadTalkerConfig, precision: torch.dtype) -> VoiceDriver:
    """What speaks with them: in float32 in any precision, as it takes a hundredth of the time."""
    return CompactVoice(networks)
