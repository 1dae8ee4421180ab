"""Filters of the decoder that turn stored frames into whole RGB frames: fields, colours, high dynamic range."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from .ffmpeg import executable, output_of

SCALE_FLAGS = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
_HD_LINES = 720  # colours without a tag are BT.709 from this height on, below it BT.601
_HDR = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
_WIDE = ("bt2020", "smpte431", "smpte432")  # primaries whose colours look pale where they are taken for BT.709
_RANGES = ("tv", "pc")
_UNKNOWN = ("unknown", "reserved", "")
_FIELDS = {"top": "tff", "bottom": "bff"}
_UNMARKED = ("rawvideo", "mjpeg", "huffyuv", "ffvhuff", "utvideo", "v210", "v410", "r210")
"""Codecs whose frames do not say that they are interlaced; the container does."""

# Brightness of white in nits (ITU-R BT.2408): what SDR shows as white. Up to KNEE of it nothing changes.
_WHITE_NITS, _KNEE = 203, 0.8


@dataclass(frozen=True)
class Storage:
    """Form in which a video's frames are stored, in ffmpeg's words; "" where the file does not say.

    Attributes:
        codec: name of the codec.
        matrix, primaries, transfer: of the colours.
        fields: "top" or "bottom", the field that comes first, of interlaced frames.
    """

    codec: str = ""
    matrix: str = ""
    primaries: str = ""
    transfer: str = ""
    fields: str = ""

    @classmethod
    def of(cls, codec: str, tags: str) -> Storage:
        """Read the words behind a pixel format in ffmpeg's report, such as ``tv, bt709, top first``."""
        colours, fields = ("", "", ""), ""
        for tag in (tag.strip() for tag in tags.split(",")):
            if tag.startswith(("top ", "bottom ")):
                fields = tag.split()[0]
            elif tag not in _RANGES and tag != "progressive":
                parts = tag.split("/")
                colours = (parts[0], parts[1], parts[2]) if len(parts) == 3 else (tag, tag, tag)
        matrix, primaries, transfer = ("" if colour in _UNKNOWN else colour for colour in colours)
        return cls(codec, matrix, primaries, transfer, fields)

    @property
    def hdr(self) -> str:
        """ "PQ", "HLG", or "" for standard dynamic range."""
        return _HDR.get(self.transfer, "")

    @property
    def is_wide(self) -> bool:
        """True if the colours are of a larger gamut than BT.709, or of high dynamic range."""
        return bool(self.hdr) or self.primaries in _WIDE

    def whole_frames(self) -> list[str]:
        """Filters that make whole frames of interlaced ones; frames that are marked as progressive pass untouched."""
        if not self.fields:
            return []
        marks = [f"setfield={_FIELDS[self.fields]}"] if self.codec in _UNMARKED else []
        return [*marks, "bwdif=mode=send_frame:parity=auto:deint=interlaced"]

    def scale(self, height: int, width: int, stored_lines: int) -> list[str]:
        """Filters that scale frames and leave colours that are converted to RGB as BT.709 or BT.601 say.

        Args:
            stored_lines: the shorter side of the stored frames, by which colours without a tag are judged.
        """
        size = f"scale={width}:{height}:flags={SCALE_FLAGS}"
        if self.is_wide and can_convert():
            # In 12 bits and with colours at full size, so that nothing is lost before the curve is changed.
            return [size, "setsar=1", "format=yuv444p12le", *self._to_bt709()]
        customary = "bt709" if stored_lines >= _HD_LINES else "bt601"
        return [size if self.matrix else f"{size}:in_color_matrix={customary}", "setsar=1"]

    def _to_bt709(self) -> list[str]:
        known = f"min={self.matrix or 'bt2020nc'}:pin={self.primaries or 'bt2020'}:tin={self.transfer or 'bt709'}"
        linear = f"zscale={known}:m=gbr:t=linear:npl={_WHITE_NITS}"
        curve = [f"tonemap=mobius:param={_KNEE}:desat=0"] if self.hdr else []
        return [linear, "format=gbrpf32le", "zscale=p=bt709", *curve, "zscale=t=bt709:r=pc", "format=gbrp"]

    def notes(self) -> list[str]:
        """Sentences about what is lost."""
        notes = []
        if self.is_wide and not can_convert():
            cure = "pip install --upgrade imageio-ffmpeg brings one that has it"
            notes.append(f"the video looks pale: it has {self._range}, and this ffmpeg has no zscale ({cure})")
        elif self.hdr:
            notes.append(f"the video has high dynamic range ({self.hdr}) and is tone-mapped to BT.709")
        if self.fields:
            notes.append("the video is interlaced; its fields are joined to whole frames")
        return notes

    @property
    def _range(self) -> str:
        return f"high dynamic range ({self.hdr})" if self.hdr else f"a wide gamut ({self.primaries})"


def can_convert() -> bool:
    """True if this ffmpeg has the filters that convert wide gamuts and high dynamic ranges."""
    return {"zscale", "tonemap"} <= _filters_of(executable())


@cache
def _filters_of(program: str) -> frozenset[str]:
    lines = output_of(["-filters"])[1].decode("ascii", "replace").splitlines()
    return frozenset(words[1] for words in map(str.split, lines) if len(words) > 1)
