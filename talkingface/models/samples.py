"""Parts of a training item beside pictures, as a model describes them: coefficients, sound, and who it is.

Pictures are described in plain words, see `talkingface.data.samples`. Motion and sound live on a clock of their own, of
`FPS` moments a second, whatever the frame rate of the clip.
"""

from __future__ import annotations

from dataclasses import dataclass

FPS = 25
"""Moments in a second, as the published audio networks have them."""

SAMPLE_RATE_HZ = 16000
COEFFICIENTS = "coeff_3dmm"


@dataclass(frozen=True)
class Window:
    """Moments of the clip that other parts refer to; they lie inside the clip if that is long enough.

    Nothing of them is in the batch, and no picture is decoded for them.

    Attributes:
        length: in moments.
    """

    length: int = 1


@dataclass(frozen=True)
class CoefficientWindow:
    """Rows of moments, such as 3DMM coefficients; in the batch as (N, len(moments), width), float32.

    Between the frames of a clip of another rate they are interpolated; before its first and behind its last frame they
    are those of that frame.

    Attributes:
        around: name of the part that they belong to: a window, or a single frame.
        moments: from the beginning of that part, in moments.
        key: which rows, as `ClipStore.array` calls them.
        space: what coefficients have to mean, ``"bfm"`` or ``"mesh"``; empty for other rows.
    """

    around: str
    moments: tuple[int, ...] = (0,)
    key: str = COEFFICIENTS
    space: str = ""


@dataclass(frozen=True)
class AudioWindow:
    """Sound of the clip, mono at 16 kHz, -1..1; in the batch as (N, samples), float32. Around the clip it is silent.

    Attributes:
        around: name of the part that it belongs to.
        start, stop: from the beginning of that part, in moments of 640 samples.
    """

    around: str
    start: int
    stop: int


@dataclass(frozen=True)
class Identity:
    """Number of the person among those of the data set; in the batch as (N,), int64."""
