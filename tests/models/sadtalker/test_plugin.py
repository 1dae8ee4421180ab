"""The plug-in: what the renderer draws, what the voice says, how the one is fitted to the other."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from talkingface.config import settings_from
from talkingface.errors import ConfigError, ShapeError, WeightsError
from talkingface.models.base import SpeechRequest
from talkingface.models.sadtalker.config import SadTalkerConfig
from talkingface.models.sadtalker.networks.generator import RenderNetworks
from talkingface.models.sadtalker.plugin import SadTalker
from talkingface.models.sadtalker.voice.mel import Speech
from talkingface.models.sadtalker.voice.speech import draw_noise, speak
from talkingface.motion.coefficients import LAYOUT_73
from talkingface.motion.windows import windows
from talkingface.pipelines import frames as pipeline
from talkingface.pipelines.model import load_plugin
from talkingface.types import Motion, Source
from talkingface.weights.files.read import read
from talkingface.weights.files.tensorfile import write_safetensors
from talkingface.weights.load import identify_content

from .test_render import LAYOUT, SMALL, build_small, same_frames

FPS = Fraction(25)
EXPRESSION, POSE, CROP = LAYOUT_73.exp, LAYOUT_73.pose, LAYOUT_73.crop


def settings_of(columns: int = 70) -> dict[str, Any]:
    mapping = {**SMALL["mapping_params"], "coeff_nc": columns}
    return {**SMALL, "mapping_params": mapping, "image_size": 64}


@pytest.fixture(scope="module", params=[70, 73])
def plain(request: pytest.FixtureRequest) -> RenderNetworks:
    """Networks whose weights make frames differ."""
    return build_small(mapping_params={**SMALL["mapping_params"], "coeff_nc": request.param})


@pytest.fixture(scope="module")
def plugin(plain: RenderNetworks) -> SadTalker:
    made = SadTalker(SadTalkerConfig.model_validate(settings_of(plain.mapping.first[0].in_channels)))
    for name, network in plain.named_children():
        made.networks[name].load_state_dict(network.state_dict())
    made.networks.eval()
    return made


@pytest.fixture(scope="module")
def speaker() -> SadTalker:
    torch.manual_seed(6)
    made = SadTalker(SadTalkerConfig.model_validate(settings_of()))
    made.networks.eval()
    return made


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def coefficients(rows: Tensor, **values: Tensor) -> Motion:
    return Motion(f"3dmm.{rows.shape[1]}", FPS, {"coefficients": rows, **values}, "bfm")


@pytest.fixture
def source() -> Source:
    return Source(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)), draw(1, 73, seed=2))


@torch.no_grad()
@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_frames_are_those_of_the_plain_networks(plugin, plain, source: Source, chunk: int) -> None:
    columns = plugin.config.coefficients
    rows = draw(7, columns, seed=3)
    own = source.coefficients[:, :columns, None].expand(-1, -1, 27)
    expected = torch.cat([plain(source.image, own, window[None]) for window in windows(rows)])
    renderer = plugin.renderer()
    assert (renderer.takes, renderer.space, renderer.radius) == (f"3dmm.{columns}", "bfm", 13)
    state, motion = renderer.encode_source(source), coefficients(rows)
    parts = pipeline.windows(7, chunk, renderer.radius)
    found = torch.cat([renderer.render_part(state, motion[window], keep) for window, keep in parts])
    assert same_frames(found, expected) and (expected[0] - expected[6]).abs().max() > 0.05


@torch.no_grad()
def test_angles_that_are_asked_for_replace_those_that_are_said(plugin, plain, source: Source) -> None:
    columns = plugin.config.coefficients
    rows, asked = draw(3, columns, seed=3), torch.full((3, 3), torch.nan)
    asked[1, 0] = 30.0  # yaw of the second frame
    renderer = plugin.renderer()
    state = renderer.encode_source(source)
    free, led = (renderer.render(state, coefficients(rows, **more)) for more in ({}, {"angles": asked}))
    assert torch.equal(free[[0, 2]], led[[0, 2]]) and (free[1] - led[1]).abs().max() > 1e-3
    canonical = plain.kp_extractor(source.image)
    moved = plain.keypoints(canonical, windows(rows)[1:2], {"yaw": torch.tensor([30.0])})
    assert torch.allclose(renderer.drive(state, coefficients(rows, angles=asked), slice(1, 2)), moved, atol=1e-5)


def test_pictures_that_explain_are_as_large_as_frames(plugin, source: Source) -> None:
    renderer = plugin.renderer()
    pictures = renderer.explain(renderer.encode_source(source), coefficients(draw(2, plugin.config.coefficients)))
    assert set(pictures) == {"keypoints_source", "keypoints_driving", "occlusion_map"}
    assert all(shown.shape == (2, 3, 64, 64) for shown in pictures.values())


def test_a_source_without_coefficients_is_refused(plugin, source: Source) -> None:
    with pytest.raises(ShapeError, match="no coefficients"):
        plugin.renderer().encode_source(Source(source.image))


def fit(plugin: SadTalker, driving: Motion, source: Source, **options: Any) -> Motion:
    return plugin.retarget(coefficients(source.coefficients), driving, options)


def test_a_voice_comes_with_the_crop_of_the_source(plugin, source: Source) -> None:
    rows, own = draw(4, 70), source.coefficients
    fitted = fit(plugin, coefficients(rows), source, relative=False)
    found = fitted.values["coefficients"]
    assert fitted.kind == plugin.renderer().takes and torch.equal(found[:, :70], rows)
    if plugin.config.coefficients == 73:
        assert torch.equal(found[:, CROP], own[:, CROP].expand(4, -1))
    video = coefficients(torch.cat([rows, draw(4, 3, seed=9)], 1))  # whose crop is that of another picture
    assert torch.equal(fit(plugin, video, source).values["coefficients"], found)


def test_wishes_change_their_columns_alone(plugin, source: Source) -> None:
    rows, own = draw(4, 70), source.coefficients
    still = fit(plugin, coefficients(rows), source, still=True).values["coefficients"]
    assert torch.equal(still[:, POSE], own[:, POSE].expand(4, -1))
    assert torch.equal(still[:, EXPRESSION], rows[:, EXPRESSION])
    large = fit(plugin, coefficients(rows), source, expression_scale=1.5).values["coefficients"]
    assert torch.equal(large[:, EXPRESSION], 1.5 * rows[:, EXPRESSION])
    assert torch.equal(large[:, POSE], rows[:, POSE])
    asked = torch.full((4, 3), torch.nan)
    assert fit(plugin, coefficients(rows, angles=asked), source).values["angles"] is asked


def test_the_change_of_another_person_is_carried_over(plugin, source: Source) -> None:
    rows, own = draw(4, 70), source.coefficients[:, :70]
    for options, met in (({}, 0), ({"best_frame": 2}, 2)):
        found = fit(plugin, coefficients(rows), source, relative=True, **options).values["coefficients"][:, :70]
        assert torch.equal(found[met], own[0])
        assert torch.allclose(found - found[:1], rows - rows[:1], atol=1e-5)
    like = torch.cat([rows, own + 0.01])
    found = fit(plugin, coefficients(like), source, relative=True, find_best_frame=True).values["coefficients"]
    assert torch.allclose(found[4, :70], own[0])
    twice = fit(plugin, coefficients(rows), source, relative=True, expression_scale=2.0).values["coefficients"]
    change = rows[:, EXPRESSION] - rows[:1, EXPRESSION]
    assert torch.allclose(twice[:, EXPRESSION], own[:, EXPRESSION] + 2 * change, atol=1e-5)
    with pytest.raises(ConfigError, match="there is no frame 4"):
        fit(plugin, coefficients(rows), source, relative=True, best_frame=4)


def test_the_voice_says_what_its_networks_say(speaker: SadTalker) -> None:
    wave, own, voice = draw(640 * 30) / 10, draw(1, 73), speaker.voice()
    assert (voice.gives, voice.space, voice.fps, voice.sample_rate, voice.styles) == ("3dmm.70", "bfm", 25, 16000, 46)
    noise = draw_noise(30, torch.Generator().manual_seed(7))
    networks = speaker.networks
    expected = speak(networks["audio2exp"], networks["audio2pose"], Speech(wave), own, noise, style=3)
    said = voice.speak(SpeechRequest(wave, 30, style=3, seed=7), own)
    assert torch.equal(said.values["coefficients"], expected)
    assert torch.equal(voice.speak(SpeechRequest(wave, 30, style=3, seed=7), own).values["coefficients"], expected)


def said(speaker: SadTalker, own: Tensor, wave: Tensor | None, frames: int, **changes: Any) -> Tensor:
    return speaker.voice().speak(SpeechRequest(wave, frames, **changes), own).values["coefficients"]


def test_blinks_move_the_expression_and_seeds_the_head(speaker: SadTalker) -> None:
    own = draw(1, 73)
    once, blind = said(speaker, own, None, 60), said(speaker, own, None, 60, blink=False)
    assert torch.equal(once[:, POSE], blind[:, POSE]) and not torch.equal(once[:, EXPRESSION], blind[:, EXPRESSION])
    assert not torch.equal(once[:, POSE], said(speaker, own, None, 60, seed=1)[:, POSE])
    eyes = draw(10, 73, seed=4)
    led = said(speaker, own, None, 60, eyes=eyes)
    assert torch.equal(led, said(speaker, own, None, 60, eyes=eyes, blink=False))  # no random blinks on top
    poses = draw(10, 73, seed=5)
    moved = said(speaker, own, None, 60, poses=poses)
    assert torch.allclose((moved - once)[:10, POSE], poses[:, POSE] - poses[:1, POSE], atol=1e-5)


def test_silence_follows_a_short_wave_and_a_long_one_is_cut(speaker: SadTalker) -> None:
    own, wave = draw(1, 73), draw(640 * 6 + 100) / 10
    padded = torch.cat([wave, torch.zeros(640 * 8 - len(wave))])
    assert torch.allclose(said(speaker, own, wave, 8), said(speaker, own, padded, 8), atol=1e-6)
    assert torch.equal(said(speaker, own, wave, 4), said(speaker, own, wave[: 640 * 4], 4))
    assert said(speaker, own, wave[:5], 1).isfinite().all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image_size": 100}, "cannot be halved"),
        ({"architecture": "huge"}, "published"),
        ({"mapping_params": {**SMALL["mapping_params"], "coeff_nc": 71}}, "70, or 73"),
    ],
)
def test_settings_that_make_no_network_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SadTalkerConfig.model_validate(settings_of() | change)


def write_released(plugin: SadTalker, root: Path) -> None:
    """Files of the published layouts, in half precision to be quick."""
    states = {
        name: {key: value.half() if value.is_floating_point() else value for key, value in network.state_dict().items()}
        for name, network in plugin.networks.items()
    }
    package = {f"{name}.{key}": value for name in states if name != "mapping" for key, value in states[name].items()}
    (root / "BFM").mkdir()
    (root / "BFM" / "similarity_Lm3D_all.mat").touch()
    (root / "Deep3D").mkdir()
    (root / "Deep3D" / "epoch_20.pth").touch()
    write_safetensors(root / "SadTalker_V0.0.2_256.safetensors", package, {})
    torch.save({"mapping": states["mapping"], "epoch": 1}, root / "mapping_00229-model.pth.tar")
    render = {"kp_detector": states["kp_extractor"], "generator": states["generator"], "he_estimator": {}}
    torch.save({**render, "epoch": 1}, root / "facevid2vid_00189-model.pth.tar")
    torch.save({"model": states["audio2exp"], "epoch": 1}, root / "auido2exp_00300-model.pth")
    torch.save({"model": states["audio2pose"], "epoch": 1}, root / "auido2pose_00140-model.pth")


def test_both_released_sets_give_every_network(speaker: SadTalker, tmp_path: Path) -> None:
    write_released(speaker, tmp_path)
    params = {key: value for key, value in settings_of().items() if key != "image_size"}
    given = {"model": "SadTalker", "checkpoint_root": tmp_path, "image_size": 64, "model_params": params}
    for word in ("sadtalker_256", "sadtalker_old"):
        settings = settings_from({**given, "checkpoint": word})
        loaded, label = load_plugin(settings, torch.device("cpu"))
        assert label.startswith(f"weights: {word} (")
        for name, network in speaker.networks.items():
            for key, value in loaded.networks[name].state_dict().items():
                assert torch.equal(value, network.state_dict()[key].half().to(value)), f"{word} {name}.{key}"
    (tmp_path / "mapping_00229-model.pth.tar").unlink()
    with pytest.raises(WeightsError, match=r"mapping_00229-model\.pth\.tar is not there"):
        load_plugin(settings_from({**given, "checkpoint": "sadtalker_256"}), torch.device("cpu"))


@pytest.mark.skipif(not LAYOUT.is_file(), reason="the published layouts are not beside the clone")
def test_a_package_of_the_published_size_is_recognised_by_its_header(tmp_path: Path) -> None:
    """The whole header, and a hole in the file where the numbers would be."""
    recorded = json.loads(LAYOUT.read_text())["SadTalker_V0.0.2_256.safetensors"]
    path = tmp_path / "renamed.safetensors"
    path.write_bytes(header_of(recorded["entries"]))
    with path.open("ab") as file:
        file.truncate(recorded["bytes"])
    found = identify_content(read(path))
    assert (found.model, found.part) == ("SadTalker", "package")
    with torch.device("meta"):
        networks = SadTalker(SadTalkerConfig()).networks
    for name in ("kp_extractor", "generator", "audio2exp", "audio2pose"):
        wanted = {key: tuple(value.shape) for key, value in networks[name].state_dict().items()}
        assert {key: tuple(record.shape) for key, record in found.networks[name].items()} == wanted


def header_of(entries: dict[str, tuple[str, list[int]]]) -> bytes:
    """The start of a safetensors file that holds tensors of these types and shapes."""
    names, end = {"float32": ("F32", 4), "int64": ("I64", 8)}, 0
    table = {}
    for key, (kind, shape) in sorted(entries.items(), key=lambda item: (-names[item[1][0]][1], item[0])):
        word, width = names[kind]
        start, end = end, end + width * int(torch.tensor(shape).prod())
        table[key] = {"dtype": word, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(table, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
