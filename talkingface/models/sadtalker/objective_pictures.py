"""What the two stages share that look at pictures: their items, and how drawn pictures are compared with real ones."""

from __future__ import annotations

import torch
from torch import Tensor

from ...motion.windows import RADIUS
from ...nn.antialias import ImagePyramid
from ...nn.losses.gan import feature_distance
from ...nn.losses.perceptual import VGG19
from ..base import Batch, Losses
from ..samples import Rows
from .mapping import WINDOW
from .render_losses import pyramid_error
from .train_config import Pictures


def samples(space: str) -> dict[str, object]:
    """Two frames of a clip, with the coefficients around the driving one and those of the source alone."""
    window = tuple(range(-RADIUS, RADIUS + 1))
    return {
        "source": "random",
        "driving": "random",
        "source_rows": Rows("source", space=space),
        "driving_rows": Rows("driving", window, space=space),
    }


def still_window(rows: Tensor) -> Tensor:
    """(N, C, 27): the window of a face that does not move, from its own row (N, 1, C)."""
    return rows.transpose(1, 2).expand(-1, -1, WINDOW)


def moving_window(rows: Tensor) -> Tensor:
    """(N, C, 27): windows as the mapping network takes them, from rows (N, 27, C)."""
    return rows.transpose(1, 2)


def middle(rows: Tensor) -> Tensor:
    """(N, C): the row that a window is around."""
    return rows[:, rows.shape[1] // 2]


class PictureLosses:
    """Perceptual loss on VGG19's features at several scales, as face-vid2vid has it, and a plain absolute error.

    Args:
        train: weights and scales.
        vgg: None where its weights are zero.
    """

    def __init__(self, train: Pictures, vgg: VGG19 | None) -> None:
        self._train, self._vgg = train, vgg
        self._pyramid = ImagePyramid(train.scales)

    def __call__(self, made: Tensor, real: Tensor) -> Losses:
        """Weighted losses of pictures (N, 3, H, W) in [0, 1]."""
        terms: Losses = {}
        if self._vgg is not None and any(self._train.perceptual):
            terms["perceptual"] = self._perceptual(self._vgg.to(made.device), made, real)
        if self._train.reconstruction:
            terms["reconstruction"] = self._train.reconstruction * pyramid_error(made, real)
        return terms

    def _perceptual(self, vgg: VGG19, made: Tensor, real: Tensor) -> Tensor:
        pyramid = self._pyramid.to(made.device)
        pairs = zip(pyramid(real).values(), pyramid(made).values(), strict=True)
        distances = [feature_distance(vgg(wanted), vgg(got), self._train.perceptual) for wanted, got in pairs]
        return torch.stack([torch.as_tensor(distance) for distance in distances]).sum()


def shown(batch: Batch, result: Tensor) -> dict[str, Tensor]:
    """Source, target (the driving frame) and result, side by side."""
    return {"source": batch["source"], "driving": batch["driving"], "result": result}
