"""Mouth against voice: clips with sound, redrawn from one frame and their own sound alone."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..data.store import Clip, ClipStore, Frames
from ..errors import DataError, MediaError, NoFaceError
from ..media.sounds.audio import Samples, has_audio
from ..media.sounds.buffer import open_audio
from ..models.base import VoiceModel
from ..pipelines.model import LoadedModel
from .clips.chosen import chosen_clips
from .report import ClipScore, Report, mean_of
from .settings import EvaluateSettings
from .talking_curves import Curves, Floats, correlations, lags, looped, loudness, padded, smoothed, watch
from .talking_model import VoiceEvaluator


@dataclass
class TalkingResults:
    """Results so far.

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
            face: its curves; None for what has no face.
            follows: (n,), its correlations with the real mouth at each lag; None where they do not apply.
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
    if face is None or not face.detected.any():
        return dict.fromkeys(names, math.nan) | {"seen": math.nan if face is None else 0.0}
    opening = face.opening[face.detected]
    values = (opening.mean(), opening.std(), face.blinks_per_minute(), *face.turning(), face.detected.mean())
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
    """Lag at which the mean over all people is largest; that of a single clip is uncertain where it hardly follows."""
    for method, curve in curves.items():
        if np.nanmax(curve, initial=0) > 0:
            best = int(np.nanargmax(curve))
            lag_s = float(lags(fps)[best] / fps)
            yield f"{method}: the mean correlation is largest at {lag_s:+.2f} s ({curve[best]:.2f})"


_log = logging.getLogger(__name__)
_DEFAULT_FPS = Fraction(25)


def evaluate_talking(
    model: LoadedModel,
    voice: VoiceModel,
    store: ClipStore,
    settings: EvaluateSettings,
    *,
    seed: int = 0,
) -> Report:
    """Let a model speak the sound of clips, and compare its mouth with the real one.

    The source is one frame of the clip. Mouths are measured with the offline face mesh, on the frames drawn and on the
    real ones, and also, in the ``mesh`` space, on the numbers of the motion alone (rows called "motion"). Rows beside
    the model: untrained networks of the same architecture, the sound of another person's clip, silence, and the
    loudness of the sound in place of a mouth. Rendered frames are not kept.

    Args:
        model: with a renderer that coefficients drive.
        voice: its own, or one that fits it.
        store: test clips; those without sound are left out.
        settings: group ``evaluate``.
        seed: of all random numbers of the motion.

    Raises:
        DataError: if no clip has sound, or no face is found in any of them.
        ConfigError: if nothing could be measured without drawing.
        TalkingFaceError: if the face mesh cannot be used here.
    """
    started = time.monotonic()
    evaluator = VoiceEvaluator(model, voice, settings, seed=seed)
    sounds = {clip.name: path for clip in store.clips() if (path := sound_file(store, clip)) is not None}
    clips = chosen_clips((clip for clip in store.clips() if clip.name in sounds), settings)
    if not clips:
        raise DataError("no clip has sound", where=store.root, cure="Use clips with sound, such as HDTF.")
    results = TalkingResults(voice.fps)
    for number, clip in enumerate(clips, 1):
        pictures = store.whole(clip, evaluator.size, settings.max_frames)
        other = _other(clips, clip)
        wrong = None if other is None else sounds[other.name]
        try:
            score_clip(evaluator, results, clip, pictures, sounds[clip.name], wrong, settings.rest)
        except NoFaceError:
            _log.warning("%s: no face is seen, so it is left out", clip.name)
        _log.info("%d of %d clips, %s", number, len(clips), clip.name)
    if not results.scores:
        raise DataError("no face is seen in any clip with sound", where=store.root)
    facts = {"data": store.root.name, "seconds": round(time.monotonic() - started, 1), "seed": seed}
    return results.report(facts | settings.model_dump(mode="json", exclude={"tables", "image_size", "baselines"}))


def sound_file(store: ClipStore, clip: Clip) -> Path | None:
    """File with the sound of a clip; None where it has none."""
    path = store.file(clip)
    return path if clip.has_audio is not False and path is not None and has_audio(path) else None


def score_clip(
    evaluator: VoiceEvaluator,
    results: TalkingResults,
    clip: Clip,
    pictures: Frames,
    sound: Path,
    wrong: Path | None,
    rest: bool,
) -> None:
    """Measure all methods on a clip.

    Args:
        results: takes them.
        pictures: (T, S, S, 3).
        sound: of the clip.
        wrong: sound of another person.
        rest: the source is the frame with the most closed mouth, not the first.

    Raises:
        NoFaceError: if it shows no face.
    """
    fps, rate = evaluator.voice.fps, evaluator.voice.sample_rate
    curves = watch(pictures, clip.fps or _DEFAULT_FPS, evaluator.analyser)
    source = evaluator.prepare(pictures[curves.rest if rest else 0])
    count = max(1, math.floor(len(pictures) * fps / curves.fps))
    samples = math.ceil(count * rate / fps)
    real, wave = curves.at(fps, count), padded(read_sound(sound, rate), samples)
    others = None if wrong is None else looped(read_sound(wrong, rate), samples)
    results.add(clip, "real", count, real, None)
    for motion in evaluator.motions(source, wave, others, count):
        for method, face in evaluator.measure(source, motion):
            follows = correlations(real.opening, face.opening, fps) if motion.speaks else None
            results.add(clip, method, count, face, follows)
    # Any linear map of loudness to an opening correlates as loudness itself does.
    loud = loudness(wave, rate, fps, count)
    for method, curve in (("loudness", loud), ("loudness, smooth", smoothed(loud))):
        results.add(clip, method, count, None, correlations(real.opening, curve, fps))


def read_sound(path: Path, rate_hz: int) -> Samples:
    """Read the sound of a clip from its first picture on: (samples,), -1..1.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        return open_audio(path, rate_hz).samples.copy()
    except MediaError as error:
        raise DataError(error.what, where=error.where, cure="Remove the clip or replace it.") from error


def _other(clips: list[Clip], clip: Clip) -> Clip | None:
    """Return the next clip of another person, for a wrong voice."""
    place = clips.index(clip)
    return next((item for item in clips[place:] + clips[:place] if item.identity != clip.identity), None)
