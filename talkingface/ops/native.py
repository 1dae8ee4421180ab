"""Loading and calling of the native libraries, and the choice between them and the reference."""

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


class OpsMode(Enum):
    """Values of ``TALKINGFACE_OPS``."""

    AUTO = "auto"
    OFF = "off"
    REQUIRE = "require"


class _Sizes(ctypes.Structure):
    """Sizes of a resampling, with the same layout as Sizes in csrc/polyphase.h."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in (
            *("planes", "in_height", "in_width", "out_height", "out_width"),
            *("up", "down", "pad_top", "pad_left", "taps_height", "taps_width", "rank"),
        )
    ]


class Library:
    """A loaded library for ``cpu`` or ``cuda``."""

    def __init__(self, path: Path, kind: str) -> None:
        """Load the library.

        Raises:
            DependencyError: if it cannot be loaded.
        """
        try:
            self._loaded = ctypes.CDLL(str(path))
        except OSError as error:
            cure = f"Delete {path.parent} to build it again."
            raise DependencyError(f"cannot be loaded: {error}", where=path, cure=cure) from error
        self._kind = kind

    def upfirdn2d(self, x: Tensor, taps: Taps, resampling: Resampling) -> Tensor:
        """Resample (N, C, H, W) of a dtype in `DTYPES` to (N, C, H', W')."""
        x = x.contiguous()
        n, c, h, w = x.shape
        out = x.new_empty((n, c, *resampling.output_size(h, w, taps)))
        columns, rows = taps.factors
        factors = resampling.up, resampling.down, resampling.top, resampling.left
        sizes = _Sizes(n * c, h, w, *out.shape[2:], *factors, *taps.values.shape, len(columns))
        filters = [columns, rows] if self._kind == "cpu" else [np.ascontiguousarray(np.flip(taps.values))]
        self._call("upfirdn2d", x, _address(x), _address(out), ctypes.byref(sizes), *map(_numbers, filters))
        return out

    def gated(self, x: Tensor, bias: Tensor | None, gate: Tensor | None, above: float, below: float) -> Tensor:
        """Compute `reference.gated` of (N, C, ...) without derivatives; a dtype in `DTYPES`."""
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
class OpsState:
    """State of the operations for one kind of device, for messages.

    Attributes:
        kind: ``cpu`` or ``cuda``.
        text: the implementation that would be used.
        cure: advice; empty if nothing is wrong.
    """

    kind: str
    text: str
    cure: str = ""


_loaded: dict[str, Library | DependencyError] = {}
_loading = threading.Lock()


def mode() -> OpsMode:
    """Mode that ``TALKINGFACE_OPS`` selects.

    Raises:
        ConfigError: if it is not in `OpsMode`.
    """
    word = os.environ.get(VARIABLE, OpsMode.AUTO.value)
    try:
        return OpsMode(word)
    except ValueError:
        raise ConfigError(f"'{word}' is not known", where=VARIABLE, cure="Use auto, off or require.") from None


def library_for(x: Tensor, problem: str | None = None) -> Library | None:
    """Return the library for a tensor (...), built and loaded if necessary; None: use the reference.

    Args:
        x: input of the operation.
        problem: reason why the operation cannot be native, if the caller knows one.

    Raises:
        DependencyError: if there is no library, but the user requires it.
    """
    wanted = mode()
    if wanted is OpsMode.OFF:
        return None
    kind = x.device.type
    if x.dtype not in DTYPES.get(kind, ()):
        problem = f"{x.dtype} on {kind}"
    if problem is not None:
        if wanted is OpsMode.REQUIRE:
            raise DependencyError(f"there is no native operation for {problem}", where=f"{VARIABLE}=require")
        return None
    library = _load(kind, again=wanted is OpsMode.REQUIRE)
    if isinstance(library, Library):
        return library
    if wanted is OpsMode.REQUIRE:
        raise DependencyError(library.what, where=f"{VARIABLE}=require", cure=library.cure)
    return None


def states() -> list[OpsState]:
    """States for the CPU and, if there is one, for the GPU; nothing is built."""
    kinds = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    return [_state(kind) for kind in kinds]


def _state(kind: str) -> OpsState:
    try:
        if mode() is OpsMode.OFF:
            return OpsState(kind, f"{VARIABLE}=off: plain PyTorch")
        library_recipe = recipe(kind)
        path = folder_of(library_recipe) / LIBRARY
        if path.is_file():
            return OpsState(kind, f"native, built: {path}")
        reason = known_failure(library_recipe)
        if reason is not None:
            cure = f"Mend it and delete {path.parent}."
            return OpsState(kind, f"plain PyTorch; building failed: {reason}", cure)
        compiler, _ = library_recipe.compiler(), ninja()
        return OpsState(kind, f"native, to be built with {compiler} on first use")
    except ConfigError as error:
        return OpsState(kind, f"{error.where}: {error.what}", error.cure or "")
    except DependencyError as error:
        return OpsState(kind, f"plain PyTorch: {error.what}", error.cure or "")


def _load(kind: str, *, again: bool) -> Library | DependencyError:
    with _loading:
        loaded = _loaded.get(kind)
        if loaded is None or (again and isinstance(loaded, DependencyError)):
            try:
                loaded = Library(build(recipe(kind), again=again), kind)
            except DependencyError as error:
                loaded = error
                if not again:  # with "require" the error itself is raised
                    log.info("operations for %s in plain PyTorch: %s", kind, error)
            _loaded[kind] = loaded
        return loaded


def _address(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())


def _numbers(array: Floats) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))
