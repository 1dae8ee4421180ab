"""The named edits of a face's attributes, as published, and how strong they are from frame to frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from ...errors import WeightsError
from .latent_edits import BEARD, LIP, Components, Target, move_along

STRENGTHS: Mapping[str, float] = MappingProxyType({"young": -5.0, "old": 5.0, "beard": -20.0, "lip": 20.0})
"""Published strengths: times the age direction, or deviations from the mean along a component."""

TARGETS: Mapping[str, Target] = MappingProxyType({"beard": BEARD, "lip": LIP})
PUBLISHED_STEP = 10  # frames of a published batch, within which the strength stays


@dataclass(frozen=True)
class AttributeEdit:
    """One edit.

    Attributes:
        name: a key of `STRENGTHS`.
        strength: in full.
        axis: the age direction (1, length), or the components.
        straight: part of an edit is on the way to all of it. As published it is an edit of that part of the strength,
            which for components begins with a jump to their mean.
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
    """How much of an edit each frame has.

    Args:
        ramp: from nothing in the first frame to all in the last; else all of it all along.
        by_batches: as published: grows from ten frames to ten frames, and never gets to its end.

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
