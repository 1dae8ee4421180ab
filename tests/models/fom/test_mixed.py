"""FOM with mixed keypoints: drawing with and without points, and fitting a movement to another face."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from talkingface.face3d.mesh_space import shipped_space
from talkingface.models.fom.config import FOMConfig
from talkingface.models.fom.mixed_renderer import MixedExtractor, MixedRenderer
from talkingface.models.fom.networks.build import build_networks
from talkingface.models.fom.plugin import FOM
from talkingface.models.fom.retarget import retarget_points
from talkingface.models.mesh_faces import MeshDetector
from talkingface.models.mixed_generator import FacePoints, FastMixedGenerator, MixedGenerator
from talkingface.models.mixed_training import start_from
from talkingface.motion.coefficients import LAYOUT_260
from talkingface.types import Motion, Source

SMALL = {
    "detector_widths": [8, 8],
    "motion_widths": [8, 8],
    "motion_features": 8,
    "generator_widths": (8, 8, 8),
    "decoder_width": 8,
    "num_bottleneck_blocks": 1,
    "motion_size": 64,
    "mouth_width": 12,
    "eyes_width": 12,
}
PARAMS: dict[str, Any] = {"architecture": "mixed", "image_size": 64, "compact_params": SMALL}


def faces(frames: int, **columns: np.ndarray) -> Tensor:
    """Points of made faces, (T, 468, 2) in [-1, 1]."""
    rows = np.zeros((frames, 260), np.float32)
    for name, values in columns.items():
        rows[:, getattr(LAYOUT_260, name)] = values
    return torch.from_numpy(shipped_space().decode(rows, size=256)[..., :2] * (2 / 255) - 1)


@pytest.fixture
def generator() -> MixedGenerator:
    torch.manual_seed(0)
    built = build_networks(FOMConfig.model_validate(PARAMS))["generator"].eval()
    assert isinstance(built, MixedGenerator)
    for layer in (built.to_fine, built.mouth.final, built.final):
        torch.nn.init.normal_(layer.weight, std=0.1)
    return built


def keypoints(count: int) -> dict[str, Tensor]:
    return {"value": torch.rand(count, 10, 2) - 0.5, "jacobian": torch.eye(2).expand(count, 10, 2, 2).clone()}


def test_points_of_absent_faces_change_nothing(generator: MixedGenerator) -> None:
    image, source, driving = torch.rand(1, 3, 64, 64), keypoints(1), keypoints(2)
    points = faces(2)
    state = generator.encode_face(image, FacePoints(points[:1], torch.ones(1)))
    gone = [
        generator.decode_face(state, source, driving, FacePoints(p, torch.zeros(2))) for p in (points, points * 0.5)
    ]
    assert torch.equal(gone[0]["prediction"], gone[1]["prediction"])
    there = generator.decode_face(state, source, driving, FacePoints(points * 0.5, torch.ones(2)))
    assert not torch.allclose(there["prediction"], gone[0]["prediction"])


def test_fast_generator_draws_the_same(generator: MixedGenerator) -> None:
    image, source, driving, points = torch.rand(1, 3, 64, 64), keypoints(1), keypoints(2), faces(3)
    fast = FastMixedGenerator(generator)
    drawn = []
    for one in (generator, fast):
        state = one.encode_face(image, FacePoints(points[:1], torch.ones(1)))
        face = FacePoints(points[1:], torch.tensor([1.0, 0.0]))
        drawn.append(one.decode_face(state, source, driving, face)["prediction"].clamp(0, 1))
    assert torch.allclose(*drawn, atol=1e-4)


def test_training_starts_from_a_generator_with_fewer_maps(generator: MixedGenerator) -> None:
    state = {name: value for name, value in generator.state_dict().items() if not name.startswith("mouth.")}
    state["tell.0.weight"] = state["tell.0.weight"][:, :6]
    fresh = start_from(
        MixedGenerator(FOMConfig.model_validate(PARAMS).compact_params, FOMConfig().common_params), state
    )
    assert fresh and all(name.startswith("mouth.") for name in fresh)


def test_the_same_face_moves_as_its_driver() -> None:
    exp = np.zeros((5, 64))
    exp[:, 0] = np.linspace(0, 0.5, 5)
    driving = faces(5, exp=exp, angle=np.linspace(0, 0.2, 15).reshape(5, 3))
    assert float((retarget_points(driving[0], driving, 0) - driving).abs().median()) < 1e-5


def test_another_face_keeps_its_shape_and_takes_the_movement() -> None:
    person = np.zeros((1, 80))
    person[0, :4] = 2
    source = faces(1, id=person)[0]
    driving = faces(4, trans=np.linspace(0, 0.3, 12).reshape(4, 3) * (1, 1, 0))
    moved = retarget_points(source, driving, 0)
    assert torch.allclose(moved[0], source, atol=1e-4)
    way = driving.mean(dim=1) - driving[0].mean(dim=0)
    assert torch.allclose(moved - source, way[:, None].expand(-1, 468, -1), atol=1e-3)


def test_lips_never_pass_through_each_other() -> None:
    driving = faces(3)
    driving[0, [13, 82, 312]] -= torch.tensor([0.0, 0.1])
    source = faces(1)[0]
    moved = retarget_points(source, driving, 0)
    assert bool((moved[:, 14, 1] >= moved[:, 13, 1] - 1e-5).all())


class OneFace(MeshDetector):
    """Finds the same face everywhere, and nothing in black pictures."""

    def __init__(self) -> None:
        super().__init__(None)

    def __call__(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        return faces(len(pictures)), (pictures.flatten(1).amax(dim=1) > 0).float()


def test_driver_and_renderer_work_with_and_without_faces() -> None:
    plugin = FOM(FOMConfig.model_validate(PARAMS))
    plugin.networks.eval()
    detector, finder = plugin.networks["kp_detector"], OneFace()
    driver = MixedExtractor(detector, plugin.kind, plugin.size, "x", finder)
    fast = FastMixedGenerator(plugin.networks["generator"])  # type: ignore[arg-type]
    renderer = MixedRenderer(detector, fast, plugin.kind, plugin.size, "x", finder)
    frames = torch.cat([torch.rand(2, 3, 64, 64), torch.zeros(1, 3, 64, 64)])
    driving = driver.extract([frames], Fraction(25))
    assert driving.values["present"].tolist() == [1, 1, 0]
    for picture, present in ((torch.rand(1, 3, 64, 64), [1, 1, 0]), (torch.zeros(1, 3, 64, 64), [0, 0, 0])):
        own = driver.extract([picture], Fraction(25))
        motion = plugin.retarget(own, driving, {"relative": True})
        assert isinstance(motion, Motion) and motion.values["present"].tolist() == present
        drawn = renderer.render(renderer.encode_source(Source(picture)), motion)
        assert drawn.shape == (3, 3, 64, 64) and bool(drawn.isfinite().all())
