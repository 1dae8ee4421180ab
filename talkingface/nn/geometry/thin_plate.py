"""Random thin-plate transforms for equivariance losses (Siarohin et al., NeurIPS 2019, section 3.1 and appendix)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..precision import float32_region
from .grids import coordinate_grid, warp

TINY = 1e-6  # inside the logarithm, where a point meets a control point


class ThinPlateTransform:
    """A smooth warp of the plane, one per item: an affine map plus a spline that shifts x and y alike.

    The spline's distances are city-block distances, as in the released code.

    Args:
        theta: (N, 2, 3), the affine map of (x, y, 1).
        control_params: (N, 1, P * P), spline weights of the control points, which lie on a regular grid over [-1, 1],
            row by row; None: no spline.
    """

    def __init__(self, theta: Tensor, control_params: Tensor | None = None) -> None:
        self.theta = theta
        self.control_params = control_params
        if control_params is not None:
            side = round(control_params.shape[-1] ** 0.5)
            self.control_points = coordinate_grid(side, side, like=theta).flatten(0, 1)

    @classmethod
    def random(
        cls, count: int, like: Tensor, *, sigma_affine: float, sigma_tps: float | None, points: int
    ) -> ThinPlateTransform:
        """Draw transforms around the identity.

        Args:
            count: their number, N.
            like: gives dtype and device.
            sigma_affine: standard deviation of the affine part.
            sigma_tps: standard deviation of the spline part; None: no spline.
            points: control points to a side.
        """
        identity = torch.eye(2, 3, dtype=like.dtype, device=like.device)
        theta = identity + sigma_affine * torch.randn(count, 2, 3, dtype=like.dtype, device=like.device)
        if sigma_tps is None:
            return cls(theta)
        shape = (count, 1, points**2)
        return cls(theta, sigma_tps * torch.randn(shape, dtype=like.dtype, device=like.device))

    def warp_points(self, points: Tensor) -> Tensor:
        """Points (N, M, 2) to which points (N, M, 2) are moved, (x, y) in [-1, 1]."""
        with float32_region(points):
            out = points @ self.theta[:, :, :2].transpose(1, 2) + self.theta[:, None, :, 2]
        if self.control_params is None:
            return out
        distance = self._offsets(points).abs().sum(dim=-1)
        bending = distance.square() * torch.log(distance + TINY)
        return out + (bending * self.control_params).sum(dim=-1, keepdim=True)

    def jacobian(self, points: Tensor) -> Tensor:
        """Derivative of `warp_points` by the points, (N, M, 2, 2), row = output axis; in closed form."""
        linear = self.theta[:, None, :, :2]
        if self.control_params is None:
            return linear.expand(-1, points.shape[1], -1, -1)
        offsets = self._offsets(points)
        distance = offsets.abs().sum(dim=-1)
        slope = 2 * distance * torch.log(distance + TINY) + distance.square() / (distance + TINY)
        gradient = ((slope * self.control_params)[..., None] * offsets.sign()).sum(dim=2)
        return linear + gradient[:, :, None]

    def warp_frames(self, frames: Tensor, *, align_corners: bool) -> Tensor:
        """Pictures (N, C, H, W) sampled where the transform sends their pixels, mirrored at the border."""
        count, _, height, width = frames.shape
        grid = coordinate_grid(height, width, like=frames).view(1, -1, 2).expand(count, -1, -1)
        field = self.warp_points(grid).view(count, height, width, 2)
        return warp(frames, field, align_corners=align_corners, padding_mode="reflection")

    def _offsets(self, points: Tensor) -> Tensor:
        """From each control point to each point, (N, M, P * P, 2)."""
        return points[:, :, None] - self.control_points
