"""Keypoints with the local affine motion at each (Siarohin et al. 2019, section 3.1), as networks hand them on."""

from __future__ import annotations

from typing import TypeAlias

from torch import Tensor

Keypoints: TypeAlias = dict[str, Tensor]
"""``value`` (N, K, 2), (x, y) in [-1, 1]; ``jacobian`` (N, K, 2, 2), row = output axis, absent in shift-only models."""


def slice_keypoints(keypoints: Keypoints, frames: slice) -> Keypoints:
    """The keypoints of some frames."""
    return {name: values[frames] for name, values in keypoints.items()}


def detach_keypoints(keypoints: Keypoints) -> Keypoints:
    """The same numbers without gradients."""
    return {name: values.detach() for name, values in keypoints.items()}


def expand_keypoints(keypoints: Keypoints, count: int) -> Keypoints:
    """The same keypoints for `count` frames; no memory is copied."""
    return {name: values.expand(count, *values.shape[1:]) for name, values in keypoints.items()}
