"""Motion in 3-D (Wang et al. 2021, sections 3.1 and 3.2): canonical keypoints, their transform, and dense motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....errors import ShapeError
from ....nn.antialias import AntiAliasDownsample
from ....nn.blocks.conv import BatchNorm3d, DownBlock, UpBlock
from ....nn.blocks.hourglass import Hourglass, level_widths
from ....nn.geometry.grids import mean_points
from ....nn.geometry.volumes import coordinate_grid_3d, gaussian_heatmaps_3d, warp_3d
from ....nn.precision import at_least_float32, float32_region
from ..config import CommonParams, DenseMotionParams, KPDetectorParams
from .mapping import HeadMotion


class KPHourglass(nn.Module):
    """(N, in, H, W) -> (N, block_expansion, D, H, W): down as pictures, up as a volume of D slices; no skips."""

    def __init__(self, in_channels: int, params: KPDetectorParams) -> None:
        super().__init__()
        widths = level_widths(params.block_expansion, params.max_features, params.num_blocks + 1)
        if params.reshape_channel != params.reshape_depth * widths[-1]:
            raise ShapeError(
                f"{params.reshape_channel} channels are not {params.reshape_depth} slices of {widths[-1]}",
                where="kp_detector_params.reshape_channel",
                cure=f"Set it to {params.reshape_depth * widths[-1]}.",
            )
        self.down_blocks, self.up_blocks = nn.Sequential(), nn.Sequential()
        for index, (a, b) in enumerate(pairwise([in_channels, *widths[1:]])):
            self.down_blocks.add_module(f"down{index}", DownBlock(a, b))
        for index, (a, b) in enumerate(pairwise(widths[::-1])):
            self.up_blocks.add_module(f"up{index}", UpBlock(a, b, dims=3))
        self.conv = nn.Conv2d(widths[-1], params.reshape_channel, 1)
        self.depth, self.multiple = params.reshape_depth, 2**params.num_blocks

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ShapeError(
                f"the keypoint detector cannot halve its {height} x {width} input often enough",
                cure=f"Both sides of its input must be multiples of {self.multiple}.",
            )
        out: Tensor = self.up_blocks(self.conv(self.down_blocks(x)).unflatten(1, (-1, self.depth)))
        return out


class KPDetector(nn.Module):
    """Canonical keypoints, each the mean of the coordinate grid under its softmax heatmap over a volume."""

    def __init__(self, params: KPDetectorParams, common: CommonParams) -> None:
        super().__init__()
        self.predictor = KPHourglass(common.image_channel, params)
        self.kp = nn.Conv3d(params.block_expansion, common.num_kp, 3, padding=1)
        self.down = AntiAliasDownsample(common.image_channel, params.scale_factor)
        self.temperature = params.temperature

    def heatmap_logits(self, image: Tensor) -> Tensor:
        """Heatmaps (N, K, D, h, w) of (N, 3, H, W) pictures in [0, 1], before their softmax."""
        out: Tensor = self.kp(self.predictor(self.down(image)))
        return out

    def locate(self, logits: Tensor) -> Tensor:
        """Keypoints (N, K, 3) of heatmaps; see forward."""
        with float32_region(logits):
            logits = at_least_float32(logits)
            heatmap = (logits.flatten(2) / self.temperature).softmax(dim=2)
            return mean_points(heatmap.view(logits.shape))

    def forward(self, image: Tensor) -> Tensor:
        """Canonical keypoints (N, K, 3), (x, y, z) in [-1, 1], of (N, 3, H, W) pictures in [0, 1]."""
        return self.locate(self.heatmap_logits(image))


DEGREES_PER_BIN, FIRST_DEGREE = 3, -99
PI = 3.14  # as the released weights were trained
Angles = Mapping[str, Tensor]
"""``yaw``, ``pitch`` or ``roll`` -> (N,), degrees; NaN where none is set."""


def degrees(logits: Tensor) -> Tensor:
    """Expected angle (N,) in degrees of logits (N, bins)."""
    shares = logits.softmax(dim=1)
    bins = torch.arange(logits.shape[1], dtype=logits.dtype, device=logits.device)
    return (shares * bins).sum(dim=1) * DEGREES_PER_BIN + FIRST_DEGREE


def rotation(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """Rotation matrices (N, 3, 3) = Rx(pitch) Ry(yaw) Rz(roll) of angles (N,) in degrees, with pi as 3.14."""
    from kornia.geometry.conversions import quaternion_from_euler, quaternion_to_rotation_matrix

    # Kornia turns about x first; the inverse of the opposite turns is about z first.
    angles = (angle / -180 * PI for angle in (pitch, yaw, roll))
    return quaternion_to_rotation_matrix(torch.stack(quaternion_from_euler(*angles), -1)).mT


def head_rotation(motion: HeadMotion, angles: Angles | None = None) -> Tensor:
    """Rotation matrices (N, 3, 3) of a motion; `angles` (N,) replace its own where they are not NaN."""
    predicted = {name: degrees(getattr(motion, name)) for name in ("yaw", "pitch", "roll")}
    for name, angle in (angles or {}).items():
        wanted = angle.to(predicted[name])
        predicted[name] = torch.where(wanted.isnan(), predicted[name], wanted)
    return rotation(**predicted)


def transform_keypoints(
    canonical: Tensor, motion: HeadMotion, angles: Angles | None = None, *, expression: bool = True
) -> Tensor:
    """Keypoints of frames.

    Args:
        canonical: (N or 1, K, 3), (x, y, z) in [-1, 1].
        motion: of N frames. Of the shift only y counts, as published.
        angles: that the user set in place of the motion's.
        expression: off: the rigid motion alone.

    Returns:
        (N, K, 3).
    """
    with float32_region(canonical):
        motion = HeadMotion(*(at_least_float32(values) for values in motion))
        moved = at_least_float32(canonical) @ head_rotation(motion, angles).transpose(1, 2)
        moved = moved + motion.t[:, None] * motion.t.new_tensor([0.0, 1.0, 0.0])
        return moved + motion.exp.unflatten(1, (-1, 3)) if expression else moved


KP_VARIANCE = 0.01
FAINTEST = 1e-3  # weights of motions below this count as zero in the sum


@dataclass(frozen=True)
class DenseMotion:
    """Motion from a source to driving frames.

    Attributes:
        deformation: (N, D, h, w, 3), for each cell of the driving volume the point of the source's.
        mask: (N, K + 1, D, h, w), weights of the background and the keypoints, summing to 1.
        occlusion: (N, 1, h, w) in [0, 1], 0 is hidden; None where it is not estimated.
    """

    deformation: Tensor
    mask: Tensor
    occlusion: Tensor | None


def with_still(of_keypoints: Tensor) -> Tensor:
    """Values of keypoints with zeros for the still background in front, (N, K, ...) -> (N, K + 1, ...)."""
    return torch.cat([torch.zeros_like(of_keypoints[:, :1]), of_keypoints], dim=1)


class DenseMotionNetwork(nn.Module):
    """Weigh the motions of the keypoints and of the background at each cell, and estimate the occlusion map."""

    def __init__(self, params: DenseMotionParams, common: CommonParams, *, estimate_occlusion_map: bool) -> None:
        super().__init__()
        motions = common.num_kp + 1
        self.hourglass = Hourglass(
            motions * (params.compress + 1), params.block_expansion, params.max_features, params.num_blocks, dims=3
        )
        features = self.hourglass.out_channels
        self.mask = nn.Conv3d(features, motions, 7, padding=3)
        self.compress = nn.Conv3d(common.feature_channel, params.compress, 1)
        self.norm = BatchNorm3d(params.compress)
        self.occlusion: nn.Conv2d | None = None
        if estimate_occlusion_map:
            self.occlusion = nn.Conv2d(features * params.reshape_depth, 1, 7, padding=3)

    def squeeze(self, features: Tensor) -> Tensor:
        """Part (N, compress, D, h, w) of the source's feature volume (N, C, D, h, w) that each motion warps."""
        return F.relu(self.norm(self.compress(features)))

    def heatmaps(self, keypoints: Tensor, size: tuple[int, int, int]) -> Tensor:
        """Heatmaps (N, K, D, h, w) of keypoints (N, K, 3)."""
        return gaussian_heatmaps_3d(keypoints, size, KP_VARIANCE)

    def warp_sparsely(self, small: Tensor, shifts: Tensor, grid: Tensor) -> Tensor:
        """The small volume (N, C, D, h, w) under each shift (N, M, 3): (N, M, C, D, h, w).

        The motions lie behind each other in one deep field, so that the source is read in one go and never repeated.
        """
        motions = grid + shifts[:, :, None, None, None]
        warped = warp_3d(small, motions.flatten(1, 2))
        return warped.unflatten(2, (shifts.shape[1], -1)).transpose(1, 2)

    def forward(self, small: Tensor, kp_source: Tensor, kp_driving: Tensor) -> DenseMotion:
        """Motion of N frames from the squeezed source volume and keypoints (N, K, 3)."""
        size = (small.shape[2], small.shape[3], small.shape[4])
        with float32_region(small):
            small = at_least_float32(small)
            grid = coordinate_grid_3d(*size, like=small)
            shifts = with_still(kp_source - kp_driving)
            moved = with_still(self.heatmaps(kp_driving, size) - self.heatmaps(kp_source, size))
            warped = self.warp_sparsely(small, shifts, grid)
        logits, occlusion = self.predict(torch.cat([moved[:, :, None], warped], dim=2).flatten(1, 2))
        with float32_region(small):
            mask = at_least_float32(logits).softmax(dim=1)
            strong = mask.masked_fill(mask < FAINTEST, 0)
            # The sum of the weighted motions, each of which is the identity plus a shift.
            deformation = strong.sum(dim=1)[..., None] * grid + torch.einsum("nmdhw,nmc->ndhwc", strong, shifts)
        return DenseMotion(deformation, mask, None if occlusion is None else at_least_float32(occlusion).sigmoid())

    def predict(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits of mask (N, K + 1, D, h, w) and occlusion (N, 1, h, w) from heatmaps and warped volumes."""
        features = self.hourglass(inputs)
        return self.mask(features), None if self.occlusion is None else self.occlusion(features.flatten(1, 2))
