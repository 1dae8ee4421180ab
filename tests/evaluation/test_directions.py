"""Same videos give perfect values, and each fault moves the metrics of its kind the right way."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from talkingface.evaluation.measure import Measures
from talkingface.evaluation.metric import ClipFacts, MetricTools, lacking_metrics
from talkingface.face.detect.analyser import problem_of
from talkingface.media.image import center_square, read_image, resize
from talkingface.media.video import open_video
from talkingface.paths import default_checkpoint_root, shipped
from talkingface.pipelines.frames import to_tensor
from talkingface.plugins import METRICS

FRAMES = 26
# Metrics without a value that is perfect: the real frames' own is the aim.
PERFECT = {
    **dict.fromkeys(("l1", "vgg", "lpips", "akd", "faces_lost", "expression", "pose", "mouth_lag", "jitter"), 0.0),
    **dict.fromkeys(("flicker", "identity_distance", "frechet"), 0.0),
    **dict.fromkeys(("ssim", "ms_ssim"), 1.0),
    **{f"{movement}_{part}": 1.0 for movement in ("mouth", "pitch", "yaw", "roll") for part in ("r", "slope")},
    "psnr": 100.0,
}
LOOKED_AT = [*PERFECT, "sharpness", "cpbd", "identity", "diversity"]


@pytest.fixture(scope="module")
def real() -> Tensor:
    """Frames (26, 3, 192, 192) of the sample's driving video."""
    if problem_of("mesh", default_checkpoint_root()) is not None:
        pytest.skip("the face mesh is not there")
    path = shipped("dataset", "sample") / "driving.mp4"
    with open_video(path, frame_limit=FRAMES, size=(192, 192), square=True) as video:
        return to_tensor(list(video), "cpu")


Scores = Callable[[Tensor], dict[str, float]]


@pytest.fixture(scope="module")
def measured(real: Tensor) -> Scores:
    """Scores of frames (26, 3, 192, 192) against the real ones, by all metrics whose files are there."""
    tools = MetricTools()
    lacking = lacking_metrics(tools)
    metrics = {name: METRICS.get(name) for name in LOOKED_AT if name not in lacking}

    def scores(made: Tensor) -> dict[str, float]:
        measures = Measures(metrics, tools)
        measures.begin(ClipFacts(Fraction(25), real[:1]))
        with torch.inference_mode():
            for start in range(0, len(real), 8):
                measures.update(made[start : start + 8], real[start : start + 8])
        return {**measures.finish()[0], **measures.of_set()}

    return scores


@pytest.fixture(scope="module")
def same(real: Tensor, measured: Scores) -> dict[str, float]:
    return measured(real)


def blurred(frames: Tensor) -> Tensor:
    return F.interpolate(F.avg_pool2d(frames, 4), scale_factor=4.0, mode="bilinear")


def shaken(frames: Tensor) -> Tensor:
    return torch.stack([frame.roll(2 * (-1) ** number, dims=2) for number, frame in enumerate(frames)])


def dropped(frames: Tensor) -> Tensor:
    """Every third frame is missing, so that what follows comes too early; the last one stands."""
    kept = frames[[number for number in range(len(frames)) if number % 3 != 2]]
    return torch.cat([kept, kept[-1:].expand(len(frames) - len(kept), -1, -1, -1)])


def another(frames: Tensor) -> Tensor:
    picture = resize(center_square(read_image(shipped("dataset", "sample", "source.png"))), tuple(frames.shape[-2:]))
    return to_tensor([picture], "cpu").expand_as(frames)


def late(frames: Tensor) -> Tensor:
    return torch.cat([frames[:1].expand(4, -1, -1, -1), frames[:-4]])


def test_the_same_video_is_perfect(same: dict[str, float]) -> None:
    for name, value in PERFECT.items():
        if name in same and not math.isnan(same[name]):
            assert same[name] == pytest.approx(value, abs=1e-4), name


# Fault -> (metrics that must rise, metrics that must fall).
FAULTS: dict[Callable[[Tensor], Tensor], tuple[str, str]] = {
    blurred: ("l1 vgg lpips frechet", "psnr ssim ms_ssim sharpness cpbd"),
    shaken: ("l1 akd jitter flicker", "psnr ssim"),
    dropped: ("l1 akd expression pose", "mouth_r psnr"),
    late: ("mouth_lag l1 akd", "mouth_r yaw_r"),
    another: ("l1 akd expression identity_distance", "identity ssim diversity mouth_r mouth_slope"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_moves_its_metrics(
    fault: Callable[[Tensor], Tensor],
    real: Tensor,
    measured: Callable[[Tensor], dict[str, float]],
    same: dict[str, float],
) -> None:
    found = measured(fault(real))
    rising, falling = (words.split() for words in FAULTS[fault])
    assert [name for name in rising if name in same and not found[name] > same[name]] == []
    assert [name for name in falling if name in same and not found[name] < same[name]] == []
