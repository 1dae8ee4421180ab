"""StyleHEAT's own flags: edits, kinds of inversion, and published faults. No torch here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from ....errors import ConfigError
from ...settings import ModelOptions
from ..config import StyleHeatConfig

EDITABLE_CODE = 512  # length of the codes that the published directions are for
STRENGTHS: Mapping[str, float] = {"young": -5.0, "old": 5.0, "beard": -20.0, "lip": 20.0}
"""Published strengths: times the age direction, or deviations from the mean along a component."""
ALONG_COMPONENTS = frozenset({"beard", "lip"})


class EditOptions(ModelOptions):
    """Edits of a face, and how a picture is turned into codes (StyleHeat)"""

    aliases: ClassVar[Mapping[str, str]] = {"attribute": "attribute_edit"}
    bare: ClassVar[Mapping[str, str]] = {"attribute_edit": "none"}
    demonstration: ClassVar[str] = "intuitive_edit"

    pose_only: bool = Field(False, description="the head alone moves, the face keeps the source's expression")
    intuitive_edit: bool = Field(False, description="no driver: the head turns each way, the face tries expressions")
    attribute_edit: Literal["young", "old", "beard", "lip"] | None = Field(
        None, description="change the face while it moves; needs the published files"
    )
    edit_strength: float | None = Field(
        None, ge=-100, le=100, description="of --attribute_edit; none: the published one (5, or 20 for beard and lip)"
    )
    edit_ramp: bool = Field(True, description="the edit grows over the video; off: all of it all along")
    inversion_option: Literal["encode", "optimize", "load"] = Field(
        "encode", description="codes of the source: by encoders, improved step by step (minutes), or from a file"
    )
    inversion_file: Path | None = Field(None, description="the file that optimize writes and load reads")
    inversion_steps: int = Field(250, ge=1, le=10000, description="of --inversion_option=optimize")
    published_behaviour: bool = Field(
        False, description="repeat the faults of the published program that change its pictures"
    )

    @property
    def strength(self) -> float:
        """Strength of the attribute edit, in the units of `STRENGTHS`."""
        return STRENGTHS[str(self.attribute_edit)] if self.edit_strength is None else self.edit_strength

    def conflicts(self) -> Iterator[ConfigError]:
        """An edit of features that are fixed, and a saved inversion that no flag names."""
        if self.attribute_edit is not None and self.inversion_option != "encode":
            yield ConfigError(
                f"--inversion_option={self.inversion_option} fixes the features that an edit has to change",
                where="--attribute_edit",
                cure="Use --inversion_option=encode.",
            )
        if self.inversion_option == "load" and self.inversion_file is None:
            cure = "Name it with --inversion_file; --inversion_option=optimize writes one."
            yield ConfigError("no saved inversion", where="--inversion_option=load", cure=cure)

    def misfits(self, config: StyleHeatConfig) -> Iterable[ConfigError]:
        """An edit that does not fit the codes of these weights."""
        length = config.generator.code_length
        if self.attribute_edit is not None and length != EDITABLE_CODE:
            yield ConfigError(
                f"edits move codes of {EDITABLE_CODE} numbers, and those of these weights have {length}",
                where="--attribute_edit",
                cure="Take the published weights, --checkpoint=styleheat.",
            )

    def files(self, config: Any) -> tuple[str, ...]:
        """Directions of an edit, expressions of the demonstration, priors of the optimisation, a saved inversion."""
        names = []
        if self.attribute_edit is not None:
            names.append("styleheat_components" if self.attribute_edit in ALONG_COMPONENTS else "styleheat_age")
        if self.intuitive_edit and config.space == "bfm":
            names.append("styleheat_expressions")
        if self.inversion_option == "optimize" and config.generator.code_length == EDITABLE_CODE:
            names += ["vgg19", "styleheat_statistics"]
        if self.inversion_option == "load":
            names.append(str(self.inversion_file))
        return tuple(names)
