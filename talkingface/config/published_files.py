"""Configuration files of the published programs after ``--config`` -> our settings, by content, else by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .model import variant_names
from .yaml_file import read_yaml

FOM_SECTIONS = frozenset(
    {"dataset_params", "train_params", "reconstruction_params", "animate_params", "visualizer_params"}
)
"""Sections of FOM's configurations that ours have under other names; ``model_params`` is the same word."""

PADDLE = {
    "firstorder_vox_256": "vox-256",
    "firstorder_vox_mobile_256": "compact",
    "firstorder_fashion": "fashion-256",
    "firstorder_mgif": "mgif-256",
}
"""Configuration of PaddleGAN -> our variant of FOM."""

STYLEHEAT = {"inference": None, "video_warper_trainer": "video_warper", "video_styleheat_trainer": "styleheat"}
"""Configuration of StyleHEAT -> our variant of it; None: what its weights say."""

STYLEHEAT_MODES = {"inference": None, "train_video_warper": "video_warper", "train_visual_refine": "styleheat"}
"""``model.mode`` in such a file -> the same."""

Content = dict[str, Any]


def read_config(path: Path) -> tuple[Content, str]:
    """(the settings in a file after ``--config``, a sentence about their translation or "").

    A file of a published program that is not there is known by its name, as its settings are built in.

    Raises:
        ConfigError: as :func:`~.yaml_file.read_yaml`, and for layouts of which no translation is known.
    """
    named = _by_name(path.stem) if path.suffix in (".yaml", ".yml") else None
    if named is not None and not path.exists():
        return named, _note(path, named, "is built in")
    content = read_yaml(path)
    translated = _translated(content, path)
    return (content, "") if translated is None else (translated, _note(path, translated, "is a published one"))


def _by_name(stem: str) -> Content | None:
    """Settings of a published configuration, by the name of its file."""
    variants = variant_names("FOM")
    variant = stem if stem in variants and stem != "compact" else PADDLE.get(stem)
    if variant is not None:
        return {"model": "FOM", "variant": variant}
    return _styleheat(STYLEHEAT[stem]) if stem in STYLEHEAT else None


def _translated(content: Content, path: Path) -> Content | None:
    """Settings of a published layout; None for our own."""
    model = content.get("model")
    if isinstance(model, Mapping):
        return _paddle(model, path) if "FirstOrder" in str(model.get("name")) else _styleheat_file(content, model, path)
    if not FOM_SECTIONS & content.keys():
        return None
    params = content.get("model_params") or {}
    if isinstance(params, Mapping) and {"mapping_params", "he_estimator_params"} & params.keys():
        cure = "They are built in: --model=SadTalker --variant=256, 256-full, 512 or 512-full."
        raise ConfigError("holds settings of SadTalker in its published layout", where=path, cure=cure)
    return _fom(content, path)


def _fom(content: Content, path: Path) -> Content:
    """FOM's own layout: networks and losses as they stand there, data set and training under our names."""
    data, params = _section(content, "dataset_params", path), _section(content, "model_params", path)
    train = _section(content, "train_params", path)
    shape = data.get("frame_shape") or data.get("image_shape")
    side = shape[0] if isinstance(shape, list) and shape else None
    augment = _section(data, "augmentation_params", path)
    changes = _section(augment, "flip_param", path) | _section(augment, "jitter_param", path)
    renamed = {"num_epochs": "epochs", "num_repeats": "repeats", "epoch_milestones": "milestones"}
    ours = {renamed.get(key, key): train[key] for key in (*renamed, "batch_size") if key in train}
    ours |= {"learning_rate": train["lr_generator"]} if "lr_generator" in train else {}
    networks = {"architecture": "published", **params, **({"train_params": train} if train else {})}
    sized = {} if side is None else {"image_size": side}
    known = _by_name(path.stem) or {"model": "FOM"}
    settings = {
        **known,
        **_clips(data.get("root_dir")),
        "model_params": networks | sized if params else {},
        "train": ours | sized | ({"augment": changes} if changes else {}),
    }
    return {key: value for key, value in settings.items() if value != {}}


def _paddle(model: Mapping[str, Any], path: Path) -> Content:
    """PaddleGAN's layout, whose published files are built in."""
    if path.stem not in PADDLE:
        cure = f"Those that are built in: {', '.join(f'--variant={name}' for name in PADDLE.values())}."
        raise ConfigError("is a configuration of PaddleGAN that is not known here", where=path, cure=cure)
    return {"model": "FOM", "variant": PADDLE[path.stem]}


def _styleheat_file(content: Content, model: Mapping[str, Any], path: Path) -> Content:
    """StyleHEAT's layout: what is trained, and on what."""
    if model.get("mode") not in STYLEHEAT_MODES:
        raise ConfigError("'model' has to be the name of a model", where=path, cure="Write 'model: FOM', for example.")
    data = _section(content, "data", path)
    part = _section(data, "train", path)
    train = {
        key: value for key, value in (("epochs", content.get("max_epoch")), ("batch_size", part.get("batch_size")))
    }
    settings = _styleheat(STYLEHEAT_MODES[str(model["mode"])])
    settings |= _clips(data.get("path"))
    train = {key: value for key, value in train.items() if value is not None}
    return settings | ({"train": train} if train else {})


def _styleheat(variant: str | None) -> Content:
    return {"model": "StyleHeat"} | ({} if variant is None else {"variant": variant})


def _clips(root: Any) -> Content:
    """The data set of a file; a name without a folder would be one of ours."""
    if not root:
        return {}
    return {"dataset": str(root)} if len(Path(str(root)).parts) > 1 else {"data": {"root": str(root)}}


def _section(content: Mapping[str, Any], name: str, path: Path) -> Content:
    """A mapping inside a file; an empty one where it is left out or empty."""
    section = content.get(name)
    if section is None:
        return {}
    if not isinstance(section, Mapping):
        raise ConfigError(f"'{name}' has to be a mapping of keys", where=path)
    return dict(section)


def _note(path: Path, settings: Content, why: str) -> str:
    flags = " ".join(f"--{key}={settings[key]}" for key in ("model", "variant", "dataset") if key in settings)
    return f"--config {path} {why}: read as {flags}"
