"""Voices: the model's own, or that of another model whose motion the renderer can draw."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from ... import registry
from ...errors import ConfigError, TalkingFaceError, UnknownNameError
from ...models.base import VoiceModel
from ...motion.kinds import of_coefficients
from ..model import LoadedModel, choose_precision, load_plugin
from ..plan.known_weights import shipped_weights
from ..progress import Progress

if TYPE_CHECKING:
    from ...config.schema import Settings


class VoiceLoader:
    """Loads the voice of a run when it is first needed, and keeps it."""

    def __init__(self, model: LoadedModel, settings: Settings, progress: Progress) -> None:
        self._model, self._settings, self._progress = model, settings, progress

    def load(self) -> VoiceModel:
        """Load the voice, see :func:`load_voice`."""
        return self._voice

    @cached_property
    def _voice(self) -> VoiceModel:
        return load_voice(self._model, self._settings, self._progress)


def load_voice(model: LoadedModel, settings: Settings, progress: Progress) -> VoiceModel:
    """Load the voice that ``--voice_model`` names, else the model's own, else the first that fits the renderer.

    Raises:
        ConfigError: the model takes no sound, or no voice fits.
        UnknownNameError, WeightsError: the voice's model or its weights are not there.
    """
    if not of_coefficients(model.renderer.takes):
        speaking = " or ".join(f"--model={name}" for name in speaking_models()) or "another --model"
        raise ConfigError(
            f"{settings.model} is driven by frames, not by sound", where=_flag(settings), cure=f"Use {speaking}."
        )
    if settings.voice_model in (None, settings.model):
        own = model.plugin.voice(choose_precision(settings.precision, model.device))
        if own is not None:
            check_voice(own, settings.model, model, settings)
            return own
    names = [settings.voice_model] if settings.voice_model else speaking_models()
    problems: list[TalkingFaceError] = []
    for name in (name for name in names if name != settings.model):
        for checkpoint in (None, *shipped_weights(name)):
            try:
                voice = borrow_voice(name, checkpoint, model, settings, progress)
            except TalkingFaceError as error:
                problems.append(error)
            else:
                return voice
    if problems:
        raise problems[0]
    speaking = ", ".join(name for name in speaking_models() if name != settings.model)
    cure = f"--voice_model can be {speaking}." if speaking else "There is no model with a voice."
    raise ConfigError(f"{settings.voice_model or settings.model} has no voice", where=_flag(settings), cure=cure)


def borrow_voice(
    name: str, checkpoint: str | None, model: LoadedModel, settings: Settings, progress: Progress
) -> VoiceModel:
    """Load the voice of another model, with the weights named or its usual ones.

    Raises:
        ConfigError: it has none, or one that the renderer cannot draw.
        UnknownNameError, WeightsError: the model or its weights are not there.
    """
    theirs: dict[str, object] = {
        "model": name,
        "checkpoint": checkpoint,
        "variant": None,
        "image_size": None,
        "model_params": {},
    }
    plugin, label = load_plugin(settings.model_copy(update=theirs), model.device, part="voice")
    voice = plugin.voice(choose_precision(settings.precision, model.device)) if plugin.voice_networks else None
    if voice is None:
        speaking = ", ".join(speaking_models())
        raise ConfigError(f"{name} has no voice", where=f"--voice_model={name}", cure=f"Use {speaking or 'none'}.")
    check_voice(voice, name, model, settings)
    progress.note(f"voice of {name}: {label}")
    return voice


def check_voice(voice: VoiceModel, name: str, model: LoadedModel, settings: Settings) -> None:
    """Refuse a voice whose motion the renderer cannot draw.

    Raises:
        ConfigError: another kind of motion, or another space.
    """
    renderer = model.renderer
    if not of_coefficients(voice.gives) or voice.space != renderer.space:
        raise ConfigError(
            f"the voice of {name} moves faces in the space '{voice.space}', and these weights draw '{renderer.space}'",
            where=_flag(settings),
            cure="Choose another --checkpoint, so that both are official or both are compact.",
        )


def speaking_models() -> list[str]:
    """List the models with a voice of their own; broken ones are left out."""
    return list(_speaking())


def _speaking() -> Iterator[str]:
    for name in registry.models():
        try:
            plugin = registry.model(name)
        except UnknownNameError:
            continue
        if plugin.voice_networks:
            yield name


def _flag(settings: Settings) -> str:
    return f"--audio_path={settings.audio_path}" if settings.audio_path is not None else "--idle_seconds"
