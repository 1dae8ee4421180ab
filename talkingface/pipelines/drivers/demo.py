"""Driver of a model's own demonstration: a motion that needs no driving signal."""

from __future__ import annotations

from fractions import Fraction

import torch

from ...errors import ConfigError
from ...models.base import ModelPlugin
from ...types import Motion, Source
from ..motions import ROWS, at_rate
from .base import Driver, DriverContext, DriverKey, DrivingMotion


class DemoDriver(Driver):
    """Motion that the model demonstrates on the face of the source."""

    def __init__(
        self, key: DriverKey, plugin: ModelPlugin, space: str, fps: Fraction | None = None, limit: int | None = None
    ) -> None:
        """
        Args:
            plugin: makes the motion.
            space: of the coefficients.
            fps: None: the motion's own rate.
            limit: frames at most.

        Raises:
            ConfigError: the model has no motion of its own.
        """
        self.key, self._plugin, self._space = key, plugin, space
        motion = plugin.own_motion(Motion("3dmm.73", Fraction(25), {ROWS: torch.zeros(1, 73)}, space))
        self.fps = fps or motion.fps
        self.length = len(at_rate(motion, self.fps)[:limit])

    @classmethod
    def open(cls, key: DriverKey, context: DriverContext, fps: Fraction | None) -> Driver:
        model, options = context.model, context.video
        return cls(key, model.plugin, model.renderer.space, fps, options.frame_limit)

    def drive(self, source: Source) -> DrivingMotion:
        """Motion of the demonstration, the same for every source but for its own coefficients."""
        if source.coefficients is None:
            raise ConfigError("needs a model of face coefficients", where=f"--{self.key.path}")
        own = Motion("3dmm.73", self.fps, {ROWS: source.coefficients}, self._space)
        motion = at_rate(self._plugin.own_motion(own), self.fps)[: self.length]
        return DrivingMotion(self.key.path, motion, for_source=True)
