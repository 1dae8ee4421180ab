"""The three networks that draw: from a picture and windows of coefficients to frames."""

from __future__ import annotations

from torch import Tensor, nn

from .generator import OcclusionAwareSPADEGenerator
from .keypoints import KPDetector
from .mapping import MappingNet
from .render_config import RenderConfig
from .transform import Angles, transform_keypoints


class RenderNetworks(nn.Module):
    """Canonical keypoints, mapping and generator, under the prefixes that released packages give them."""

    def __init__(self, config: RenderConfig) -> None:
        super().__init__()
        common = config.common_params
        self.kp_extractor = KPDetector(config.kp_detector_params, common)
        self.generator = OcclusionAwareSPADEGenerator(config.generator_params, common)
        self.mapping = MappingNet(config.mapping_params)

    def keypoints(self, canonical: Tensor, windows: Tensor, angles: Angles | None = None) -> Tensor:
        """Keypoints (N, K, 3) of frames.

        Args:
            canonical: (1 or N, K, 3), of the source.
            windows: (N, coefficients, 27), around each frame; for the source its own row 27 times.
            angles: degrees (N,) that the user wants in place of the predicted ones; never for the source.
        """
        return transform_keypoints(canonical, self.mapping(windows), angles)

    def forward(self, image: Tensor, source: Tensor, windows: Tensor) -> Tensor:
        """Frames (N, 3, S, S) from pictures (1 or N, 3, S, S), their own windows and those of the frames."""
        canonical = self.kp_extractor(image)
        kp_source, kp_driving = self.keypoints(canonical, source), self.keypoints(canonical, windows)
        drawn: Tensor = self.generator(image, kp_source, kp_driving)
        return drawn
