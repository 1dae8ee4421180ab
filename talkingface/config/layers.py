"""From files and flags to settings: schema < overall < model < variant < data set < --config files < flags."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .. import registry
from ..errors import ConfigError, TalkingFaceError, UnknownNameError, collected, did_you_mean, quoted, together
from ..paths import shipped
from .checks import flag_problems
from .flags import read_flags
from .model import check_model_params, variant_file
from .options import find, find_anywhere, options, owners, settings_class
from .published_files import read_config
from .schema import Settings
from .translate import Given, implied_model
from .user_paths import as_meant
from .yaml_file import flatten, is_special, layer_of, read_layer, read_yaml

INPUTS = frozenset({"image_source", "video_source"})
OVERALL = ("properties", "overall.yaml")


def load_settings(argv: Sequence[str]) -> Settings:
    """The settings of a command line.

    Raises:
        ConfigError: for wrong flags, keys, types and choices and for flags that contradict each other, all of them at
            once, one line each.
        UnknownNameError: for a model, variant or data set that does not exist.
    """
    settings, problems = read_settings(argv)
    if problems:
        raise together(problems)
    return settings


def read_settings(argv: Sequence[str]) -> tuple[Settings, list[TalkingFaceError]]:
    """(the settings of a command line without the wrong ones, everything that is wrong).

    Raises:
        ConfigError: where no settings are left.
    """
    model = _model_of(list(as_meant(read_flags(argv).given, None, [])))
    flags = read_flags(argv, model.value if model.value in registry.models() else None)
    return _resolve(flags.given, model, flags.problems, flags.notes), flags.problems


def settings_from(values: Mapping[str, Any]) -> Settings:
    """The settings of a library call: dotted or nested keys, as strong as flags; errors as in :func:`load_settings`."""
    unread = (Given(key, value, f"argument {key.split('.')[0]}") for key, value in flatten(values))
    model = _model_of(list(as_meant(unread, None, [])))
    known = model.value if model.value in registry.models() else None
    given = [Given(key, value, f"argument {key.split('.')[0]}") for key, value in flatten(values, model=known)]
    wrong = [item for item in given if find_anywhere(item.key, known) is None]
    names = {key.partition(".")[0] for key in options(known)}
    problems: list[TalkingFaceError] = [
        ConfigError("unknown setting", where=item.origin, cure=did_you_mean(item.key, names)) for item in wrong
    ]
    settings = _resolve([item for item in given if item not in wrong], model, problems)
    if problems:
        raise together(problems)
    return settings


def _files(given: Iterable[Given]) -> list[Path]:
    """The settings files that flags or arguments name."""
    return [Path(path) for item in given if item.key == "config" for path in item.value]


def _model_of(top: Sequence[Given]) -> Given:
    """The model that flags or arguments name, else the files that they name, else one that a flag implies, else the
    usual one; by its own name, in whatever case it was written."""
    named = [item for item in top if item.key == "model"][-1:]
    for file in reversed(_files(top)):
        with collected([]):  # faults of a file are reported when its settings are read
            named = named or _named_in(read_config(file)[0], file)
    implied = implied_model(top)
    named = named or ([] if implied is None else [implied])
    with collected([]):
        named = named or _named_in(read_yaml(shipped(*OVERALL)), shipped(*OVERALL))
    usual = Given("model", Settings.model_fields["model"].default, "default")
    item = named[0] if named else usual
    return Given("model", registry.own_name(str(item.value)), item.origin)


def _named_in(content: Mapping[str, Any], file: Path) -> list[Given]:
    """The model that a settings file names."""
    return [Given("model", value, str(file)) for key, value in content.items() if key == "model"]


def _resolve(
    top: list[Given], chosen_model: Given, problems: list[TalkingFaceError], notes: Sequence[str] = ()
) -> Settings:
    """Settings of all layers, with ``top`` (flags or arguments) above the files that it names.

    Args:
        problems: those so far; those found here are added.
        notes: sentences for the user so far.
    """
    if special := _special_files(top):
        raise together([*problems, *special])
    known: str | None = None
    model: str = chosen_model.value
    upper: list[Given] = []
    all_notes = list(notes)
    with collected(problems):
        settings_class(model)
        known = model
    top = list(as_meant(top, known, problems))
    for file in _files(top):
        with collected(problems):
            content, note = read_config(file)
            upper += as_meant(layer_of(content, file, known), known, problems)
            all_notes += [note] if note else []
    upper += top
    middle = read_layer(shipped(*OVERALL))
    if known is not None:
        middle += _model_layer(known)
    middle += _implied([*middle, *upper])
    middle = list(as_meant(middle, known, problems))
    variant, dataset = _last("variant", [*middle, *upper]), _last("dataset", [*middle, *upper])
    with collected(problems):
        if variant is not None and known is not None:
            middle += read_layer(variant_file(known, str(variant)), known)
    with collected(problems):
        if dataset is not None:
            middle += _dataset_layer(str(dataset))
    chosen = {item.key: item for item in _of_model([*middle, *upper], known, problems)}
    chosen["config"] = Given("config", _files(top), "flag")
    if chosen_model.origin != "default":
        chosen["model"] = chosen_model
    if special := _special_files(chosen.values()):  # at once: what follows may read them
        raise together([*problems, *special])
    settings = _validated(_without_hidden(chosen.values()), known, problems)
    with collected(problems):
        check_model_params(settings)
    if not settings.print_config and known is not None:
        problems += flag_problems(settings)
    settings.notes.extend(all_notes)
    return settings


def _special_files(given: Iterable[Given]) -> list[TalkingFaceError]:
    """Errors for values that name a pipe, a device or a socket: reading one may never end."""
    cure = "Save what it gives in a file first, and name that."
    return [
        ConfigError(
            f"'{value}' is a pipe, device or socket, not a regular file", where=item.origin or item.key, cure=cure
        )
        for item in given
        for value in (item.value if isinstance(item.value, list) else [item.value])
        if isinstance(value, str | Path) and is_special(Path(value))
    ]


def _of_model(given: Iterable[Given], model: str | None, problems: list[TalkingFaceError]) -> Iterator[Given]:
    """Those settings that the run's model has. Another model's are refused unless they hold its default, as
    in saved settings."""
    for item in given:
        if find(item.key, model) is not None:
            yield item
        elif model is not None and not all(_is_default(item, owner) for owner in owners(item.key)):
            whose = " and ".join(owners(item.key))
            flag = item.origin if item.origin.startswith(("--", "argument")) else f"{item.origin}: {item.key}"
            cure = f"Choose --model={owners(item.key)[0]}, or leave it out."
            problems.append(ConfigError(f"{flag} is a flag of {whose}; {model} has no such flag", cure=cure))


def _is_default(item: Given, owner: str) -> bool:
    own = settings_class(owner).OwnOptions
    try:
        return own.model_validate(_nest([item])) == own()
    except ValidationError:
        return False


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
    return read_layer(path, model) if path.is_file() else []


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
    raise UnknownNameError(f"unknown data set {quoted(dataset)}", cure=f"{near} A folder with clips works too.")


def _beside_package(item: Given) -> Given:
    """A data root that ships with the toolkit, resolved from any folder; others stay relative to the present one."""
    inside = shipped(*Path(str(item.value)).parts)
    return Given(item.key, str(inside), item.origin) if inside.exists() else item


def _without_hidden(given: Iterable[Given]) -> list[Given]:
    """Leave out values that a shorter or longer key of a higher layer replaces, as ``none`` in place of a mapping."""
    kept: list[Given] = []
    for item in given:
        kept = [old for old in kept if not _overlap(old.key, item.key)]
        kept.append(item)
    return kept


def _overlap(key: str, other: str) -> bool:
    return key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.")


def _validated(given: list[Given], model: str | None, problems: list[TalkingFaceError]) -> Settings:
    """The settings, without the wrong values, which join the other problems."""
    while True:
        try:
            settings = settings_class(model).model_validate(_nest(given))
        except ValidationError as error:
            wrong = _complaints(error, given, model)
            problems += wrong.values()
            right = [item for item in given if not any(_overlap(item.key, key) for key in wrong)]
            if len(right) == len(given):  # wrong by its defaults
                raise together(problems) from None
            given = right
        else:
            settings._origins.update({item.key: item.origin for item in given})
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


def _complaints(error: ValidationError, given: list[Given], model: str | None) -> dict[str, ConfigError]:
    """Wrong setting -> its origin, the user's words, what is wanted."""
    origins = {item.key: item for item in given}
    faults: dict[str, ConfigError] = {}
    for problem in error.errors():
        path = [str(part) for part in problem["loc"]] or ["settings"]
        keys = [".".join(path[:depth]) for depth in range(len(path), 0, -1)]
        key = next((key for key in keys if key in origins), keys[-1])
        item = origins.get(key, Given(key, problem["input"], "settings"))
        faults.setdefault(key, _complaint(item, problem["msg"], model))
    return faults


def _complaint(item: Given, message: str, model: str | None) -> ConfigError:
    option = find(item.key, model)
    where = item.origin if item.origin.startswith("--") else f"{item.origin}: {item.key}"
    if option and option.choices:
        return ConfigError(
            f"{quoted(item.value)} is no choice", where=where, cure=did_you_mean(str(item.value), option.choices)
        )
    wanted = message.removeprefix("Value error, ").removeprefix("Input ")
    value = quoted(",".join(map(str, item.value)) if isinstance(item.value, list) else item.value)
    return ConfigError(f"{value} {wanted[:1].lower()}{wanted[1:]}", where=where)
