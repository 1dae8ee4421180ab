"""The drivers of a run."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from ..models.base import VoiceDriver
from .driven import Driven, Recorded
from .driving import drive, save_driving
from .finder import Finder
from .model import LoadedModel
from .progress import Progress
from .roles import Cue, Role
from .shown import Shown
from .speech import speak
from .voice import load_voice

if TYPE_CHECKING:
    from ..config.schema import Settings


class Cast:
    """The drivers of a run; the doing of each is made when it is first needed, and kept for all sources."""

    def __init__(self, model: LoadedModel, finder: Finder, settings: Settings, progress: Progress) -> None:
        self._model, self._finder, self._settings, self._progress = model, finder, settings, progress
        self._driven: dict[Cue, Driven] = {}
        self._voice: VoiceDriver | None = None

    def of(self, role: Role) -> Driven:
        """What a role's driver does. All have the rate of the first that was asked for."""
        if role.cue not in self._driven:
            fps = next((driven.rate for driven in self._driven.values()), None)
            self._driven[role.cue] = self._made(role, fps)
        return self._driven[role.cue]

    def _made(self, role: Role, fps: Fraction | None) -> Driven:
        if role.signal == "own":
            fps, limit = fps or self._settings.fps, self._settings.frame_limit
            return Shown.of(self._model.plugin, self._model.renderer.space, role.driving, fps=fps, limit=limit)
        return self._spoken(role, fps) if role.speaks else self.recorded(role.driving, fps)

    def shared(self, role: Role) -> Recorded:
        """The video of a role that is the source as well."""
        driven = self.of(role)
        assert isinstance(driven, Recorded)  # noqa: S101 (a source has frames)
        return driven

    def recorded(self, path: Path, fps: Fraction | None) -> Recorded:
        """The motion of a video or motion file; written down where that is asked for."""
        driven = drive(self._model, self._finder, path, self._settings, self._progress, fps=fps)
        if self._settings.save_motion is not None:
            save_driving(self._settings.save_motion, driven, driven.motion, self._model, self._settings)
        return driven

    def _spoken(self, role: Role, fps: Fraction | None) -> Driven:
        if self._voice is None:
            self._voice = load_voice(self._model, self._settings, self._progress)
        reader = self._model.reader
        assert reader is not None  # noqa: S101 (else there is no voice)
        return speak(self._voice, reader, self._finder, role, self._settings, self._progress, fps=fps)
