"""Drift, a model for talkingface. This module must stay quick to import: it only says where the model lives."""

from pathlib import Path

from talkingface.registry import ModelEntry

ENTRY = ModelEntry(
    plugin="talkingface_drift.plugin:Drift",
    config="talkingface_drift.config:DriftConfig",
    properties=Path(__file__).parent / "properties",
    options="talkingface_drift.config:DriftOptions",
    coefficients=False,
    pose_styles=0,
)
