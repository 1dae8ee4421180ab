"""(a) Speed of FOM's published networks against a plain loop over them, in the same run.

The plain loop is written as the released program does it: one frame at a time, float32, the source encoded again for
every frame, all intermediate maps made. The structure is that of vox-256 with weights drawn from a seed, so nothing is
fetched; the pictures are real.

python -m benchmarks.fom_structure [--frames N] [--threads N] [--repeat N] [--json FILE]
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.frame_run import Run, faster
from benchmarks.report import Figure, arguments, publish
from parity import read_case
from talkingface.media.image import center_square, read_image, resize
from talkingface.media.video import open_video
from talkingface.models.base import Renderer
from talkingface.models.fom.config import FOMConfig
from talkingface.models.fom.plugin import FOM
from talkingface.models.fom.retarget import normalize_kp
from talkingface.paths import shipped
from talkingface.pipelines.frames import to_tensor
from talkingface.types import Source

SAMPLE = shipped("dataset", "sample")
SEEDED = Path(__file__).resolve().parents[1] / "tests" / "parity_cases" / "fom" / "vox-256-e2e-absolute"
SIZE = (256, 256)
BATCH = 4


def main() -> int:
    """Measure and report; exit status 1 where an aim is missed."""
    parser = arguments(__doc__)
    parser.add_argument("--frames", type=int, default=16, help="driving frames")
    parser.add_argument("--repeat", type=int, default=3, help="runs; the fastest counts, as others use the machine too")
    parser.add_argument("--source", type=Path, default=SAMPLE / "source.png", help="picture")
    parser.add_argument("--driving", type=Path, default=SAMPLE / "driving.mp4", help="video")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    plugin = seeded_plugin()
    source = to_tensor([resize(center_square(read_image(options.source)), SIZE)])
    with open_video(options.driving, frame_limit=options.frames, size=SIZE, square=True) as reader:
        driving = to_tensor(list(reader))
    exact, rough = plugin.renderer(torch.float32), plugin.renderer(torch.bfloat16)
    ways: dict[str, Callable[[], Tensor]] = {
        "plain": lambda: plain_loop(plugin, source, driving),
        "float32": lambda: own_way(plugin, exact, source, driving),
        "bf16": lambda: own_way(plugin, rough, source, driving),
    }
    runs = {name: measure(way) for name, way in ways.items()}
    for _ in range(options.repeat - 1):
        runs = {name: faster(runs[name], measure(way)) for name, way in ways.items()}
    return publish(f"published vox-256 structure, {len(driving)} frames at 256", figures(runs), options.json)


def seeded_plugin() -> FOM:
    """vox-256 with drawn weights."""
    case = read_case(SEEDED)
    plugin = FOM(FOMConfig.from_released(case.build))
    for name in plugin.inference_networks:
        case.load(plugin.networks[name], name)
    plugin.networks.eval().requires_grad_(False)
    return plugin


@torch.no_grad()
def plain_loop(plugin: FOM, source: Tensor, driving: Tensor) -> Tensor:
    """Frame by frame through the plain networks, relative movement."""
    detector, generator = plugin.networks["kp_detector"], plugin.networks["generator"]
    kp_source, kp_initial = detector(source), detector(driving[:1])
    frames = []
    for frame in driving.split(1):
        keypoints = normalize_kp(
            kp_source, detector(frame), kp_initial, use_relative_movement=True, use_relative_jacobian=True
        )
        frames.append(generator(source, kp_source, keypoints)["prediction"])
    return torch.cat(frames)


@torch.inference_mode()
def own_way(plugin: FOM, renderer: Renderer, source: Tensor, driving: Tensor) -> Tensor:
    """Frames as the toolkit animates: driver, retargeting, renderer, a few frames at a time."""
    extractor, rate = plugin.extractor(), Fraction(25)
    motion = extractor.extract(driving.split(BATCH), rate)
    motion = plugin.retarget(extractor.extract([source], rate), motion, {"relative": True})
    state = renderer.encode_source(Source(source))
    return torch.cat([renderer.render(state, motion[i : i + BATCH]) for i in range(0, len(motion), BATCH)])


def measure(way: Callable[[], Tensor]) -> Run:
    """Run once and take the time of all frames."""
    wall, processor = time.perf_counter(), time.process_time()
    frames = way()
    return Run(frames, time.perf_counter() - wall, time.process_time() - processor)


def psnr_db(one: Tensor, other: Tensor) -> float:
    """Peak signal-to-noise ratio of pictures in [0, 1], in decibels."""
    return -10 * math.log10(max(float((one - other).square().mean()), 1e-20))


def figures(runs: Mapping[str, Run]) -> list[Figure]:
    """Times of the three ways, their ratios, and the distance of their frames."""
    plain, exact, rough = runs["plain"], runs["float32"], runs["bf16"]
    out = [Figure(f"{name}, each frame", 1000 * run.wall_s / len(run.frames), "ms") for name, run in runs.items()]
    aims = {"float32": ">= 1.6", "bf16": ">= 5" if torch.cpu._is_amx_tile_supported() else ""}
    for name, aim in aims.items():
        out.append(Figure(f"{name} faster than plain", plain.wall_s / runs[name].wall_s, "x", aim))
        out.append(Figure(f"{name}, by processor time", plain.processor_s / runs[name].processor_s, "x"))
    apart = float((plain.frames - exact.frames).abs().max())
    return [
        *out,
        Figure("largest difference, float32 from plain", 255 * apart, "of 255", "<= 1"),
        Figure("PSNR, bf16 from float32", psnr_db(exact.frames, rough.frames), "dB", ">= 40"),
        Figure("contrast of the frames (deviation)", float(exact.frames.std())),
    ]


if __name__ == "__main__":
    sys.exit(main())
