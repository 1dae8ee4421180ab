"""What every registered model keeps. small.py says how each is built; nothing here knows one of them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from talkingface import registry
from talkingface.data import Batches, open_store
from talkingface.data.features import Equipment, equip
from talkingface.data.samples import describe
from talkingface.errors import ConfigError, MotionError
from talkingface.models.base import Batch, ModelPlugin, Phase, Script
from talkingface.models.samples import Rows, Sound
from talkingface.paths import shipped
from talkingface.pipelines.frames import windows
from talkingface.pipelines.model import check_joined
from talkingface.pipelines.motions import of_coefficients
from talkingface.train.checkpoints import export
from talkingface.train.step import freeze_others
from talkingface.types import Motion, Source
from talkingface.weights.load import load_networks, load_strict

from .small import SMALL, Small

FPS = Fraction(30000, 1001)
# Chunks only change the order of sums; after some tens of layers that is far below one of 255 levels.
ROUNDING = 1e-4

every_model = pytest.mark.parametrize("small", SMALL, ids=lambda small: f"{small.model}-{small.label}")


def rows_of(frames: Tensor) -> Tensor:
    """(n, 73): coefficients that follow the frames, as a reconstructor's would."""
    seen = F.adaptive_avg_pool2d(frames, 4).flatten(1) - 0.5
    return seen @ torch.randn(seen.shape[1], 73, generator=torch.Generator().manual_seed(5)) / 4


def drive(plugin: ModelPlugin, frames: Tensor, chunk: int = 5) -> Motion:
    """Motion of the frames, by the model's own extractor, or as coefficients, which are found outside of models."""
    if not of_coefficients(plugin.renderer().takes):
        return plugin.extractor().extract(frames.split(chunk), FPS)
    return Motion("3dmm.73", FPS, {"coefficients": rows_of(frames)}, plugin.renderer().space)


def source_of(frames: Tensor) -> Source:
    return Source(frames[:1], rows_of(frames[:1]), torch.zeros(1, 80))


def animate(plugin: ModelPlugin, frames: Tensor, chunk: int = 5) -> Tensor:
    """The first frame, moved like all of them; the way of the pipeline, on tensors."""
    plugin.networks.eval()
    motion = drive(plugin, frames)
    return draw(plugin, frames, plugin.retarget(motion[:1], motion, {"relative": True}), chunk)


def draw(plugin: ModelPlugin, frames: Tensor, fitted: Motion, chunk: int = 5) -> Tensor:
    """The first frame under a motion that is fitted to it."""
    renderer = plugin.renderer()
    state = renderer.encode_source(source_of(frames))
    chunks = windows(len(fitted), chunk, renderer.radius)
    return torch.cat([renderer.render_part(state, fitted[window], keep) for window, keep in chunks])


def batch_of(plugin: ModelPlugin, clips: Path) -> Batch:
    """A training batch as the model describes it; where it needs coefficients or sound, of the shipped sample."""
    store = open_store(clips)
    if any(isinstance(part, Rows | Sound) for part in describe(plugin.samples()).values()):
        sample = shipped("dataset", "sample")
        needed = Equipment(folder=clips.parent / "equipment", sound=sample, workers=1)
        store = equip(open_store(sample / "lmdb", "train", size=64), plugin.samples(), needed)
    return Batches(store, plugin.samples(), batch_size=2, image_size=64)[0]


def trainable_of(plugin: ModelPlugin) -> set[int]:
    """Parameters that the model wants trained at all, as it was built; asked for before any phase freezes others."""
    found: set[int] | None = getattr(plugin, "_trainable_as_built", None)
    if found is None:
        found = {id(parameter) for parameter in plugin.networks.parameters() if parameter.requires_grad}
        plugin._trainable_as_built = found  # type: ignore[attr-defined]
    return found


def losses_of(plugin: ModelPlugin, phase: Phase, batch: Batch) -> dict[str, Tensor]:
    """Run a phase as the trainer does, the other networks frozen, and take its gradients."""
    freeze_others(plugin.networks, phase, trainable_of(plugin))
    plugin.networks.train().zero_grad()
    losses = phase.loss(batch)
    torch.stack(list(losses.values())).sum().backward()
    return losses


def test_every_model_of_ours_has_a_small_build() -> None:
    ours = {name for name in registry.models() if registry.entry(name).plugin.startswith("talkingface.")}
    assert ours <= {small.model for small in SMALL}, "add it to tests/contracts/small.py"


@every_model
def test_builds_from_its_config(small: Small) -> None:
    plugin = small.build()
    assert plugin.name == small.model
    assert plugin.Config is registry.config_class(small.model)
    assert set(plugin.inference_networks) <= set(plugin.networks)
    again = plugin.Config.model_validate(json.loads(plugin.config.model_dump_json()))
    assert again == plugin.config


@every_model
def test_animates_five_frames(small: Small, frames: Tensor) -> None:
    plugin = small.build()
    drawn = animate(plugin, frames)
    assert drawn.shape == (5, 3, *plugin.renderer().size)
    assert drawn.min() >= 0 and drawn.max() <= 1
    motion = drive(plugin, frames)
    assert (len(motion), motion.fps) == (5, FPS)
    assert of_coefficients(plugin.renderer().takes) or motion.kind == plugin.extractor().gives


@every_model
def test_no_movement_at_all_gives_one_picture_all_along(small: Small, frames: Tensor) -> None:
    drawn = animate(small.build(), frames[:1].expand(5, -1, -1, -1))
    assert torch.allclose(drawn, drawn[:1].expand_as(drawn), atol=ROUNDING)


@every_model
@pytest.mark.parametrize("chunk", [1, 2])
def test_chunk_size_does_not_change_the_numbers(small: Small, frames: Tensor, chunk: int) -> None:
    plugin = small.build()
    plugin.networks.eval()
    whole, pieces = drive(plugin, frames), drive(plugin, frames, chunk)
    for name, value in whole.values.items():
        assert torch.allclose(pieces.values[name], value, atol=ROUNDING), name
    assert torch.allclose(animate(plugin, frames, chunk), animate(plugin, frames), atol=ROUNDING)


@every_model
def test_extractor_and_renderer_fit_and_others_are_refused(small: Small, frames: Tensor) -> None:
    plugin = small.build()
    renderer = plugin.renderer()
    assert of_coefficients(renderer.takes) == bool(renderer.space in ("bfm", "mesh"))
    if not of_coefficients(renderer.takes):
        check_joined(plugin.extractor(), renderer)
    own = drive(plugin, frames)
    stranger = Motion("of.another.model", FPS, own.values)
    with pytest.raises(MotionError, match=r"of\.another\.model"):
        renderer.render(renderer.encode_source(source_of(frames)), stranger)


@every_model
def test_a_part_is_drawn_as_in_the_whole(small: Small, frames: Tensor) -> None:
    plugin = small.build()
    plugin.networks.eval()
    renderer, motion = plugin.renderer(), drive(plugin, frames)
    fitted = plugin.retarget(motion[:1], motion, {})
    state = renderer.encode_source(source_of(frames))
    whole = renderer.render(state, fitted)
    assert len(whole) == 5
    assert torch.allclose(renderer.render_part(state, fitted, slice(1, 3)), whole[1:3], atol=ROUNDING)


@every_model
def test_a_voice_moves_the_source(small: Small, frames: Tensor) -> None:
    plugin = small.build()
    plugin.networks.eval()
    voice = plugin.voice()
    assert (voice is not None) == bool(plugin.voice_networks)
    assert set(plugin.voice_networks) <= set(plugin.inference_networks)
    if voice is None:
        return
    wave = torch.randn(voice.sample_rate, generator=torch.Generator().manual_seed(2)) / 10
    source = rows_of(frames[:1])
    for script in (Script(wave, 12, style=voice.styles - 1), Script(None, 12), Script(wave[:10], 1)):
        said = voice.speak(script, source)
        assert (said.kind, said.fps, said.space) == (voice.gives, voice.fps, voice.space)
        assert said.values["coefficients"].shape == (script.frames, 70)
        assert torch.equal(voice.speak(script, source).values["coefficients"], said.values["coefficients"])
    said, other = (voice.speak(Script(wave, 12, seed=seed), source).values["coefficients"] for seed in (0, 1))
    assert not torch.equal(said, other)
    with pytest.raises(ConfigError, match="style"):
        voice.speak(Script(wave, 5, style=voice.styles), source)
    own = Motion("3dmm.73", voice.fps, {"coefficients": source}, voice.space)
    fitted = plugin.retarget(own, voice.speak(Script(wave, 5), source), {"relative": False})
    assert fitted.kind == plugin.renderer().takes
    assert draw(plugin, frames, fitted).shape == (5, 3, *plugin.renderer().size)


@every_model
def test_a_found_subject_lies_inside_the_picture(small: Small, frames: Tensor) -> None:
    plugin = small.build()
    if of_coefficients(plugin.renderer().takes):
        return
    extractor = plugin.extractor()
    found = extractor.locate(frames[:1])
    assert found is None or extractor.locates
    assert found is None or (
        found.side > 0 and 0 <= found.left <= 64 - found.side and 0 <= found.top <= 64 - found.side
    )


def parameters_of(plugin: ModelPlugin, phase: Phase) -> dict[str, torch.nn.Parameter]:
    """What a phase steps, by the names that it gives to networks or their parts; what is never trained is left out."""
    return {
        f"{name}.{key}": parameter
        for name in phase.networks
        for key, parameter in plugin.networks.get_submodule(name).named_parameters()
        if id(parameter) in trainable_of(plugin)
    }


@every_model
def test_gradients_reach_every_declared_parameter(small: Small, clips: Path) -> None:
    plugin = small.build()
    batch = batch_of(plugin, clips)
    for phase in plugin.phases(small.settings()):
        losses = losses_of(plugin, phase, batch)
        assert all(value.ndim == 0 and value.isfinite() for value in losses.values()), losses
        stepped = parameters_of(plugin, phase)
        for name, parameter in stepped.items():
            reached = parameter.grad is not None and bool(parameter.grad.isfinite().all())
            assert reached, f"{phase.name} does not reach {name}"
        own = {id(parameter) for parameter in stepped.values()}
        others = [key for key, p in plugin.networks.named_parameters() if id(p) not in own and p.grad is not None]
        assert not others, f"{phase.name} also reaches {others}"


@every_model
def test_a_step_changes_every_declared_network(small: Small, clips: Path) -> None:
    plugin = small.build()
    batch = batch_of(plugin, clips)
    for phase in plugin.phases(small.settings()):
        own = parameters_of(plugin, phase)
        before = {name: parameter.detach().clone() for name, parameter in own.items()}
        losses_of(plugin, phase, batch)
        phase.optimizer(list(own.values())).step()
        moved = [name for name, parameter in own.items() if not torch.equal(parameter, before[name])]
        changed = {part for part in phase.networks if any(name.startswith(f"{part}.") for name in moved)}
        assert changed == set(phase.networks)


@every_model
def test_validation_gives_scores_and_pictures(small: Small, clips: Path) -> None:
    plugin = small.build()
    plugin.phases(small.settings())  # as the trainer does: a stage may add networks of its own
    plugin.networks.eval()
    scores, pictures = plugin.validate(batch_of(plugin, clips))
    assert scores and all(torch.tensor(score).isfinite() for score in scores.values())
    for name, shown in pictures.items():
        assert shown.shape == (2, 3, 64, 64), name
        assert shown.min() >= -1e-6 and shown.max() <= 1 + 1e-6, name


@every_model
def test_saved_and_loaded_weights_draw_the_same(small: Small, frames: Tensor, tmp_path: Path) -> None:
    plugin = small.build()
    states = {name: plugin.networks[name].state_dict() for name in plugin.inference_networks}
    path = export(tmp_path / "weights.safetensors", plugin, states, "float32", {"variant": small.label})
    loaded = load_networks(path, model=small.model)
    assert (loaded.model, loaded.metadata["variant"]) == (small.model, small.label)
    other = type(plugin)(plugin.Config.model_validate_json(loaded.metadata["config"]))
    for name in plugin.inference_networks:
        load_strict(other.networks[name], loaded.states[name], where=path)
        for key, value in other.networks[name].state_dict().items():
            assert torch.equal(value, states[name][key]), f"{name}.{key}"
    assert torch.equal(animate(other, frames), animate(plugin, frames))
