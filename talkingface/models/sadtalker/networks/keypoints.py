"""The canonical keypoint detector (Wang et al. 2021, section 3.1): 3-D keypoints that know no pose or expression."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from ....errors import ShapeError
from ....nn.antialias import AntiAliasDownsample
from ....nn.blocks.conv import DownBlock
from ....nn.blocks.conv3d import UpBlock3d
from ....nn.blocks.hourglass import level_widths
from ....nn.geometry.volumes import coordinate_grid_3d
from ....nn.precision import at_least_float32, float32_region
from ..config import CommonParams, KPDetectorParams
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
            self.up_blocks.add_module(f"up{index}", UpBlock3d(a, b))
        self.conv = nn.Conv2d(widths[-1], params.reshape_channel, 1)
        self.depth, self.multiple = params.reshape_depth, 2**params.num_blocks

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ShapeError(
                f"the keypoint detector cannot halve its {height} x {width} input often enough",
                cure=f"Both sides of what it sees must be multiples of {self.multiple}.",
            )
        out: Tensor = self.up_blocks(self.conv(self.down_blocks(x)).unflatten(1, (-1, self.depth)))
        return out


class KPDetector(nn.Module):
    """A keypoint is the mean of the coordinate grid under its softmax heatmap over a volume."""

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
            depth, height, width = logits.shape[2:]
            return heatmap @ coordinate_grid_3d(depth, height, width, like=logits).flatten(0, 2)

    def forward(self, image: Tensor) -> Tensor:
        """Canonical keypoints (N, K, 3), (x, y, z) in [-1, 1], of (N, 3, H, W) pictures in [0, 1]."""
        return self.locate(self.heatmap_logits(image))


DEGREES_PER_BIN, FIRST_DEGREE = 3, -99
PI = 3.14  # as the released weights were trained
Angles = Mapping[str, Tensor]
"""``yaw``, ``pitch`` or ``roll`` -> (N,), degrees; NaN where none is wanted."""


def degrees(logits: Tensor) -> Tensor:
    """Expected angle (N,) in degrees of logits (N, bins)."""
    shares = logits.softmax(dim=1)
    bins = torch.arange(logits.shape[1], dtype=logits.dtype, device=logits.device)
    return (shares * bins).sum(dim=1) * DEGREES_PER_BIN + FIRST_DEGREE


def rotation(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """Rotation matrices (N, 3, 3) = Rx(pitch) Ry(yaw) Rz(roll) of angles (N,) in degrees, with pi as 3.14."""
    yaw, pitch, roll = (angle / 180 * PI for angle in (yaw, pitch, roll))
    zero, one = torch.zeros_like(yaw), torch.ones_like(yaw)

    def matrix(*entries: Tensor) -> Tensor:
        return torch.stack(entries, dim=1).view(-1, 3, 3)

    about_x = matrix(one, zero, zero, zero, pitch.cos(), -pitch.sin(), zero, pitch.sin(), pitch.cos())
    about_y = matrix(yaw.cos(), zero, yaw.sin(), zero, one, zero, -yaw.sin(), zero, yaw.cos())
    about_z = matrix(roll.cos(), -roll.sin(), zero, roll.sin(), roll.cos(), zero, zero, zero, one)
    return about_x @ about_y @ about_z


def head_rotation(motion: HeadMotion, angles: Angles | None = None) -> Tensor:
    """Rotation matrices (N, 3, 3) of a motion; `angles` replace those that it says, where they are not NaN."""
    said = {name: degrees(getattr(motion, name)) for name in ("yaw", "pitch", "roll")}
    for name, angle in (angles or {}).items():
        wanted = angle.to(said[name])
        said[name] = torch.where(wanted.isnan(), said[name], wanted)
    return rotation(**said)


def transform_keypoints(
    canonical: Tensor, motion: HeadMotion, angles: Angles | None = None, *, expression: bool = True
) -> Tensor:
    """Keypoints of frames.

    Args:
        canonical: (N or 1, K, 3), (x, y, z) in [-1, 1].
        motion: of N frames. Of the shift only y counts, as published.
        angles: that the user wants in place of the motion's.
        expression: off: the rigid motion alone.

    Returns:
        (N, K, 3).
    """
    with float32_region(canonical):
        motion = HeadMotion(*(at_least_float32(values) for values in motion))
        moved = at_least_float32(canonical) @ head_rotation(motion, angles).transpose(1, 2)
        moved = moved + motion.t[:, None] * motion.t.new_tensor([0.0, 1.0, 0.0])
        return moved + motion.exp.unflatten(1, (-1, 3)) if expression else moved
