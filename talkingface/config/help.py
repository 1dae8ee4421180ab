"""The text of ``--help``, made from the schema."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

from .. import registry
from .flags import RENAMED, SHORTHANDS
from .options import Option, options, walk

WIDTH, INDENT = 110, 30

INTRODUCTION = """\
Animate a face in a picture from a driving video.

  talkingface --image_source portrait.png --video_source talk.mp4 --output result.mp4
  talkingface --video_source talk.mp4 --frame_limit 50          the video's own first frame, re-enacted
  talkingface --image_source faces/ --video_source talk.mp4     a result for each picture of a folder
  talkingface --run_mode=train --dataset=FOLDER --train.max_steps 1000
  talkingface --run_mode=doctor                                 what works here, and how to get the rest

Write --name=value or --name value; --switch or --no-switch; lists as 1 2 3 or 1,2,3; dashes and underscores alike.
The last line on standard output is the path of the result. Exit status 0: done; 2: something to mend; 130: stopped.
"""


def help_text(model: str | None = None) -> str:
    """All settings under their headings, with type, meaning and default; and the own settings of ``model``."""
    parts = [INTRODUCTION, f"Models: {', '.join(registry.models())} (--model=NAME --help adds its own settings)\n"]
    parts += _sections(options().values())
    if model is not None:
        parts += [f"{model}'s own settings\n", *_sections(walk(registry.config_class(model), "model_params."))]
    others = ", ".join(f"--{name}" for name in sorted([*RENAMED, *SHORTHANDS]))
    parts.append(textwrap.fill(f"Also understood: {others}", WIDTH, subsequent_indent="  ", break_on_hyphens=False))
    return "\n".join(parts)


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
