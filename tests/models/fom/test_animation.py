"""Extractor, retargeting, renderer: the way from pictures to pictures."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from talkingface.errors import ConfigError, MotionError
from talkingface.models.fom.retarget import best_frame, movement_scale, normalize_kp
from talkingface.types import Motion, Source

from .conftest import build_small

RATE = Fraction(30000, 1001)
NO_JACOBIAN = {"common_params": {"num_kp": 4, "estimate_jacobian": False}}
SINGLE_MAP = {
    "kp_detector_params": {
        "block_expansion": 8,
        "max_features": 32,
        "num_blocks": 3,
        "scale_factor": 0.5,
        "single_jacobian_map": True,
        "pad": 3,
    }
}
NO_OCCLUSION = {
    "generator_params": {
        "block_expansion": 8,
        "max_features": 32,
        "num_bottleneck_blocks": 1,
        "estimate_occlusion_map": False,
        "dense_motion_params": {"block_expansion": 8, "max_features": 32, "num_blocks": 3, "scale_factor": 0.5},
    }
}


def animate(plugin, video, precision=torch.float32, **options):
    extractor, renderer = plugin.extractor(precision), plugin.renderer(precision)
    still, driving = extractor.extract([video[:1]], RATE), extractor.extract([video], RATE)
    motion = plugin.retarget(still, driving, options)
    return renderer.render(renderer.encode_source(Source(video[:1])), motion)


@torch.no_grad()
@pytest.mark.parametrize("changes", [{}, NO_JACOBIAN, SINGLE_MAP, NO_OCCLUSION, {"align_corners": False}])
def test_fast_frames_equal_the_plain_networks(changes, video):
    plugin = build_small(**changes)
    detector, generator = plugin.networks["kp_detector"].eval(), plugin.networks["generator"].eval()
    still, driving = detector(video[:1]), detector(video)
    plain = generator(video[:1].expand_as(video), {k: v.expand(5, *v.shape[1:]) for k, v in still.items()}, driving)
    fast = animate(plugin, video, relative=False)
    assert plain["prediction"].std() > 0.01
    assert (fast - plain["prediction"]).abs().max() < 1e-5


def test_bfloat16_stays_near_and_leaves_float32_alone(plugin, video):
    exact, rough = animate(plugin, video), animate(plugin, video, torch.bfloat16)
    assert rough.dtype == torch.float32
    assert 0 < (exact - rough).abs().max() < 2 / 255
    assert torch.equal(animate(plugin, video), exact)


def test_chunks_do_not_change_the_frames(plugin, video):
    extractor, renderer = plugin.extractor(), plugin.renderer()
    whole = extractor.extract([video], RATE)
    pieces = extractor.extract(list(video.split(2)), RATE)
    assert whole.kind == "fom.kp4" and whole.fps == RATE
    assert torch.allclose(whole.values["value"], pieces.values["value"], atol=1e-6)
    state = renderer.encode_source(Source(video[:1]))
    frames = torch.cat([renderer.render(state, whole[i : i + 1]) for i in range(5)])
    assert torch.allclose(renderer.render(state, whole), frames, atol=1e-5)


def test_explain_gives_pictures_of_the_frames_size(plugin, video):
    renderer = plugin.renderer()
    motion = plugin.extractor().extract([video], RATE)
    pictures = renderer.explain(renderer.encode_source(Source(video[:1])), motion)
    assert set(pictures) == {"keypoints_source", "keypoints_driving", "deformed", "occlusion_map"}
    for picture in pictures.values():
        assert picture.shape == video.shape and picture.min() >= 0 and picture.max() <= 1


def test_another_kind_of_motion_is_refused(plugin):
    with pytest.raises(MotionError, match=r"fom\.kp4"):
        plugin.renderer().check(Motion("3dmm.73", RATE))


def test_relative_movement_of_the_sources_own_frame_is_no_movement(plugin, video):
    extractor = plugin.extractor()
    still, driving = extractor.extract([video[:1]], RATE), extractor.extract([video], RATE)
    for frame in (0, 3):
        motion = plugin.retarget(still, driving, {"best_frame": frame, "adapt_scale": True})
        assert torch.allclose(motion.values["value"][frame], still.values["value"][0], atol=1e-6)
        assert torch.allclose(motion.values["jacobian"][frame], still.values["jacobian"][0], atol=1e-4)
    assert torch.equal(plugin.retarget(still, driving, {"relative": False}).values["value"], driving.values["value"])


def test_best_frame_beyond_the_video_is_told(plugin, video):
    motion = plugin.extractor().extract([video], RATE)
    with pytest.raises(ConfigError, match="Use 0 to 4"):
        plugin.retarget(motion[:1], motion, {"best_frame": 5})


SQUARE = torch.tensor([[0.0, 0.0], [0.4, 0.0], [0.4, 0.4], [0.0, 0.4]])


def test_movement_scale_is_the_ratio_of_lengths():
    assert movement_scale(SQUARE * 1.5 + 0.1, SQUARE) == pytest.approx(1.5, rel=1e-6)


@pytest.mark.parametrize("points", [torch.zeros(4, 2), torch.tensor([[0.0, 0.0], [0.1, 0.1], [0.2, 0.2], [0.3, 0.3]])])
def test_degenerate_hulls_do_not_scale_and_warn(points, caplog):
    assert movement_scale(points, SQUARE) == movement_scale(SQUARE, points) == 1.0
    assert "line" in caplog.text


def test_best_frame_ignores_place_and_size():
    torch.manual_seed(2)
    shapes = torch.rand(4, 10, 2) - 0.5
    assert best_frame(shapes[2] * 0.6 + torch.tensor([0.2, -0.1]), shapes) == 2


def test_singular_jacobians_stay_finite():
    still = {"value": torch.zeros(1, 4, 2), "jacobian": torch.eye(2).expand(1, 4, 2, 2)}
    collapsed = {"value": torch.zeros(1, 4, 2), "jacobian": torch.zeros(1, 4, 2, 2)}
    out = normalize_kp(still, still, collapsed, use_relative_movement=True, use_relative_jacobian=True)
    assert out["jacobian"].isfinite().all()
