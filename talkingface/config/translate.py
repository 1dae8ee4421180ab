"""Flags of the published programs that become other settings: by their value, or only together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ..errors import ConfigError, TalkingFaceError, collected, did_you_mean
from .published import CHOICES, IMPLIED_MODELS

_MARK = "published "
_SEVERAL_GPUS = "--device=cuda:N chooses one GPU; several GPUs train through torchrun."
_MOBILE = (
    "--mobile_net: PaddleGAN's pruned networks are not here; fom_compact, this project's small weights, stand for them"
)
_INPUTS = {"image_source", "video_source", "audio_path"}


@dataclass(frozen=True)
class Given:
    """A value that is set in a file, a flag or an argument.

    Attributes:
        key: dotted name of the setting.
        value: as written; the schema converts and checks it.
        origin: the file or flag it came from.
    """

    key: str
    value: Any
    origin: str


def joined(name: str, value: str, flag: str) -> Given:
    """The value of a flag of `JOINED`, for :func:`join`."""
    return Given(f"{_MARK}{name}", value, flag)


def choice(flag: str, word: str) -> Given | None:
    """Our setting for the word of a flag of `CHOICES`; None where nothing has to be set.

    Raises:
        ConfigError: there is no such word here.
    """
    words = CHOICES[flag]
    if word not in words:
        raise ConfigError(f"'{word}' is not here", where=f"--{flag}", cure=did_you_mean(word, words))
    meant = words[word]
    return None if meant is None else Given(*meant, f"--{flag} {word}")


def implied_model(given: Iterable[Given]) -> Given | None:
    """The model whose program alone has one of the flags; None if there is none."""
    for item in given:
        word = item.origin.removeprefix("--").replace("-", "_")
        if word in IMPLIED_MODELS:
            return Given("model", IMPLIED_MODELS[word], item.origin)
    return None


def join(given: Sequence[Given], problems: list[TalkingFaceError], notes: list[str]) -> list[Given]:
    """Replace flags of `JOINED` by our settings, which are weaker than those given by their own names.

    Args:
        problems: errors of values are added.
        notes: sentences about what is different are added.
    """
    old = {item.key.removeprefix(_MARK): item for item in given if item.key.startswith(_MARK)}
    kept = [item for item in given if not item.key.startswith(_MARK)]
    if not old:
        return kept
    known = {item.key: item for item in kept}
    made: list[Given] = []
    for translate in (_folder, _result, _device, _size):
        with collected(problems):
            made += translate(old, known, notes)
    if "mobile_net" in old:
        made.append(Given("checkpoint", "fom_compact", old["mobile_net"].origin))
        notes.append(_MOBILE)
    replaced = {"output"} if "filename" in old else set()
    return [*made, *(item for item in kept if item.key not in replaced)]


Old = Mapping[str, Given]


def _folder(old: Old, known: Old, notes: list[str]) -> list[Given]:
    """``--checkpoints_dir`` and ``--name`` -> the folder of a run."""
    name, parent = old.get("name"), old.get("checkpoints_dir")
    if parent is None and name is not None and known.keys() & _INPUTS:
        notes.append("--name: results are named after their picture and driver; --output names one")
        return []
    if name is None:
        return [] if parent is None else [Given("output_dir", parent.value, parent.origin)]
    folder = PurePath("runs" if parent is None else parent.value) / name.value
    return [Given("output_dir", str(folder), f"{parent.origin} {name.origin}" if parent else name.origin)]


def _result(old: Old, known: Old, notes: list[str]) -> list[Given]:
    """``--output`` as a folder and ``--filename`` in it -> the file."""
    if "filename" not in old:
        return []
    folder = known["output"].value if "output" in known else "output"
    return [Given("output", str(PurePath(folder) / old["filename"].value), old["filename"].origin)]


def _device(old: Old, known: Old, notes: list[str]) -> list[Given]:
    """Numbers of GPUs -> the device; the first one is taken where there is one, as the published programs do."""
    item = old.get("device_ids") or old.get("device_id")
    if item is None:
        return []
    numbers = [part.strip() for part in item.value.split(",") if part.strip()]
    if not numbers or not all(number.isascii() and number.isdecimal() for number in numbers):
        raise ConfigError(f"'{item.value}' is no list of GPUs such as 0,1", where=item.origin)
    if "run_mode" in known and known["run_mode"].value == "prepare":
        return [Given("prepare.device_ids", numbers, item.origin)]
    if len(numbers) > 1:
        raise ConfigError(f"'{item.value}' are several GPUs", where=item.origin, cure=_SEVERAL_GPUS)
    return [] if int(numbers[0]) == 0 else [Given("device", f"cuda:{int(numbers[0])}", item.origin)]


def _size(old: Old, known: Old, notes: list[str]) -> list[Given]:
    """``--img_shape 256,256`` -> the side."""
    if "img_shape" not in old:
        return []
    item = old["img_shape"]
    sides = {part.strip() for part in item.value.strip("()[]").split(",") if part.strip()}
    if len(sides) != 1:
        raise ConfigError(f"'{item.value}' is not square", where=item.origin, cure="Write one side: --image_size=256.")
    return [Given("image_size", sides.pop(), item.origin)]
