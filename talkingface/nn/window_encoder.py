"""A window of numbers over time -> one vector (PIRenderer, Ren et al. 2021, section 3.2)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import ShapeError

FIRST, KERNEL, DILATION = 7, 3, 3  # frames of the first convolution; of the others, and how far they are apart
SLOPE = 0.1


class WindowEncoder(nn.Module):
    """Convolutions over time without padding, each but the first with a shortcut, and the mean of what is left.

    Args:
        numbers: of one frame: coefficients, or bands of a spectrum.
        features: length of the vector.
        layers: dilated convolutions; each shortens the window by 6 frames.
    """

    def __init__(self, numbers: int, features: int, layers: int = 3) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv1d(numbers, features, FIRST))
        self.layers = [f"encoder{index}" for index in range(layers)]
        for name in self.layers:
            convolution = nn.Conv1d(features, features, KERNEL, dilation=DILATION)
            self.add_module(name, nn.Sequential(nn.LeakyReLU(SLOPE), convolution))
        self.shortest = FIRST + layers * DILATION * (KERNEL - 1)

    def forward(self, windows: Tensor) -> Tensor:
        """(N, numbers, frames) -> (N, features).

        Raises:
            ShapeError: if the windows are too short.
        """
        if windows.shape[-1] < self.shortest:
            raise ShapeError(f"a window of {windows.shape[-1]} frames", cure=f"It takes {self.shortest} at least.")
        out = self.first(windows)
        for name in self.layers:
            out = self.get_submodule(name)(out) + out[:, :, DILATION:-DILATION]
        return F.adaptive_avg_pool1d(out, 1).squeeze(-1)
