"""Lips against the voice: phonemes that a recogniser hears, and the mouth's opening at their moments.

Stand-ins for the confidence and distance of SyncNet (LSE-C, LSE-D), which need its network.
"""

from __future__ import annotations

import json
import math
from abc import abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import WeightsError
from ...media.sounds.audio import has_audio
from ...media.sounds.buffer import open_audio
from ...nn.phonemes import PER_SECOND, RATE_HZ, PhonemeNetwork, state_of
from ...text.read import read_text
from ...weights import load_catalogue
from ...weights.files.hama import read_hama
from ...weights.load import load_strict
from ..metric import ClipFacts, MetricTools, Observer
from ..observe import DetectedFace, FaceObserver
from ..talking_curves import STILL, correlations, lags
from .faces import FaceMetric

Floats = NDArray[np.float64]

# Measured on 60 training clips: the recogniser gives a phoneme this long after the lips show it.
LATE_S = 0.07
SPREAD_S = 0.06  # standard deviation, over which the probabilities are smoothed: a mouth takes its time
PRESSED = frozenset("mbp")  # phonemes of closed lips
NARROW = PRESSED | frozenset("fvw")
WIDE = frozenset({"a", "ɑ", "æ", "aɪ", "aʊ", "ɐ", "ʌ", "ɒ"})  # noqa: RUF001 (phonetic signs)
SHUT = 0.15  # share of the mouth's range below which it counts as closed
RANGE = (0.05, 0.95)
_PIECE_S, _SHORTEST_S = 20, 0.1  # of sound that the network takes at once


@dataclass(frozen=True, eq=False)
class Recogniser:
    """Network and the names of its tokens; the last is the blank."""

    network: PhonemeNetwork
    names: tuple[str, ...]


def recogniser(tools: MetricTools) -> Recogniser:
    """The recogniser from the catalogue.

    Raises:
        WeightsError: if its files are damaged.
    """
    file, words = (entry.path(tools.root) for entry in load_catalogue().entries_for(LipMetric.weights))
    network = PhonemeNetwork()
    load_strict(network, state_of(read_hama(file)), where=file)
    return Recogniser(network.to(tools.device), (*_names(words), "word boundary", "blank"))


def _names(path: Path) -> list[str]:
    try:
        names = json.loads(read_text(path, WeightsError))["decoder"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        cure = "Delete it and fetch it again."
        raise WeightsError("no list of phonemes", where=path, cure=cure) from error
    return [str(name) for name in names]


@dataclass(frozen=True, eq=False)
class Heard:
    """Phonemes heard in a voice, 50 times a second.

    Attributes:
        probabilities: (T, tokens).
        names: of the tokens.
    """

    probabilities: Floats
    names: tuple[str, ...]

    def times(self, phonemes: frozenset[str]) -> Floats:
        """Moments (n,) in seconds at which lips show one of the phonemes."""
        best = self.probabilities.argmax(axis=1)
        new = np.append(True, best[1:] != best[:-1])
        wanted = np.isin(best, self._places(phonemes))
        return np.flatnonzero(new & wanted) / PER_SECOND - LATE_S

    def opening(self, fps: float, frames: int) -> Floats:
        """Opening (frames,) that the voice asks for: up at wide vowels, down where the lips meet; without unit."""
        from scipy.ndimage import gaussian_filter1d

        share = [self.probabilities[:, self._places(group)].sum(axis=1) for group in (WIDE, NARROW)]
        curve = gaussian_filter1d(share[0] - share[1], SPREAD_S * PER_SECOND, mode="nearest")
        times = np.arange(frames) / fps + LATE_S
        return np.asarray(np.interp(times, np.arange(len(curve)) / PER_SECOND, curve))

    def _places(self, phonemes: frozenset[str]) -> list[int]:
        return [place for place, name in enumerate(self.names) if name in phonemes]


class VoiceObserver(Observer):
    """Hears the voice that belongs to the predicted frames."""

    def begin(self, clip: ClipFacts) -> None:
        self._sound, self._fps, self._frames = clip.made_sound or clip.real_sound, float(clip.fps), 0
        self.__dict__.pop("heard", None)

    def update(self, predicted: Tensor, real: Tensor) -> None:
        self._frames += len(predicted)

    @cached_property
    def heard(self) -> Heard | None:
        """Phonemes during the clip; None where there is no sound."""
        if self._sound is None or not has_audio(self._sound):
            return None
        wave = open_audio(self._sound, RATE_HZ).samples[: round(self._frames / self._fps * RATE_HZ)]
        return hear(np.asarray(wave), self.tools.once(recogniser), self.tools.device)


def hear(wave: NDArray[np.float32], by: Recogniser, device: torch.device) -> Heard | None:
    """Phonemes of a voice (samples,) at 16 kHz; None where it is shorter than a tenth of a second, or silent."""
    if len(wave) < _SHORTEST_S * RATE_HZ or not np.abs(wave).max():
        return None
    pieces = [wave[start : start + _PIECE_S * RATE_HZ] for start in range(0, len(wave), _PIECE_S * RATE_HZ)]
    if len(pieces[-1]) < _SHORTEST_S * RATE_HZ:
        pieces.pop()
    heard = []
    with torch.inference_mode():
        for piece in pieces:
            logarithms = by.network(torch.from_numpy(piece.copy())[None].to(device))[0]
            # One step more stands on the end of the piece, where the next one begins.
            heard.append(logarithms[: _PIECE_S * PER_SECOND].exp())
    return Heard(torch.cat(heard).double().cpu().numpy(), by.names)


class LipMetric(FaceMetric):
    """A number of the predicted mouth and the voice that belongs to it."""

    weights, observes, aligned = "phonemes", (FaceObserver, VoiceObserver), False

    def measure(self, made: DetectedFace, real: DetectedFace) -> float:
        heard = self.observed(VoiceObserver).heard
        return math.nan if heard is None else self.compare(made.curves.opening, made.curves.fps, heard)

    @abstractmethod
    def compare(self, opening: Floats, fps: Fraction, heard: Heard) -> float:
        """The number of a mouth's opening (T,), NaN where no face is seen, and a voice."""


class Closures(LipMetric):
    """Share of the m, b and p in the voice at which the lips close within a frame.

    They are closed where they open by less than 15 % of their range. A mouth that never moves closes at none of them.
    Real clips have about 0.8; with the sound of another time, 0.4.
    """

    heading, digits, better = "closures", 2, "higher"

    def compare(self, opening: Floats, fps: Fraction, heard: Heard) -> float:
        return closures(opening, float(fps), heard.times(PRESSED))


def closures(opening: Floats, fps: float, times: Floats) -> float:
    """Share of moments (n,) in seconds at which a mouth with the opening (T,) is closed; NaN where there are none."""
    if not np.isfinite(opening).any():
        return math.nan
    low, high = np.nanquantile(opening, RANGE)
    near = [opening[max(0, place - 1) : place + 2] for place in np.rint(times * fps).astype(int) if place >= 0]
    seen = [part for part in near if np.isfinite(part).any()]
    if not seen:
        return math.nan
    if np.nanstd(opening) < STILL:
        return 0.0
    return float(np.mean([np.nanmin(part) < low + SHUT * (high - low) for part in seen]))


class SyncR(LipMetric):
    """Correlation of the mouth's opening with the one that the voice asks for.

    Real clips have about 0.25, with the sound of another time or person, 0.0.
    """

    heading, digits, better = "sync r", 2, "higher"

    def compare(self, opening: Floats, fps: Fraction, heard: Heard) -> float:
        fit = correlations(heard.opening(float(fps), len(opening)), opening, fps)
        return float(fit[len(fit) // 2])


class SyncLag(LipMetric):
    """Frames by which mouth and voice are apart, from the shift within 0.4 s at which they fit best; 0 is best."""

    heading, digits, better = "sync lag", 1, "lower"

    def compare(self, opening: Floats, fps: Fraction, heard: Heard) -> float:
        fit = correlations(heard.opening(float(fps), len(opening)), opening, fps)
        if not (fit > 0).any():
            return math.nan
        return float(abs(lags(fps)[int(np.nanargmax(fit))]))
