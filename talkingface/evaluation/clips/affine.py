"""The best affine warp of a picture onto others: the baseline without any model of faces."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_SIDES = (16, 32, 64)
_STEPS = 8
# Weight 1 / |error| is cut here: smaller errors count as this, which keeps the equations well posed.
_SMALLEST_ERROR = 0.02


def best_affine(source: Tensor, frames: Tensor) -> Tensor:
    """Warp the source by the affine map that makes it most like each frame.

    The map minimises the mean absolute difference of the pictures scaled to 16, then 32, then 64 pixels: each step
    solves the least squares of the linearised difference, weighted by the inverse of the present error (which turns
    squares into absolute values), and is taken only where the difference becomes smaller. The first map is the
    identity, and the source as it is stays where no map is better.

    Args:
        source: (1, 3, H, W), [0, 1].
        frames: (N, 3, H, W), [0, 1].

    Returns:
        (N, 3, H, W); outside the source its border goes on.

    Source: Lucas and Kanade 1981 (additive form, affine map), with the damping of Levenberg and Marquardt.
    """
    side = min(source.shape[-2:])
    maps = torch.eye(2, 3).to(frames).expand(len(frames), 2, 3).contiguous()
    for size in (*(s for s in _SIDES if s < side), min(side, _SIDES[-1])):
        maps = _refine(_scaled(source, size), _scaled(frames, size), maps)
    moved = warp(source, maps)
    worse = (moved - frames).abs().mean(dim=(1, 2, 3)) > (source - frames).abs().mean(dim=(1, 2, 3))
    return torch.where(worse[:, None, None, None], source, moved)


def warp(picture: Tensor, maps: Tensor) -> Tensor:
    """A picture under affine maps.

    Args:
        picture: (1, C, H, W).
        maps: (N, 2, 3), take (x, y) of the result to the picture; both in [-1, 1] from border to border
            (``align_corners=False``).

    Returns:
        (N, C, H, W).
    """
    shape = (len(maps), *picture.shape[1:])
    grid = functional.affine_grid(maps, list(shape), align_corners=False)
    return functional.grid_sample(picture.expand(shape), grid, padding_mode="border", align_corners=False)


def _refine(source: Tensor, frames: Tensor, maps: Tensor) -> Tensor:
    """Better maps at one size."""
    layers = torch.cat([source, *_gradients(source)], dim=1)
    ones = torch.ones(1, 1, *source.shape[-2:]).to(source)
    axes = functional.affine_grid(torch.eye(2, 3)[None].to(source), [1, 1, *source.shape[-2:]], align_corners=False)
    terms = torch.cat([axes.permute(0, 3, 1, 2), ones], dim=1)
    damping = torch.full((len(maps),), 1e-3).to(source)
    error, sampled = _error(layers, frames, maps)
    for _ in range(_STEPS):
        step = _solve(sampled, frames, terms, damping)
        trial = maps + step
        trial_error, trial_sampled = _error(layers, frames, trial)
        better = trial_error < error
        maps = torch.where(better[:, None, None], trial, maps)
        sampled = torch.where(better[:, None, None, None], trial_sampled, sampled)
        error = torch.where(better, trial_error, error)
        damping = torch.where(better, damping * 0.3, damping * 10)
    return maps


def _error(layers: Tensor, frames: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Mean absolute difference (N,), and the warped source with its gradients (N, 9, H, W)."""
    sampled = warp(layers, maps)
    return (sampled[:, :3] - frames).abs().mean(dim=(1, 2, 3)), sampled


def _solve(sampled: Tensor, frames: Tensor, terms: Tensor, damping: Tensor) -> Tensor:
    """Step of the maps (N, 2, 3) that the linearised, weighted difference asks for."""
    picture, gradient_x, gradient_y = sampled.split(3, dim=1)
    residual = (frames - picture).flatten(2)
    weight = residual.abs().clamp_min(_SMALLEST_ERROR).reciprocal()
    flat = terms.flatten(2)[:, None]
    slopes = torch.cat(
        [gradient_x.flatten(2)[:, :, None] * flat, gradient_y.flatten(2)[:, :, None] * flat], dim=2
    )  # (N, 3, 6, H * W)
    weighted = (slopes * weight[:, :, None]).transpose(1, 2).flatten(2)
    columns = slopes.transpose(1, 2).flatten(2)
    normal = weighted @ columns.transpose(1, 2)
    right = weighted @ residual.flatten(1)[:, :, None]
    diagonal = torch.diag_embed(torch.diagonal(normal, dim1=1, dim2=2) * damping[:, None] + 1e-6)
    return torch.linalg.solve(normal + diagonal, right).reshape(-1, 2, 3)


def _gradients(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes along x and y, in change per unit of [-1, 1] coordinates; (1, 3, H, W) each."""
    height, width = picture.shape[-2:]
    slope_y, slope_x = torch.gradient(picture, dim=(-2, -1))
    return slope_x * (width / 2), slope_y * (height / 2)


def _scaled(pictures: Tensor, side: int) -> Tensor:
    if min(pictures.shape[-2:]) == side:
        return pictures
    return functional.interpolate(pictures, size=(side, side), mode="bilinear", antialias=True)
