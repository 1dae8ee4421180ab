"""(f) Frames per second of reconstruction by the published network (random weights), and times of the rasteriser.

python -m benchmarks.face3d [--threads N] [--device cuda] [--json FILE]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.spatial import Delaunay
from torch import Tensor

from benchmarks.report import Figure, arguments, publish
from talkingface.face.face import Box, Face
from talkingface.face3d.deep import DeepReconstructor, ReconNet
from talkingface.face3d.five_points import MEASURED
from talkingface.face3d.surface.preview import render
from talkingface.face3d.surface.raster import rasterise

FRAMES = 32


def main() -> int:
    """Measure and report; exit status 1 where an aim is missed."""
    parser = arguments(__doc__)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    figures = [*_reconstruction(options.device), *_raster(options.device)]
    return publish("face3d: reconstruction and drawing", figures, options.json)


def _reconstruction(device: str) -> list[Figure]:
    """Whole way from 256 pictures with landmarks to rows, and the share of it that is cutting."""
    random = np.random.default_rng(0)
    pictures = list(random.integers(0, 256, (FRAMES, 256, 256, 3), dtype=np.uint8))
    up = 55 * MEASURED[:, :2] + 128
    five = np.stack([up[:, 0], 255 - up[:, 1]], 1).astype(np.float32)
    faces = [Face(Box.around(five), 1.0, None, None, "face_alignment", five)] * FRAMES
    found = []
    for batch in (1, 16):
        deep = DeepReconstructor(ReconNet(), MEASURED, device=device, batch_size=batch)
        seconds = _fastest(lambda deep=deep: deep.rows(pictures, faces))
        found.append(Figure(f"reconstruction, batches of {batch}", FRAMES / seconds, "frames/s"))
    return found


def _raster(device: str) -> list[Figure]:
    """A face mesh and a face model, each as scattered points that fill most of the picture."""
    found = []
    for vertices, size, aim in ((468, 256, ""), (35_709, 224, "<= 1000")):
        points, triangles = _sheet(vertices, size, device)
        name = f"{len(triangles)} triangles at {size}x{size}"
        seconds = _fastest(lambda p=points, t=triangles, s=size: rasterise(p, t, (s, s)))
        found.append(Figure(f"rasteriser, {name}", 1000 * seconds, "ms", aim))
        seconds = _fastest(lambda p=points, t=triangles, s=size: render(p, t, (s, s)))
        found.append(Figure(f"shaded preview, {name}", 1000 * seconds, "ms"))
    return found


def _sheet(vertices: int, size: int, device: str) -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(1)
    flat = random.uniform(0.1 * size, 0.9 * size, (vertices, 2))
    points = np.column_stack([flat, random.uniform(0, 5, vertices)]).astype(np.float32)
    triangles = Delaunay(flat).simplices.astype(np.int64)
    return torch.from_numpy(points).to(device), torch.from_numpy(triangles).to(device)


def _fastest(job: Callable[[], object], runs: int = 5) -> float:
    """Seconds of the fastest run, as others use the machine too; the first one only warms up."""
    job()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        job()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
