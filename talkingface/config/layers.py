"""From files and flags to settings: schema < overall < model < variant < data set < --config files < flags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .. import registry
from ..errors import ConfigError, UnknownNameError, did_you_mean
from ..paths import shipped
from .flags import Given, parse_flags
from .model import check_model_params, variant_file
from .options import find
from .schema import Settings
from .yaml_file import flatten, read_layer

INPUTS = frozenset({"image_source", "video_source"})


def load_settings(argv: Sequence[str]) -> Settings:
    """The settings of a command line.

    Raises:
        ConfigError: for a wrong flag, key, type or choice, all wrong values at once, one line each.
        UnknownNameError: for a model, variant or data set that does not exist.
    """
    return _resolve(parse_flags(argv))


def settings_from(values: Mapping[str, Any]) -> Settings:
    """The settings of a library call: dotted or nested keys, as strong as flags; errors as in :func:`load_settings`."""
    given = [Given(key, value, f"argument {key.split('.')[0]}") for key, value in flatten(values)]
    for item in given:
        if find(item.key) is None:
            raise ConfigError("unknown setting", where=item.origin, cure=did_you_mean(item.key, Settings.model_fields))
    return _resolve(given)


def _resolve(top: list[Given]) -> Settings:
    """Settings of all layers, with ``top`` (flags or arguments) above the files that it names."""
    files = [Path(path) for item in top if item.key == "config" for path in item.value]
    upper = [*(item for file in files for item in read_layer(file)), *top]
    overall = read_layer(shipped("properties", "overall.yaml"))
    model = str(_last("model", [*overall, *upper]) or Settings.model_fields["model"].default)
    middle = [*overall, *_model_layer(model)]
    middle += _implied([*middle, *upper])
    variant, dataset = _last("variant", [*middle, *upper]), _last("dataset", [*middle, *upper])
    if variant is not None:
        middle += read_layer(variant_file(model, str(variant)))
    if dataset is not None:
        middle += _dataset_layer(str(dataset))
    chosen = {item.key: item for item in [*middle, *upper]}
    chosen["config"] = Given("config", files, "flag")
    return _validated(_without_hidden(chosen.values()))


def _implied(given: Sequence[Given]) -> list[Given]:
    """The job and the variant where they follow from the rest: a data set alone is to be trained on.

    Training needs a variant, because there are no weights that bring one.
    """
    values = {item.key: item.value for item in given}
    implied = []
    if "run_mode" not in values and values.get("dataset") and not INPUTS & values.keys():
        values["run_mode"] = "train"
        implied.append(Given("run_mode", "train", "--dataset without a picture or video"))
    if values.get("run_mode") == "train" and values.get("variant") is None and values.get("train_variant"):
        implied.append(Given("variant", values["train_variant"], "train_variant"))
    return implied


def _last(key: str, given: Iterable[Given]) -> Any:
    """The value of ``key`` in the highest layer that has it."""
    return {item.key: item.value for item in given}.get(key)


def _model_layer(model: str) -> list[Given]:
    """The family's defaults; a model without a file has none."""
    path = registry.entry(model).properties / f"{model}.yaml"
    return read_layer(path) if path.is_file() else []


def _dataset_layer(dataset: str) -> list[Given]:
    """The file of a named data set, or the root where ``dataset`` is a path; that may still have to be made."""
    folder = shipped("properties", "dataset")
    names = [file.stem for file in folder.glob("*.yaml")]
    if dataset in names:
        layer = read_layer(folder / f"{dataset}.yaml")
        return [_beside_package(item) if item.key == "data.root" else item for item in layer]
    if Path(dataset).exists() or len(Path(dataset).parts) > 1:
        return [Given("data.root", dataset, f"--dataset={dataset}")]
    near = did_you_mean(dataset, names)
    raise UnknownNameError(f"unknown data set '{dataset}'", cure=f"{near} A folder with clips works too.")


def _beside_package(item: Given) -> Given:
    """A data root that ships with the toolkit, found from any folder; other roots stay relative to the present one."""
    inside = shipped(*Path(str(item.value)).parts)
    return Given(item.key, str(inside), item.origin) if inside.exists() else item


def _without_hidden(given: Iterable[Given]) -> list[Given]:
    """Leave out values that a shorter or longer key of a higher layer replaces, as ``none`` in place of a mapping."""
    kept: list[Given] = []
    for item in given:
        kept = [old for old in kept if not _overlap(old.key, item.key)]
        kept.append(item)
    return kept


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _validated(given: list[Given]) -> Settings:
    try:
        settings = Settings.model_validate(_nest(given))
    except ValidationError as error:
        raise ConfigError("\n".join(_complaints(error, given))) from None
    settings._origins.update({item.key: item.origin for item in given})
    check_model_params(settings)
    return settings


def _nest(given: Iterable[Given]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for item in given:
        *parents, name = item.key.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = item.value
    return tree


def _complaints(error: ValidationError, given: list[Given]) -> list[str]:
    """One line per wrong setting: origin, the user's words, what is wanted."""
    origins = {item.key: item for item in given}
    lines: dict[str, str] = {}
    for problem in error.errors():
        path = [str(part) for part in problem["loc"]]
        keys = [".".join(path[:depth]) for depth in range(len(path), 0, -1)]
        key = next((key for key in keys if key in origins), keys[-1])
        item = origins.get(key, Given(key, problem["input"], "settings"))
        lines.setdefault(key, str(_complaint(item, problem["msg"])))
    return list(lines.values())


def _complaint(item: Given, message: str) -> ConfigError:
    option = find(item.key)
    where = item.origin if item.origin.startswith("--") else f"{item.origin}: {item.key}"
    if option and option.choices:
        return ConfigError(
            f"'{item.value}' is no choice", where=where, cure=did_you_mean(str(item.value), option.choices)
        )
    wanted = message.removeprefix("Value error, ").removeprefix("Input ")
    return ConfigError(f"'{item.value}' {wanted[:1].lower()}{wanted[1:]}", where=where)
