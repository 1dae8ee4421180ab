"""What a model shows by itself, without anything that drives."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import torch

from ..errors import ConfigError
from ..models.base import ModelPlugin
from ..types import Motion, Source
from .driven import Driven
from .motions import ROWS, at_rate


@dataclass(frozen=True, eq=False, kw_only=True)
class Shown(Driven):
    """A model's own motion; it begins with the face of the source.

    Attributes:
        plugin: makes it.
        space: of the coefficients.
        fps: frames per second of the result.
        count: its frames.
    """

    plugin: ModelPlugin
    space: str
    fps: Fraction
    count: int

    @classmethod
    def of(
        cls, plugin: ModelPlugin, space: str, path: Path, *, fps: Fraction | None = None, limit: int | None = None
    ) -> Shown:
        """For a model of coefficients.

        Args:
            fps: None is the motion's own rate.
            limit: frames at most.

        Raises:
            ConfigError: the model has no motion of its own.
        """
        rest = plugin.own_motion(Motion("3dmm.73", Fraction(25), {ROWS: torch.zeros(1, 73)}, space))
        rate = fps or rest.fps
        count = len(at_rate(rest, rate)[:limit])
        return cls(path=path, notes=(), elapsed_s=0.0, plugin=plugin, space=space, fps=rate, count=count)

    @property
    def length(self) -> int:
        return self.count

    @property
    def rate(self) -> Fraction:
        return self.fps

    def motion_for(self, seen: Source) -> Motion:
        """See the base class; the same for every source but for its own row."""
        if seen.coefficients is None:
            raise ConfigError("needs a model of face coefficients", where=str(self.path))
        own = Motion("3dmm.73", self.fps, {ROWS: seen.coefficients}, self.space)
        return at_rate(self.plugin.own_motion(own), self.fps)[: self.count]
