"""A model as a function from a picture and a voice to a moving face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..errors import ConfigError
from ..media.image import Picture
from ..media.sounds.audio import Samples
from ..models.base import ModelPlugin, SpeechRequest, VoiceModel
from ..pipelines.draw.render import encode_source, render, retarget
from ..pipelines.frames import to_tensor
from ..pipelines.model import LoadedModel, default_options
from ..pipelines.motions import ROWS
from ..pipelines.read.coefficients import CoefficientReader
from ..types import Motion, Source
from .settings import EvaluateSettings
from .talking_curves import Curves, curves_of, watch


@dataclass(frozen=True)
class PreparedPicture:
    """A picture that is prepared to speak.

    Attributes:
        source: with its coefficients.
        state: encoded by the renderer; None where nothing is drawn.
    """

    source: Source
    state: Any


@dataclass(frozen=True)
class SpokenMotion:
    """A motion that a voice made of a sound.

    Attributes:
        method: name of its row in the table.
        motion: fitted to the source.
        speaks: it should follow the clip's sound.
    """

    method: str
    motion: Motion
    speaks: bool = True


class VoiceEvaluator:
    """A model with a voice, the same voice untrained, and the reader of faces.

    Attributes:
        voice: the model's.
        size: side of the pictures, in pixels.
        analyser: of face meshes.
    """

    def __init__(self, model: LoadedModel, voice: VoiceModel, settings: EvaluateSettings, *, seed: int) -> None:
        """See `talking.evaluate_talking`."""
        self.voice, self.size = voice, model.renderer.size[0]
        self._model, self._seed, self._chunk = model, seed, settings.chunk
        self._rendered = settings.rendered
        if not self._rendered and model.renderer.space != "mesh":
            raise ConfigError(
                f"a motion of the space '{model.renderer.space}' can only be measured on what it draws",
                where="--no-evaluate.rendered",
                cure="Leave it out.",
            )
        self._untrained = untrained_voice(model.plugin, seed)
        if not isinstance(model.reader, CoefficientReader):
            raise ConfigError(f"{model.plugin.name} is driven by frames, not by sound", cure="Choose another --model.")
        self._reader = model.reader
        self.analyser = self._reader.analyser

    def prepare(self, picture: Picture) -> PreparedPicture:
        """Read and encode a square picture (S, S, 3), RGB, uint8.

        Raises:
            NoFaceError: if it shows no face.
        """
        image = to_tensor([picture], self._model.device)
        source = self._reader.source(image, self._reader.of_face(picture))
        return PreparedPicture(source, encode_source(self._model.renderer, source) if self._rendered else None)

    def motions(
        self, picture: PreparedPicture, wave: Samples, others: Samples | None, frames: int
    ) -> Iterator[SpokenMotion]:
        """Yield the motions of a clip, the model's own first.

        Args:
            wave: the clip's sound, (samples,), -1..1, at the voice's rate.
            others: sound of another person, likewise; None where there is nobody else.
            frames: number of frames of each motion.
        """
        yield SpokenMotion(self._model.plugin.name, self._speak(self.voice, picture, wave, frames))
        if self._untrained is not None:
            yield SpokenMotion("untrained", self._speak(self._untrained, picture, wave, frames))
        if others is not None:
            yield SpokenMotion("shuffled voices", self._speak(self.voice, picture, others, frames))
        yield SpokenMotion("silence", self._speak(self.voice, picture, np.zeros_like(wave), frames), speaks=False)

    def measure(self, picture: PreparedPicture, spoken: SpokenMotion) -> Iterator[tuple[str, Curves]]:
        """Yield (row of the table, curves of the face), of the rendered frames and of the motion itself."""
        fps = spoken.motion.fps
        if self._rendered:
            frames = render(self._model.renderer, picture.state, spoken.motion, chunk=self._chunk)
            yield spoken.method, watch(frames, fps, self.analyser)
        if spoken.motion.space == "mesh":
            yield f"{spoken.method} (motion)", curves_of(spoken.motion.values[ROWS].cpu().numpy(), fps)

    def _speak(self, voice: VoiceModel, picture: PreparedPicture, wave: Samples, frames: int) -> Motion:
        """Motion that a voice makes of a sound, fitted to the source."""
        request = SpeechRequest(torch.from_numpy(np.ascontiguousarray(wave)), frames, seed=self._seed)
        assert picture.source.coefficients is not None  # noqa: S101 (the reader gives them)
        with torch.inference_mode():
            motion = voice.speak(request, picture.source.coefficients)
        options = default_options(self._model.plugin.name) | {"relative": False}
        return retarget(self._model.plugin, self._reader, picture.source, motion, options)


def untrained_voice(plugin: ModelPlugin, seed: int) -> VoiceModel | None:
    """The voice of the same model with fresh weights, drawn from a seed; None where it has no voice of its own.

    The state of the random number generators is restored.
    """
    if not plugin.voice_networks:
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = type(plugin)(plugin.config)
    fresh.networks.eval().requires_grad_(False)
    device = next((parameter.device for parameter in plugin.networks.parameters()), torch.device("cpu"))
    fresh.networks.to(device)
    return fresh.voice()
