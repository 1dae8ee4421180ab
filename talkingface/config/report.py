"""Settings as text: every value with its origin, and the file that repeats a run."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

from .. import registry
from ..part_files import atomic_file
from ..text.plain_yaml import dump
from .flags import RENAMED, SHORTHANDS
from .options import Option, options, settings_class, table, walk
from .schema import Settings
from .yaml_file import flatten

WIDTH, INDENT = 110, 30

COMMON = (
    "image_source",
    "video_source",
    "audio_path",
    "output",
    "model",
    "checkpoint",
    "preprocess",
    "face",
    "source_box",
    "frame_limit",
    "preview",
    "compare",
    "device",
    "config",
    "run_mode",
)
"""Flags that most people need, as ``--help`` shows them; ``--help all`` shows the others too."""

INTRODUCTION = """\
Animate a face in a picture from a driving video or a voice.

  talkingface --image_source portrait.png --video_source talk.mp4 --output result.mp4
  talkingface --model SadTalker --image_source portrait.png --audio_path voice.mp3
  talkingface --video_source talk.mp4 --frame_limit 50          the video's own first frame, re-enacted
  talkingface --image_source faces/ --video_source talk.mp4     a result for each picture of a folder
  talkingface --run_mode=train --dataset=FOLDER --train.max_steps 1000
  talkingface --run_mode=doctor                                 what works here, and how to get the rest

Write --name=value or --name value; --switch or --no-switch; lists as 1 2 3 or 1,2,3; dashes and underscores alike.
The last line on standard output is the path of the result. Exit status 0: done; 2: something to mend; 130: stopped.
"""


def asks_for_help(argv: list[str]) -> str | None:
    """``"all"`` or ``""`` for the help that a command line asks for, None if it asks for none."""
    for place, word in enumerate(argv):
        if word in ("-h", "--help"):
            return "all" if argv[place + 1 : place + 2] == ["all"] else ""
        if word.startswith("--help="):
            return word.partition("=")[2]
    return None


def help_text(model: str | None = None, *, everything: bool = True) -> str:
    """Settings with type, meaning and default; those of ``model`` alone too.

    Args:
        everything: all of them under their headings; else those that most people need, and those of plug-ins.
    """
    parts = [INTRODUCTION, f"Models: {', '.join(registry.models())} (--model=NAME --help adds its own settings)"]
    known = options(model)
    if everything:
        parts += [*_flags_of_others(model), "", *_sections(known.values())]
    else:
        parts += [*_flags_of_others(model), "\nMost used", *(_entry(known[key]) for key in COMMON), ""]
        parts += _sections(known[key] for key in _added(model))
    if model is not None:
        parts += [f"{model}'s own settings\n", *_sections(walk(registry.config_class(model), "model_params."))]
    if not everything:
        return "\n".join([*parts, f"--help all shows all {len(known)} flags, docs/ explains them."])
    aliases = settings_class(model).OwnOptions.aliases
    others = ", ".join(f"--{name}" for name in sorted([*RENAMED, *SHORTHANDS, *aliases]))
    parts.append(textwrap.fill(f"Also understood: {others}", WIDTH, subsequent_indent="  ", break_on_hyphens=False))
    return "\n".join(parts)


def _added(model: str | None) -> list[str]:
    """Flags that a model and the drivers of other packages add to the shared ones."""
    settings = settings_class(model)
    return [name for group in (*settings.DriverOptions, settings.OwnOptions) for name in group.model_fields]


def _flags_of_others(model: str | None) -> list[str]:
    """A line for each other model with flags of its own: their names."""
    lines = []
    for name, own in registry.all_options().items():
        if name != model:
            text = f"Flags of {name} alone: {', '.join(f'--{flag}' for flag in own.model_fields)}"
            lines.append(textwrap.fill(text, WIDTH, subsequent_indent="    ", break_on_hyphens=False))
    return lines


def _sections(members: Iterable[Option]) -> list[str]:
    groups = groupby(members, key=lambda option: option.heading)
    return ["\n".join([heading, *map(_entry, group)]) + "\n" for heading, group in groups]


def _entry(option: Option) -> str:
    head = f"  --{option.key} {_placeholder(option)}".rstrip()
    meaning = option.meaning[:1].upper() + option.meaning[1:].rstrip(".") + _default(option.default)
    body = textwrap.fill(meaning, WIDTH, initial_indent=" " * INDENT, subsequent_indent=" " * INDENT)
    return f"{head:<{INDENT}}{body.lstrip()}" if len(head) < INDENT - 1 else f"{head}\n{body}"


def _placeholder(option: Option) -> str:
    if option.is_open:
        return "(.NAME VALUE)"
    if option.is_switch:
        return ""
    if option.is_list:
        return "LIST"
    if option.choices:
        return "|".join(option.choices)
    words: dict[Any, str] = {int: "N", float: "X", Path: "PATH", Fraction: "RATE"}
    return next((words[member] for member in option.members if member in words), "TEXT")


def _default(default: Any) -> str:
    if default is None or default in ("", [], {}):
        return ""
    if isinstance(default, bool):
        return f" (default: {'on' if default else 'off'})"
    if isinstance(default, list):
        return f" (default: {' '.join(map(str, default))})"
    return f" (default: {default})"


NOT_SAVED = {"config", "print_config"}  # the values of the files of --config are saved already


def describe(settings: Settings) -> str:
    """One line per setting: ``key: value  # origin``; the model's own settings stand last."""
    values = _plain(settings)
    lines = [
        _line(key, _at(values, key), settings.origin(key)) for key in table(type(settings)) if key != "model_params"
    ]
    given = {f"model_params.{key}": value for key, value in _leaves(settings.model_params)}
    for key, value in _leaves(registry.config_class(settings.model)().model_dump(mode="json")):
        given.setdefault(f"model_params.{key}", value)
    lines += [_line(key, value, _model_origin(settings, key)) for key, value in given.items()]
    return "\n".join(lines)


def save_settings(settings: Settings, path: Path, comment: str = "") -> Path:
    """Write the settings as YAML so that ``--config`` of that file repeats the run; written beside and renamed.

    Args:
        comment: one line that goes before them.
    """
    values = {key: value for key, value in _plain(settings).items() if key not in NOT_SAVED}
    with atomic_file(path) as part:
        part.write_text((f"# {comment}\n" if comment else "") + dump(values), encoding="utf-8")
    return path


def _plain(settings: Settings) -> dict[str, Any]:
    """All values as YAML knows them, in the order of ``--help``."""
    values = settings.model_dump(mode="json")
    return {name: values[name] for name in dict.fromkeys(key.split(".")[0] for key in table(type(settings)))}


def _at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def _leaves(mapping: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(key.removeprefix("model_params."), value) for key, value in flatten({"model_params": mapping})]


def _model_origin(settings: Settings, key: str) -> str:
    origin = settings.origin(key)
    return f"default of {settings.model}, unless the weights say otherwise" if origin == "default" else origin


def _line(key: str, value: Any, origin: str) -> str:
    text = dump(value, flow=True).removesuffix("...\n").strip()
    return f"{key}: {text}  # {origin}"
