"""How well a mouth follows a voice: clips with sound, redrawn from one frame and their own sound alone."""

from __future__ import annotations

import logging
import math
import time
from fractions import Fraction
from pathlib import Path

from ..data.store import Clip, ClipStore, Frames
from ..errors import DataError, MediaError, NoFaceError
from ..media.audio import Wave, has_audio
from ..media.wave import open_wave
from ..models.base import VoiceDriver
from ..pipelines.model import LoadedModel
from .report import Report
from .settings import EvaluateSettings
from .talking_curves import watch
from .talking_model import Talker
from .talking_sound import correlations, looped, loudness, padded, smoothed
from .talking_tally import Tally

_log = logging.getLogger(__name__)
_DEFAULT_FPS = Fraction(25)


def evaluate_talking(
    model: LoadedModel,
    voice: VoiceDriver,
    store: ClipStore,
    settings: EvaluateSettings,
    *,
    seed: int = 0,
    root: Path | None = None,
) -> Report:
    """Let a model speak the sound of clips, and compare its mouth with the real one.

    The source is one frame of the clip. Mouths are measured with the offline face mesh, on the frames drawn and on the
    real ones, and also, in the ``mesh`` space, on the numbers of the motion alone (rows called "motion"). Beside the
    model stand networks of the same architecture that learned nothing, the sound of another person's clip, silence,
    and the sound's loudness in place of a mouth. Frames that are drawn are not kept.

    Args:
        model: draws; it is moved by coefficients.
        voice: its own, or one that fits it.
        store: test clips; those without sound are left out.
        settings: group ``evaluate``.
        seed: of all that is random in the motion.
        root: folder of the weights that the user adds.

    Raises:
        DataError: if no clip has sound, or in none of them a face is seen.
        ConfigError: if nothing could be measured without drawing.
        TalkingFaceError: if the face mesh cannot be used here.
    """
    started = time.monotonic()
    talker = Talker(model, voice, settings, seed=seed, root=root)
    sounds = {clip.name: path for clip in store.clips() if (path := sound_file(store, clip)) is not None}
    clips = [clip for clip in store.clips() if clip.name in sounds][: settings.max_clips]
    if not clips:
        raise DataError("no clip has sound", where=store.root, cure="Use clips with sound, such as HDTF.")
    tally = Tally(voice.fps)
    for number, clip in enumerate(clips, 1):
        pictures = store.whole(clip, talker.size, settings.max_frames)
        other = _other(clips, clip)
        wrong = None if other is None else sounds[other.name]
        try:
            score_clip(talker, tally, clip, pictures, sounds[clip.name], wrong, settings.rest)
        except NoFaceError:
            _log.warning("%s: no face is seen, so it is left out", clip.name)
        _log.info("%d of %d clips, %s", number, len(clips), clip.name)
    if not tally.scores:
        raise DataError("no face is seen in any clip with sound", where=store.root)
    facts = {"data": store.root.name, "seconds": round(time.monotonic() - started, 1), "seed": seed}
    return tally.report(facts | settings.model_dump(mode="json", exclude={"tables", "image_size", "baselines"}))


def sound_file(store: ClipStore, clip: Clip) -> Path | None:
    """The file that a clip's sound is in; None where it has none."""
    path = store.file(clip)
    return path if clip.has_audio is not False and path is not None and has_audio(path) else None


def score_clip(
    talker: Talker, tally: Tally, clip: Clip, pictures: Frames, sound: Path, wrong: Path | None, rest: bool
) -> None:
    """Measure all methods on a clip.

    Args:
        tally: takes the results.
        pictures: (T, S, S, 3).
        sound: of the clip.
        wrong: sound of somebody else.
        rest: let the frame with the most closed mouth speak, not the first.

    Raises:
        NoFaceError: it shows no face.
    """
    fps, rate = talker.voice.fps, talker.voice.sample_rate
    watched = watch(pictures, clip.fps or _DEFAULT_FPS, talker.analyser)
    scene = talker.set_scene(pictures[watched.rest if rest else 0])
    count = max(1, math.floor(len(pictures) * fps / watched.fps))
    samples = math.ceil(count * rate / fps)
    real, wave = watched.at(fps, count), padded(read_sound(sound, rate), samples)
    others = None if wrong is None else looped(read_sound(wrong, rate), samples)
    tally.add(clip, "real", count, real, None)
    for way in talker.ways(scene, wave, others, count):
        for method, face in talker.measure(scene, way):
            tally.add(clip, method, count, face, correlations(real.opening, face.opening, fps) if way.speaks else None)
    # Any linear map of loudness to an opening correlates as loudness itself does.
    loud = loudness(wave, rate, fps, count)
    for method, curve in (("loudness", loud), ("loudness, smooth", smoothed(loud))):
        tally.add(clip, method, count, None, correlations(real.opening, curve, fps))


def read_sound(path: Path, rate_hz: int) -> Wave:
    """The sound of a clip from its first picture on.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return open_wave(path, rate_hz).samples.copy()
    except MediaError as error:
        raise DataError(error.what, where=error.where, cure="Remove the clip or replace it.") from error


def _other(clips: list[Clip], clip: Clip) -> Clip | None:
    """The next clip of somebody else, from which a wrong voice is taken."""
    place = clips.index(clip)
    return next((one for one in clips[place:] + clips[:place] if one.identity != clip.identity), None)
