"""A model as a function from a picture and a voice to a moving face."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..errors import ConfigError
from ..media.audio import Wave
from ..media.image import Picture
from ..models.base import ModelPlugin, Script, VoiceModel
from ..pipelines.coefficients import CoefficientReader
from ..pipelines.frames import to_tensor
from ..pipelines.model import LoadedModel
from ..pipelines.motions import ROWS
from ..pipelines.render import encode_source, render, retarget
from ..types import Motion, Source
from .settings import EvaluateSettings
from .talking_curves import Curves, of_rows, watch


@dataclass(frozen=True)
class Scene:
    """A picture, ready to speak.

    Attributes:
        source: with its coefficients.
        state: what the renderer keeps of it; None where nothing is drawn.
    """

    source: Source
    state: Any


@dataclass(frozen=True)
class Way:
    """One of the motions that are compared.

    Attributes:
        method: its row in the table.
        motion: fitted to the source.
        speaks: whether it should follow the clip's sound.
    """

    method: str
    motion: Motion
    speaks: bool = True


class Talker:
    """A model with a voice, one like it that learned nothing, and what finds faces.

    Attributes:
        voice: the model's.
        size: side of the pictures, in pixels.
        analyser: gives face meshes.
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

    def set_scene(self, picture: Picture) -> Scene:
        """Look at a square picture, uint8.

        Raises:
            NoFaceError: it shows no face.
        """
        image = to_tensor([picture], self._model.device)
        source = self._reader.source(image, self._reader.of_face(picture))
        return Scene(source, encode_source(self._model.renderer, source) if self._rendered else None)

    def ways(self, scene: Scene, wave: Wave, others: Wave | None, frames: int) -> Iterator[Way]:
        """The motions of a clip, the model's own first.

        Args:
            wave: the clip's sound.
            others: that of somebody else; None where there is nobody.
            frames: of each motion.
        """
        yield Way(self._model.plugin.name, self._speak(self.voice, scene, wave, frames))
        if self._untrained is not None:
            yield Way("untrained", self._speak(self._untrained, scene, wave, frames))
        if others is not None:
            yield Way("shuffled voices", self._speak(self.voice, scene, others, frames))
        yield Way("silence", self._speak(self.voice, scene, np.zeros_like(wave), frames), speaks=False)

    def measure(self, scene: Scene, way: Way) -> Iterator[tuple[str, Curves]]:
        """(row of the table, what the face does), on the frames drawn and on the motion's own numbers."""
        fps = way.motion.fps
        if self._rendered:
            frames = render(self._model.renderer, scene.state, way.motion, chunk=self._chunk)
            yield way.method, watch(frames, fps, self.analyser)
        if way.motion.space == "mesh":
            yield f"{way.method} (motion)", of_rows(way.motion.values[ROWS].cpu().numpy(), fps)

    def _speak(self, voice: VoiceModel, scene: Scene, wave: Wave, frames: int) -> Motion:
        """What a voice makes of a sound, fitted to the source."""
        script = Script(torch.from_numpy(np.ascontiguousarray(wave)), frames, seed=self._seed)
        assert scene.source.coefficients is not None  # noqa: S101 (the reader gives them)
        with torch.inference_mode():
            motion = voice.speak(script, scene.source.coefficients)
        return retarget(self._model.plugin, self._reader, scene.source, motion, {"relative": False})


def untrained_voice(plugin: ModelPlugin, seed: int) -> VoiceModel | None:
    """The voice of the same model with fresh weights, drawn from a seed; None where it has no voice of its own.

    Other random numbers are as if it had not been built.
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
