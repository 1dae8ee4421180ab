"""An output format: exact frames and exact sound, for editing."""

from talkingface.media.formats import Encoding, Format


def ffv1(encoding: Encoding) -> list[str]:
    """ffmpeg's arguments for pictures that come back bit by bit, whatever the quality asked for."""
    return ["-c:v", "ffv1", "-pix_fmt", "bgra" if encoding.alpha else "bgr0"]


MKV = Format(ffv1, container="matroska", sound=("-c:a", "flac"), alpha=True, encoders=("ffv1", "flac"))
