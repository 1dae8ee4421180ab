"""The compact architecture: SadTalker's networks at a small fraction of their size, in the mesh space.

Names are those of the published ones, so that stages of training and weight files are laid out alike.
"""

from __future__ import annotations

import torch
from torch import nn

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


def build_compact(config: SadTalkerConfig) -> nn.ModuleDict:
    """This project's small networks."""
    params, voice = config.compact_params, config.compact_voice
    common = CommonParams(num_kp=config.common_params.num_kp)
    return nn.ModuleDict(
        {
            "kp_extractor": CompactKPDetector(params, common),
            "generator": FaceGenerator(params, common),
            "mapping": CompactMapping(common.num_kp, voice.mapping_width),
            "audio2exp": CompactAudio2Exp(voice.expression_width),
            "audio2pose": CompactPose(voice.pose_width),
        }
    )


def compact_renderer(networks: nn.ModuleDict, config: SadTalkerConfig, precision: torch.dtype) -> Renderer:
    """What draws with them."""
    return CompactRenderer(networks, config, precision)


def compact_voice(networks: nn.ModuleDict, config: SadTalkerConfig, precision: torch.dtype) -> VoiceDriver:
    """What speaks with them: in float32 in any precision, as it takes a hundredth of the time."""
    return CompactVoice(networks)
