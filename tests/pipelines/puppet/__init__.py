"""A small model of coefficients for the pipeline tests: a real plug-in with real networks, found by its entry point."""

from pathlib import Path

from talkingface.registry import ModelEntry

ENTRY = ModelEntry(
    plugin="pipelines.puppet.plugin:Puppet",
    config="pipelines.puppet.config:PuppetConfig",
    properties=Path(__file__).parent,
    coefficients=True,
    pose_styles=4,
)
