"""One inference with its wishes: the files that they need, and how they change renderer and motion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....errors import ConfigError, WeightsError
from ....nn.losses.perceptual import VGG19
from ....types import Motion
from ..config import StyleHeatConfig
from ..networks.fast import Drawable, FastStyleHeat
from ..networks.pictures import resized
from ..renderer import StyleHeatRenderer
from ..retarget import fit_to_source
from .attributes import TARGETS, AttributeEdit, Components, components_of, direction_of, shares
from .demo import mesh_expressions, published_expressions, tour
from .optimize import CodeStatistics, Tools, optimize, statistics_of
from .options import EDITABLE_CODE, Wishes

Taker = Callable[[Mapping[str, Tensor]], None]


class Session:
    """Holds what files bring.

    Args:
        wishes: of the user.
        config: of the networks.
    """

    def __init__(self, wishes: Wishes, config: StyleHeatConfig) -> None:
        self.wishes, self.config = wishes, config
        self._axis: Tensor | Components | None = None
        self._expressions: Mapping[str, Tensor] | None = None
        self._vgg: VGG19 | None = None
        self._statistics: CodeStatistics | None = None
        self._given: tuple[Tensor, Tensor] | None = None

    def files(self, inversion_file: Path | None) -> dict[str, Taker]:
        """Files that the wishes need, by name in the catalogue or path, and who takes them.

        Raises:
            ConfigError: if a saved inversion is wanted and none is named.
        """
        wishes, found = self.wishes, dict[str, Taker]()
        found |= dict.fromkeys(wishes.needs, self._take_axis)
        if wishes.intuitive_edit and self.config.space == "bfm":
            found["styleheat_expressions"] = self._take_expressions
        if wishes.inversion_option == "optimize" and self.config.generator.code_length == EDITABLE_CODE:
            found |= {"vgg19": self._take_vgg, "styleheat_statistics": self._take_statistics}
        if wishes.inversion_option == "load":
            if inversion_file is None:
                cure = "Name it with --inversion_file; --inversion_option=optimize writes one."
                raise ConfigError("no saved inversion", where="--inversion_option=load", cure=cure)
            found[str(inversion_file)] = self._take_inversion
        return found

    def renderer(self, fast: FastStyleHeat) -> StyleHeatRenderer:
        """The renderer that does what is wished for."""
        wishes, edit = self.wishes, None
        if self._axis is not None:
            name, straight = str(wishes.attribute_edit), not wishes.published_behaviour
            edit = AttributeEdit(name, wishes.strength, self._axis, straight)
        config = self.config
        return StyleHeatRenderer(
            fast,
            config.side,
            config.space,
            config.framing,
            invert=self._inverter(fast),
            edit=edit,
            published=wishes.published_behaviour,
        )

    def retarget(self, source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
        """The driving's movement fitted to the source, with how much of the edit each frame has."""
        if self.wishes.published_behaviour:
            options = {**options, "relative": False}
        fitted = fit_to_source(source, driving, options)
        if self.wishes.attribute_edit is None:
            return fitted
        grows = shares(len(fitted), ramp=self.wishes.edit_ramp, by_batches=self.wishes.published_behaviour)
        return replace(fitted, values={**fitted.values, "edit": grows})

    def own_motion(self, source: Motion) -> Motion:
        """The intuitive edit on a source's own coefficients."""
        return tour(source, self._expressions or mesh_expressions())

    def _inverter(self, fast: FastStyleHeat) -> Callable[[Tensor], Drawable] | None:
        """How pictures are inverted; None: as the renderer does it."""
        ways = {"optimize": self._optimized, "load": self._loaded}
        way = ways.get(self.wishes.inversion_option)
        return None if way is None else partial(way, fast)

    def _optimized(self, fast: FastStyleHeat, picture: Tensor) -> Drawable:
        """Pipelines encode in inference mode; here derivatives are needed."""
        with torch.inference_mode(False), torch.enable_grad():
            picture = picture.clone()
            with torch.no_grad():
                first = fast.invert(resized(picture, fast.inverter.e4e_encoder.side))
            tools = Tools(self._vgg, self._statistics).to(picture)
            steps = self.wishes.inversion_steps
            found = optimize(fast.inverter, picture, first.codes, first.features, tools, steps)
        return fast.given(*found)

    def _loaded(self, fast: FastStyleHeat, picture: Tensor) -> Drawable:
        if self._given is None:
            raise RuntimeError("the saved inversion was not given")
        codes, features = (values.to(picture) for values in self._given)
        return fast.given(codes, features)

    def _take_axis(self, state: Mapping[str, Tensor]) -> None:
        length = self.config.generator.code_length
        take = components_of if self.wishes.attribute_edit in TARGETS else direction_of
        self._axis = take(state, length)

    def _take_expressions(self, state: Mapping[str, Tensor]) -> None:
        self._expressions = published_expressions(state)

    def _take_vgg(self, state: Mapping[str, Tensor]) -> None:
        self._vgg = VGG19()
        self._vgg.load_torchvision(state)

    def _take_statistics(self, state: Mapping[str, Tensor]) -> None:
        self._statistics = statistics_of(state, self.config.generator.code_length)

    def _take_inversion(self, state: Mapping[str, Tensor]) -> None:
        generator = self.config.generator
        splice = generator.splice
        wanted = {
            "w_latent": (1, generator.codes, generator.code_length),
            "f_latent": (1, generator.channels(splice), splice, splice),
        }
        found = {name: tuple(values.shape) for name, values in state.items()}
        if found != wanted:
            raise WeightsError(f"holds {found}, and these weights want {wanted}", where="--inversion_file")
        self._given = state["w_latent"].float(), state["f_latent"].float()
