"""Milliseconds a frame to cut a face out of a 1280x720 frame and to paste it back, against the plain way.

The plain way blends the whole frame in floating point with a mask of its size, and resizes the crop into it.

python -m benchmarks.paste [--json FILE]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from benchmarks.report import Figure, arguments, publish
from talkingface.face.crop.crop import Crop, square_crop
from talkingface.face.face import Box
from talkingface.face.paste.paste import Paster
from talkingface.media.image import Picture, resize

HEIGHT, WIDTH, NETWORK = 720, 1280, 256
SIDES = (256, 400, 700)  # of the crop in the frame
REPEAT = 30


def main() -> int:
    """Measure and report; exit status 1 where an aim is missed."""
    parser = arguments(__doc__)
    options = parser.parse_args()
    small = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    frame = resize(small, (HEIGHT, WIDTH))
    figures = [figure for side in SIDES for figure in _of_square(frame, side)]
    figures += _of_turned(frame)
    return publish(f"cut from and paste into {WIDTH}x{HEIGHT}, network of {NETWORK}", figures, options.json)


def _of_square(frame: Picture, side: int) -> list[Figure]:
    box = Box(WIDTH / 2 - side / 2, HEIGHT / 2 - side / 2, WIDTH / 2 + side / 2, HEIGHT / 2 + side / 2)
    crop = square_crop(box, NETWORK, (HEIGHT, WIDTH), scale=1.0)
    result, plain = crop.cut(frame), _plain(frame, crop)
    plain_ms = _fastest(lambda: plain(result))
    soft_ms = _fastest(_pasting(Paster(frame, crop), result))
    small = side == NETWORK
    return [
        Figure(f"cut {side}", _fastest(lambda: crop.cut(frame)), "ms", "<= 2" if small else ""),
        Figure(f"paste {side}, soft", soft_ms, "ms", "<= 5" if small else ""),
        Figure(f"paste {side}, plain way over soft", plain_ms / soft_ms, "", ">= 3" if small else ""),
        Figure(f"paste {side}, round", _fastest(_pasting(Paster(frame, crop, "round"), result)), "ms"),
        Figure(f"paste {side}, poisson", _fastest(_pasting(Paster(frame, crop, "poisson"), result)), "ms"),
    ]


def _of_turned(frame: Picture) -> list[Figure]:
    cos, sin = 1.2 * np.cos(0.3), 1.2 * np.sin(0.3)
    crop = Crop(np.array([[cos, -sin, 530.0], [sin, cos, 180.0], [0.0, 0.0, 1.0]]), (NETWORK, NETWORK))
    start = time.perf_counter()
    result = crop.cut(frame)
    first_ms = (time.perf_counter() - start) * 1000
    return [
        Figure("cut turned, first frame", first_ms, "ms"),
        Figure("cut turned, later frames", _fastest(lambda: crop.cut(frame)), "ms"),
        Figure("paste turned, soft", _fastest(_pasting(Paster(frame, crop), result)), "ms"),
    ]


def _pasting(paster: Paster, result: Picture) -> Callable[[], object]:
    paster.paste(result)  # masks and colours are made by the first
    return lambda: paster.paste(result)


def _plain(frame: Picture, crop: Crop) -> Callable[[Picture], Picture]:
    """The same soft paste without any of its shortcuts."""
    paster = Paster(frame, crop)
    left, top, right, bottom = paster.region
    mask = np.zeros((*frame.shape[:2], 1), np.float32)
    mask[top:bottom, left:right, 0] = paster.mask

    def paste(result: Picture) -> Picture:
        full = np.zeros_like(frame)
        full[top:bottom, left:right] = resize(result, (bottom - top, right - left))
        return np.rint(full * mask + frame * (1 - mask)).astype(np.uint8)

    return paste


def _fastest(action: Callable[[], object]) -> float:
    """Milliseconds of the fastest of several runs, as others use the machine too."""
    times = []
    for _ in range(REPEAT):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times) * 1000


if __name__ == "__main__":
    sys.exit(main())
