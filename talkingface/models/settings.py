"""Base of a model's own inference flags, and checks of its training. No torch here, as the command line asks first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import ConfigError, WeightsError, did_you_mean


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


class TrainedConfig:
    """Part of a model's configuration class that refuses wrong settings of the trainer before networks are built."""

    def training_problems(self, stage: str, train: Any) -> Iterable[ConfigError]:
        """Everything that is wrong with the settings of a training.

        Args:
            stage: the part of the model that is trained; "": its first.
            train: the settings of the trainer.
        """
        return ()

    def loss_files(self, stage: str, train: Any) -> tuple[str, ...]:
        """Fixed networks of others that the losses of a training compare features of: names in the catalogue.

        Args: as for `training_problems`, which has no objection to them.
        """
        return ()


_LOSSES = {"vgg19": "perceptual", "ir_se50": "identity"}


def missing_loss_file(name: str) -> WeightsError:
    """The error of a fixed network that a loss needs and that is not there.

    Args:
        name: in the catalogue.
    """
    without = f", or train without such losses, as by --train.loss_weights.{_LOSSES[name]}=0" if name in _LOSSES else ""
    cure = f"Get them with --run_mode=fetch --checkpoint={name}{without}."
    return WeightsError(f"a loss needs the weights of {name}", where="train.loss_weights", cure=cure)


def unknown_stage(model: str, name: str, stages: Iterable[str]) -> ConfigError:
    """The error of a stage that a model does not have."""
    known = tuple(stages)
    cure = did_you_mean(name, known) if known else f"{model} is trained as a whole."
    return ConfigError(f"{model} has no stage '{name}'", where="--stage", cure=cure)


def unknown_phases(train: Any, phases: Iterable[str]) -> Iterator[ConfigError]:
    """Errors of learning rates for phases that a training does not have."""
    known = tuple(phases)
    for name in train.learning_rates:
        if name not in known:
            yield ConfigError(f"no phase '{name}'", where="--train.learning_rates", cure=did_you_mean(name, known))


def refused_values(error: ValidationError, document: Mapping[str, Any], where: str, *, skipped: int = 0) -> ConfigError:
    """The error of values that a configuration refuses, a line for each.

    Args:
        document: values that were refused.
        where: settings that they came from.
        skipped: names in front of a dotted name that the user did not write.
    """
    faults = error.errors()
    wrong = {tuple(map(str, fault["loc"])) for fault in faults}
    lines = []
    for fault in faults:
        path = tuple(map(str, fault["loc"]))
        siblings: Any = document
        for part in path[:-1] if fault["type"] == "extra_forbidden" else ():
            siblings = siblings[part]
        near = [name for name in siblings if (*path[:-1], name) not in wrong]
        cure = did_you_mean(path[-1], near) if fault["type"] == "extra_forbidden" else None
        lines.append(str(ConfigError(f"'{'.'.join(path[skipped:])}': {fault['msg']}", where=where, cure=cure)))
    return ConfigError("\n".join(lines))


def untrained(model: str) -> ConfigError:
    """The error of a generator with mixed keypoints, whose training needs points of faces beside the frames."""
    cure = f"Train it with scripts/train_compact.py {model}, or take another --variant."
    return ConfigError("mixed keypoints are not trained from clips alone", where="--variant", cure=cure)
