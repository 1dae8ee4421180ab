"""Files as StyleHEAT's authors lay them out, in small: they are recognised, read together, and fill the networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from talkingface.errors import ConfigError, WeightsError
from talkingface.models.styleheat.plugin import StyleHeat
from talkingface.types import Source
from talkingface.weights import load_catalogue
from talkingface.weights.load import load_networks, load_strict, load_together, save_networks

from .small import motion, pictures, plugin


@pytest.fixture(scope="module")
def model() -> StyleHeat:
    return plugin()


def published(model: StyleHeat, folder: Path, *, spelling: str = "warping_net", mean: int = 2) -> list[Path]:
    """The four files of inference."""
    states = {name: model.networks[name].state_dict() for name in model.inference_networks}
    e4e = dict(states["e4e_encoder"])
    codes = e4e.pop("latent_avg")
    visual = {f"video_warper.{key.replace('warping_net', spelling)}": v for key, v in states["video_warper"].items()}
    visual |= {f"calibrator.{key}": value for key, value in states["calibrator"].items()}
    files = {
        "StyleHEAT_visual.pt": {"net_G_ema": visual, "net_G": visual, "opt_G": {"state": {}}, "current_epoch": 3},
        "Encoder_e4e.pth": {
            "encoder": {key.removeprefix("encoder."): value for key, value in e4e.items()},
            "latent_avg": codes if mean == 2 else codes[0],
        },
        "hfgi.pth": {"aligner": states["hfgi_aligner"], "encoder": states["hfgi_encoder"]},
        "StyleGAN_e4e.pth": states["stylegan"],
    }
    for name, content in files.items():
        torch.save(content, folder / name)
    return [folder / name for name in files]


@pytest.mark.parametrize(("spelling", "mean"), [("warping_net", 2), ("warpping_net", 1)])
def test_published_layouts_fill_the_networks(model: StyleHeat, tmp_path: Path, spelling: str, mean: int):
    paths = published(model, tmp_path, spelling=spelling, mean=mean)
    other = plugin()
    for network in other.networks.values():
        for value in network.state_dict().values():
            value.zero_()
    states = load_together(paths, model="StyleHeat", only=other.inference_networks)
    for name, state in states.items():
        load_strict(other.networks[name], other.adapt(name, state), where=name)
    for name in model.inference_networks:
        own, loaded = model.networks[name].state_dict(), other.networks[name].state_dict()
        if name == "e4e_encoder" and mean == 1:
            own = {**own, "latent_avg": own["latent_avg"][:1].expand_as(own["latent_avg"])}
        assert all(torch.equal(value, loaded[key]) for key, value in own.items()), name


def test_a_file_of_training_holds_the_discriminator(model: StyleHeat, tmp_path: Path):
    torch.save(model.networks["discriminator"].state_dict(), tmp_path / "stylegan2_d_256.pth")
    found = load_networks(tmp_path / "stylegan2_d_256.pth", model="StyleHeat")
    load_strict(model.networks["discriminator"], found.states["discriminator"], where="a test")


def test_a_renderer_without_a_part_is_reported(model: StyleHeat, tmp_path: Path):
    paths = published(model, tmp_path)
    with pytest.raises(WeightsError, match="no network hfgi_aligner and no hfgi_encoder"):
        load_together(
            [path for path in paths if path.name != "hfgi.pth"], model="StyleHeat", only=model.inference_networks
        )


def test_the_catalogue_knows_every_published_file():
    catalogue = load_catalogue()
    names = {Path(entry.file).name for entry in catalogue.entries_for("styleheat")}
    names |= {Path(entry.file).name for entry in catalogue.of("StyleHeat")} | {Path(catalogue["ir_se50"].file).name}
    assert names >= {
        *("StyleHEAT_visual.pt", "Encoder_e4e.pth", "hfgi.pth", "StyleGAN_e4e.pth", "stylegan2_d_256.pth"),
        *("model_ir_se50.pth", "epoch_20.pth", "age.pt", "ffhq_pca.pt", "ffhq_PCA.npz", "expression.pth"),
    }


def editable() -> StyleHeat:
    """Small, but with codes as long as the published directions."""
    small = plugin().config.model_dump()
    small["generator"]["code_length"] = small["encoder"]["features"] = 512
    small["encoder"]["head_width"] = 4
    torch.manual_seed(0)
    return StyleHeat(StyleHeat.Config.model_validate(small))


def test_edits_need_their_file_and_change_frames(tmp_path: Path):
    model = editable()
    torch.save(torch.randn(1, 512), tmp_path / "age.pt")
    (state,) = load_networks(tmp_path / "age.pt", model="StyleHeat").states.values()
    drawn: dict[bool, Tensor] = {}
    for wanted in (False, True):
        needs = model.prepare({"attribute_edit": "old"} if wanted else {})
        assert list(needs) == (["styleheat_age"] if wanted else [])
        if wanted:
            needs["styleheat_age"](state)
        renderer = model.renderer()
        fitted = model.retarget(motion(1), motion(3), {})
        drawn[wanted] = renderer.render(renderer.encode_source(Source(pictures(1, 64).add(1) / 2)), fitted)
    assert torch.allclose(drawn[True][0], drawn[False][0], atol=1e-5)
    assert not torch.allclose(drawn[True][2], drawn[False][2], atol=1e-3)
    with pytest.raises(WeightsError, match="512 numbers"):
        model.prepare({"attribute_edit": "old"})["styleheat_age"]({"tensor": torch.zeros(1, 64)})


def test_edits_that_cannot_be_are_refused(model: StyleHeat):
    with pytest.raises(ConfigError, match="those of these weights have 8"):
        model.prepare({"attribute_edit": "young"})
    with pytest.raises(ConfigError, match="inversion_option=optimize"):
        editable().prepare({"attribute_edit": "young", "inversion_option": "optimize"})
    with pytest.raises(ConfigError, match="no saved inversion"):
        model.prepare({"inversion_option": "load"})


def test_optimisation_comes_nearer_and_what_it_found_can_be_saved_and_read(model: StyleHeat, tmp_path: Path):
    picture = Source(pictures(1, 32, 8).add(1) / 2)
    apart = {}
    for steps in (1, 40):
        model.prepare({"inversion_option": "optimize", "inversion_steps": steps})
        renderer = model.renderer()
        with torch.inference_mode():
            state = renderer.encode_source(picture)
        made = state.plain.generator.finish(state.plain.features)
        apart[steps] = (made - (picture.image * 2 - 1)).square().mean().item()
    assert apart[40] < 0.8 * apart[1]
    save_networks(tmp_path / "found.safetensors", {"inversion": renderer.kept(state)}, {"model": "StyleHeat"})
    (takes,) = model.prepare({"inversion_option": "load", "inversion_file": tmp_path / "found.safetensors"}).values()
    (kept,) = load_networks(tmp_path / "found.safetensors", model="StyleHeat").states.values()
    takes(kept)
    again = model.renderer()
    drawn = [one.render(one.encode_source(picture), motion(2)) for one in (again,)]
    assert torch.allclose(drawn[0], renderer.render(state, motion(2)), atol=1e-5)
    with pytest.raises(WeightsError, match="these weights want"):
        takes({"w_latent": torch.zeros(1, 3, 8), "f_latent": torch.zeros(1, 10, 16, 16)})
    model.prepare({})


def test_published_inversions_are_recognised(tmp_path: Path):
    np.savez(
        tmp_path / "face.npz", w_latent=np.zeros((1, 8, 8), np.float32), f_latent=np.zeros((1, 10, 16, 16), np.float32)
    )
    (state,) = load_networks(tmp_path / "face.npz", model="StyleHeat").states.values()
    assert set(state) == {"w_latent", "f_latent"}


def test_the_tour_begins_and_rests_with_the_source(model: StyleHeat):
    model.prepare({"intuitive_edit": True})
    source = motion(1, 9)
    shown = model.own_motion(source).values["coefficients"]
    own = source.values["coefficients"]
    assert shown.shape == (190, 73)
    assert torch.equal(shown[:120, :64], own[:, :64].expand(120, -1))
    assert torch.equal(shown[:, 67:], own[:, 67:].expand(190, -1))
    assert shown[:120, 64:67].abs().max() > 0.3 and not shown[120:, 64:67].any()
    assert not shown[-1, :64].any()
    model.prepare({})
