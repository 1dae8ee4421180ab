"""The native libraries as Python sees them, and the choice between them and the reference."""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ConfigError, DependencyError
from .build import build, folder_of, known_failure
from .resampling import Floats, Resampling, Taps
from .toolchain import LIBRARY, ninja, recipe

log = logging.getLogger(__name__)

VARIABLE = "TALKINGFACE_OPS"
DTYPES: Mapping[str, tuple[torch.dtype, ...]] = {
    "cpu": (torch.float32, torch.float64),
    "cuda": (torch.float32, torch.float64, torch.float16, torch.bfloat16),
}
MOST_TAPS_CUDA = 64


class Mode(Enum):
    """What ``TALKINGFACE_OPS`` asks for."""

    AUTO = "auto"
    OFF = "off"
    REQUIRE = "require"


class _Sizes(ctypes.Structure):
    """Same layout as Sizes in csrc/polyphase.h."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in (
            *("planes", "in_height", "in_width", "out_height", "out_width"),
            *("up", "down", "pad_top", "pad_left", "taps_height", "taps_width", "rank"),
        )
    ]


class Library:
    """A library that was built, for ``cpu`` or ``cuda``."""

    def __init__(self, path: Path, kind: str) -> None:
        """Load it.

        Raises:
            DependencyError: if it cannot be loaded.
        """
        try:
            self._loaded = ctypes.CDLL(str(path))
        except OSError as error:
            cure = f"Delete {path.parent} to build it again."
            raise DependencyError(f"cannot be loaded: {error}", where=path, cure=cure) from error
        self._kind = kind

    def upfirdn2d(self, x: Tensor, taps: Taps, how: Resampling) -> Tensor:
        """(N, C, H, W) resampled; a dtype of `DTYPES`."""
        x = x.contiguous()
        n, c, h, w = x.shape
        out = x.new_empty((n, c, *how.output_size(h, w, taps)))
        columns, rows = taps.factors
        sizes = _Sizes(
            *(n * c, h, w, *out.shape[2:], how.up, how.down, how.top, how.left, *taps.values.shape, len(columns))
        )
        filters = [columns, rows] if self._kind == "cpu" else [np.ascontiguousarray(np.flip(taps.values))]
        self._call("upfirdn2d", x, _address(x), _address(out), ctypes.byref(sizes), *map(_numbers, filters))
        return out

    def gated(self, x: Tensor, bias: Tensor | None, gate: Tensor | None, above: float, below: float) -> Tensor:
        """As `reference.gated`, without derivatives; a dtype of `DTYPES`."""
        x = x.contiguous()
        bias = None if bias is None else bias.to(x.dtype).contiguous()
        gate = None if gate is None else gate.contiguous()
        out = torch.empty_like(x)
        shape = x.shape[0], x.shape[1], x[0, 0].numel() if x.numel() else 0
        pointers = (_address(x), _address(bias), _address(gate), _address(out))
        lengths, slopes = map(ctypes.c_int64, shape), map(ctypes.c_double, (above, below))
        self._call("gated", x, *pointers, *lengths, *slopes)
        return out

    def _call(self, name: str, x: Tensor, *arguments: Any) -> None:
        function = getattr(self._loaded, f"talkingface_{name}_{str(x.dtype).removeprefix('torch.')}")
        if self._kind == "cpu":
            function(*arguments)
            return
        with torch.cuda.device(x.device):
            stream = ctypes.c_void_p(torch.cuda.current_stream(x.device).cuda_stream)
            status = function(*arguments, ctypes.c_int(torch.cuda.current_device()), stream)
        if status:
            raise RuntimeError(f"CUDA error {status} in {name}")


@dataclass(frozen=True)
class State:
    """What there is of one kind of device, for people.

    Attributes:
        kind: ``cpu`` or ``cuda``.
        text: what would be used.
        cure: what to do about it; empty where nothing is wrong.
    """

    kind: str
    text: str
    cure: str = ""


_loaded: dict[str, Library | DependencyError] = {}
_loading = threading.Lock()


def mode() -> Mode:
    """What the user asks for.

    Raises:
        ConfigError: if it is no word of `Mode`.
    """
    word = os.environ.get(VARIABLE, Mode.AUTO.value)
    try:
        return Mode(word)
    except ValueError:
        raise ConfigError(f"'{word}' is not known", where=VARIABLE, cure="Use auto, off or require.") from None


def library_for(x: Tensor, problem: str | None = None) -> Library | None:
    """The library to compute with, built and loaded now if it is not yet; None: the reference is to be used.

    Args:
        problem: why the operation cannot be native, where the caller knows one.

    Raises:
        DependencyError: if there is none, but the user requires it.
    """
    wanted = mode()
    if wanted is Mode.OFF:
        return None
    kind = x.device.type
    if x.dtype not in DTYPES.get(kind, ()):
        problem = f"{x.dtype} on {kind}"
    if problem is not None:
        if wanted is Mode.REQUIRE:
            raise DependencyError(f"there is no native operation for {problem}", where=f"{VARIABLE}=require")
        return None
    found = _load(kind, again=wanted is Mode.REQUIRE)
    if isinstance(found, Library):
        return found
    if wanted is Mode.REQUIRE:
        raise DependencyError(found.what, where=f"{VARIABLE}=require", cure=found.cure)
    return None


def states() -> list[State]:
    """What there is for the processor and, where there is one, for the GPU; builds nothing."""
    kinds = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    return [_state(kind) for kind in kinds]


def _state(kind: str) -> State:
    try:
        if mode() is Mode.OFF:
            return State(kind, f"{VARIABLE}=off: plain PyTorch")
        how = recipe(kind)
        path = folder_of(how) / LIBRARY
        if path.is_file():
            return State(kind, f"native, built: {path}")
        reason = known_failure(how)
        if reason is not None:
            cure = f"Mend it and delete {path.parent}."
            return State(kind, f"plain PyTorch; building failed: {reason}", cure)
        compiler, _ = how.compiler(), ninja()
        return State(kind, f"native, to be built with {compiler} on first use")
    except ConfigError as error:
        return State(kind, f"{error.where}: {error.what}", error.cure or "")
    except DependencyError as error:
        return State(kind, f"plain PyTorch: {error.what}", error.cure or "")


def _load(kind: str, *, again: bool) -> Library | DependencyError:
    with _loading:
        found = _loaded.get(kind)
        if found is None or (again and isinstance(found, DependencyError)):
            try:
                found = Library(build(recipe(kind), again=again), kind)
            except DependencyError as error:
                found = error
                if not again:  # who requires them gets the error itself
                    log.info("operations for %s in plain PyTorch: %s", kind, error)
            _loaded[kind] = found
        return found


def _address(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def _numbers(array: Floats) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
