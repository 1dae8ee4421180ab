"""Recorded cases of StyleGAN2 and of what StyleHEAT does with it: pictures, conditions, losses, code edits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from talkingface.models.styleheat.edits.attributes import BEARD, LIP, Components, move_along
from talkingface.nn.stylegan2 import losses
from talkingface.nn.stylegan2.conditions import Affine, Conditions
from talkingface.nn.stylegan2.discriminator import Discriminator
from talkingface.nn.stylegan2.generator import Generator
from talkingface.nn.stylegan2.layers import ConvLayer, EqualLinear, ResBlock
from talkingface.nn.stylegan2.structure import StyleGAN2Structure

from ..case import Case, number
from ..run import Runner


def structure_of(case: Case, numbers: Mapping[str, Any]) -> StyleGAN2Structure:
    """Sizes of a network, from its published settings."""
    case.require(numbers, {"blur_kernel": [1, 3, 3, 1], "lr_mlp": 0.01})
    size = numbers["size"]
    return StyleGAN2Structure(
        size=size,
        splice=min(size, 64),
        width=numbers.get("channel_multiplier", 2),
        code_length=numbers.get("style_dim", 512),
        mapping_layers=numbers.get("n_mlp", 8),
    )


def generator_of(case: Case) -> Generator:
    """Generator of a case, with its weights."""
    network = Generator(structure_of(case, case.build["Generator"]))
    case.load(network)
    return network


@torch.no_grad()
def generator(case: Case) -> dict[str, Tensor]:
    """Picture of codes, and the features at the splice."""
    made = generator_of(case)(case.input("w_plus"))
    return {"image": made.picture, "f_latent": made.features}


@torch.no_grad()
def conditions(case: Case) -> dict[str, Tensor]:
    """Codes of the mapping network, and pictures under truncation and every change of the features."""
    network, codes = generator_of(case), case.input("w_plus")
    inversion = Affine(case.input("inv_scale"), case.input("inv_shift"))
    refine = Affine(case.input("refine_scale"), case.input("refine_shift"))
    replacement, first, second = (case.input(name) for name in ("f_condition", "deform_a", "deform_b"))
    everything = Conditions(inversion, replacement, [first], refine)
    strength = number(case.from_call(r"truncation=([\d.]*\d)", "0.7"))
    truncated = network.codes_of(case.input("z"), truncation=strength, mean=case.input("w_mean"))
    plain, inverted, full = (network(codes, change) for change in (None, Conditions(inversion), everything))
    return {
        "mapped": network.style(case.input("z")),
        "image_z_trunc": network(truncated).picture,
        "image_plain": plain.picture,
        "f_plain": plain.features,
        "image_inv": inverted.picture,
        "f_inv": inverted.features,
        "image_f": network(codes, Conditions(replacement=replacement)).picture,
        "image_warp": network(codes, Conditions(inversion, warps=[first])).picture,
        "image_warp2": network(codes, Conditions(inversion, warps=[first, second])).picture,
        "image_all": full.picture,
        "f_all": full.features,
        "f_refined": everything.move(full.features),
    }


@torch.no_grad()
def discriminator(case: Case) -> dict[str, Tensor]:
    """Scores of a batch and of a smaller one, by their sizes, and the features of the smaller one."""
    network = Discriminator(structure_of(case, case.build["Discriminator"]))
    case.load(network)
    images, pair = case.input("images"), case.input("pair")
    return {
        f"logits{len(images)}": network(images),
        f"logits{len(pair)}": network(pair),
        "features": network.convs(pair),
    }


def path_length(case: Case) -> dict[str, Tensor]:
    """Path lengths, their penalty and its gradient."""
    network, codes = generator_of(case), case.input("w_plus").clone().requires_grad_()
    picture = network(codes).picture
    lengths = losses.path_lengths(picture, codes, case.input("noise"))
    penalise = losses.PathLengthPenalty()
    penalise.mean = case.input("mean_path_length")[0]
    penalty = penalise(lengths)
    return {
        "image": picture,
        "path_lengths": lengths,
        "path_mean": penalise.mean[None],
        "path_penalty": penalty[None],
        **_gradients(case, network, penalty, "penalty_grad."),
    }


class SmallDiscriminator(nn.Module):
    """Discriminator of the layers that a case of the losses names."""

    def __init__(self, build: Mapping[str, Any]) -> None:
        super().__init__()
        kinds = {"ConvLayer": ConvLayer, "ResBlock": ResBlock}
        convs = [next(iter(build[name].items())) for name in sorted(build) if name.startswith("convs.")]
        self.convs = nn.Sequential(*(kinds[kind](*sizes) for kind, sizes in convs))
        *hidden, last = pairwise(build["final_linear"])
        self.final_linear = nn.Sequential(*(EqualLinear(*pair, activate=True) for pair in hidden), EqualLinear(*last))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.final_linear(self.convs(x).flatten(1))
        return out


def discriminator_losses(case: Case) -> dict[str, Tensor]:
    """Scores, logistic losses, the penalty R1 and its gradient."""
    network = SmallDiscriminator(case.build)
    case.load(network)
    real = case.input("real").clone().requires_grad_()
    real_scores, fake_scores = network(real), network(case.input("fake"))
    penalty = losses.gradient_penalty(real_scores, real)
    return {
        "pred_real": real_scores,
        "pred_fake": fake_scores,
        "d_logistic": losses.discriminator_loss(real_scores, fake_scores)[None],
        "g_nonsaturating": losses.generator_loss(fake_scores)[None],
        "grad_real": torch.autograd.grad(real_scores.sum(), real, retain_graph=True)[0],
        "r1": penalty[None],
        **_gradients(case, network, losses.R1.weight * penalty, "r1_grad."),
    }


def _gradients(case: Case, network: nn.Module, loss: Tensor, prefix: str) -> dict[str, Tensor]:
    """Gradients of a loss for the parameters whose names stand behind a prefix among the outputs."""
    names = [name.removeprefix(prefix) for name in case.outputs if name.startswith(prefix)]
    found = torch.autograd.grad(loss, [network.get_parameter(name) for name in names])
    return {f"{prefix}{name}": value for name, value in zip(names, found, strict=True)}


def gan_loss(case: Case) -> dict[str, Tensor]:
    """Adversarial loss with both signs, and its gradient."""
    case.require(case.build, {"gan_type": "wgan_softplus"})
    out = {"discriminator_loss": losses.discriminator_loss(case.input("real"), case.input("pred"))[None]}
    for name, inverted in (("published", True), ("nonsaturating", False)):
        scores = case.input("pred").clone().requires_grad_()
        loss = case.build["loss_weight"] * losses.generator_loss(scores, inverted=inverted)
        out[f"{name}_generator_loss"] = loss[None]
        (out[f"{name}_generator_grad"],) = torch.autograd.grad(loss, scores)
    return out


def latent_edit(case: Case) -> dict[str, Tensor]:
    """Codes moved along directions, and to places on components, as far as the call's factors say."""
    codes, factors = case.input("w_plus"), case.from_call(r"factors: (.*)", "")
    components = Components(*(case.input(f"pca_{name}") for name in ("mean", "comp", "std")))
    places, directions = {"beard": BEARD, "lip": LIP}, {"young": "age", "old": "age", "pose": "pose"}
    out = {}
    for name, text in re.findall(r"(\w+) (-?[\d./]*\d)", factors):
        factor, edit = number(text), name.partition("_")[0]
        if edit in places:
            out[name] = components.place(codes, places[edit], factor)
        elif edit in directions:
            out[name] = move_along(codes, case.input(directions[edit]), factor)
    return out


RUNNERS: dict[str, Runner] = {
    "styleheat/stylegan2-generator": generator,
    "styleheat/stylegan2-conditions": conditions,
    "styleheat/stylegan2-discriminator": discriminator,
    "styleheat/stylegan2-path-length": path_length,
    "styleheat/stylegan2-d-losses-r1": discriminator_losses,
    "styleheat/gan-loss": gan_loss,
    "styleheat/latent-edit": latent_edit,
}
