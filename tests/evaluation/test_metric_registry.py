"""Metrics of other packages: of a frame, of landmarks, of a network, of the whole set; chosen by a setting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from third_party import offer

from talkingface import plugins
from talkingface.config.layers import load_settings
from talkingface.data import open_store
from talkingface.errors import ConfigError, DependencyError, UnknownNameError, WeightsError
from talkingface.evaluation import EvaluateSettings, evaluate
from talkingface.face.detect.analyser import problem_of
from talkingface.paths import default_checkpoint_root
from talkingface.plugins import METRICS

from .test_reconstruct import Brightness, fading  # noqa: F401 (a fixture)

THIRD_PARTY_METRICS = """
import torch
from talkingface.evaluation.metric import FrameMetric, Metric

class Spread(Metric):
    '''Difference of the deviations over all frames of all clips.'''
    heading, digits, better, over = "spread", 3, "lower", "set"

    def __init__(self, tools):
        super().__init__(tools)
        self.seen = []

    def update(self, predicted, real):
        self.seen.append(torch.stack([predicted.mean(dim=(1, 2, 3)), real.mean(dim=(1, 2, 3))]))

    def compute(self):
        predicted, real = torch.cat(self.seen, dim=1).std(dim=1)
        self.seen.clear()
        return float((predicted - real).abs())

def network(tools):
    made.append(1)
    return torch.nn.Conv2d(3, 4, 3).requires_grad_(False).to(tools.device)

made = []

class Features(FrameMetric):
    heading, better = "features", "lower"

    def measure(self, predicted, real):
        net = self.tools.once(network)
        return (net(predicted) - net(real)).abs().mean(dim=(1, 2, 3))

class Missing(Features):
    weights = "gfpgan"

class Points(FrameMetric):
    heading, digits, better, landmarks = "points, px", 2, "lower", True

    def measure(self, predicted, real):
        both = [self._points(frames) for frames in (predicted, real)]
        return (both[0] - both[1]).norm(dim=-1).mean(dim=-1)

    def _points(self, frames):
        pictures = list((frames * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy())
        return torch.stack([torch.tensor(faces[0].landmarks) for faces in self.tools.analyser.faces_of(pictures)])
"""


@pytest.fixture
def third_party(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("third_party")
    (folder / "third_party_metrics.py").write_text(THIRD_PARTY_METRICS)
    names = ("Spread", "Features", "Missing", "Points", "Metric")
    offer(folder, "third_party", *(f"{n.lower()} = third_party_metrics:{n}" for n in names), group=METRICS.group)
    monkeypatch.syspath_prepend(str(folder))
    plugins.forget()
    yield
    plugins.forget()


def test_the_default_is_the_usual_three_and_a_choice_keeps_its_order(fading: Path) -> None:  # noqa: F811
    report = evaluate(None, open_store(fading), EvaluateSettings(baselines=["repeat"], image_size=16))
    assert list(report.rows[0].over_clips) == ["l1", "psnr", "ssim"] and "PSNR identities" in report.table()
    settings = EvaluateSettings(metrics=["psnr", "l1"], baselines=["repeat"], image_size=16)
    chosen = evaluate(None, open_store(fading), settings)
    assert list(chosen.rows[0].over_clips) == ["psnr", "l1"] and "SSIM" not in chosen.table()
    assert chosen.rows[0].over_clips["l1"] == report.rows[0].over_clips["l1"]
    assert chosen.facts["better"] == {"psnr": "higher", "l1": "lower"}


def test_a_metric_of_the_whole_set_sees_all_clips_of_its_own_method(
    fading: Path,  # noqa: F811
    third_party: None,
) -> None:
    settings = EvaluateSettings(metrics=["l1", "spread"], baselines=["repeat"], chunk=2)
    rows = {row.method: row for row in evaluate(Brightness(), open_store(fading), settings).rows}
    levels = np.array([50 + step * number for step in (2, 4, 6) for number in range(5)]) / 255
    assert rows["Brightness"].over_clips["spread"] == pytest.approx(0, abs=1e-6)
    # The repeated frame is 50 throughout.
    assert rows["repeat"].over_clips["spread"] == pytest.approx(levels.std(ddof=1), rel=1e-4)
    assert rows["repeat"].over_identities["spread"] == rows["repeat"].over_clips["spread"]
    assert "l1" in rows["repeat"].spread and "spread" not in rows["repeat"].spread


def test_a_network_is_made_once_for_all_methods(fading: Path, third_party: None) -> None:  # noqa: F811
    settings = EvaluateSettings(metrics=["features"], chunk=2)
    report = evaluate(Brightness(), open_store(fading), settings)
    import third_party_metrics

    assert len(third_party_metrics.made) == 1 and "features identities" in report.table()
    assert report.rows[0].over_clips["features"] < report.rows[1].over_clips["features"]


@pytest.mark.skipif(
    problem_of("mesh", default_checkpoint_root()) is not None, reason="the face mesh is not installed or fetched"
)
def test_a_metric_may_look_for_landmarks(third_party: None) -> None:
    from talkingface.evaluation.metric import MetricTools
    from talkingface.media.image import read_image
    from talkingface.paths import shipped

    picture = read_image(shipped("dataset", "sample", "source.png"))
    real = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    metric = METRICS.get("points")(MetricTools())
    metric.update(real.roll(4, dims=-1), real)
    assert metric.compute() == pytest.approx(4, abs=1)


def test_what_is_missing_is_refused_before_anything_is_measured(
    fading: Path,  # noqa: F811
    third_party: None,
    tmp_path: Path,
) -> None:
    store = open_store(fading)
    with pytest.raises(WeightsError, match=r"--evaluate.metrics=missing: not there"):
        evaluate(None, store, EvaluateSettings(metrics=["missing"]), root=tmp_path)
    with pytest.raises(DependencyError, match="no landmark backend"):
        evaluate(None, store, EvaluateSettings(metrics=["points"]), root=tmp_path)
    with pytest.raises(UnknownNameError, match="unknown metric 'broken'"):
        METRICS.get("broken")
    with pytest.raises(
        ConfigError, match=r"must be one of all, l1, psnr, .*, cpbd, features, metric, missing, points, spread"
    ):
        load_settings(["--evaluate.metrics=l2"])
    assert load_settings(["--evaluate.metrics", "ssim", "spread"]).evaluate.metrics == ["ssim", "spread"]
