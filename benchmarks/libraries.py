"""Hand-written numerics against kornia, librosa and imageio: largest difference, and time in the same run.

    python -m benchmarks.libraries [--picture FILE] [--sound FILE] [--threads N] [--json FILE]

Time is the library's over ours, processor time of the fastest of several runs that take turns; above 1 ours is faster.
Differences are in the unit of the result: pictures in [0, 1], or levels of 255 where they are uint8. docs/design.md
says what follows from the figures. Rows of a library that is not installed (`pip install -e '.[reference]'`
for librosa) are left out.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.report import Figure, arguments, publish
from talkingface.paths import shipped

Pair = tuple[str, Callable[[], Any], Callable[[], Any]]
ROUNDS, RUNS = 3, 5


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("--picture", type=Path, default=shipped("dataset", "sample", "source.png"))
    parser.add_argument("--sound", type=Path, default=shipped("dataset", "sample", "driving.mp4"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads or 1)
    pairs = [*_coordinates(), *_pictures(options.picture), *_reading(options.picture), *_sound(options.sound)]
    figures = [figure for pair in pairs for figure in _compared(*pair)]
    return publish(
        "our own code against libraries: difference, and time of the library over ours", figures, options.json
    )


def _compared(name: str, ours: Callable[[], Any], library: Callable[[], Any]) -> Iterator[Figure]:
    one, two = (np.asarray(action(), np.float64) for action in (ours, library))
    yield Figure(f"{name}: difference", float(np.abs(one - two).max()))
    times = [(_fastest(ours), _fastest(library)) for _ in range(ROUNDS)]
    yield Figure(f"{name}: time", min(t for _, t in times) / min(t for t, _ in times))


def _fastest(action: Callable[[], Any]) -> float:
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times)


def _coordinates() -> Iterator[Pair]:
    """Grids, splines and points."""
    from kornia import geometry
    from kornia.geometry import bbox

    from talkingface.face.detect.networks.retinaface import best_boxes
    from talkingface.nn.geometry.grids import coordinate_grid, flow_to_field, gaussian_heatmaps
    from talkingface.nn.geometry.thin_plate import ThinPlateTransform

    torch.manual_seed(0)
    like = torch.zeros(1)
    grid = coordinate_grid(256, 256, like)
    yield "coordinate grid", lambda: coordinate_grid(256, 256, like), lambda: geometry.create_meshgrid(256, 256)[0]
    flow = torch.randn(1, 2, 64, 64)

    def field() -> torch.Tensor:
        pixels = geometry.create_meshgrid(64, 64, normalized_coordinates=False)
        return geometry.normalize_pixel_coordinates(pixels + flow.permute(0, 2, 3, 1), 64, 64)

    yield "field of a flow", lambda: flow_to_field(flow), field
    points, spread = torch.rand(8, 10, 2) * 1.6 - 0.8, torch.full((1, 1, 2), 0.1)
    yield (
        "Gaussian heatmaps",
        lambda: gaussian_heatmaps(points, (64, 64), 0.01),
        lambda: geometry.subpix.render_gaussian2d(points, spread, (64, 64)),
    )
    spline = ThinPlateTransform.random(2, like, sigma_affine=0.05, sigma_tps=0.005, points=5)
    assert spline.control_params is not None  # noqa: S101 (for the type checker)
    weights = spline.control_params.transpose(1, 2).expand(-1, -1, 2)
    affine = torch.cat([spline.theta[:, :, 2:], spline.theta[:, :, :2]], 2).transpose(1, 2)
    centres, places = spline.control_points[None].expand(2, -1, -1), grid.view(1, -1, 2).expand(2, -1, -1)
    yield (
        "thin-plate spline",
        lambda: spline.warp_points(places),
        lambda: geometry.warp_points_tps(places, centres, weights, affine),
    )
    corners = torch.rand(300, 2) * 200
    boxes, scores = torch.cat([corners, corners + 20 + torch.rand(300, 2) * 100], 1), torch.rand(300)
    yield (
        "best boxes",
        lambda: best_boxes(boxes.numpy(), scores.numpy(), 0.4),
        lambda: bbox.nms(boxes, scores, 0.4),
    )


def _pictures(file: Path) -> Iterator[Pair]:
    """Filters, colours and sizes of pictures."""
    from kornia import enhance, filters, geometry, metrics
    from torch.nn import functional

    from talkingface.data.augment import Change, _recolour, _resample, _turn_hue
    from talkingface.evaluation.metrics.frames import psnr, ssim
    from talkingface.face.crop.crop import Crop
    from talkingface.media.image import read_image, resize
    from talkingface.nn.antialias import AntiAliasDownsample, ImagePyramid

    picture = resize(read_image(file), (512, 512))
    image = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    levels, small = image * 255, image[..., 128:384, 128:384].contiguous()
    mirrored = small.flip(-1)
    yield (
        "SSIM",
        lambda: ssim(mirrored, small),
        lambda: metrics.ssim(mirrored, small, 11, padding="valid").mean((1, 2, 3)),
    )
    yield "PSNR", lambda: psnr(mirrored, small), lambda: metrics.psnr(mirrored, small, 1.0)[None]
    down = AntiAliasDownsample(3, 0.25)
    yield (
        "blur and every fourth pixel",
        lambda: down(small),
        lambda: filters.gaussian_blur2d(small, (13, 13), (1.5, 1.5), border_type="constant")[..., ::4, ::4],
    )

    def learnt(reduced: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        leaf = small.clone().requires_grad_()
        reduced(leaf).abs().mean().backward()  # type: ignore[no-untyped-call]
        assert leaf.grad is not None  # noqa: S101 (for the type checker)
        return leaf.grad

    pyramid = ImagePyramid([0.125])
    yield (
        "gradient of the pyramid's blur",
        lambda: learnt(lambda x: pyramid(x)[0.125]),
        lambda: learnt(
            lambda x: filters.gaussian_blur2d(x, (29, 29), (3.5, 3.5), border_type="constant")[..., ::8, ::8]
        ),
    )
    frames, still = small[None], np.eye(2, 3)
    hue, grey = Change(False, _turn_hue(0.05), 1.0, still), Change(False, np.eye(3), 1.1, still)
    yield "hue", lambda: _recolour(frames, [hue]), lambda: enhance.adjust_hue(small, 0.1 * np.pi)[None]
    yield (
        "contrast",
        lambda: _recolour(frames, [grey]),
        lambda: enhance.adjust_contrast_with_mean_subtraction(small, 1.1)[None],
    )
    turn = np.array([[0.8, -0.2, 0.05], [0.2, 0.8, -0.05], [0, 0, 1.0]])
    unit = np.array([[128, 0, 127.5], [0, 128, 127.5], [0, 0, 1.0]])
    back = torch.from_numpy(unit @ np.linalg.inv(turn) @ np.linalg.inv(unit))[None, :2].float()
    moved = Change(False, np.eye(3), 1.0, turn[:2])
    yield (
        "turned and cropped item",
        lambda: _resample(frames, [moved]),
        lambda: geometry.warp_affine(small, back, (256, 256), padding_mode="reflection", align_corners=False)[None],
    )
    yield (
        "reduction without aliasing, float",
        lambda: functional.interpolate(image, size=(170, 170), mode="bicubic", antialias=True),
        lambda: geometry.resize(image, (170, 170), interpolation="bicubic", antialias=True, align_corners=False),
    )
    yield (
        "reduction without aliasing, uint8",
        lambda: resize(picture, (170, 170)),
        lambda: _as_picture(
            geometry.resize(levels, (170, 170), interpolation="bicubic", antialias=True, align_corners=False)
        ),
    )
    crop = Crop(np.array([[1.2, -0.4, 100.0], [0.4, 1.2, 30.0], [0, 0, 1.0]]), (256, 256))
    matrix = torch.from_numpy(crop.inverse[:2])[None].float()
    yield (
        "turned crop, uint8",
        lambda: crop.cut(picture),
        lambda: _as_picture(geometry.warp_affine(levels, matrix, (256, 256), mode="bicubic", padding_mode="border")),
    )


def _as_picture(levels: torch.Tensor) -> np.ndarray[Any, Any]:
    """(1, 3, H, W) in [0, 255] as (H, W, 3) uint8."""
    return levels[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()


def _reading(file: Path) -> Iterator[Pair]:
    """Files of pictures."""
    if find_spec("imageio") is None:
        return
    from imageio import v3

    from talkingface.media.image import read_image

    def by_imageio() -> np.ndarray[Any, Any]:
        return np.asarray(v3.imread(file, plugin="pillow", index=0, mode="RGB", rotate=True))

    yield "read a picture", lambda: read_image(file), by_imageio


def _sound(file: Path) -> Iterator[Pair]:
    """Ten seconds of sound."""
    if find_spec("librosa") is None:
        return
    import librosa

    from talkingface.media.sounds.audio import read_audio
    from talkingface.models.sadtalker.voice.mel import FRAME_SAMPLES, mel_columns, mel_filters

    wave = read_audio(file)[:160_000]
    wave = wave[: len(wave) // FRAME_SAMPLES * FRAME_SAMPLES]
    sound = torch.from_numpy(wave)
    raised = np.append(wave[:1], wave[1:] - 0.97 * wave[:-1].astype(np.float64))

    def filters() -> np.ndarray[Any, Any]:
        return librosa.filters.mel(sr=16000, n_fft=800, n_mels=80, fmin=55, fmax=7600, dtype=np.float64)

    basis = filters()

    def by_librosa() -> np.ndarray[Any, Any]:
        spectrum = np.abs(librosa.stft(raised, n_fft=800, hop_length=200, pad_mode="constant"))
        decibels = librosa.amplitude_to_db(basis @ spectrum, ref=1, amin=1e-5, top_db=None) - 20
        return np.clip(8 * (decibels + 100) / 100 - 4, -4, 4)

    yield "mel filters", mel_filters.__wrapped__, filters
    yield "mel columns", lambda: mel_columns(sound), by_librosa


if __name__ == "__main__":
    sys.exit(main())
