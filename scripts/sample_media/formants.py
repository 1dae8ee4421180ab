"""A voice of our own: babble of syllables, made by a buzz and a hiss that run through resonances.

The source is a train of glottal pulses for vowels and noise for consonants; the filter is a chain of second-order
resonances whose places glide from sound to sound (source and filter: Fant 1960; resonators as in Klatt 1980). The
places of the resonances are rounded averages of measured vowels; nothing is recorded and no text is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, lfilter, sosfilt

from .face import Array

RATE = 16_000  # samples per second
_STEP = 80  # samples between changes of the filter: 5 ms
_LEAD_S = 0.12  # silence at both ends
_WIDTHS = (80.0, 110.0, 160.0, 250.0)  # of the resonances, hertz


@dataclass(frozen=True)
class Speaker:
    """Whose voice it is.

    Attributes:
        pitch: of the voice in hertz, about 100 for a low and 220 for a high voice.
        tract: factor on the resonances; above 1 for a shorter throat.
        rate: syllables in a second.
        seed: of the syllables, their melody and the noise.
    """

    pitch: float
    tract: float
    rate: float
    seed: int


@dataclass(frozen=True)
class _Vowel:
    """Resonances in hertz, and how loud it is; a wider mouth lets out more sound."""

    places: tuple[float, float, float, float]
    level: float


_VOWELS = (
    _Vowel((750, 1200, 2500, 3500), 1.0),  # as in "father"
    _Vowel((600, 1750, 2450, 3500), 0.8),  # as in "bed"
    _Vowel((300, 2250, 2950, 3600), 0.45),  # as in "see"
    _Vowel((520, 900, 2450, 3400), 0.75),  # as in "or"
    _Vowel((330, 800, 2300, 3300), 0.4),  # as in "too"
)
# Bands of hisses in hertz, and how loud they are beside the loudest vowel; the first is silence, as of closed lips.
_HISSES = ((0.0, 0.0, 0.0), (3800.0, 7000.0, 0.06), (2200.0, 5000.0, 0.07), (1200.0, 7000.0, 0.03))


def babble(speaker: Speaker, seconds: float) -> Array:
    """Syllables without meaning.

    Args:
        speaker: whose voice.
        seconds: length of the result, silence included.

    Returns:
        (samples,) float32 in [-0.8, 0.8], at `RATE`; the same speaker and length give the same samples.
    """
    random = np.random.default_rng(speaker.seed)
    steps = int(seconds * RATE) // _STEP
    places, voiced, hiss = _score(speaker, steps, random)
    buzz = _buzz(_melody(speaker, steps, random), random)
    sound = _resonate(buzz * _to_samples(voiced), places * speaker.tract)
    sound = sound / np.abs(sound).max()
    for number, (low, high, _) in enumerate(_HISSES[1:]):
        band = butter(2, (low, min(high, 0.48 * RATE)), "bandpass", fs=RATE, output="sos")
        noise = sosfilt(band, random.standard_normal(len(sound)))
        sound = sound + noise / noise.std() * _to_samples(hiss[:, number])
    result = np.zeros(round(seconds * RATE), np.float32)
    result[: len(sound)] = sound * (0.8 / np.abs(sound).max())
    return result


def _score(speaker: Speaker, steps: int, random: np.random.Generator) -> tuple[Array, Array, Array]:
    """Speech over time: resonances (steps, 4), loudness of the buzz (steps,) and of each hiss (steps, 3)."""
    places, voiced = np.tile(np.array(_VOWELS[1].places), (steps, 1)), np.zeros(steps)
    hiss = np.zeros((steps, len(_HISSES) - 1))
    per_second = RATE / _STEP
    at, end = int(_LEAD_S * per_second), steps - int(_LEAD_S * per_second)
    while at < end:
        length = int(per_second / speaker.rate * random.uniform(0.75, 1.3))
        consonant = int(0.3 * length)
        vowel, noise = _VOWELS[random.integers(len(_VOWELS))], int(random.integers(len(_HISSES)))
        last = min(at + length, end)
        places[at:] = vowel.places
        voiced[at + consonant : last] = vowel.level * random.uniform(0.85, 1)
        if noise:
            hiss[at : min(at + consonant, end), noise - 1] = _HISSES[noise][2]
        pause = random.random() < 0.12
        at = last + (int(0.12 * per_second) if pause else 0)
    glide, onset = 0.02 * per_second, 0.01 * per_second
    return (
        gaussian_filter1d(places, glide, axis=0),
        gaussian_filter1d(voiced, onset),
        gaussian_filter1d(hiss, onset, axis=0),
    )


def _melody(speaker: Speaker, steps: int, random: np.random.Generator) -> Array:
    """Pitch in hertz at each step: it sinks towards the end, and wanders."""
    wander = gaussian_filter1d(random.standard_normal(steps), 0.12 * RATE / _STEP)
    return speaker.pitch * (np.linspace(1.1, 0.9, steps) + 0.09 * wander / wander.std())


def _buzz(pitch: Array, random: np.random.Generator) -> Array:
    """Glottal pulses: a cosine that rises, falls twice as fast, and rests; with some breath."""
    phase = np.cumsum(_to_samples(pitch) / RATE) % 1
    rising = 0.5 * (1 - np.cos(np.pi * phase / 0.4))
    falling = np.cos(0.5 * np.pi * (phase - 0.4) / 0.2)
    flow = np.where(phase < 0.4, rising, np.where(phase < 0.6, falling, 0))
    return np.diff(flow, prepend=0) + 0.004 * random.standard_normal(len(flow))


def _resonate(source: Array, places: Array) -> Array:
    """Run a sound through resonances at ``places`` (steps, 4), hertz."""
    sound = source
    for number, width in enumerate(_WIDTHS):
        radius = np.exp(-np.pi * width / RATE)
        state, parts = np.zeros(2), []
        for step, place in enumerate(places[:, number]):
            poles = [1, -2 * radius * np.cos(2 * np.pi * place / RATE), radius**2]
            part, state = lfilter([sum(poles)], poles, sound[step * _STEP : (step + 1) * _STEP], zi=state)
            parts.append(part)
        sound = np.concatenate(parts)
    return sound


def _to_samples(values: Array) -> Array:
    """Values at steps, brought to samples."""
    return np.interp(np.arange(len(values) * _STEP) / _STEP, np.arange(len(values)), values)
