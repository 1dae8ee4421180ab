"""Float32 inside mixed precision, for numbers that need its digits."""

from __future__ import annotations

import torch
from torch import Tensor


def float32_region(like: Tensor) -> torch.autocast:
    """Switch mixed precision off for a block of code on the device of `like` (...).

    For coordinates: bfloat16 holds a point of [-1, 1] to one part in 256 only, which is half a pixel at 128 pixels.
    """
    return torch.autocast(like.device.type, enabled=False)


def at_least_float32(x: Tensor) -> Tensor:
    """A half-precision tensor (...) as float32; any other as it is."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
