"""Base of a model's own inference flags. Holds no torch, so that the command line can list them quickly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from ..errors import ConfigError


class ModelOptions(BaseModel):
    """Inference flags of one model, beside those that all models share.

    A subclass has a field with a default and a description for each flag; the first sentence of its docstring is their
    heading in ``--help``. Their values reach the plug-in with those of the shared flags, by name.

    Attributes:
        aliases: further word for a flag -> the flag.
        bare: flag that may stand without a value -> the value that it then has.
        demonstration: switch that puts the model's own motion in the place of a driver; "": it has none.
    """

    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)

    aliases: ClassVar[Mapping[str, str]] = {}
    bare: ClassVar[Mapping[str, str]] = {}
    demonstration: ClassVar[str] = ""

    @property
    def demonstrates(self) -> bool:
        """True where the flags choose the model's own motion."""
        return bool(self.demonstration and getattr(self, self.demonstration))

    def conflicts(self) -> Iterable[ConfigError]:
        """Errors of flags that contradict each other."""
        return ()

    def misfits(self, config: Any) -> Iterable[ConfigError]:
        """Errors of flags that weights cannot follow.

        Args:
            config: the model's configuration, from the weights and the user.
        """
        return ()

    def files(self, config: Any) -> tuple[str, ...]:
        """Further files that the flags need: names in the catalogue, or paths."""
        return ()
