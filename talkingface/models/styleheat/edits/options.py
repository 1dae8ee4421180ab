"""What a user asks of an inference beside a motion: edits, the way to invert, and published faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....errors import ConfigError
from ..config import StyleHeatConfig
from .attributes import STRENGTHS, TARGETS

EDITABLE_CODE = 512  # length of the codes that the published directions are for


@dataclass(frozen=True)
class Wishes:
    """Settings by the names of their flags.

    Attributes:
        attribute_edit: a key of `attributes.STRENGTHS`, or None.
        edit_strength: None for the published one.
        edit_ramp: whether the edit grows over the video.
        intuitive_edit: whether the model's own motion is wanted.
        inversion_option: ``"encode"``, ``"optimize"`` or ``"load"``.
        inversion_steps: of ``"optimize"``.
        published_behaviour: faults of the published program that change pictures are repeated.
    """

    attribute_edit: str | None = None
    edit_strength: float | None = None
    edit_ramp: bool = True
    intuitive_edit: bool = False
    inversion_option: str = "encode"
    inversion_steps: int = 250
    published_behaviour: bool = False

    @classmethod
    def of(cls, options: Mapping[str, Any], config: StyleHeatConfig) -> Wishes:
        """Those of an inference's settings that are for the model, checked.

        Raises:
            ConfigError: if they contradict each other, or the weights have no place for an edit.
        """
        wishes = cls(**{name: options[name] for name in cls.__dataclass_fields__ if name in options})
        if wishes.attribute_edit is None:
            return wishes
        if config.generator.code_length != EDITABLE_CODE:
            raise ConfigError(
                f"edits move codes of {EDITABLE_CODE} numbers, and those of these weights have "
                f"{config.generator.code_length}",
                where="--attribute_edit",
                cure="Take the published weights, --checkpoint=styleheat.",
            )
        if wishes.inversion_option != "encode":
            raise ConfigError(
                f"--inversion_option={wishes.inversion_option} fixes the features that an edit has to change",
                where="--attribute_edit",
                cure="Use --inversion_option=encode.",
            )
        return wishes

    @property
    def strength(self) -> float:
        """Of the edit."""
        return STRENGTHS[str(self.attribute_edit)] if self.edit_strength is None else self.edit_strength

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the catalogue: what the edit moves along."""
        if self.attribute_edit is None:
            return ()
        return ("styleheat_components",) if self.attribute_edit in TARGETS else ("styleheat_age",)
