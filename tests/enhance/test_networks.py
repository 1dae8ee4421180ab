"""The published networks through spandrel: what is said where something is missing, and what they are shown.

With spandrel and a torchvision that fits torch, networks of the published layouts run with random weights.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from talkingface.enhance import networks
from talkingface.errors import DependencyError, WeightsError
from talkingface.paths import install_command
from talkingface.weights import load_catalogue
from talkingface.weights.load import load_networks

CPU = torch.device("cpu")
needs_spandrel = pytest.mark.skipif(networks.missing_package() is not None, reason=str(networks.missing_package()))


def test_a_missing_package_is_one_line_with_the_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(DependencyError) as caught:
        networks.open_restorer("gfpgan", tmp_path, CPU)
    message = str(caught.value)
    assert message.startswith("--enhancer=gfpgan: spandrel is not installed") and "\n" not in message
    assert install_command("enhance") in message and "leave the flag out" in message
    assert str(networks.missing_package()).startswith("--enhancer: spandrel is not installed")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import torchvision_that_is_not_there", "torchvision_that_is_not_there is not installed"),
        ("raise RuntimeError('operator torchvision::nms does not exist')", "does not fit torch"),
        ("raise OSError('libcudart.so.13: cannot open shared object file')", "does not fit torch"),
    ],
)
def test_a_torchvision_that_is_missing_or_of_another_torch_is_told_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / "spandrel.py").write_text(line)
    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    error = networks.missing_package()
    assert isinstance(error, DependencyError) and said in str(error) and "\n" not in str(error)


def test_a_missing_file_is_named_with_its_place_and_origin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "spandrel", type(sys)("spandrel"))
    with pytest.raises(WeightsError) as caught:
        networks.open_upscaler("realesrgan", tmp_path, CPU)
    message = str(caught.value)
    assert "--background_enhancer=realesrgan" in message and "RealESRGAN_x2plus.pth" in message
    assert "--run_mode=fetch --checkpoint=realesrgan" in message


def test_face_networks_see_and_give_what_they_were_trained_with() -> None:
    seen: dict[str, Any] = {}

    def published(faces: Tensor, **options: bool) -> tuple[Tensor, None]:
        seen.update(low=faces.min().item(), high=faces.max().item(), **options)
        return faces * 2, None  # beyond the range, as networks do at times

    restore = networks._restorer(published, randomize_noise=False)
    result = restore(torch.tensor([0.0, 0.5, 0.75, 1.0]).reshape(1, 1, 2, 2))
    assert seen == {"low": -1.0, "high": 1.0, "randomize_noise": False}
    assert result.flatten().tolist() == [0.0, 0.5, 1.0, 1.0]


def upscaler_state(blocks: int) -> dict[str, Tensor]:
    """The layout of Real-ESRGAN's x2plus, with fewer blocks."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"conv_first": (64, 12), "conv_last": (3, 64)}
    shapes |= {name: (64, 64) for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr")}
    for block in range(blocks):
        for part in (1, 2, 3):
            for conv in range(1, 6):
                shapes[f"body.{block}.rdb{part}.conv{conv}"] = (64 if conv == 5 else 32, 64 + 32 * (conv - 1))
    state: dict[str, Tensor] = {}
    for name, (outputs, inputs) in shapes.items():
        state[f"{name}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * 0.05
        state[f"{name}.bias"] = torch.zeros(outputs)
    return state


def written(root: Path, name: str, content: dict[str, Any]) -> Path:
    path = load_catalogue()[name].path(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("gfpgan", ("stylegan_decoder.style_mlp.1.weight", "toRGB.0.weight")),
        ("restoreformer", ("quantize.embedding.weight", "encoder.conv_in.weight", "decoder.conv_out.weight")),
        ("realesrgan", ("conv_first.weight", "body.0.rdb1.conv1.weight")),
    ],
)
def test_published_files_are_recognised_by_their_keys(tmp_path: Path, name: str, keys: tuple[str, ...]) -> None:
    ranks = {key: 2 if "style_mlp" in key or "embedding" in key else 4 for key in keys}
    state = {key: torch.zeros([1] * rank) for key, rank in ranks.items()}
    entry = load_catalogue()[name]
    found = load_networks(written(tmp_path, name, {"params_ema": state}), model=entry.model)
    assert list(found.states) == list(entry.networks) and set(found.states[name]) == set(keys)


@needs_spandrel
def test_the_upscaler_doubles_pictures_of_any_size(tmp_path: Path) -> None:
    written(tmp_path, "realesrgan", {"params_ema": upscaler_state(2)})
    upscaler = networks.open_upscaler("realesrgan", tmp_path, CPU)
    large = upscaler(torch.rand(1, 3, 21, 34))
    assert large.shape == (1, 3, 42, 68) and large.min() >= 0 and large.max() <= 1


@needs_spandrel
@pytest.mark.parametrize(("word", "wrapper"), [("gfpgan", "params_ema"), ("RestoreFormer", "params")])
def test_restorers_of_the_published_layout_run_and_repeat(tmp_path: Path, word: str, wrapper: str) -> None:
    torch.manual_seed(0)
    written(tmp_path, networks.RESTORERS[word], {wrapper: random_restorer(word).state_dict()})
    restore = networks.open_restorer(word, tmp_path, CPU)
    faces = torch.rand(1, 3, 512, 512)
    with torch.inference_mode():
        first, second = restore(faces), restore(faces)
    assert first.shape == faces.shape and torch.equal(first, second) and first.min() >= 0 and first.max() <= 1


def random_restorer(word: str) -> torch.nn.Module:
    from spandrel.architectures import GFPGAN, RestoreFormer

    if word == "gfpgan":
        return GFPGAN.GFPGAN(
            out_size=512, num_style_feat=512, channel_multiplier=2, decoder_load_path=None, fix_decoder=False,
            num_mlp=8, input_is_latent=True, different_w=True, narrow=1, sft_half=True,
        )  # fmt: skip
    return RestoreFormer.RestoreFormer(
        n_embed=1024, embed_dim=256, ch=64, out_ch=3, ch_mult=(1, 2, 2, 4, 4, 8), num_res_blocks=2,
        attn_resolutions=(16,), dropout=0.0, in_channels=3, resolution=512, z_channels=256, double_z=False,
        enable_mid=True, head_size=8,
    )  # fmt: skip
