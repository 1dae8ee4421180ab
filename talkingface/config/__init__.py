"""Settings: one typed schema, filled from layers of YAML files and flags, where each value knows its origin."""

from .layers import load_settings, read_settings, settings_from
from .model import model_config, variant_params
from .report import describe, save_settings
from .schema import Settings

__all__ = [
    "Settings",
    "describe",
    "load_settings",
    "model_config",
    "read_settings",
    "save_settings",
    "settings_from",
    "variant_params",
]
