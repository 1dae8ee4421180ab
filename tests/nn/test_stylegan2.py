"""Generator and discriminator of small sizes: names, codes, noise, changes of the features, derivatives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from talkingface.errors import ShapeError, WeightsError
from talkingface.nn.stylegan2.conditions import Affine, Conditions
from talkingface.nn.stylegan2.discriminator import Discriminator, with_deviation
from talkingface.nn.stylegan2.fixed import FixedGenerator
from talkingface.nn.stylegan2.generator import Generator
from talkingface.nn.stylegan2.layers import ModulatedConv2d
from talkingface.nn.stylegan2.structure import StyleGAN2Structure
from talkingface.weights.load import load_strict

TINY = StyleGAN2Structure(size=64, splice=16, width=1 / 64, max_channels=12, code_length=10, mapping_layers=2)
MIDDLE = (2, TINY.channels(16), 16, 16)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def generator() -> Generator:
    """Small, with biases and noise strengths other than the zeros that they start from."""
    network = Generator(TINY)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


@pytest.fixture
def codes() -> torch.Tensor:
    return torch.randn(2, TINY.codes, TINY.code_length)


def affine() -> Affine:
    return Affine(0.3 * torch.randn(MIDDLE), torch.randn(MIDDLE))


def fields() -> torch.Tensor:
    return 2.4 * torch.rand(2, 16, 16, 2) - 1.2


def test_published_sizes():
    full = StyleGAN2Structure()
    assert full.codes == 18
    sides = [4 << doubling for doubling in range(full.doublings + 1)]
    assert [full.channels(side) for side in sides] == [512, 512, 512, 512, 512, 256, 128, 64, 32]
    with torch.device("meta"):
        networks = Generator(full), Discriminator(full.model_copy(update={"size": 256}))
    entries = [network.state_dict() for network in networks]
    assert [len(entry) for entry in entries] == [171, 50]
    trained = [sum(parameter.numel() for parameter in network.parameters()) for network in networks]
    assert [round(count / 1e6, 2) for count in trained] == [30.37, 28.86]


@pytest.mark.parametrize("wrong", [{"size": 4}, {"size": 48}, {"size": 32, "splice": 64}, {"splice": 20}])
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(ValidationError, match=r"power of two|more than size"):
        StyleGAN2Structure(**wrong)


def test_modulation_is_that_of_the_weights():
    """The shared convolution against its definition: each sample has weights of its own."""
    layer, x, code = ModulatedConv2d(3, 5, 3, 4), torch.randn(2, 3, 6, 7), torch.randn(2, 4)
    style = F.linear(code, layer.modulation.weight / 2, layer.modulation.bias)
    for index in range(2):
        weight = layer.weight[0] / 27**0.5 * style[index, None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        assert torch.allclose(layer(x, code)[index], F.conv2d(x[index], weight, padding=1), atol=1e-5)
        assert torch.allclose(layer.modulated(code[index]), weight, atol=1e-6)


def test_samples_of_a_batch_do_not_touch(generator, codes):
    both, second = generator(codes), generator(codes[1:])
    assert torch.allclose(both.picture[1:], second.picture, atol=1e-5)
    assert both.picture.shape == (2, 3, 64, 64) and both.features.shape == MIDDLE


def test_each_code_reaches_its_own_layers_only(generator, codes):
    """The codes of the first part change the middle; those behind it only the picture; the last one only its colour."""
    first = 2 * TINY.splice_doubling + 2
    for index in range(TINY.codes):
        changed = codes.clone()
        changed[:, index] += 1
        # The code after the last convolution before the middle makes the picture there, and no features.
        same = torch.equal(generator(changed).features, generator(codes).features)
        assert same == (index >= first)
        assert not torch.equal(generator(changed).picture, generator(codes).picture)


def test_truncation_goes_from_the_mean_to_the_code(generator):
    drawn, mean = torch.randn(3, TINY.code_length), torch.randn(1, TINY.code_length)
    full = generator.codes_of(drawn)
    assert full.shape == (3, TINY.codes, TINY.code_length) and torch.equal(full[:, 0], full[:, -1])
    assert torch.allclose(generator.codes_of(drawn, truncation=1, mean=mean), full)
    assert torch.allclose(generator.codes_of(drawn, truncation=0, mean=mean), mean.expand_as(full))
    half = generator.codes_of(drawn, truncation=0.5, mean=mean)
    assert torch.allclose(half, (full + mean) / 2, atol=1e-6)
    with pytest.raises(ShapeError, match="mean code"):
        generator.codes_of(drawn, truncation=0.5)


def test_the_mean_code_is_that_of_its_draws(generator):
    random = torch.Generator().manual_seed(3)
    drawn = torch.randn(50, TINY.code_length, generator=torch.Generator().manual_seed(3))
    assert torch.allclose(generator.mean_code(50, random), generator.style(drawn).mean(dim=0), atol=1e-6)


def test_noise_is_what_is_given(generator, codes):
    noise = generator.draw_noise(2, torch.Generator().manual_seed(1))
    again = generator.draw_noise(2, torch.Generator().manual_seed(1))
    other = generator.draw_noise(2, torch.Generator().manual_seed(2))
    pictures = [generator(codes, noise=given).picture for given in (noise, again, other, None, None)]
    assert torch.equal(pictures[0], pictures[1]) and torch.equal(pictures[3], pictures[4])
    assert not torch.allclose(pictures[0], pictures[2]) and not torch.allclose(pictures[0], pictures[3])
    zeros = [torch.zeros_like(one) for one in generator.stored_noise()]
    assert torch.allclose(generator(codes, noise=zeros).picture, pictures[3], atol=1e-6)


def test_noise_that_is_not_kept_is_not_saved(generator, codes):
    lean = Generator(generator.structure.model_copy(update={"keeps_noise": False}))
    state = {name: values for name, values in generator.state_dict().items() if not name.startswith("noises.")}
    load_strict(lean, state, where="a test")
    assert len(state) < len(generator.state_dict())
    assert torch.equal(lean(codes).picture, generator(codes).picture)


@pytest.mark.parametrize(("shape", "noises"), [((2, 3, 10), None), ((2, 10), None), ((1, TINY.codes, 10), 2)])
def test_what_does_not_fit_is_refused(generator, shape, noises):
    with pytest.raises(ShapeError, match="generator takes"):
        generator(torch.randn(shape), noise=noises and generator.stored_noise()[:noises])


def test_changes_are_made_in_order(generator, codes):
    inversion, refine, replacement, field = affine(), affine(), torch.randn(MIDDLE), fields()
    changes = Conditions(inversion, replacement, [field, field], refine)
    made, plain = generator(codes, changes), generator(codes)
    assert torch.allclose(made.features, plain.features * (1 + inversion.scale) + inversion.shift)
    moved = replacement
    for _ in range(2):
        moved = F.grid_sample(moved, field, align_corners=False)
    moved = moved * (1 + refine.scale) + refine.shift
    assert torch.equal(made.picture, generator(codes, Conditions(replacement=moved)).picture)


def test_replaced_features_leave_the_picture_below(generator, codes):
    """Layers before the middle show in the picture even where its features are not."""
    changes = Conditions(replacement=torch.randn(MIDDLE))
    other = codes.clone()
    other[:, 0] += 1
    assert not torch.allclose(generator(codes, changes).picture, generator(other, changes).picture)


def test_gradients_reach_every_parameter(generator):
    drawn = torch.randn(2, TINY.code_length)
    noise = generator.draw_noise(2)
    generator(generator.codes_of(drawn), noise=noise).picture.square().sum().backward()
    lacking = [name for name, value in generator.named_parameters() if value.grad is None or not value.grad.any()]
    assert lacking == []


def test_gradients_reach_every_change(generator, codes):
    leaves = [torch.randn(MIDDLE, requires_grad=True) for _ in range(5)]
    field = fields().requires_grad_()
    full = Conditions(Affine(*leaves[:2]), None, [field], Affine(*leaves[2:4]))
    (
        generator(codes, full).picture.square().sum() + generator(codes, Conditions(None, leaves[4])).picture.sum()
    ).backward()
    assert all(leaf.grad is not None and leaf.grad.any() for leaf in [*leaves, field])


@pytest.mark.parametrize("network", [Generator, Discriminator])
def test_weights_load_strictly(network):
    one, other = network(TINY), network(TINY)
    assert any(not torch.equal(value, other.state_dict()[key]) for key, value in one.state_dict().items())
    load_strict(other, one.state_dict(), where="test")
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in one.state_dict().items())
    for key in one.state_dict():
        state = dict(one.state_dict())
        del state[key]
        with pytest.raises(WeightsError, match="1 missing"):
            load_strict(other, state, where="test")


@torch.no_grad()
def test_fixed_codes_make_the_same_pictures(generator, codes):
    fixed = FixedGenerator(generator, codes[:1])
    assert torch.allclose(fixed(), generator(codes[:1]).picture, atol=1e-4)
    changes = Conditions(affine(), None, [fields()], affine())
    expected = generator(codes[:1].expand(2, -1, -1), changes).picture
    assert torch.allclose(fixed(changes), expected, atol=1e-4 * float(expected.abs().max()))
    assert torch.equal(fixed(changes), fixed(changes)), "what is kept must not change"
    with pytest.raises(ShapeError, match="codes"):
        FixedGenerator(generator, codes)


def test_discriminator_sees_lack_of_variety():
    features = torch.randn(4, 3, 2, 2)
    varied, alike = with_deviation(features), with_deviation(features[:1].expand(4, -1, -1, -1))
    deviation = features.var(dim=0, correction=0).sqrt().mean()
    assert torch.allclose(varied[:, 3], deviation.expand(4, 2, 2), atol=1e-4)
    assert alike[:, 3].max() < 1e-3
    assert with_deviation(features[:2]).shape == (2, 4, 2, 2)


def test_discriminator_groups_pictures_that_lie_apart():
    """Of eight pictures, those of even numbers are one group: each is compared with pictures of its own group."""
    features = torch.zeros(8, 1, 2, 2)
    features[1::2] = torch.randn(4, 1, 2, 2)
    deviation = with_deviation(features)[:, 1, 0, 0]
    assert deviation[::2].max() < 1e-3 < deviation[1::2].min()


@pytest.mark.parametrize(("shape", "fault"), [((6, 3, 64, 64), "multiple of 4"), ((2, 3, 32, 32), "pictures")])
def test_discriminator_refuses_what_it_cannot_judge(shape, fault):
    with pytest.raises(ShapeError, match=fault):
        Discriminator(TINY)(torch.randn(shape))
