"""VGG16's features and the distance in them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from talkingface.errors import WeightsError
from talkingface.nn.losses.perceptual import VGG16, perceptual_distance
from talkingface.weights import load_catalogue
from talkingface.weights.exact import published_bytes
from talkingface.weights.files.read import read_keras_vgg16


def test_features_halve_and_widen() -> None:
    maps = VGG16(3)(torch.rand(1, 3, 32, 48))
    assert [tuple(one.shape[1:]) for one in maps] == [(64, 32, 48), (128, 16, 24), (256, 8, 12)]


def test_distance_is_zero_for_the_same_picture_and_reaches_only_the_made_one() -> None:
    torch.manual_seed(0)
    vgg, picture = VGG16(2), torch.rand(2, 3, 16, 16)
    assert float(perceptual_distance(vgg, picture, picture).max()) == pytest.approx(0, abs=1e-9)
    made, real = picture.clone().requires_grad_(), (picture + 0.1).requires_grad_()
    perceptual_distance(vgg, made, real).sum().backward()
    assert made.grad is not None and float(made.grad.abs().max()) > 0
    assert real.grad is None


def test_misshapen_weights_are_refused() -> None:
    state = dict(VGG16(1).state_dict())
    state["blocks.0.0.weight"] = torch.zeros(1)
    with pytest.raises(WeightsError, match=r"blocks\.0\.0\.weight"):
        VGG16(1).take(state)


def test_weights_of_keras_are_read(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path, widths = tmp_path / "w.h5", (3, 64, 128, 256, 512, 512)
    with h5py.File(path, "w") as file:
        for block, count in enumerate((2, 2, 3, 3, 3)):
            for index in range(count):
                inputs = widths[block] if index == 0 else widths[block + 1]
                group = file.create_group(f"block{block + 1}/layers/conv2d{f'_{index}' if index else ''}/vars")
                group["0"] = torch.full((3, 3, inputs, widths[block + 1]), 0.5).half().numpy()
                group["1"] = torch.zeros(widths[block + 1]).numpy()
    VGG16(2).take(read_keras_vgg16(path.read_bytes(), path))


def test_missing_weights_are_an_error_with_a_cure(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"not there.*--checkpoint=vgg16"):
        published_bytes("vgg16", tmp_path)


def test_another_file_never_reaches_the_library(tmp_path: Path) -> None:
    entry = load_catalogue()["vgg16"]
    path = entry.path(tmp_path)
    path.parent.mkdir()
    for size in (100, entry.size):
        with path.open("wb") as file:
            file.truncate(size)
        with pytest.raises(WeightsError, match=r"weights\.h5: not the file 'vgg16' of the catalogue.*Delete it"):
            published_bytes("vgg16", tmp_path)
