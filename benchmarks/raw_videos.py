"""Raw videos to prepare, made from the clips that ship: faces of several sizes and places, sound, broken files."""

from __future__ import annotations

from pathlib import Path

from talkingface.media.ffmpeg import address, input_arguments, output_of
from talkingface.paths import shipped


def make_raw_videos(folder: Path, *, copies: int = 1) -> Path:
    """Three people of different sizes (one of them for testing), one video without a face, and one that is torn.

    Args:
        folder: where to; made if it is missing.
        copies: of each whole video, under other names.

    Returns:
        The folder.
    """
    for number in range(copies):
        place(shipped("dataset", "sample", "train", "portrait_01.mp4"), folder / f"anna/talk{number}.mp4", 200, 90, 20)
        place(shipped("dataset", "sample", "train", "painted1_01.mp4"), folder / f"ben_{number}.mp4", 230, 5, 5)
        place(shipped("dataset", "sample", "test", "painted2_01.mp4"), folder / f"test/cleo_{number}.mp4", 180, 200, 50)
    _encode(["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=1"], folder / "no_face.mp4")
    whole = (folder / "anna/talk0.mp4").read_bytes()
    (folder / "torn.mp4").write_bytes(whole[: len(whole) // 2])
    return folder


def place(clip: Path, target: Path, side: int, left: int, top: int) -> Path:
    """Put a clip, scaled to a side in pixels, into a larger picture, with its sound where it has any."""
    # Colours and ends are given, because the filter draws them anew each time otherwise.
    moving = "gradients=size=400x256:rate=25:speed=0.02:nb_colors=2:c0=0x305070:c1=0xa08050:x0=0:y0=0:x1=399:y1=255"
    background = ["-f", "lavfi", "-i", moving]
    graph = f"[0:v]scale={side}:{side}[face];[1:v][face]overlay={left}:{top}:shortest=1[out]"
    _encode([*input_arguments(clip), *background, "-filter_complex", graph, "-map", "[out]", "-map", "0:a?"], target)
    return target


def _encode(arguments: list[str], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    command = ["-y", *arguments, "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    status, _, messages = output_of([*command, address(target)])
    if status != 0:
        raise RuntimeError(f"{target}: {messages}")
