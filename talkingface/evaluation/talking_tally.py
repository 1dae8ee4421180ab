"""What was measured of talking faces, summed up: scores of clips, and correlations at each lag."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from ..data.store import Clip
from .report import ClipScore, Report, mean_of
from .talking_curves import Curves, Floats
from .talking_sound import lags


@dataclass
class Tally:
    """What was measured so far.

    Attributes:
        fps: of all curves.
        scores: of each method on each clip.
        followed: correlations at each lag, with the method and identity that they belong to.
    """

    fps: Fraction
    scores: list[ClipScore] = field(default_factory=list)
    followed: list[tuple[str, str, Floats]] = field(default_factory=list)

    def add(self, clip: Clip, method: str, frames: int, face: Curves | None, follows: Floats | None) -> None:
        """Add a method's result on a clip.

        Args:
            face: what it does; None for what has no face.
            follows: its correlations with the real mouth; None where they are beside the point.
        """
        scores = {**_following(follows, self.fps), **_face_scores(face)}
        self.scores.append(ClipScore(method, clip.name, clip.identity, frames, scores))
        if follows is not None:
            self.followed.append((method, clip.identity, follows))

    def report(self, facts: Mapping[str, object]) -> Report:
        """Sum up; methods in the order in which they first came."""
        order = {name: place for place, name in enumerate(dict.fromkeys(score.method for score in self.scores))}
        ranked = sorted(self.scores, key=lambda score: order[score.method])
        curves = {
            method: _mean_curve(self.followed, method) for method in dict.fromkeys(m for m, _, _ in self.followed)
        }
        seconds = [round(float(lag / self.fps), 4) for lag in lags(self.fps)]
        together = {"lag_s": seconds, "r": {method: curve.tolist() for method, curve in curves.items()}}
        return Report.of(ranked, {**facts, "mean_correlation": together}, list(_lag_notes(curves, self.fps)))


def _following(follows: Floats | None, fps: Fraction) -> dict[str, float]:
    """Correlation without a shift, the best one, and the shift where it is met."""
    if follows is None or np.isnan(follows).all():
        return dict.fromkeys(("r0", "r_best", "lag_s"), math.nan)
    best = int(np.nanargmax(follows))
    middle = len(follows) // 2
    lag = math.nan if follows[best] == 0 else float(lags(fps)[best] / fps)
    return {"r0": float(follows[middle]), "r_best": float(follows[best]), "lag_s": lag}


def _face_scores(face: Curves | None) -> dict[str, float]:
    names = ("opening", "opening_sd", "blinks", "pitch_deg", "yaw_deg", "roll_deg", "seen")
    if face is None or not face.seen.any():
        return dict.fromkeys(names, math.nan) | {"seen": math.nan if face is None else 0.0}
    opening = face.opening[face.seen]
    values = (opening.mean(), opening.std(), face.blinks_per_minute(), *face.turning(), face.seen.mean())
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _mean_curve(followed: Iterable[tuple[str, str, Floats]], method: str) -> Floats:
    """Correlations of a method at each lag, means over clips, then over identities."""
    by_identity: dict[str, list[Floats]] = {}
    for name, identity, curve in followed:
        if name == method:
            by_identity.setdefault(identity, []).append(curve)
    people = [[mean_of(column) for column in zip(*curves, strict=True)] for curves in by_identity.values()]
    return np.array([mean_of(column) for column in zip(*people, strict=True)])


def _lag_notes(curves: Mapping[str, Floats], fps: Fraction) -> Iterator[str]:
    """Where the mean over all people is largest: a clip's own best lag is uncertain where it hardly follows."""
    for method, curve in curves.items():
        if np.nanmax(curve, initial=0) > 0:
            best = int(np.nanargmax(curve))
            lag_s = float(lags(fps)[best] / fps)
            yield f"{method}: the mean correlation is largest at {lag_s:+.2f} s ({curve[best]:.2f})"
