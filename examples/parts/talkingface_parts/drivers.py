"""A driving signal: the head nods."""

import math
from fractions import Fraction

import torch

from talkingface.motion.coefficients import COEFFICIENTS, LAYOUT_73
from talkingface.pipelines.drivers import Driver, DrivingMotion
from talkingface.types import Motion


class NodDriver(Driver):
    """Head of the source that nods once a second, by a tenth of a radian."""

    @classmethod
    def open(cls, key, context, fps):
        driver = cls()
        driver.key, driver.fps, driver.space = key, fps or Fraction(25), context.model.renderer.space
        driver.length = max(1, round(context.options["nod_seconds"] * driver.fps))
        return driver

    def drive(self, source):
        rows = source.coefficients.repeat(self.length, 1)
        rows[:, LAYOUT_73.angle][:, 0] += 0.1 * torch.sin(2 * math.pi * torch.arange(self.length) / float(self.fps))
        return DrivingMotion(
            self.key.path, Motion("3dmm.73", self.fps, {COEFFICIENTS: rows}, self.space), for_source=True
        )
