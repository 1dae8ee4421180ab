"""Frames worth a look: of each clip the one that came out best and the one that came out worst."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

SIDE = 160  # pixels, height of a still
QUALITY = 85  # of jpeg


@dataclass(frozen=True)
class Still:
    """A frame beside its real one and the source.

    Attributes:
        clip, method: names.
        kind: "best" or "worst".
        frame: number from 0.
        error: mean absolute difference from the real frame, 0 to 1.
        jpeg: source, real and predicted frame side by side, as base64.
    """

    clip: str
    method: str
    kind: str
    frame: int
    error: float
    jpeg: str


class Stills:
    """The best and the worst frame of each method in a clip; the first frame, which is the source, does not count."""

    def __init__(self, clip: str, source: Tensor) -> None:
        """Args: source: (1, 3, H, W) in [0, 1]."""
        self._clip, self._source = clip, source
        self._best: dict[tuple[str, str], tuple[float, int, Tensor]] = {}

    def look(self, method: str, start: int, predicted: Tensor, real: Tensor) -> None:
        """Compare frames (N, 3, H, W) in [0, 1], the first of which has the number `start`."""
        errors = (predicted - real).abs().mean(dim=(1, 2, 3)).tolist()
        for index, error in enumerate(errors):
            if start + index == 0:
                continue
            for kind, sign in (("best", 1), ("worst", -1)):
                before = self._best.get((method, kind))
                if before is None or sign * error < sign * before[0]:
                    pair = torch.stack([real[index], predicted[index]])
                    self._best[method, kind] = (error, start + index, pair)

    def chosen(self, method: str) -> list[Still]:
        """The stills of one method."""
        return [
            Still(self._clip, method, kind, frame, error, _jpeg(self._source, pair))
            for (of, kind), (error, frame, pair) in self._best.items()
            if of == method
        ]


def _jpeg(source: Tensor, pair: Tensor) -> str:
    pictures = [
        F.interpolate(x, size=(SIDE, round(SIDE * x.shape[-1] / x.shape[-2])), mode="bilinear", antialias=True)
        for x in (source.cpu().float(), pair.cpu().float())
    ]
    row = torch.cat([pictures[0][0], *pictures[1]], dim=-1)
    array = row.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    file = BytesIO()
    Image.fromarray(array).save(file, "JPEG", quality=QUALITY)
    return base64.b64encode(file.getvalue()).decode("ascii")
