"""What is drawn for every frame, compiled by torch.compile where a clip is long enough to pay for it."""

from __future__ import annotations

import logging
import os
import shutil
from typing import Any

import torch
from torch import Tensor

WORTH_FRAMES = 100
"""Frames from which compiling pays: it takes about a minute, and with bfloat16 units saves about a second a frame
of 256 (2.0 to 0.9 s on two cores with AMX)."""

logger = logging.getLogger("talkingface")


def decide(wish: str, frames: int, precision: torch.dtype, device: torch.device) -> tuple[bool, str]:
    """(whether to compile, why, as a line for the user, or "" where nothing is worth a word).

    The decision goes by numbers that are known before, not by a stop-watch, so that the same command gives the same
    frames. In float32 compiling was measured to gain a seventh at best, and GPUs draw a clip in the time it takes.

    Args:
        wish: ``"auto"``, ``"on"`` or ``"off"``.
    """
    gains = precision == torch.bfloat16 and device.type == "cpu"
    if wish == "off" or (wish == "auto" and not gains):
        return False, ""
    if wish == "auto" and frames < WORTH_FRAMES:
        return False, f"not compiled: {frames} frames are drawn sooner without (--compile=on compiles)"
    problem = no_compiler(device)
    if problem:
        return False, f"not compiled: {problem}"
    return True, f"the renderer is compiled first, about a minute, for {frames} frames (--compile=off does not)"


def no_compiler(device: torch.device) -> str:
    """Why torch.compile cannot work here, or ""; on a CPU it writes C++."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    if device.type == "cpu" and not any(shutil.which(name) for name in names):
        return f"no C++ compiler ({', '.join(names)}) is there"
    return ""


class CompiledGenerator:
    """A generator whose `decode` is compiled when it is first called; if that fails, it goes on as it is and says so.

    Frames are drawn one at a time: one shape, one compilation, and a CPU gains nothing from drawing several.

    Args:
        generator: a `FastGenerator`.
        backend: of torch.compile.
    """

    def __init__(self, generator: Any, backend: Any = "inductor") -> None:
        self.generator = generator
        self._compiled: Any = torch.compile(generator.decode, dynamic=False, backend=backend)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.generator, name)

    def decode(self, state: Any, kp_source: Tensor, kp_driving: Tensor) -> Tensor:
        """As of the generator."""
        if self._compiled is not None:
            try:
                return torch.cat([self._compiled(state, kp_source, one) for one in kp_driving.split(1)])
            except RuntimeError as error:  # what torch raises where a compiler or a kernel fails
                self._compiled = None
                logger.warning("the renderer cannot be compiled and goes on without: %s", _first_line(error))
        drawn: Tensor = self.generator.decode(state, kp_source, kp_driving)
        return drawn


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
