"""Arrays drawn from their names, so that nobody has to store or send them.

The generator is PCG64, seeded with the CRC-32 of the tensor's name: the state-dict key for a weight, ``input:`` and
the name for an input. A specification says shape, dtype and distribution; numbers are drawn in float64 and then cast.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from talkingface.errors import DataError

Array: TypeAlias = np.ndarray[Any, Any]
Specification: TypeAlias = Mapping[str, Any]

KEEP = "keep"
"""Distribution of a constant buffer, which is not drawn: every implementation computes it by itself."""

Draw: TypeAlias = Callable[[np.random.Generator, tuple[int, ...], Specification], Any]
DISTRIBUTIONS: dict[str, Draw] = {
    "normal": lambda random, shape, spec: spec.get("mean", 0.0) + spec.get("std", 1.0) * random.standard_normal(shape),
    "uniform": lambda random, shape, spec: random.uniform(spec.get("low", 0.0), spec.get("high", 1.0), shape),
    "integers": lambda random, shape, spec: random.integers(spec["low"], spec["high"], shape),
    "constant": lambda random, shape, spec: np.full(shape, spec["value"]),
    "values": lambda random, shape, spec: np.reshape(spec["values"], shape),
}


def draw(name: str, spec: Specification) -> Array:
    """Array of a name.

    Raises:
        DataError: if the distribution is unknown.
    """
    if spec["dist"] not in DISTRIBUTIONS:
        raise DataError(f"unknown distribution '{spec['dist']}'", where=name)
    random = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    values = DISTRIBUTIONS[spec["dist"]](random, tuple(spec["shape"]), spec)
    return np.ascontiguousarray(values, dtype=spec.get("dtype", "float32")).reshape(spec["shape"])


def draw_state(manifest: Mapping[str, Specification]) -> dict[str, Array]:
    """State dict without its constant buffers."""
    return {name: draw(name, spec) for name, spec in manifest.items() if spec["dist"] != KEEP}


def draw_inputs(manifest: Mapping[str, Specification]) -> dict[str, Array]:
    """Inputs of a case by name."""
    return {name: draw(f"input:{name}", spec) for name, spec in manifest.items()}
