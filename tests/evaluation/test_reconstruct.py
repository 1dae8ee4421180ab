"""Reconstruction with a model whose result is known, and how scores are summed up."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import BaseModel
from torch import Tensor, nn

from talkingface.data import open_store
from talkingface.evaluation import EvaluateSettings, Report, evaluate
from talkingface.evaluation.clips.chosen import chosen_clips
from talkingface.evaluation.report import ClipScore
from talkingface.models.base import Batch, ModelPlugin, MotionExtractor, Phase, Renderer
from talkingface.types import Motion, Source


class NoConfig(BaseModel):
    pass


class BrightnessExtractor(MotionExtractor):
    takes, gives, size = frozenset({"video"}), "test.mean", (16, 16)

    def extract(self, frames: Iterable[Tensor], fps: Fraction) -> Motion:
        return Motion(self.gives, fps, {"mean": torch.cat([chunk.mean(dim=(1, 2, 3)) for chunk in frames])})


class BrightnessRenderer(Renderer):
    takes, size = "test.mean", (16, 16)

    def encode_source(self, source: Source) -> Tensor:
        return source.image - source.image.mean()

    def render(self, state: Tensor, motion: Motion) -> Tensor:
        return state + motion.values["mean"][:, None, None, None]


class Brightness(ModelPlugin):
    """Sets the mean brightness of the source to that of the driving frame: exact for clips that only fade."""

    name: ClassVar[str] = "Brightness"
    Config: ClassVar[type] = NoConfig
    inference_networks = ()

    def __init__(self) -> None:
        self.config, self.networks = NoConfig(), nn.ModuleDict()

    def extractor(self, precision: torch.dtype = torch.float32) -> MotionExtractor:
        return BrightnessExtractor()

    def renderer(self, precision: torch.dtype = torch.float32) -> Renderer:
        return BrightnessRenderer()

    def retarget(self, source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
        return driving

    def samples(self) -> Mapping[str, Any]:
        return {"source": "random"}

    def phases(self, train: Any) -> list[Phase]:
        return []

    def validate(self, batch: Batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        return {}, {}


@pytest.fixture
def fading(tmp_path: Path) -> Path:
    """Clip k of identity a or b gets brighter by k levels a frame, over five frames."""
    for step, name in ((2, "a_1"), (4, "a_2"), (6, "b_1")):
        (tmp_path / name).mkdir()
        for number in range(5):
            Image.fromarray(np.full((16, 16, 3), 50 + step * number, np.uint8)).save(tmp_path / name / f"{number}.png")
    return tmp_path


def test_scores_are_means_over_frames_then_clips_then_identities(fading: Path) -> None:
    report = evaluate(Brightness(), open_store(fading), EvaluateSettings(chunk=2))
    rows = {row.method: row for row in report.rows}
    assert list(rows) == ["Brightness", "repeat", "affine"]
    assert rows["Brightness"].over_clips["l1"] == pytest.approx(0, abs=1e-6)
    # The mean change over frames 0..4 is twice the change per frame: 4, 8 and 12 levels.
    assert rows["repeat"].over_clips["l1"] == pytest.approx(8 / 255, abs=1e-6)
    assert rows["repeat"].over_identities["l1"] == pytest.approx(9 / 255, abs=1e-6)
    assert rows["repeat"].spread["l1"] == pytest.approx(math.sqrt(18) / 255, abs=1e-6)


def test_limits_and_chunks(fading: Path) -> None:
    settings = {"max_clips": 1, "max_frames": 3, "baselines": ["repeat"]}
    report = evaluate(None, open_store(fading), EvaluateSettings(**settings, image_size=16))
    (score,) = report.clips
    assert (score.clip, score.frames) == ("a_1", 3)
    assert score.scores["l1"] == pytest.approx(2 / 255, abs=1e-6)
    one, many = (
        evaluate(Brightness(), open_store(fading), EvaluateSettings(chunk=chunk, baselines=[])) for chunk in (1, 16)
    )
    assert one.clips[2].scores["psnr"] == pytest.approx(many.clips[2].scores["psnr"], rel=1e-5)


def test_a_person_with_many_clips_takes_no_more_time_than_others(fading: Path) -> None:
    clips = open_store(fading).clips()
    limits = [{}, {"clips_per_person": 1}, {"clips_per_person": 1, "max_clips": 1}]
    names = [[clip.name for clip in chosen_clips(clips, EvaluateSettings(**limit))] for limit in limits]
    assert names == [["a_1", "a_2", "b_1"], ["a_1", "b_1"], ["a_1"]]


def test_table_and_json(tmp_path: Path) -> None:
    scores = [
        ClipScore("M", f"{i}.mp4", "one", 10, {"l1": v, "psnr": 30.0, "ssim": 0.9}) for i, v in enumerate((0.1, 0.3))
    ]
    report = Report.of(scores, {"size": 16})
    assert "0.2000" in report.table()
    assert "1 identities, 2 clips, 20 frames" in report.table()
    saved = json.loads(report.save_json(tmp_path / "deep" / "report.json").read_text())
    assert saved["rows"][0]["spread"]["l1"] is None, "one identity has no spread"
    assert saved["clips"][1]["scores"]["l1"] == 0.3
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["report.json"]


def test_the_repeated_frame_on_a_real_clip() -> None:
    """Mean L1 of the repeated first frame, over the first three test clips; recorded with numpy on uint8 frames."""
    shared = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[3] / "shared"))
    if not (shared / "data" / "clips" / "clips.csv").is_file():
        pytest.skip("the shared clips are not here (TALKINGFACE_SHARED)")
    store = open_store(shared / "data" / "clips", "test")
    report = evaluate(None, store, EvaluateSettings(max_clips=1, max_frames=20, baselines=["repeat"]))
    frames = store.whole(store.clips()[0], 256, 20).astype(np.int64)
    expected = np.abs(frames - frames[:1]).mean() / 255
    assert report.rows[0].over_clips["l1"] == pytest.approx(expected, rel=1e-5)
    assert 0.001 < expected < 0.2
