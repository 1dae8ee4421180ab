"""Faces of predicted frames against those of real ones: landmarks, expression, pose, and how movements follow."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..metric import Metric, Observer
from ..observe import DetectedFace, FaceObserver

Floats = NDArray[np.float64]

SIDE = 256  # pixels of the picture in which distances of landmarks are given, as in the paper of FOM
_FEWEST = 10  # frames of both curves, below which nothing is said about their likeness
_STILL = 1e-4  # deviation below which a curve has nothing to follow
_NOISE = 0.05  # of the driver's deviation: a curve that moves less holds the noise of the landmarks alone


class FaceMetric(Metric):
    """A number of two faces that were followed through a clip."""

    landmarks = True
    observes: ClassVar[tuple[type[Observer], ...]] = (FaceObserver,)

    def update(self, predicted: Tensor, real: Tensor) -> None:
        """Nothing more: the observer has seen the frames."""

    def compute(self) -> float:
        faces = self.observed(FaceObserver)
        return self.measure(faces.made, faces.real)

    @abstractmethod
    def measure(self, made: DetectedFace, real: DetectedFace) -> float:
        """The number of a clip; NaN where there is nothing to measure."""


def mean_where(values: Floats) -> float:
    """The mean of the finite ones among numbers (n,); NaN where there are none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


class AKD(FaceMetric):
    """Average keypoint distance: mean distance of 68 landmarks, in pixels of a picture of 256.

    Source: Siarohin et al. 2019 (FOM), section 4, with our landmarks in place of Bulat's.
    """

    heading, digits, better = "AKD", 2, "lower"

    def measure(self, made: DetectedFace, real: DetectedFace) -> float:
        apart = np.linalg.norm(made.landmarks - real.landmarks, axis=2).mean(axis=1)
        return mean_where(apart) * SIDE / real.size


class MissingFaces(FaceMetric):
    """Missing keypoint rate: share of the frames with a real face in which none is predicted.

    Source: Siarohin et al. 2019 (FOM), section 4; there of joints of bodies.
    """

    heading, digits, better, aligned = "faces lost", 3, "lower", False

    def measure(self, made: DetectedFace, real: DetectedFace) -> float:
        return float((~made.detected)[real.detected].mean()) if real.detected.any() else math.nan


class ExpressionDistance(FaceMetric):
    """Mean absolute difference of the expression coefficients of the mesh space.

    Source: Ren et al. 2021 (PIRenderer), section 5, average expression distance, there of Deep3DFaceRecon's.
    """

    heading, digits, better = "expression", 3, "lower"

    def measure(self, made: DetectedFace, real: DetectedFace) -> float:
        return mean_where(np.abs(made.expression - real.expression).mean(axis=1))


class PoseDistance(FaceMetric):
    """Mean absolute difference of pitch, yaw and roll, in degrees.

    Source: Ren et al. 2021 (PIRenderer), section 5, average pose distance, there of Deep3DFaceRecon's coefficients.
    """

    heading, digits, better = "pose, deg", 2, "lower"

    def measure(self, made: DetectedFace, real: DetectedFace) -> float:
        return mean_where(np.abs(made.curves.angles - real.curves.angles).mean(axis=1))


class Jitter(FaceMetric):
    """Trembling beyond that of the real face, in thousandths of the distance of the eyes' outer corners.

    Trembling is the root mean square of the landmarks' second differences over time, over the square root of 6, which
    gives the deviation of white noise.
    """

    heading, digits, better, aligned = "jitter", 2, "lower", False

    def measure(self, made: DetectedFace, real: DetectedFace) -> float:
        return (
            max(0.0, _trembling(made) - _trembling(real)) if made.detected.any() and real.detected.any() else math.nan
        )


def _trembling(face: DetectedFace) -> float:
    bends = np.diff(face.landmarks, 2, axis=0) / face.eye_distance
    known = bends[np.isfinite(bends).all(axis=(1, 2))]
    return 1000 * float(np.sqrt(np.square(known).mean() / 6)) if len(known) else math.nan


def likeness(real: Floats, made: Floats) -> tuple[float, float]:
    """(r, slope) of a made curve on the real one, both (T,); NaN where there is nothing to follow.

    r is their correlation, 0 for a made curve that hardly moves; the slope of the least-squares line is 1 where the
    whole amplitude is carried over.
    """
    both = np.isfinite(real) & np.isfinite(made)
    if both.sum() < _FEWEST or real[both].std() < _STILL:
        return math.nan, math.nan
    real, made = real[both] - real[both].mean(), made[both] - made[both].mean()
    covariance = float((real * made).mean())
    r = covariance / float(real.std() * made.std()) if made.std() > _NOISE * real.std() else 0.0
    return r, covariance / float(real.var())


class Following(FaceMetric):
    """Likeness of one movement of the predicted face with that of the real one.

    Attributes:
        movement: name of the curve.
        part: 0 for the correlation, 1 for the slope.
    """

    digits, better, aligned, version = 2, "higher", False, 2
    movement: ClassVar[str]
    part: ClassVar[int]

    def measure(self, made: DetectedFace, real: DetectedFace) -> float:
        return likeness(_curve(real, self.movement), _curve(made, self.movement))[self.part]


def _curve(face: DetectedFace, movement: str) -> Floats:
    columns = {"pitch": 0, "yaw": 1, "roll": 2}
    if movement in columns:
        return face.curves.angles[:, columns[movement]]
    return face.curves.opening if movement == "mouth" else face.curves.lids


def _following(movement: str, part: int) -> type[Following]:
    word = ("r", "slope")[part]
    facts = {"movement": movement, "part": part, "heading": f"{movement} {word}", "__module__": __name__, "aim": 1.0}
    facts["__doc__"] = f"{'Correlation' if part == 0 else 'Slope'} of the {movement} with the driver's."
    return type(f"{movement.capitalize()}{word.capitalize()}", (Following,), facts)


MouthR, MouthSlope = _following("mouth", 0), _following("mouth", 1)
LidsR, LidsSlope = _following("lids", 0), _following("lids", 1)
PitchR, PitchSlope = _following("pitch", 0), _following("pitch", 1)
YawR, YawSlope = _following("yaw", 0), _following("yaw", 1)
RollR, RollSlope = _following("roll", 0), _following("roll", 1)


class MouthLag(FaceMetric):
    """Frames by which the mouth comes late, from the shift where it is most like the driver's; 0 is best.

    NaN where it is like the driver's at no shift: a still mouth is not late.
    """

    heading, digits, better, aligned, version = "mouth lag", 1, "lower", False, 2

    def measure(self, made: DetectedFace, real: DetectedFace) -> float:
        from ..talking_curves import correlations, lags

        fit = correlations(real.curves.opening, made.curves.opening, real.curves.fps)
        if not (fit > 0).any():
            return math.nan
        return float(abs(lags(real.curves.fps)[int(np.nanargmax(fit))]))


class Diversity(FaceMetric):
    """Mean deviation of pitch, yaw and roll over time in degrees, of the predicted face alone.

    Source: Zhang et al. 2023 (SadTalker), section 4.1, diversity of head motion, there of features of Hopenet.
    """

    heading, digits, better, aligned = "head diversity", 2, "higher", False

    def measure(self, made: DetectedFace, real: DetectedFace) -> float:
        angles = made.curves.angles[made.detected]
        return float(angles.std(axis=0).mean()) if len(angles) else math.nan
