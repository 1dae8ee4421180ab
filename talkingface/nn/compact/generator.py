"""The compact networks: the First Order Motion Model at a small fraction of its size and cost.

The idea is the paper's: unsupervised keypoints with Jacobians, dense motion from them, a warped source completed by a
decoder. What differs from the released networks, and why (docs/compact-fom.md has the experiments):

* Motion is estimated on the picture pooled to about `motion_size`, whatever the picture's size, so that training can
  begin small and weights serve larger pictures. Stems fold pixels into channels instead of convolving at full size.
* The source is warped as a picture too, at full size, and a map chooses at each pixel between it and what is painted.
  Still parts and skin are copied sharply; the decoder has only to paint what the source does not show.
* Features are warped at three sizes and the decoder gets the features of the dense motion network, so that it can
  paint according to the motion, such as a closed eye where the source's is open.
* A small free flow is added to the sum of the keypoints' motions.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks.conv import ResidualBlock, SameBlock, StridedBlock
from ..blocks.folded import fold_blocks
from ..geometry.grids import resize_map, warp
from ..geometry.keypoints import Keypoints, expand_keypoints
from ..precision import at_least_float32, float32_region
from .config import CommonParams, CompactParams
from .motion import CompactDenseMotion, DenseMotion, double, pool_to


def deform(maps: Tensor, deformation: Tensor) -> Tensor:
    """Warp (N, C, H, W) by a field (N, h, w, 2) brought to H x W, in float32; outside, the border goes on.

    Corner pixels are aligned throughout, so that no motion is exactly the identity at every size. (The released
    networks resize fields edge to edge, which blurs still pictures to 24 dB; here still parts must stay sharp.)
    """
    with float32_region(maps):
        size = (maps.shape[-2], maps.shape[-1])
        field = deformation.permute(0, 3, 1, 2)
        field = F.interpolate(field, size=size, mode="bilinear", align_corners=True).permute(0, 2, 3, 1)
        return warp(at_least_float32(maps), field, align_corners=True, padding_mode="border")


Hints = tuple[Tensor, Tensor, Tensor]
"""Maps (N, C, h, w) that a model adds to the decoder's at 1/8, 1/4 and 1/2 of the picture's size."""


@dataclass(frozen=True)
class CompactState:
    """Encoded source picture, as the compact generator keeps it.

    Attributes:
        image: (N, 3, H, W).
        small: (N, 3, h, w), input of the dense motion network.
        features: (N, C, h, w) each, at 1/2, 1/4 and 1/8 of the picture's size.
    """

    image: Tensor
    small: Tensor
    features: tuple[Tensor, Tensor, Tensor]

    def expand(self, count: int) -> CompactState:
        """Source for `count` frames; no memory is copied."""
        if self.image.shape[0] == count:
            return self
        image, small, *features = (t.expand(count, -1, -1, -1) for t in (self.image, self.small, *self.features))
        return CompactState(image, small, (features[0], features[1], features[2]))


class CompactGenerator(nn.Module):
    """Warp the source and its features by the dense motion, and paint what the warped source does not show."""

    def __init__(self, params: CompactParams, common: CommonParams) -> None:
        super().__init__()
        self.motion_size, colours = params.motion_size, common.num_channels
        self.dense_motion_network = CompactDenseMotion(params, common)
        fine, middle, coarse = params.generator_widths
        motion = params.motion_features
        self.first = SameBlock(4 * colours, fine)
        self.down_middle = StridedBlock(fine, middle)
        self.down_coarse = nn.Sequential(StridedBlock(middle, coarse), ResidualBlock(coarse))
        self.join_coarse = nn.Conv2d(coarse + motion, coarse, 1)
        self.bottleneck = nn.Sequential(*(ResidualBlock(coarse) for _ in range(params.num_bottleneck_blocks)))
        self.shrink_coarse = SameBlock(coarse, middle, 1)
        self.up_middle = nn.Sequential(SameBlock(2 * middle + motion, middle), ResidualBlock(middle))
        self.shrink_middle = SameBlock(middle, params.decoder_width, 1)
        self.up_fine = nn.Sequential(
            SameBlock(params.decoder_width + fine, params.decoder_width), ResidualBlock(params.decoder_width)
        )
        self.final = nn.Conv2d(params.decoder_width + 4 * colours, 4 * (colours + 1), 3, padding=1)
        nn.init.zeros_(self.final.weight)
        # Training starts from the warped source, so that the motion learns before the paint hides its faults.
        self.final.bias = nn.Parameter(torch.tensor([0.0] * 4 * colours + [2.0] * 4))

    def encode(self, image: Tensor) -> CompactState:
        """The source side of (N, 3, H, W) pictures in [0, 1]; H and W multiples of 64 at least."""
        fine = self.first(F.pixel_unshuffle(image, 2))
        middle = self.down_middle(fine)
        small = F.avg_pool2d(pool_to(image, self.motion_size), 2)
        return CompactState(image, small, (fine, middle, self.down_coarse(middle)))

    def decode(
        self, state: CompactState, kp_source: Keypoints, kp_driving: Keypoints, *, explain: bool = False
    ) -> dict[str, Tensor]:
        """Draw the source with the driving keypoints; arguments as OcclusionAwareGenerator.decode.

        Returns:
            ``prediction`` (N, 3, H, W) in [0, 1]; with `explain` also ``deformed`` (the source warped, at full size),
            ``mask``, ``deformation`` and ``occlusion_map`` (N, 1, H, W), 1 where the warped source is shown.
        """
        count = kp_driving["value"].shape[0]
        state = state.expand(count)
        motion = self.dense_motion_network(state.small, expand_keypoints(kp_source, count), kp_driving)
        return self.draw(state, motion, explain=explain)

    def draw(
        self, state: CompactState, motion: DenseMotion, hints: Hints | None = None, *, explain: bool = False
    ) -> dict[str, Tensor]:
        """Draw N frames of a source that is expanded to N; the result is that of `decode`, (N, 3, H, W)."""
        deformed = deform(state.image, motion.deformation)
        paint, shown = self._paint(state, motion, deformed, hints)
        out = {"prediction": shown * deformed + (1 - shown) * paint}
        if explain:
            out |= {"deformed": deformed, "mask": motion.mask, "deformation": motion.deformation}
            out["occlusion_map"] = shown
        return out

    def forward(self, image: Tensor, kp_source: Keypoints, kp_driving: Keypoints) -> dict[str, Tensor]:
        """Encode pictures (N, 3, H, W) and decode them at once, with all intermediate maps, as training does."""
        return self.decode(self.encode(image), kp_source, kp_driving, explain=True)

    def _paint(
        self, state: CompactState, motion: DenseMotion, deformed: Tensor, hints: Hints | None
    ) -> tuple[Tensor, Tensor]:
        """Painted colours (N, 3, H, W) in [0, 1], and where the warped source is shown instead (N, 1, H, W)."""
        fine, middle, coarse = state.features
        out = self.join_coarse(self._join(motion, self._reveal(coarse, motion, 0)))
        out = out if hints is None else out + hints[0]
        out = double(self.shrink_coarse(self.bottleneck(out)))
        out = self.up_middle(self._join(motion, out, self._reveal(middle, motion, 0)))
        out = out if hints is None else out + hints[1]
        out = double(self.shrink_middle(out))
        out = self.up_fine(torch.cat([out, self._reveal(fine, motion, 1)], dim=1))
        out = out if hints is None else out + hints[2]
        folded = F.pixel_unshuffle(deformed, 2).to(out.dtype, memory_format=torch.channels_last)
        both = self.final(torch.cat([out, folded], dim=1))
        paint, shown = at_least_float32(F.pixel_shuffle(both, 2)).sigmoid().split([3, 1], dim=1)
        return paint, shown

    def _join(self, motion: DenseMotion, *maps: Tensor) -> Tensor:
        """Maps of one size side by side, with the motion's features brought to that size."""
        size = (maps[0].shape[-2], maps[0].shape[-1])
        return torch.cat([*maps, resize_map(motion.features, size)], dim=1)

    def _reveal(self, features: Tensor, motion: DenseMotion, channel: int) -> Tensor:
        """Features warped and dimmed where a visibility map marks them as hidden in the source."""
        visible = resize_map(motion.visibility[:, channel : channel + 1], (features.shape[-2], features.shape[-1]))
        shown = deform(features, motion.deformation) * visible
        return shown.to(features.dtype, memory_format=torch.channels_last)  # what stands beside it is laid out so


class FastCompactGenerator(CompactGenerator):
    """The compact generator for inference: batch norms folded into convolutions, channels last.

    Args:
        generator: in eval mode; stays as it is.
        precision: of the convolutions; coordinates and warps are float32 in any case.
    """

    def __init__(self, generator: CompactGenerator, precision: torch.dtype = torch.float32) -> None:
        nn.Module.__init__(self)
        self.precision, self.motion_size = precision, generator.motion_size
        for name, part in fold_blocks(copy.deepcopy(generator)).named_children():
            self.add_module(name, part)
        self.requires_grad_(False).eval()
        nn.Module.to(self, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode(self, image: Tensor) -> CompactState:
        with self._autocast(image):
            return super().encode(image)

    def decode(
        self, state: CompactState, kp_source: Keypoints, kp_driving: Keypoints, *, explain: bool = False
    ) -> dict[str, Tensor]:
        with self._autocast(state.image):
            return super().decode(state, kp_source, kp_driving, explain=explain)

    def _autocast(self, like: Tensor) -> torch.autocast:
        return torch.autocast(like.device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16)
