"""SadTalker made small, for tests of its training."""

from __future__ import annotations

from typing import Any

import torch

from talkingface.models.sadtalker.config import SadTalkerConfig
from talkingface.models.sadtalker.plugin import SadTalker

RENDER = {
    "perceptual": [],
    "discriminator_params": {"block_expansion": 4, "max_features": 16, "num_blocks": 2},
    "head_estimator_params": {"block_expansion": 4, "depths": [1, 1, 1, 1]},
}
PUBLISHED: dict[str, Any] = {
    "trained_in": "mesh",
    "image_size": 64,
    "common_params": {"num_kp": 4, "feature_channel": 4},
    "kp_detector_params": {
        "block_expansion": 4,
        "max_features": 16,
        "num_blocks": 2,
        "reshape_channel": 32,
        "reshape_depth": 2,
        "scale_factor": 0.5,
    },
    "generator_params": {
        "block_expansion": 8,
        "max_features": 16,
        "reshape_channel": 4,
        "reshape_depth": 4,
        "num_resblocks": 1,
        "dense_motion_params": {
            "block_expansion": 4,
            "max_features": 16,
            "num_blocks": 2,
            "reshape_depth": 4,
            "compress": 2,
        },
    },
    "mapping_params": {"descriptor_nc": 16, "num_kp": 4},
    "train_params": {"render": RENDER, "mapping": {"perceptual": []}},
}
"""The published structure in the space mesh, narrow; its audio networks have one size."""

COMPACT: dict[str, Any] = {
    "architecture": "compact",
    "image_size": 64,
    "common_params": {"num_kp": 4},
    "mapping_params": {"num_kp": 4},
    "compact_params": {
        "motion_size": 32,
        "detector_widths": [8, 8],
        "motion_widths": [8, 8],
        "motion_features": 8,
        "generator_widths": [8, 8, 8],
        "decoder_width": 8,
        "num_bottleneck_blocks": 1,
    },
    "compact_voice": {"expression_width": 8, "pose_width": 8, "mapping_width": 8},
}


def plugin_of(params: dict[str, Any], stage: str = "", seed: int = 0) -> SadTalker:
    """The plug-in with fresh weights drawn from the seed.

    Where pictures are drawn it lacks the networks that speak: the published ones cannot be made small.
    """
    torch.manual_seed(seed)
    plugin = SadTalker(SadTalkerConfig.model_validate(params))
    plugin.choose_stage(stage)
    if stage in ("render", "mapping"):
        plugin.inference_networks = tuple(set(plugin.inference_networks) - set(plugin.voice_networks))
        for name in plugin.voice_networks:
            del plugin.networks[name]
    return plugin
