"""State of an inference with edits: the files that they need, and the renderer and motion that they change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from ....errors import WeightsError
from ....motion.coefficients import COEFFICIENTS, LAYOUT_73
from ....motion.tracks import expression_track, rotation_track
from ....nn.losses.perceptual import VGG19
from ....types import Motion
from ..config import StyleHeatConfig
from ..networks.fast import Drawable, FastStyleHeat
from ..networks.pictures import resized
from ..renderer import StyleHeatRenderer
from ..retarget import fit_to_source
from .attributes import TARGETS, AttributeEdit, Components, components_of, direction_of, shares
from .optimize import CodeStatistics, Priors, optimize, statistics_of
from .options import EditOptions

FPS = Fraction(25)
EXPRESSIONS = ("center", "mouth", "eyebrow", "eyes")

MESH_EXPRESSIONS: Mapping[str, Mapping[int, float]] = MappingProxyType(
    {"center": {}, "mouth": {0: -2.5}, "eyebrow": {3: -2.5}, "eyes": {2: -2.0, 3: -1.5, 5: -2.0, 7: -3.0}}
)
"""Coefficients of the shipped ``"mesh"`` space that open the mouth, raise the brows and close the eyes, set by eye."""


def mesh_expressions() -> dict[str, Tensor]:
    """The expressions in the space ``"mesh"``, each (64,)."""
    expressions = {}
    for name, parts in MESH_EXPRESSIONS.items():
        expressions[name] = torch.zeros(LAYOUT_73.exp.stop)
        for column, value in parts.items():
            expressions[name][column] = value
    return expressions


def published_expressions(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The expressions of the published file, each (64,), in the space ``"bfm"``.

    Raises:
        WeightsError: if one is missing.
    """
    missing = [name for name in EXPRESSIONS if f"expression_{name}" not in state]
    if missing:
        raise WeightsError(f"lacks {', '.join(missing)}", where="styleheat_expressions")
    return {name: state[f"expression_{name}"].float().reshape(-1) for name in EXPRESSIONS}


def demo_motion(source: Motion, expressions: Mapping[str, Tensor]) -> Motion:
    """Motion that turns the head each way and back, then shows one expression after another; 190 frames.

    In the space ``"bfm"`` the head goes to the published poses, translation included; in others the translation stays,
    as it means something else there. In the second part the head rests where the first one ended.

    Args:
        source: one frame of kind ``"3dmm.73"``.
        expressions: `EXPRESSIONS`, each (64,).
    """
    row = source.values[COEFFICIENTS].float()
    poses = rotation_track()
    turning = row.repeat(len(poses), 1)
    columns = LAYOUT_73.pose if source.space == "bfm" else LAYOUT_73.angle
    turning[:, columns] = poses[:, : columns.stop - columns.start]
    faces = expression_track(row[0, LAYOUT_73.exp], expressions)
    trying = turning[-1:].repeat(len(faces), 1)
    trying[:, LAYOUT_73.exp] = faces
    return Motion(LAYOUT_73.kind, FPS, {COEFFICIENTS: torch.cat([turning, trying])}, source.space)


Taker = Callable[[Mapping[str, Tensor]], None]


class EditState:
    """Edits of one inference, with the contents of the files that they need.

    Args:
        options: flags of the user.
        config: of the networks.

    Raises:
        ConfigError: if flags contradict each other, or an edit does not fit the weights.
    """

    def __init__(self, options: EditOptions, config: StyleHeatConfig) -> None:
        for problem in (*options.conflicts(), *options.misfits(config)):
            raise problem
        self.options, self.config = options, config
        self._axis: Tensor | Components | None = None
        self._expressions: Mapping[str, Tensor] | None = None
        self._vgg: VGG19 | None = None
        self._statistics: CodeStatistics | None = None
        self._saved: tuple[Tensor, Tensor] | None = None

    def files(self) -> dict[str, Taker]:
        """Files that the flags need, by name in the catalogue or path, and the methods that take their contents."""
        takers: dict[str, Taker] = {
            "styleheat_age": self._take_axis,
            "styleheat_components": self._take_axis,
            "styleheat_expressions": self._take_expressions,
            "vgg19": self._take_vgg,
            "styleheat_statistics": self._take_statistics,
        }
        return {name: takers.get(name, self._take_inversion) for name in self.options.files(self.config)}

    def renderer(self, fast: FastStyleHeat) -> StyleHeatRenderer:
        """Renderer with the edits of the flags."""
        options, edit = self.options, None
        if self._axis is not None:
            name, straight = str(options.attribute_edit), not options.published_behaviour
            edit = AttributeEdit(name, options.strength, self._axis, straight)
        config = self.config
        return StyleHeatRenderer(
            fast,
            config.side,
            config.space,
            config.framing,
            invert=self._inverter(fast),
            edit=edit,
            published=options.published_behaviour,
            carries_detail=config.warper.guided and not options.published_behaviour,
        )

    def retarget(self, source: Motion, driving: Motion, options: Mapping[str, Any]) -> Motion:
        """Driving motion fitted to the source, with the share of the edit in each frame."""
        if self.options.published_behaviour:
            options = {**options, "relative": False}
        fitted = fit_to_source(source, driving, options)
        if self.options.attribute_edit is None:
            return fitted
        grows = shares(len(fitted), ramp=self.options.edit_ramp, by_batches=self.options.published_behaviour)
        return replace(fitted, values={**fitted.values, "edit": grows})

    def own_motion(self, source: Motion) -> Motion:
        """The intuitive edit on a source's own coefficients."""
        return demo_motion(source, self._expressions or mesh_expressions())

    def _inverter(self, fast: FastStyleHeat) -> Callable[[Tensor], Drawable] | None:
        """Inversion of pictures that the flags name; None: that of the renderer."""
        inversions = {"optimize": self._optimized, "load": self._loaded}
        invert = inversions.get(self.options.inversion_option)
        return None if invert is None else partial(invert, fast)

    def _optimized(self, fast: FastStyleHeat, picture: Tensor) -> Drawable:
        """Inversion by optimisation; pipelines encode in inference mode, and here derivatives are needed."""
        with torch.inference_mode(False), torch.enable_grad():
            picture = picture.clone()
            with torch.no_grad():
                first = fast.invert(resized(picture, fast.inverter.e4e_encoder.side))
            priors = Priors(self._vgg, self._statistics).to(picture)
            steps = self.options.inversion_steps
            improved = optimize(fast.inverter, picture, first.codes, first.features, priors, steps)
        return fast.of_inversion(*improved)

    def _loaded(self, fast: FastStyleHeat, picture: Tensor) -> Drawable:
        if self._saved is None:
            raise RuntimeError("the saved inversion was not given")
        codes, features = (values.to(picture) for values in self._saved)
        return fast.of_inversion(codes, features)

    def _take_axis(self, state: Mapping[str, Tensor]) -> None:
        length = self.config.generator.code_length
        take = components_of if self.options.attribute_edit in TARGETS else direction_of
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
        held = {name: tuple(values.shape) for name, values in state.items()}
        if held != wanted:
            raise WeightsError(f"holds {held}, and these weights want {wanted}", where="--inversion_file")
        self._saved = state["w_latent"].float(), state["f_latent"].float()
