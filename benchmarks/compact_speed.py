"""(b) Frames per second of the whole program, decode, animate and encode, with the weights that ship.

python -m benchmarks.compact_speed [--threads N] [--json FILE]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.clips import add_inputs, loop_clip, run_settings
from benchmarks.report import Figure, arguments, publish
from talkingface.config import Settings
from talkingface.pipelines.animate import animate

FRAMES = 250


def main() -> int:
    """Measure and report; exit status 1 where an aim is missed."""
    parser = arguments(__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES, help="length of the driving clip")
    parser.add_argument("--repeat", type=int, default=3, help="runs; the fastest counts, as others use the machine too")
    add_inputs(parser)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        driving = loop_clip(options.driving, Path(folder) / "driving.mp4", frames=options.frames)
        settings = run_settings(options, driving, Path(folder) / "result.mp4")
        runs = [_run(settings) for _ in range(options.repeat)]
    program_s, loaded_s, frames, weights = min(runs)
    cores = torch.get_num_threads()
    figures = [
        Figure("whole program, model loaded before", frames / loaded_s, "frames/s", ">= 20" if cores > 1 else ">= 25"),
        Figure("whole program, loading included", frames / program_s, "frames/s"),
        Figure("frames", frames),
    ]
    return publish(f"whole program: decode, animate, encode; {weights}", figures, options.json)


def _run(settings: Settings) -> tuple[float, float, int, str]:
    """(seconds with loading, seconds without, frames, weights) of one animation."""
    start = time.perf_counter()
    result = animate(settings)
    return time.perf_counter() - start, result.elapsed_s, result.frames, result.weights


if __name__ == "__main__":
    sys.exit(main())
