"""The renderer against a plain loop over the networks, its chunks, its sizes, and how drivers are fitted to sources."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor

from talkingface.errors import MotionError, ShapeError
from talkingface.models.mesh_faces import points_of
from talkingface.models.styleheat.compact.guide import MotionGuide
from talkingface.models.styleheat.edits.attributes import AttributeEdit, Components, shares
from talkingface.models.styleheat.networks.fast import FastStyleHeat
from talkingface.models.styleheat.plugin import StyleHeat
from talkingface.models.styleheat.renderer import StyleHeatRenderer
from talkingface.models.styleheat.retarget import fit_to_source
from talkingface.motion.coefficients import LAYOUT_73
from talkingface.motion.windows import windows
from talkingface.nn.stylegan2.conditions import Conditions
from talkingface.types import Motion, Source

from .small import TINY, motion, pictures, plugin

EXPRESSION, POSE, CROP = LAYOUT_73.exp, LAYOUT_73.pose, LAYOUT_73.crop


@pytest.fixture(scope="module")
def model() -> StyleHeat:
    return plugin()


@torch.no_grad()
def plain_loop(model: StyleHeat, picture: Tensor, driving: Motion) -> Tensor:
    """Frame by frame as the published program goes about it: the whole generator each time."""
    whole, frames = model.model, []
    inverted = whole.generator(picture)
    for window in windows(driving.values["coefficients"]).split(1):
        warp = whole.video_warper(inverted.picture, window)
        refine = whole.calibrator(warp.apply(inverted.features), warp.descriptor)
        changes = Conditions(inverted.details, inverted.features, [warp.field], refine)
        frames.append(whole.generator.stylegan(inverted.codes, changes).picture)
    return (torch.cat(frames).clamp(-1, 1) + 1) / 2


def test_frames_are_those_of_a_plain_loop(model: StyleHeat):
    renderer, picture, driving = model.renderer(), pictures(1, 64), motion(4)
    drawn = renderer.render(renderer.encode_source(Source((picture + 1) / 2)), driving)
    expected = plain_loop(model, picture, driving)
    assert drawn.shape == (4, 3, 32, 32)
    assert torch.allclose(drawn, expected, atol=1e-5)
    assert expected.std() > 0.05 and not torch.allclose(expected[0], expected[1], atol=1e-2)


def test_a_part_of_a_motion_looks_at_what_is_around_it(model: StyleHeat):
    renderer, driving = model.renderer(), motion(30)
    state = renderer.encode_source(Source(pictures(1, 64).add(1) / 2))
    whole = renderer.render(state, driving)
    assert torch.allclose(renderer.render_part(state, driving, slice(3, 9)), whole[3:9], atol=1e-5)
    assert torch.allclose(renderer.render_part(state, driving[:20], slice(0, 5)), whole[:5], atol=1e-5)
    assert not torch.allclose(renderer.render_part(state, driving[:9], slice(3, 9)), whole[3:9], atol=1e-3)


def guided() -> StyleHeat:
    both = {name: {**TINY[name], "guided": True} for name in ("warper", "calibrator")}
    return plugin(**both)


def talker(seed: int = 1) -> Source:
    """A picture with a face in its middle."""
    who = torch.randn(1, 80, generator=torch.Generator().manual_seed(seed)) * 0.1
    return Source(pictures(1, 64, seed).add(1) / 2, coefficients=torch.zeros(1, 73), identity=who)


def test_a_guided_warper_begins_where_the_mesh_says(model: StyleHeat):
    made, source = guided(), talker()
    renderer = made.renderer()
    for values in made.model.video_warper.warping_net.flow_out[-1].parameters():
        values.data.zero_()
    rows = torch.zeros(3, 73)
    rows[1, 67], rows[2, 64] = 0.3, 0.4  # to the right; nodding
    driving = Motion("3dmm.73", Fraction(25), {"coefficients": rows}, "mesh")
    state = renderer.encode_source(source)
    assert state.face is not None and state.face.points.shape == (1, 468, 2)
    guide = renderer._guide(state, rows)
    assert guide is not None and guide.flow.shape == (3, 2, 16, 16)
    assert guide.flow[0].abs().max() < 1e-5
    middle = guide.field[1, :, 8, 8]
    assert middle[0] < -0.05 and abs(middle[1]) < 0.02  # taken from the left of where it comes to lie
    drawn = renderer.render(state, driving)
    assert not torch.allclose(drawn[0], drawn[1], atol=1e-3)
    assert torch.allclose(renderer.render_part(state, driving, slice(1, 3)), drawn[1:], atol=1e-5)


def test_a_guided_warper_needs_to_know_the_face():
    with pytest.raises(ShapeError, match="where its face is"):
        guided().renderer().encode_source(Source(pictures(1, 64).add(1) / 2))
    with pytest.raises(ValueError, match="warper needs a guide"):
        guided().model.video_warper(pictures(1, 64), torch.zeros(1, 73, 27))
    with pytest.raises(ValueError, match="calibrator needs a guide"):
        guided().model.calibrator(torch.zeros(1, 10, 16, 16), torch.zeros(1, 16))
    with pytest.raises(ValidationError, match="goes with a guided warper"):
        plugin(calibrator={**TINY["calibrator"], "guided": True})


def test_a_guided_calibrator_sees_an_open_mouth():
    made, rows = guided(), torch.zeros(2, 73)
    rows[1, 0] = -2.5  # opens the mouth, see edits/demo.py
    points = points_of(torch.zeros(1, 80), rows)
    guide = MotionGuide.of(points[:1], points, 64)
    shut, opened = guide.openings[:, 0].sum(dim=(1, 2))
    assert opened > shut + 3
    features, descriptor = torch.randn(1, 10, 16, 16).expand(2, -1, -1, -1), torch.zeros(2, 16)
    flat = MotionGuide(torch.zeros_like(guide.field), torch.zeros_like(guide.confidence), guide.openings)
    scale = made.model.calibrator(features, descriptor, flat).scale
    assert (scale[0] - scale[1]).abs().max() > 1e-6


def test_pictures_show_how_a_frame_comes_about(model: StyleHeat):
    renderer, driving, picture = model.renderer(), motion(20), pictures(1, 64)
    source = Source(F.avg_pool2d(picture.add(1) / 2, 2))
    state = renderer.encode_source(source)
    shown = renderer.explain_part(state, driving, slice(3, 6))
    assert list(shown) == ["source", "inverted", "warped", "drawn"]
    assert all(part.shape == (3, 3, 32, 32) and part.min() >= 0 and part.max() <= 1 for part in shown.values())
    assert torch.equal(shown["source"][1], source.image[0])
    assert torch.equal(shown["drawn"], renderer.render_part(state, driving, slice(3, 6)))
    assert torch.allclose(renderer.explain(state, driving)["warped"][3:6], shown["warped"], atol=1e-5)
    with torch.no_grad():
        inverted = model.model.generator(F.interpolate(source.image, (64, 64), mode="bilinear") * 2 - 1)
        window = windows(driving.values["coefficients"], range(4, 5))
        moved = model.model.move(inverted, window)
    for name, plain in (("warped", model.model.draw_warped(inverted, moved)), ("inverted", inverted.full)):
        assert torch.allclose(shown[name][1], (plain[0].clamp(-1, 1) + 1) / 2, atol=1e-5), name
    assert not torch.allclose(shown["warped"], shown["drawn"], atol=1e-3)


def test_large_sources_are_averaged_and_results_come_at_the_size_asked_for(model: StyleHeat):
    small, picture = plugin(image_size=16), torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    renderer, large = small.renderer(), model.renderer()
    assert renderer.size == (16, 16)
    enlarged = F.interpolate(picture, (64, 64), mode="bilinear", align_corners=False)
    drawn = renderer.render(renderer.encode_source(Source(picture)), motion(2))
    full = large.render(large.encode_source(Source(enlarged)), motion(2))
    assert torch.allclose(drawn, F.avg_pool2d(full, 2), atol=1e-5)
    assert drawn.shape == (2, 3, 16, 16)


def test_other_motions_are_refused(model: StyleHeat):
    with pytest.raises(MotionError, match=r"fom\.kp10"):
        model.renderer().check(Motion("fom.kp10", Fraction(25), motion(1).values))


def edited(model: StyleHeat, edit: AttributeEdit) -> StyleHeatRenderer:
    return StyleHeatRenderer(FastStyleHeat(model.model), 32, "mesh", "face", edit=edit)


def test_an_edit_grows_from_frame_to_frame_whatever_the_chunks(model: StyleHeat):
    edit = AttributeEdit("old", 5.0, torch.randn(1, 8, generator=torch.Generator().manual_seed(3)))
    renderer, one = edited(model, edit), motion(1)
    rows = one.values["coefficients"].expand(6, -1)
    still = Motion(one.kind, one.fps, {"coefficients": rows, "edit": shares(6, ramp=True)})
    state = renderer.encode_source(Source(pictures(1, 64).add(1) / 2))
    drawn = renderer.render(state, still)
    plain = model.renderer().render(state, still)
    changes = [(drawn[frame] - plain[frame]).abs().mean().item() for frame in range(6)]
    assert changes[0] < 1e-6 and min(changes[1:]) > 1e-3
    pieces = torch.cat([renderer.render_part(state, still, slice(first, first + 2)) for first in (0, 2, 4)])
    assert torch.allclose(pieces, drawn, atol=1e-5)


@pytest.mark.parametrize("name", ["old", "beard"])
def test_part_of_an_edit_is_on_the_straight_way_to_all_of_it(name: str):
    random = torch.Generator().manual_seed(3)
    components = Components(torch.zeros(1, 8), torch.randn(80, 1, 8, generator=random), torch.ones(80))
    edit = AttributeEdit(name, 5.0, torch.randn(1, 8, generator=random) if name == "old" else components)
    codes = torch.randn(1, 18, 8, generator=random)
    none, some, all_of_it = (edit.move(codes, share) - codes for share in (0, 0.4, 1))
    assert not none.any() and all_of_it.any()
    assert torch.allclose(some, 0.4 * all_of_it, atol=1e-5)


def test_shares_of_an_edit():
    assert shares(5, ramp=True).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert shares(3, ramp=False).tolist() == [1, 1, 1]
    assert shares(1, ramp=True).tolist() == [1]
    published = shares(25, ramp=True, by_batches=True)
    assert [published[frame].item() for frame in (0, 9, 10, 24)] == pytest.approx([0, 0, 1 / 3, 2 / 3])


def test_a_voice_gets_the_crop_of_the_source():
    driving = motion(4)
    spoken = Motion("3dmm.70", driving.fps, {"coefficients": driving.values["coefficients"][:, :70]}, "mesh")
    fitted = fit_to_source(motion(1, 9), spoken, {"relative": True})
    rows, own = fitted.values["coefficients"], motion(1, 9).values["coefficients"]
    assert fitted.kind == "3dmm.73"
    assert torch.equal(rows[:, :70], spoken.values["coefficients"])
    assert torch.equal(rows[:, CROP], own[:, CROP].expand(4, -1))


def test_changes_are_carried_over_and_the_crop_keeps_its_ratio():
    own, driving = motion(1, 9), motion(4)
    rows = fit_to_source(own, driving, {"relative": True}).values["coefficients"]
    source, moved = own.values["coefficients"], driving.values["coefficients"]
    assert torch.allclose(rows[0], source[0], atol=1e-6)
    assert torch.allclose(rows[3, :70] - source[0, :70], moved[3, :70] - moved[0, :70], atol=1e-5)
    assert (rows[3, 70] / source[0, 70]).item() == pytest.approx((moved[3, 70] / moved[0, 70]).item(), rel=1e-5)


def test_same_person_is_moved_as_it_is_seen():
    assert torch.equal(
        fit_to_source(motion(1, 9), motion(4), {}).values["coefficients"], motion(4).values["coefficients"]
    )


def test_face_alone_head_alone_and_how_much():
    own, driving = motion(1, 9), motion(4)
    source, moved = own.values["coefficients"], driving.values["coefficients"]
    still = fit_to_source(own, driving, {"still": True}).values["coefficients"]
    assert torch.equal(still[:, EXPRESSION], moved[:, EXPRESSION])
    assert torch.equal(still[:, 64:], source[:, 64:].expand(4, -1))
    pose = fit_to_source(own, driving, {"pose_only": True}).values["coefficients"]
    assert torch.equal(pose[:, POSE], moved[:, POSE])
    assert torch.equal(pose[:, EXPRESSION], source[:, EXPRESSION].expand(4, -1))
    twice = fit_to_source(own, driving, {"expression_scale": 2.0}).values["coefficients"]
    assert torch.allclose(twice[:, EXPRESSION], 2 * moved[:, EXPRESSION])
    half = fit_to_source(own, driving, {"relative": True, "expression_scale": 0.5}).values["coefficients"]
    change = 0.5 * (moved - moved[:1])[:, EXPRESSION]
    assert torch.allclose(half[:, EXPRESSION], source[:, EXPRESSION] + change, atol=1e-5)


def test_angles_that_are_asked_for_take_the_place_of_those_seen():
    angles = torch.tensor([[10.0, math.nan, 0.0], [math.nan, -20.0, math.nan]])
    rows = fit_to_source(motion(1, 9), motion(2, angles=angles), {}).values["coefficients"]
    seen = motion(2).values["coefficients"]
    assert rows[0, 65].item() == pytest.approx(math.radians(10)) and rows[0, 66] == 0
    assert rows[1, 64].item() == pytest.approx(math.radians(-20))
    assert torch.equal(rows[0, 64], seen[0, 64]) and torch.equal(rows[1, 65:67], seen[1, 65:67])


def test_fitting_leaves_the_driver_as_it_is():
    driving = motion(3)
    before = driving.values["coefficients"].clone()
    fit_to_source(motion(1, 9), driving, {"still": True, "relative": True})
    assert torch.equal(driving.values["coefficients"], before)
