"""Builders of each registered model, small enough for the contract. A new model adds its entries here."""

from __future__ import annotations

from typing import Any

from talkingface.testing import SmallModel

STYLEHEAT: dict[str, Any] = {
    "space": "mesh",
    "framing": "face",
    "generator": {"size": 64, "code_length": 8, "mapping_layers": 1, "width": 0.01, "max_channels": 12, "splice": 16},
    "encoder": {"stages": ((4, 1), (8, 1), (12, 1), (16, 1)), "codes": 10, "features": 8, "size": 64, "head_width": 6},
    "residual": {"aligner": (4, 6, 8, 10), "encoder": (4, 6, 8), "channels": 10, "size": 16},
    "warper": {"features": 16, "width": 4, "max_width": 16},
    "calibrator": {"size": 16, "channels": 10, "width": 8, "features": 16},
    "discriminator": {"size": 32, "width": 0.01, "max_channels": 8, "splice": 8},
}

SMALL = [
    SmallModel(
        "FOM",
        "published",
        {
            "image_size": 64,
            "common_params": {"num_kp": 4},
            "kp_detector_params": {"block_expansion": 8, "max_features": 32, "num_blocks": 3},
            "generator_params": {
                "block_expansion": 8,
                "max_features": 32,
                "num_bottleneck_blocks": 1,
                "dense_motion_params": {"block_expansion": 8, "max_features": 32, "num_blocks": 3},
            },
            "discriminator_params": {"block_expansion": 8, "max_features": 32, "num_blocks": 2, "use_kp": True},
        },
        train={"loss_weights": {"perceptual": [], "reconstruction": 10}},
        may_default=frozenset({"compact_params", "train_params", "separable", "pruned"}),
    ),
    SmallModel(
        "FOM",
        "compact",
        {
            "architecture": "compact",
            "image_size": 64,
            "common_params": {"num_kp": 4},
            "compact_params": {
                "motion_size": 32,
                "detector_widths": [8, 8],
                "motion_widths": [8, 8],
                "motion_features": 8,
                "generator_widths": [8, 8, 8],
                "decoder_width": 8,
                "num_bottleneck_blocks": 1,
            },
        },
        train={
            "loss_weights": {
                "generator_gan": 0,
                "perceptual": [],
                "feature_matching": [],
                "reconstruction": 10,
                "deformed": 5,
                "separation": 1,
            }
        },
        may_default=frozenset(
            {
                *("kp_detector_params", "generator_params", "discriminator_params", "train_params"),
                *("separable", "pruned"),
            }
        ),
    ),
    *(
        SmallModel(
            "SadTalker",
            f"published-{columns}",
            {
                "image_size": 64,
                "common_params": {"num_kp": 4, "feature_channel": 4},
                "kp_detector_params": {
                    "block_expansion": 4,
                    "max_features": 16,
                    "num_blocks": 2,
                    "reshape_channel": 64,
                    "reshape_depth": 4,
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
                "mapping_params": {"coeff_nc": columns, "descriptor_nc": 16, "num_kp": 4},
                "train_params": {
                    "render": {
                        "perceptual": [],
                        "discriminator_params": {"block_expansion": 4, "max_features": 16, "num_blocks": 2},
                        "head_estimator_params": {"block_expansion": 4, "depths": [1, 1, 1, 1]},
                    },
                    "mapping": {"perceptual": []},
                },
            },
            train={"stage": stage},
            may_default=frozenset({"compact_params", "compact_voice", "train_params", "trained_in"}),
        )
        for columns, stage in ((70, "render"), (73, "mapping"))
    ),
    SmallModel(
        "SadTalker",
        "compact",
        {
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
        },
        train={"stage": "expression"},
        may_default=frozenset({"kp_detector_params", "generator_params", "train_params", "trained_in"}),
    ),
    SmallModel(
        "StyleHeat",
        "published",
        STYLEHEAT | {"train_params": {"inversion": {"loss_weights": {"adversarial": 0.1}}}},
        train={"stage": "inversion"},
    ),
    SmallModel(
        "StyleHeat",
        "tuned",
        STYLEHEAT
        | {
            "calibrator": {**STYLEHEAT["calibrator"], "heads": "last"},
            "train_params": {"inversion": {"tune": ["stylegan"]}},
        },
        train={"stage": "inversion"},
    ),
    SmallModel("Drift", "example", {"width": 8}),
]
