"""Speed of a frame of StyleGAN2 as StyleHEAT draws it: fixed codes against the plain generator, in the same run.

The structure is the published one, its weights are drawn from a seed, so nothing is fetched. Each frame replaces the
features in the middle. The plain way computes all of the generator for every frame, once for the picture and, with
--published, once more for the picture of the warp alone that the released program draws and throws away.

python -m benchmarks.stylegan2 [--size PIXELS] [--frames N] [--published] [--threads N] [--repeat N] [--json FILE]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.report import Figure, arguments, publish
from talkingface.nn.stylegan2.conditions import Conditions
from talkingface.nn.stylegan2.fixed import FixedGenerator
from talkingface.nn.stylegan2.generator import Generator
from talkingface.nn.stylegan2.structure import StyleGAN2Structure


@dataclass(frozen=True)
class Run:
    """A batch of pictures, and what each took in wall and processor time (all threads), in seconds."""

    pictures: Tensor
    wall_s: float
    processor_s: float


def main() -> int:
    """Measure and report; exit status 1 where an aim is missed."""
    parser = arguments(__doc__)
    parser.add_argument("--size", type=int, default=1024, help="side of the pictures")
    parser.add_argument("--frames", type=int, default=1, help="frames in a batch")
    parser.add_argument("--published", action="store_true", help="draw the picture of the warp alone too")
    parser.add_argument("--repeat", type=int, default=3, help="runs; the fastest counts, as others use the machine too")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    generator, codes, features = seeded(options.size, options.frames)
    changes, repeated = Conditions(replacement=features), codes.expand(options.frames, -1, -1)

    def plain() -> Tensor:
        if options.published:
            generator(repeated, changes)
        return generator(repeated, changes).picture

    runs = {"fixed, and what comes once for a source": [measure(lambda: FixedGenerator(generator, codes)(changes))]}
    fixed = FixedGenerator(generator, codes)
    fixed(changes)
    ways: dict[str, Callable[[], Tensor]] = {"plain": plain, "fixed": lambda: fixed(changes)}
    for _ in range(options.repeat):
        for name, way in ways.items():
            runs.setdefault(name, []).append(measure(way))
    best = {name: fastest(found) for name, found in runs.items()}
    return publish(f"StyleGAN2 at {options.size}, {options.frames} frame(s)", figures(best), options.json)


@torch.no_grad()
def seeded(size: int, frames: int) -> tuple[Generator, Tensor, Tensor]:
    """A generator with drawn weights and biases, codes (1, codes, length), and features for each frame."""
    torch.manual_seed(0)
    structure = StyleGAN2Structure(size=size, splice=min(size, 64))
    generator = Generator(structure).requires_grad_(False)
    for name, value in generator.named_parameters():
        if name.endswith("activate.bias"):
            value.normal_(std=0.1)
    codes = torch.randn(1, structure.codes, structure.code_length)
    features = generator.begin(codes).features
    return generator, codes, features + 0.1 * torch.randn(frames, *features.shape[1:])


@torch.inference_mode()
def measure(way: Callable[[], Tensor]) -> Run:
    """Run once and take the time of a frame."""
    wall, processor = time.perf_counter(), time.process_time()
    pictures = way()
    count = len(pictures)
    return Run(pictures, (time.perf_counter() - wall) / count, (time.process_time() - processor) / count)


def fastest(runs: list[Run]) -> Run:
    """The shortest times of several runs of one way."""
    return Run(runs[0].pictures, min(run.wall_s for run in runs), min(run.processor_s for run in runs))


def figures(runs: dict[str, Run]) -> list[Figure]:
    """Times of the ways, their ratios, and the distance of their pictures."""
    plain, fixed = runs["plain"], runs["fixed"]
    out = [Figure(f"{name}, each frame", run.processor_s, "CPU s") for name, run in runs.items()]
    out.append(
        Figure("fixed faster than plain, by processor time", plain.processor_s / fixed.processor_s, "x", ">= 1.5")
    )
    out.append(Figure("fixed faster than plain, by wall time", plain.wall_s / fixed.wall_s, "x"))
    apart = (plain.pictures - fixed.pictures).norm() / plain.pictures.norm()
    return [*out, Figure("relative difference of the pictures", float(apart), "", "<= 1e-5")]


if __name__ == "__main__":
    sys.exit(main())
