"""Perceptual loss on features of VGG19 at several scales (Johnson et al. 2016), with an optional style term.

The form is PIRenderer's and StyleHEAT's: means of absolute differences, all layers with weight 1, pictures halved
after their normalisation, and Gram matrices of the full scale only.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .geometry import resize_map
from .vgg import VGG19

SCALES = 4
STYLE_WEIGHT = 250.0  # what StyleHEAT gives the style term where it uses it


def perceptual_loss(
    vgg: VGG19, made: Tensor, real: Tensor, *, style: float = 0.0, mask: Tensor | None = None, scales: int = SCALES
) -> Tensor:
    """How much two pictures differ to VGG19.

    Args:
        made, real: (N, 3, H, W) in [-1, 1]; the real ones get no gradient. The sides must allow `scales` - 1 halvings
            and the four of the network, so be 128 at least with four scales.
        style: weight of the difference of Gram matrices.
        mask: (N, 1, H, W), multiplies the features of both.

    Returns:
        A scalar.
    """
    made, real = vgg.normalize((made + 1) / 2), vgg.normalize((real.detach() + 1) / 2)
    total = made.new_zeros(())
    for scale in range(scales):
        if scale:
            made, real = (
                F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False) for x in (made, real)
            )
        with torch.no_grad():
            wanted = [_masked(features, mask) for features in vgg.features_of(real)]
        got = [_masked(features, mask) for features in vgg.features_of(made)]
        pairs = list(zip(got, wanted, strict=True))
        total = total + sum(F.l1_loss(a, b) for a, b in pairs)
        if style and scale == 0:
            total = total + style * sum(F.l1_loss(gram(a), gram(b)) for a, b in pairs)
    return total


def gram(features: Tensor) -> Tensor:
    """Products of all pairs of channels: (N, C, H, W) -> (N, C, C), divided by C H W."""
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def _masked(features: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return features
    return features * resize_map(mask, (features.shape[-2], features.shape[-1]))
