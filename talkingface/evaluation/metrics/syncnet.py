"""LSE-C and LSE-D: confidence and distance of lips and sound by SyncNet, with its official weights."""

from __future__ import annotations

import math
from abc import abstractmethod
from fractions import Fraction
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...enhance.align import warp
from ...face.face import Box
from ...media.sounds.audio import has_audio
from ...media.sounds.buffer import open_audio
from ...media.sounds.cepstra import RATE_HZ, cepstra
from ...nn.features.syncnet import COLUMNS, FRAMES, SIDE, SyncNet, distances
from ...weights import load_catalogue
from ...weights.load import load_only
from ..metric import ClipFacts, Metric, MetricTools, Observer
from ..observe import FaceObserver

Floats = NDArray[np.float64]

FPS = 25
ROOM = 0.4  # of a box's half size that a crop shows more on the left, on the right and twice below
STEADY = 13  # boxes whose median a crop follows
OUTSIDE = 110 / 255  # grey around the picture
_AT_ONCE = 16  # windows


def syncnet(tools: MetricTools) -> SyncNet:
    """SyncNet from the catalogue."""
    network = SyncNet()
    load_only(network, load_catalogue()[SyncMetric.weights].path(tools.root), "syncnet")
    return network.to(tools.device)


def crop_of(frame: Tensor, box: Box) -> Tensor:
    """The face of a frame (3, H, W) in [0, 1] as SyncNet's evaluation cuts it: (3, 224, 224), blue first, 0 to 255.

    A square of 2.8 half sides of the box, from the box's top on; grey outside the picture.
    """
    half = max(box.right - box.left, box.bottom - box.top) / 2
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    scale = 2 * half * (1 + ROOM) / SIDE
    to_frame = np.array([[scale, 0, x - half * (1 + ROOM)], [0, scale, y - half], [0, 0, 1]])
    crop = warp(frame[None] - OUTSIDE, to_frame, (SIDE, SIDE), outside="zeros")[0] + OUTSIDE
    return crop.flip(0).clamp(0, 1) * 255


class SyncObserver(Observer):
    """Distances of the predicted lips from the sound that belongs to them, at shifts of up to 15 frames.

    Frames are taken at 25 a second. Where no face is seen the last one stands; a clip that begins without one has its
    windows from the first face on.
    """

    observes = (FaceObserver,)

    def begin(self, clip: ClipFacts) -> None:
        self._sound, self._fps = clip.made_sound or clip.real_sound, clip.fps
        self._seen, self._taken, self._skipped = 0, 0, 0
        self._boxes: list[Floats] = []
        self._crops: list[Tensor] = []
        self._lips: list[Tensor] = []
        self.__dict__.pop("means", None)

    def update(self, predicted: Tensor, real: Tensor) -> None:
        for frame, face in zip(predicted, self.observed(FaceObserver).largest["made"], strict=True):
            if face is not None:
                box = face.box
                self._boxes = [*self._boxes, np.array([box.left, box.top, box.right, box.bottom])][-STEADY:]
            shown = self._shown()
            if not self._boxes:
                self._skipped += shown
            elif shown:
                crop = crop_of(frame, Box(*map(float, np.median(self._boxes, axis=0))))
                self._crops += [crop] * shown
                self._embed(_AT_ONCE)

    def _shown(self) -> int:
        """Number of frames at 25 a second that the next frame of the clip gives."""
        self._seen += 1
        until = math.ceil(Fraction(self._seen * FPS) / self._fps)
        shown, self._taken = until - self._taken, until
        return shown

    def _embed(self, fewest: int) -> None:
        """Embed the windows that are whole, once there are enough of them."""
        count = len(self._crops) - FRAMES + 1
        if count >= fewest:
            windows = [torch.stack(self._crops[place : place + FRAMES], dim=1) for place in range(count)]
            self._lips.append(self.tools.once(syncnet).of_lips(torch.stack(windows)).cpu())
            self._crops = self._crops[count:]

    @cached_property
    def means(self) -> Tensor | None:
        """Mean distances (31,) over the clip's windows; None without a face or a sound."""
        self._embed(1)
        if not self._lips or self._sound is None or not has_audio(self._sound):
            return None
        lips = torch.cat(self._lips)
        columns = cepstra(np.asarray(open_audio(self._sound, RATE_HZ).samples)[: round(self._taken / FPS * RATE_HZ)])
        step = 100 // FPS
        starts = [(place + self._skipped) * step for place in range(len(lips))]
        windows = [columns[:, start : start + COLUMNS] for start in starts if start + COLUMNS <= columns.shape[1]]
        if not windows:
            return None
        heard = torch.from_numpy(np.stack(windows)).float()[:, None].to(self.tools.device)
        parts = heard.split(8 * _AT_ONCE)
        sound = torch.cat([self.tools.once(syncnet).of_sound(part).cpu() for part in parts])
        return distances(lips[: len(sound)], sound).mean(dim=0)


class SyncMetric(Metric):
    """A number of the mean distances at all shifts."""

    landmarks, weights, aligned = True, "syncnet", False
    observes: ClassVar[tuple[type[Observer], ...]] = (FaceObserver, SyncObserver)

    def update(self, predicted: Tensor, real: Tensor) -> None:
        """Nothing more: the observer has seen the frames."""

    def compute(self) -> float:
        with torch.inference_mode():
            means = self.observed(SyncObserver).means
        return math.nan if means is None else self.of(means)

    @abstractmethod
    def of(self, means: Tensor) -> float:
        """The number of mean distances (31,)."""


class SyncConfidence(SyncMetric):
    """LSE-C: the median of the mean distances over shifts, less the smallest.

    Source: Prajwal et al. 2020 (Wav2Lip), section 4.2, with SyncNet (Chung and Zisserman 2016); faces are found by our
    backend instead of S3FD.
    """

    heading, digits, better = "LSE-C", 3, "higher"

    def of(self, means: Tensor) -> float:
        return float(means.median() - means.min())


class SyncDistance(SyncMetric):
    """LSE-D: the smallest of the mean distances over shifts; source as for LSE-C."""

    heading, digits, better = "LSE-D", 3, "lower"

    def of(self, means: Tensor) -> float:
        return float(means.min())
