"""Animate a face in a picture from a driving video. Importing this package loads no torch.

    import talkingface
    result = talkingface.animate(model="FOM", source="portrait.png", driving="talk.mp4", output="result.mp4")

As a library it prints nothing: it logs to the logger ``talkingface``, and a result carries its own warnings.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import animate as animate
    from .pipelines.animate import Result as Result

__version__ = "0.1.0"

_HOMES = {
    "animate": "talkingface.api",
    "Result": "talkingface.pipelines.animate",
    "Settings": "talkingface.config",
    "TalkingFaceError": "talkingface.errors",
    "Motion": "talkingface.types",
    "Source": "talkingface.types",
}
"""Public name -> the module that has it, loaded when the name is first used."""

__all__ = ["Motion", "Result", "Settings", "Source", "TalkingFaceError", "__version__", "animate"]

logging.getLogger("talkingface").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'talkingface' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
