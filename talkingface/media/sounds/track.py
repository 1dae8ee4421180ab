"""The sound track of a result: checked before the first picture is drawn, in step with the pictures, cut to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from ..ffmpeg import Child, input_arguments
from ..probe import PAUSE_S, MediaInfo, describe, longest_pause, probe, shorten_pauses, shorter_sound
from .buffer import DecodedCopy, decoded_copy
from .channels import channel_filters, sound_map, sound_notes

_BLOCK_BYTES = 1 << 16
_TRIED_HZ = 8000  # rate at which a sound is tried out
_PLAIN = "aformat=sample_fmts=s16:channel_layouts=mono|stereo"
_TOLERANCE_S = 0.001  # lengths come as floats of whole frames


@dataclass(frozen=True)
class SoundTrack:
    """A sound that is known to decode.

    Attributes:
        info: the file it comes from.
        filters: ffmpeg filters that bring it onto the clock of the pictures.
        length_s: its length, silence included; None where it follows from the pictures' end.
        copy: file that is read in place of a damaged one.
    """

    info: MediaInfo
    filters: str
    length_s: Fraction | float | None = None
    copy: DecodedCopy | None = None

    def input_arguments(self) -> list[str]:
        """Arguments that open it as an input of the encoder."""
        return input_arguments(self.info.path) if self.copy is None else self.copy.input_arguments()

    def output_arguments(self, codec: Sequence[str], number: int = 1) -> list[str]:
        """Arguments that encode it, padded with silence.

        Args:
            codec: arguments that choose the codec.
            number: of the input that it is.

        Where the length follows from the pictures' end, ffmpeg's ``-shortest`` stops it soon after that, but not at
        it: the slower the pictures come, the further the sound has run ahead. See ``may_outlast``.
        """
        known = self.length_s is not None
        padding, end = (f"apad=whole_dur={float(self.length_s or 0):.6f}", []) if known else ("apad", ["-shortest"])
        return [*self.choice(number), "-af", f"{self.filters},{padding}", *codec, *end]

    def choice(self, number: int) -> list[str]:
        """Arguments that choose it in ffmpeg's input of this number."""
        return sound_map(self.info, number) if self.copy is None else ["-map", f"{number}:a:0"]

    def may_outlast(self, pictures_s: Fraction) -> bool:
        """True if the encoded sound may be longer than the pictures."""
        return self.length_s is None or float(self.length_s) > float(pictures_s) + _TOLERANCE_S


def sound_track(
    path: str | Path, duration_s: float | Fraction | None, start_s: float | Fraction = 0
) -> tuple[SoundTrack | None, list[str]]:
    """Prepare the sound of a file, and decode it once to be sure that it cannot stop the encoder half-way.

    Where the file also holds a video, the sound keeps its place relative to the first picture.

    Args:
        path: sound or video file.
        duration_s: use only so much of it.
        start_s: where to begin, counted from the first picture.

    Returns:
        The track, or None where the file has no usable sound; and notes about what is lost.

    Raises:
        MediaError: if the file itself is missing or unreadable (before anything is rendered).
    """
    info = describe(path)
    if not info.has_audio:
        return None, [f"{info.path} has no sound; the result is silent"]
    info = probe(info.path) if info.has_video else info
    filters = _filters(info, info.start_s + Fraction(start_s), duration_s)
    track = SoundTrack(info, filters, duration_s)
    heard_s, messages = _try_out(track, duration_s)
    reason = f" ({messages[0]})" if messages else ""
    if not heard_s:
        return None, [f"the sound of {info.path} cannot be used{reason}; the result is silent"]
    if not messages:
        whole = duration_s is None and not start_s
        return track, [*sound_notes(info), *(shorter_sound(info, heard_s) if whole else ())]
    damage = f"the sound of {info.path} is damaged in places{reason}"
    return replace(track, copy=decoded_copy(info)), [*sound_notes(info), damage]


def _filters(info: MediaInfo, start_s: Fraction, duration_s: float | Fraction | None) -> str:
    chain = [
        f"asetpts=PTS-({start_s})/TB",
        f"a{shorten_pauses(PAUSE_S, longest_pause(info))}",
        *channel_filters(info),
        # Whole numbers: samples that are no numbers would stop the AAC encoder.
        _PLAIN,
        # Silence in front of a sound that starts late and in its gaps; what lies before the first picture is cut.
        "aresample=async=1:first_pts=0",
        _PLAIN,  # again: ffmpeg cannot settle the layout of a six-channel sound on both sides of aresample
    ]
    if duration_s is not None:
        chain.append(f"atrim=end={float(duration_s):.6f}")
    return ",".join(chain)


def _try_out(track: SoundTrack, duration_s: float | Fraction | None) -> tuple[float, list[str]]:
    """Decode the track once: its length in seconds, 0 if it did not end well, and ffmpeg's messages."""
    limit = [] if duration_s is None else ["-t", f"{float(duration_s):.6f}"]
    raw = [*track.choice(0), "-af", track.filters, *limit, "-ac", "1", "-ar", str(_TRIED_HZ), "-f", "s16le", "pipe:1"]
    with Child([*track.input_arguments(), *raw], collect=True) as child:
        got = sum(map(len, iter(lambda: child.read(_BLOCK_BYTES), b"")))
        return got / 2 / _TRIED_HZ if child.wait() == 0 else 0.0, child.messages
