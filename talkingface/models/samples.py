"""Parts of a training item that a model can request beside pictures: coefficients, sound, and the identity.

Pictures are requested by plain values, see `talkingface.data.samples`. Coefficients and sound are addressed in moments,
of which there are `FPS` in a second, whatever the frame rate of the clip.
"""

from __future__ import annotations

from dataclasses import dataclass

FPS = 25
"""Moments per second, as in the published audio networks."""

SAMPLE_RATE_HZ = 16000
COEFFICIENTS = "coeff_3dmm"


@dataclass(frozen=True)
class Window:
    """Window of the clip, ``length`` moments long, that other parts refer to; inside the clip if it is long enough.

    It adds nothing to the batch, and no picture is decoded for it.
    """

    length: int = 1


@dataclass(frozen=True)
class CoefficientWindow:
    """Array rows at some moments, such as 3DMM coefficients; in the batch as (N, len(moments), width), float32.

    Between the frames of a clip of another rate they are interpolated; before its first and after its last frame, the
    row of that frame is repeated.

    Attributes:
        around: name of the part that they refer to: a window, or a single frame.
        moments: positions relative to the beginning of that part, in moments.
        key: name of the array, as in `ClipStore.array`.
        space: required space of coefficients, ``"bfm"`` or ``"mesh"``; empty for other arrays.
    """

    around: str
    moments: tuple[int, ...] = (0,)
    key: str = COEFFICIENTS
    space: str = ""


@dataclass(frozen=True)
class AudioWindow:
    """Sound of the clip, mono at 16 kHz, -1..1; in the batch as (N, samples), float32; silent outside the clip.

    Attributes:
        around: name of the part that it refers to.
        start, stop: range relative to the beginning of that part, in moments of 640 samples.
    """

    around: str
    start: int
    stop: int


@dataclass(frozen=True)
class Identity:
    """Number of the identity among those of the data set; in the batch as (N,), int64."""
