"""Evaluation of models: metrics, baselines, report."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {"evaluate": "reconstruct", "Report": "report", "EvaluateSettings": "settings"}
__all__ = ["EvaluateSettings", "Report", "evaluate"]


def __getattr__(name: str) -> Any:
    """Load a part when it is first asked for: the settings of this package are read where there is no torch yet."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
