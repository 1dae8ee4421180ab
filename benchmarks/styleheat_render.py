"""Speed of StyleHEAT's renderer against a plain loop over its networks, in the same run.

The plain loop goes about it as the released program does: the generator twice for each frame, once for a picture of the
warp alone that nobody looks at, each time from its constant on, and all heads of the calibrator. The structure is the
published one (--small: one in small), its weights are drawn from a seed, so nothing is fetched; the picture is real,
the coefficients are drawn. One published frame is 384 GFLOP the plain way: tens of seconds.

python -m benchmarks.styleheat_render [--frames N] [--threads N] [--repeat N] [--small] [--json FILE]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from benchmarks.frame_run import Run, faster, measure
from benchmarks.report import Figure, arguments, publish
from talkingface.media.image import center_square, read_image, resize
from talkingface.models.styleheat.compact.guide import WarpInput
from talkingface.models.styleheat.networks.build import StyleHeatNetworks
from talkingface.models.styleheat.networks.fast import FastStyleHeat
from talkingface.models.styleheat.networks.inversion import Inversion
from talkingface.models.styleheat.structure import StyleHeatStructure
from talkingface.nn.stylegan2.conditions import Conditions
from talkingface.paths import shipped
from talkingface.pipelines.frames import to_tensor

SAMPLE = shipped("dataset", "sample") / "source.png"
WINDOW = 27
PICTURE_GAIN = 0.1  # keeps frames within [-1, 1] mostly, so that differences are seen
Found = TypeVar("Found")
SMALL = {
    "generator": {"size": 256, "width": 0.25, "max_channels": 64, "splice": 64},
    "encoder": {"stages": ((8, 1), (16, 1), (24, 1), (32, 1)), "codes": 14, "head_width": 16},
    "residual": {"aligner": (8, 12, 16, 24), "encoder": (8, 12, 16), "channels": 64},
    "warper": {"features": 32, "width": 8, "max_width": 32},
    "calibrator": {"channels": 64, "width": 32, "features": 32},
}


def main() -> int:
    """Measure and report; exit status 1 where an aim is missed."""
    parser = arguments(__doc__)
    parser.add_argument("--frames", type=int, default=1, help="frames")
    parser.add_argument("--repeat", type=int, default=2, help="runs; the fastest counts, as others use the machine too")
    parser.add_argument("--source", type=Path, default=SAMPLE, help="picture")
    parser.add_argument("--small", action="store_true", help="a small structure, to try this out")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    networks = seeded_networks(StyleHeatStructure.model_validate(SMALL if options.small else {}))
    side = networks.generator.e4e_encoder.side
    small = to_tensor([resize(center_square(read_image(options.source)), (side, side))]) * 2 - 1
    windows = 0.5 * torch.randn(options.frames, 73, WINDOW, generator=torch.Generator().manual_seed(1))
    fast = FastStyleHeat(networks)
    inversion, plain_source = timed(lambda: plain_inversion(networks, small))
    drawable, own_source = timed(lambda: fast.invert(small))
    ways: dict[str, Callable[[], Tensor]] = {
        "plain": lambda: plain_loop(networks, inversion, windows),
        "own": lambda: fast.frames(drawable, WarpInput(windows)),
    }
    runs = {name: measure(way) for name, way in ways.items()}
    for _ in range(options.repeat - 1):
        runs = {name: faster(runs[name], measure(way)) for name, way in ways.items()}
    sources = {"plain": plain_source, "own": own_source}
    aim = "" if options.small else "<= 0.5"
    title = f"StyleHEAT's renderer, {options.frames} frame(s) at {networks.generator.stylegan.structure.size}"
    return publish(title, figures(runs, sources, aim), options.json)


@torch.no_grad()
def seeded_networks(structure: StyleHeatStructure) -> StyleHeatNetworks:
    """Drawn weights that keep the size of what goes through; batch norms have seen something."""
    torch.manual_seed(0)
    networks = StyleHeatNetworks(structure).requires_grad_(False)
    for part in networks.modules():
        if isinstance(part, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            part.weight.normal_(std=part.weight[0].numel() ** -0.5)
        elif isinstance(part, nn.BatchNorm2d):
            part.weight.uniform_(0.4, 0.8)
    networks.generator.e4e_encoder.load_mean(torch.randn_like(networks.generator.e4e_encoder.latent_avg[0]))
    for picture in (networks.generator.stylegan.to_rgb1, *networks.generator.stylegan.to_rgbs):
        picture.conv.weight.mul_(PICTURE_GAIN)
    for map_head in (*networks.calibrator.last_heads(), networks.generator.hfgi_encoder.condition_scale3):
        for value in map_head.parameters():
            value.mul_(0.3)
    return networks.eval()


def plain_inversion(networks: StyleHeatNetworks, picture: Tensor) -> Inversion:
    """A source, inverted by the plain networks."""
    found: Inversion = networks.generator(picture)
    return found


def plain_loop(networks: StyleHeatNetworks, inversion: Inversion, windows: Tensor) -> Tensor:
    """Frame by frame through the plain networks."""
    generator, frames = networks.generator.stylegan, []
    for window in windows.split(1):
        warp = networks.video_warper(inversion.picture, window)
        generator(inversion.codes, Conditions(inversion.details, warps=[warp.field]))
        refine = networks.calibrator.maps(warp.apply(inversion.features), warp.descriptor)[-1]
        changes = Conditions(inversion.details, inversion.features, [warp.field], refine)
        frames.append(generator(inversion.codes, changes).picture)
    return torch.cat(frames)


@torch.inference_mode()
def timed(way: Callable[[], Found]) -> tuple[Found, float]:
    """(what comes out, seconds of processor time)."""
    start = time.process_time()
    return way(), time.process_time() - start


def figures(runs: Mapping[str, Run], sources: Mapping[str, float], aim: str) -> list[Figure]:
    """Times of the ways, their ratios, and the distance of their frames."""
    plain, own = runs["plain"], runs["own"]
    out = [Figure(f"{name}, once for the source", seconds, "CPU s") for name, seconds in sources.items()]
    out += [Figure(f"{name}, each frame", run.processor_s, "CPU s") for name, run in runs.items()]
    out += [Figure(f"{name}, each frame by the clock", run.wall_s, "s") for name, run in runs.items()]
    out.append(Figure("own, of the plain way's processor time", own.processor_s / plain.processor_s, "", aim))
    apart = float((plain.frames.clamp(-1, 1) - own.frames.clamp(-1, 1)).abs().max())
    out.append(Figure("largest difference", 255 / 2 * apart, "of 255", "<= 1"))
    return [*out, Figure("contrast of the frames (deviation)", float(plain.frames.clamp(-1, 1).std()))]


if __name__ == "__main__":
    sys.exit(main())
