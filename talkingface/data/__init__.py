"""Data of training and evaluation: stores of clips, samples, augmentation, batches."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {"Clip": "store", "ClipStore": "store", "open_store": "stores", "Batches": "loader", "batch_loader": "loader"}
__all__ = ["Batches", "Clip", "ClipStore", "batch_loader", "open_store"]


def __getattr__(name: str) -> Any:
    """Import a part on first use: the settings of this package are also read by code that must not load torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
