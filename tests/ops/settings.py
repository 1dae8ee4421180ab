"""Settings of resampling that the tests share: those of StyleGAN2, and odd ones."""

from __future__ import annotations

import random

import torch
from torch import Tensor

from talkingface.errors import ShapeError
from talkingface.ops.resampling import Resampling, taps_of

BLUR = torch.outer(torch.tensor([1.0, 3.0, 3.0, 1.0]), torch.tensor([1.0, 3.0, 3.0, 1.0])) / 64
USUAL = {
    "blur": (1, 1, (1, 1)),
    "blur_wide": (1, 1, (2, 2)),
    "double": (2, 1, (2, 1)),
    "halve": (1, 2, (1, 1)),
}


def odd_settings(count: int, dtype: torch.dtype) -> list[tuple[Tensor, Tensor, Resampling]]:
    """Pictures, filters (every second one separable) and settings that fit to each other, drawn from a seed."""
    draw, found = random.Random(7), []
    torch.manual_seed(7)
    while len(found) < count:
        how = Resampling(draw.choice([1, 1, 2, 3]), draw.choice([1, 1, 2, 3]), *(draw.randint(-2, 6) for _ in range(4)))
        kernel = torch.randn(draw.randint(1, 6), draw.randint(1, 6), dtype=dtype)
        if len(found) % 2:
            kernel = torch.outer(kernel[:, 0], kernel[0])
        x = torch.randn(2, 3, draw.randint(3, 12), draw.randint(3, 12), dtype=dtype)
        try:
            how.output_size(x.shape[2], x.shape[3], taps_of(kernel))
        except ShapeError:
            continue
        found.append((x, kernel, how))
    return found
