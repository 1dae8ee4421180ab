"""The published edits of a face's attributes, and their strength from frame to frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from ....errors import ShapeError, WeightsError


def move_along(codes: Tensor, direction: Tensor, strength: float) -> Tensor:
    """Codes (N, codes, length) plus `strength` times (1, length) for all of them, or (1, codes, length) for each."""
    return codes + strength * direction


@dataclass(frozen=True)
class Target:
    """A place on a principal component.

    Attributes:
        component: its index.
        layers: indices of the codes that move.
    """

    component: int
    layers: slice


BEARD = Target(58, slice(7, 9))
LIP = Target(34, slice(10, 11))


@dataclass(frozen=True)
class Components:
    """Principal components of a generator's codes.

    Attributes:
        mean: (1, length).
        directions: (components, 1, length), each of length 1.
        deviations: (components,), standard deviation of codes along each.
    """

    mean: Tensor
    directions: Tensor
    deviations: Tensor

    def to(self, like: Tensor) -> Components:
        """Components in another number type and on another device."""
        return Components(self.mean.to(like), self.directions.to(like), self.deviations.to(like))

    def place(self, codes: Tensor, target: Target, strength: float) -> Tensor:
        """Codes (N, codes, length) moved to `strength` deviations from the mean along a component.

        The first code gives their present place, whatever the layers that move.

        Raises:
            ShapeError: if there is no such component, or no such code.
        """
        if target.component >= len(self.directions) or target.layers.stop > codes.shape[1]:
            raise ShapeError(
                f"component {target.component} and codes up to {target.layers.stop} are asked for, but there are "
                f"{len(self.directions)} components and {codes.shape[1]} codes"
            )
        direction, deviation = self.directions[target.component], self.deviations[target.component]
        now = ((codes[:, 0] - self.mean) * direction).sum(dim=1) / deviation
        step = ((strength - now) * deviation)[:, None] * direction
        moved = torch.zeros_like(codes)
        moved[:, target.layers] = step[:, None]
        return codes + moved


TARGETS: Mapping[str, Target] = MappingProxyType({"beard": BEARD, "lip": LIP})
PUBLISHED_STEP = 10  # frames of a published batch, within which the strength stays


@dataclass(frozen=True)
class AttributeEdit:
    """One edit.

    Attributes:
        name: a value of ``--attribute_edit``.
        strength: in full.
        axis: the age direction (1, length), or the components.
        straight: a share of an edit lies between none and all of it. As published it is an edit with that share of the
            strength, which for components begins with a jump to their mean.
    """

    name: str
    strength: float
    axis: Tensor | Components
    straight: bool = True

    def move(self, codes: Tensor, share: float) -> Tensor:
        """Codes (N, codes, length) with the edit's `share` of 0 (none) to 1 (in full)."""
        if not self.straight:
            return self._moved(codes, share * self.strength) if share else codes
        return torch.lerp(codes, self._moved(codes, self.strength), share)

    def _moved(self, codes: Tensor, strength: float) -> Tensor:
        if isinstance(self.axis, Components):
            return self.axis.to(codes).place(codes, TARGETS[self.name], strength)
        return move_along(codes, self.axis.to(codes), strength)


def shares(frames: int, *, ramp: bool, by_batches: bool = False) -> Tensor:
    """Share of an edit in each frame.

    Args:
        ramp: from nothing in the first frame to all in the last; otherwise all of it in every frame.
        by_batches: as published: grows every ten frames, and never reaches 1.

    Returns:
        (frames,), in [0, 1].
    """
    if by_batches:
        step = torch.arange(frames) // PUBLISHED_STEP
        return step / (frames // PUBLISHED_STEP + 1)
    return torch.linspace(0, 1, frames) if ramp and frames > 1 else torch.ones(frames)


def direction_of(state: Mapping[str, Tensor], length: int) -> Tensor:
    """A direction (1, length), or one for each code (1, codes, length), of a file that holds nothing else.

    Raises:
        WeightsError: if it holds something else.
    """
    values = list(state.values())
    if len(values) != 1 or values[0].shape[-1] != length:
        raise WeightsError(f"no direction of {length} numbers", where=", ".join(state) or "an empty file")
    return values[0].float()


def components_of(state: Mapping[str, Tensor], length: int) -> Components:
    """Components of a file with ``mean`` (1, length), ``comp`` (K, 1, length) and ``std`` (K,).

    Raises:
        WeightsError: if one of them is missing or of another length.
    """
    wanted = {"mean", "comp", "std"}
    if set(state) != wanted or state["mean"].shape[-1] != length:
        raise WeightsError(f"no principal components of {length} numbers, but {sorted(state)}", cure=f"Give {wanted}.")
    return Components(*(state[name].float() for name in ("mean", "comp", "std")))
