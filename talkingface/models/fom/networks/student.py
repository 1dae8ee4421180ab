"""Structure of students: FOM's networks with separable convolutions and without the channels that pruning removes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ....errors import ConfigError
from ....nn.blocks.separable import separate_blocks
from ....nn.geometry.keypoints import Keypoints
from ....nn.pruning.channels import Channels, follow
from ....nn.pruning.remove import first_channels, remove
from ...mixed_generator import FacePoints, MixedGenerator
from ...points_generator import POINTS
from ..config import FOMConfig

NETWORKS = ("kp_detector", "generator")
"""Networks that a student has smaller than its teacher."""


def separate(networks: nn.ModuleDict, *, trained: bool = True) -> None:
    """Make the blocks of detector and generator separable, in place; see `separate_blocks`."""
    for name in NETWORKS:
        separate_blocks(networks[name], trained=trained)


def channels_of(networks: nn.ModuleDict, name: str, pictures: Tensor, points: Tensor) -> Channels:
    """Channels of a network, found by one run on pictures (N, 3, H, W) in [0, 1].

    Args:
        networks: detector and generator.
        name: of one of them.
        pictures: each is drawn from the one before it.
        points: (N, 468, 2), of their faces; only mixed keypoints need them.
    """
    detector, generator = networks["kp_detector"], networks["generator"]
    if name == "kp_detector":
        return follow(detector, lambda: detector(pictures))
    with torch.no_grad():
        keypoints: Keypoints = detector.eval()(pictures)
    return follow(generator, lambda: redraw(generator, pictures, keypoints, points, torch.ones(len(pictures))))


def redraw(
    generator: nn.Module, pictures: Tensor, keypoints: Keypoints, points: Tensor, told: Tensor, apart: int = 1
) -> Mapping[str, Tensor]:
    """Draw each picture from another; result as the generator's `decode` with `explain`.

    Args:
        generator: of any architecture.
        pictures: (N, 3, H, W) in [0, 1].
        keypoints: theirs.
        points: (N, 468, 2), of their faces; only mixed keypoints need them.
        told: (N,), 1 where these points are told, else 0.
        apart: how many places before a picture its source is; those of the first ones are at the end.

    Returns:
        ``prediction`` (N, 3, H, W), with the keypoints of each picture, and the maps.
    """
    sources = {name: value.roll(apart, 0) for name, value in keypoints.items()}
    if not isinstance(generator, MixedGenerator):
        return generator(pictures.roll(apart, 0), sources, keypoints)  # type: ignore[no-any-return]
    state = generator.encode_face(pictures.roll(apart, 0), FacePoints(points.roll(apart, 0), torch.ones_like(told)))
    return generator.decode_face(state, sources, keypoints, FacePoints(points, told), explain=True)


def narrow(networks: nn.ModuleDict, config: FOMConfig) -> None:
    """Bring fresh networks to the numbers of channels that the settings name, in place.

    Raises:
        ConfigError: if there are no such layers, or they have fewer channels.
    """
    size = config.image_size
    pictures, points = torch.rand(1, 3, size, size), torch.rand(1, POINTS, 2)
    for name, counts in config.pruned.items():
        if name not in NETWORKS:
            raise ConfigError(f"no network '{name}' to prune", where="pruned", cure=f"Choose {' or '.join(NETWORKS)}.")
        channels = channels_of(networks, name, pictures, points)
        try:
            kept = first_channels(channels, counts)
        except ValueError as error:
            cure = "These settings belong to other networks; take those of the weights' file."
            raise ConfigError(str(error), where=f"pruned.{name}", cure=cure) from None
        remove(networks[name], channels, kept)
