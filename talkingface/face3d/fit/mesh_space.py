"""Training of the model of the ``mesh`` space on meshes of clips.

Every person counts the same, and so do left and right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...motion.coefficients import LAYOUT_70
from ..five_points import MEASURED
from ..mesh import POINTS, Floats, HeadPose, find_pose
from ..mesh_space import INNER_LIPS, MeshSpace, gap, quiet_frames, to_space, turned_features

EXPRESSIONS = LAYOUT_70.exp.stop
IDENTITIES = 40
MAX_FRAMES = 600  # of a person, spread evenly over all
ROUNDS = 4
DEPTH_WEIGHT = 0.15  # of z beside x and y: the mesh network estimates it poorly
CLOSED = 0.03  # units between the lips up to which a mouth is closed
RELATED = 30.0  # coordinates that err together: the mesh network draws all points from far fewer numbers
LIP_WEIGHT, LID_WEIGHT, BROW_WEIGHT = 3.0, 8.0, 2.0

LIPS = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 146, 91, 181, 84, 17, 314, 405, 321, 375]
LIPS += [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 95, 88, 178, 87, 14, 317, 402, 318, 324]
LIDS = [7, 163, 144, 145, 153, 154, 155, 173, 157, 158, 159, 160, 161, 246]
LIDS += [249, 390, 373, 374, 380, 381, 382, 398, 384, 385, 386, 387, 388, 466]
BROWS = [70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285]

_EYES, _MOUTH, _NOSE = ([33, 133], [362, 263]), (61, 291), 4


@dataclass(frozen=True)
class Person:
    """Meshes of one person in any number of clips: (T, 468, 3) in coordinates of `mesh_pose`, any scale."""

    name: str
    points: Floats


def people_of(clips: Sequence[tuple[str, NDArray[np.floating]]]) -> list[Person]:
    """People by name, each with at most ``MAX_FRAMES`` frames spread over all clips.

    Args:
        clips: name of the person and (T, 468, 3) meshes of a 256 frame; frames without a face are NaN.
    """
    people: dict[str, list[Floats]] = {}
    for name, mesh in clips:
        present = mesh[np.isfinite(mesh).all((1, 2))]
        if len(present):
            people.setdefault(name, []).append(to_space(present, 256))
    return [Person(name, _spread(np.concatenate(parts))) for name, parts in sorted(people.items())]


def learn(people: Sequence[Person]) -> MeshSpace:
    """Learn the model from some people.

    Raises:
        ValueError: if there are fewer people than identity directions; the model would be a list of them.
    """
    if len(people) <= IDENTITIES // 2:
        raise ValueError(f"{len(people)} people are too few for {IDENTITIES} directions")
    mean = _first_mean(people)
    partner = find_partners(mean)
    mean = _mirrored_mean(mean, partner)
    rests = [mean for _ in people]
    stable, turned = np.ones(POINTS), np.zeros((5, POINTS, 3))
    for _ in range(ROUNDS):
        heads = [_unposed(person.points, rest, turned, stable) for person, rest in zip(people, rests, strict=True)]
        rests = _at_rest([shape for _, shape in heads], mean, stable)
        mean = _standard(_mirrored_mean(np.mean(rests, axis=0), partner))
        # What is aligned to the old rest is aligned to the new one but for the standard frame.
        rests = _at_rest([rest[None] for rest in rests], mean, stable)
        heads = [_unposed(person.points, rest, turned, stable) for person, rest in zip(people, rests, strict=True)]
        turned = turned + _turned(heads, rests, partner)
        stable = _stability(heads, rests, turned, partner)
    return _model(people, mean, rests, turned, stable, partner)


def find_partners(mean: Floats) -> NDArray[np.int64]:
    """Number of each point's partner in a mirror: (468,), its own inverse.

    Args:
        mean: (468, 3), a face that looks at the camera and is nearly symmetrical, x = 0 in its middle.

    Raises:
        ValueError: if the points do not pair.
    """
    from scipy.optimize import linear_sum_assignment

    mirrored = mean * (-1, 1, 1)
    distances = ((mean[:, None] - mirrored[None]) ** 2).sum(-1)
    # Both directions at once, so that a pair agrees about itself.
    _, partner = linear_sum_assignment(distances + distances.T)
    if not np.array_equal(partner[partner], np.arange(len(mean))):
        raise ValueError("the points of this face do not pair into left and right")
    return np.asarray(partner, np.int64)


def importance() -> Floats:
    """Weight of each coordinate, (468, 3): lips and lids are few points that matter, and z is inaccurate."""
    weights = np.ones((POINTS, 3))
    weights[LIPS] *= LIP_WEIGHT
    weights[LIDS] *= LID_WEIGHT
    weights[BROWS] *= BROW_WEIGHT
    weights[:, 2] *= DEPTH_WEIGHT
    return weights


def _spread(points: Floats) -> Floats:
    return points[np.linspace(0, len(points) - 1, min(len(points), MAX_FRAMES)).round().astype(int)]


def _standard(mean: Floats) -> Floats:
    """The mean at the place and in the units of the five standard points."""
    five = np.stack([*(mean[eye].mean(0) for eye in _EYES), mean[_NOSE], *mean[list(_MOUTH)]])
    pose = find_pose(five[None], MEASURED[None], np.ones(5))
    # Turned about x alone, as both are symmetrical; the rest of the turn is rounding.
    return HeadPose(pose.angles * (1, 0, 0), pose.scale, pose.shift * (0, 1, 1)).pose(mean[None])[0]


def _first_mean(people: Sequence[Person]) -> Floats:
    """Everyone's median, brought together from any one of them."""
    shapes = []
    mean = people[0].points[0]
    for _ in range(3):
        shapes = [find_pose(mean[None], p.points, np.ones(POINTS)).unpose(p.points) for p in people]
        mean = _standard(np.mean([np.median(shape, axis=0) for shape in shapes], axis=0))
    mean[:, 0] -= mean[[33, 263], 0].mean()
    return mean


def _mirrored_mean(mean: Floats, partner: NDArray[np.int64]) -> Floats:
    return (mean + mean[partner] * (-1, 1, 1)) / 2


def _unposed(points: Floats, rest: Floats, turned: Floats, stable: Floats) -> tuple[HeadPose, Floats]:
    """Poses of a person's frames, and the shapes without what comes from the pose: (T, 468, 3)."""
    shape = rest[None]
    for _ in range(3):
        pose = find_pose(shape, points, stable)
        change = np.tensordot(turned_features(pose.angles), turned, 1)
        shape = rest + change
    return pose, pose.unpose(points) - change


def _at_rest(shapes: Sequence[Floats], mean: Floats, stable: Floats) -> list[Floats]:
    """Each person with the mouth closed and the eyes open, at the size and place of the mean."""
    rests = np.stack([np.median(shape[quiet_frames(shape)], axis=0) for shape in shapes])
    return list(find_pose(mean[None], rests, stable).unpose(rests))


def _mirror(values: Floats, partner: NDArray[np.int64]) -> Floats:
    return values[..., partner, :] * (-1, 1, 1)


def _turned(heads: Sequence[tuple[HeadPose, Floats]], rests: Sequence[Floats], partner: NDArray[np.int64]) -> Floats:
    """Rest of the pose in the shapes: least squares within each person, mirrored people among them."""
    left, right = np.zeros((5, 5)), np.zeros((5, POINTS, 3))
    sides = ((1, np.arange(POINTS), np.ones(3)), (-1, partner, np.array([-1.0, 1, 1])))
    for (pose, shape), rest in zip(heads, rests, strict=True):
        for side, order, sign in sides:
            features = turned_features(pose.angles * (1, side, side))
            features = features - features.mean(0)
            residual = (shape - rest)[:, order] * sign
            residual = residual - residual.mean(0)
            share = 1 / max(len(features), 100)
            left += share * features.T @ features
            right += share * np.tensordot(features.T, residual, 1)
    ridge = 1e-3 * np.diag(np.diag(left))
    return np.tensordot(np.linalg.inv(left + ridge), right, 1)


def _stability(
    heads: Sequence[tuple[HeadPose, Floats]], rests: Sequence[Floats], turned: Floats, partner: NDArray[np.int64]
) -> Floats:
    """Steadiness of each point under expressions: one over its variance, evened out over left and right."""
    spread = np.mean(
        [((shape - rest) ** 2).sum(-1).mean(0) for (_, shape), rest in zip(heads, rests, strict=True)], axis=0
    )
    spread = (spread + spread[partner]) / 2
    weights = 1 / (spread + np.quantile(spread, 0.05))
    return weights / weights.mean()


def _model(
    people: Sequence[Person],
    mean: Floats,
    rests: Sequence[Floats],
    turned: Floats,
    stable: Floats,
    partner: NDArray[np.int64],
) -> MeshSpace:
    weights = importance()
    root = np.sqrt(weights)
    moments, noise = np.zeros((POINTS * 3, POINTS * 3)), []
    for person, rest in zip(people, rests, strict=True):
        _, shape = _unposed(person.points, rest, turned, stable)
        residual = ((shape - rest) * root).reshape(len(shape), -1)
        moments += residual.T @ residual / max(len(residual), 100)
        noise.append(np.median(np.diff(residual, 2, axis=0) ** 2, axis=0).mean() / 6 if len(residual) > 2 else np.nan)
    expression, expression_sign, left = _directions(moments / len(people), EXPRESSIONS, partner)
    # A person whose mouth is never closed would make an open mouth part of the identity.
    closed = np.stack([rest for rest in rests if gap(rest[None], *INNER_LIPS)[0] <= CLOSED])
    faces = ((closed - mean) * root).reshape(len(closed), -1)
    identity, identity_sign, _ = _directions(faces.T @ faces / len(faces), IDENTITIES, partner)
    variance = RELATED * (left / (POINTS * 3) + float(np.nanmedian(noise)))
    return MeshSpace(
        mean,
        identity / root,
        expression / root,
        turned,
        weights,
        stable,
        np.array([variance]),
        partner,
        identity_sign,
        expression_sign,
    )


def _directions(moments: Floats, count: int, partner: NDArray[np.int64]) -> tuple[Floats, Floats, float]:
    """Principal directions that a mirror leaves as they are or turns round, the strongest first.

    Args:
        moments: (1404, 1404), second moments of the weighted coordinates.

    Returns:
        (count, 468, 3), as long as their standard deviations; (count,), 1 or -1; and the variance that is left.
    """
    candidates = []
    flip = _mirror(np.eye(POINTS * 3).reshape(-1, POINTS, 3), partner).reshape(POINTS * 3, -1)
    for sign in (1, -1):
        project = (np.eye(len(flip)) + sign * flip) / 2
        both = project @ ((moments + flip @ moments @ flip) / 2) @ project
        variances, axes = np.linalg.eigh(both)
        candidates += [(float(variances[-i]), sign, axes[:, -i]) for i in range(1, count + 1)]
    candidates.sort(key=lambda item: -item[0])
    chosen = candidates[:count]
    # A direction has no sign of its own: let its strongest coordinate be positive.
    vectors = [v * np.sign(v[np.abs(v).argmax()]) * np.sqrt(variance) for variance, _, v in chosen]
    signs = np.array([float(sign) for _, sign, _ in chosen])
    left = float(np.trace(moments)) - sum(variance for variance, _, _ in chosen)
    return np.stack(vectors).reshape(count, POINTS, 3), signs, left
