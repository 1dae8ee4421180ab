"""Keypoint extractor and renderer of FOM."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ...nn.geometry.grids import resize_map
from ...nn.geometry.keypoints import Keypoints
from ...nn.visualize import draw_keypoints
from ...types import Motion, Source, Square
from ..base import MotionExtractor, Renderer
from .locate import locate

FIRST = 256  # rows that the first block holds


class RowBuffer:
    """Tensors appended along their first axis, in a block that doubles when it is full.

    A list of small tensors that stay would lie between the large, short-lived buffers of a network and keep the heap
    from closing up: ten minutes of video cost hundreds of megabytes.
    """

    def __init__(self) -> None:
        self._block: Tensor | None = None
        self._count = 0

    def append(self, rows: Tensor) -> None:
        """Copy rows (n, ...) to the end; all calls have the same shape but for n."""
        wanted = self._count + len(rows)
        if self._block is None or wanted > len(self._block):
            self._grow(rows, wanted)
        assert self._block is not None  # noqa: S101 (narrows the type)
        self._block[self._count : wanted] = rows
        self._count = wanted

    def tensor(self) -> Tensor:
        """All rows, (T, ...), of their own."""
        return torch.empty(0) if self._block is None else self._block[: self._count].clone()

    def _grow(self, rows: Tensor, wanted: int) -> None:
        size = max(FIRST, wanted, 0 if self._block is None else 2 * len(self._block))
        block = rows.new_empty(size, *rows.shape[1:])
        if self._block is not None:
            block[: self._count] = self._block[: self._count]
        self._block = block


class Generator(Protocol):
    """Generator as the renderer needs it, whatever its architecture.

    `encode` takes pictures (N, 3, H, W) in [0, 1]; for `decode` see `OcclusionAwareGenerator.decode`.
    """

    def encode(self, image: Tensor) -> Any: ...

    def decode(
        self, state: Any, kp_source: Keypoints, kp_driving: Keypoints, *, explain: bool = False
    ) -> dict[str, Tensor]: ...


@dataclass(frozen=True)
class EncodedSource:
    """A source picture (1, 3, H, W), its keypoints, and the generator's state of it."""

    image: Tensor
    keypoints: Keypoints
    state: Any


class KeypointExtractor(MotionExtractor):
    """Finds the keypoints of each driving frame.

    Args:
        detector: gives Keypoints of pictures; stays in float32, in which keypoints are precise to 1e-6.
        kind: of the motion, ``fom.kp<K>``.
        size: (height, width) of the frames.
        space: fingerprint of the detector's weights: every training invents its own keypoints.
    """

    takes = frozenset({"video", "image"})

    def __init__(self, detector: nn.Module, kind: str, size: tuple[int, int], space: str = "") -> None:
        self.detector, self.gives, self.size, self.space = detector, kind, size, space
        self.usual: Tensor | None = getattr(detector, "usual", None)
        self.locates = self.usual is not None and bool(self.usual.any())  # zeros: it was never trained

    @torch.inference_mode()
    def extract(self, frames: Iterable[Tensor], fps: Fraction) -> Motion:
        kept: dict[str, RowBuffer] = defaultdict(RowBuffer)
        for chunk in frames:
            for name, value in self.detector(chunk).items():
                kept[name].append(value)
        values = {name: rows.tensor() for name, rows in kept.items()}
        return Motion(self.gives, fps, values, self.space)

    @torch.inference_mode()
    def locate(self, picture: Tensor) -> Square | None:
        """See the base class; only with a detector that holds the usual places of its keypoints."""
        if self.usual is None or not self.locates:
            return None
        return locate(lambda crops: self.detector(crops)["value"], self.usual, picture)


class FOMRenderer(Renderer):
    """Draws keypoint motion on a source picture.

    Args:
        detector: as in the extractor.
        generator: any Generator.
        kind: of the motion it draws.
        size: (height, width) of its pictures.
        space: as in the extractor.
    """

    def __init__(
        self, detector: nn.Module, generator: Generator, kind: str, size: tuple[int, int], space: str = ""
    ) -> None:
        self.detector, self.generator, self.takes, self.size, self.space = detector, generator, kind, size, space

    @torch.inference_mode()
    def encode_source(self, source: Source) -> EncodedSource:
        return EncodedSource(source.image, self.detector(source.image), self.generator.encode(source.image))

    @torch.inference_mode()
    def render(self, state: EncodedSource, motion: Motion) -> Tensor:
        return self._decode(state, motion)["prediction"]

    @torch.inference_mode()
    def explain(self, state: EncodedSource, motion: Motion) -> dict[str, Tensor]:
        """Pictures (n, 3, H, W) in [0, 1]: source and result with keypoints, warped source, occlusion (black)."""
        out = self._decode(state, motion, explain=True)
        prediction = out["prediction"]
        source = state.image.expand_as(prediction)
        pictures = {
            "keypoints_source": draw_keypoints(source, state.keypoints["value"].expand(len(motion), -1, -1)),
            "keypoints_driving": draw_keypoints(prediction, motion.values["value"]),
            "deformed": out["deformed"].clamp(0, 1),
        }
        if "occlusion_map" in out:
            occlusion = resize_map(out["occlusion_map"], (prediction.shape[-2], prediction.shape[-1]))
            pictures["occlusion_map"] = occlusion.expand_as(prediction)
        return pictures

    def _decode(self, state: EncodedSource, motion: Motion, *, explain: bool = False) -> dict[str, Tensor]:
        return self.generator.decode(state.state, state.keypoints, dict(motion.values), explain=explain)
