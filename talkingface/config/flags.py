"""Command line -> settings: ``--k=v``, ``--k v``, bare ``--switch``, ``--no-switch``, dotted keys and lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError, did_you_mean
from .options import Option, find, groups, options

RENAMED: dict[str, str] = {
    "source_image": "image_source",
    "driving_video": "video_source",
    "driving_image": "video_source",
    "driven_audio": "audio_path",
    "audio_source": "audio_path",
    "result_video": "output",
    "result_dir": "output_dir",
    "log_dir": "output_dir",
    "checkpoint_dir": "checkpoint_root",
    "checkpoint_path": "checkpoint",
    "config_path": "config",
    "mode": "run_mode",
    "size": "image_size",
    "data_root": "data.root",
    "max_steps": "train.max_steps",
    "epochs": "train.epochs",
    "resume": "train.resume",
    "stage": "train.stage",
    "raw": "prepare.raw",
    "engine": "prepare.engine",
    "workers": "prepare.workers",
    "list": "prepare.list",
    "ray_address": "prepare.ray_address",
    "data_range": "prepare.data_range",
    "dataset_version": "prepare.dataset_version",
    "min_frames": "prepare.min_frames",
    "max_frames": "prepare.max_frames",
    "min_size": "prepare.min_size",
    "min_found": "prepare.min_found",
    "increase": "prepare.increase",
    "iou": "prepare.iou",
    "iou_with_initial": "prepare.iou",
    "sample_if_missing": "data.sample_if_missing",
    "edit_expression_only": "still",
    "attribute": "attribute_edit",
}
"""Their flag -> our setting."""

SHORTHANDS: dict[str, tuple[str, str]] = {
    "cpu": ("device", "cpu"),
    "side_by_side": ("compare", "true"),
    "multi_person": ("face", "all"),
    "face_enhancement": ("enhancer", "gfpgan"),
}
"""Their switch -> our setting and its value."""

BARE: dict[str, str] = {"audio": "driving", "attribute_edit": "none"}
"""Settings that may stand without a value, and what that means."""

WORDS: dict[str, dict[str, str]] = {
    "run_mode": {"animate": "infer", "inference": "infer", "reconstruction": "evaluate", "test": "evaluate"},
    "precision": {"fp32": "float32", "bfloat16": "bf16"},
    "enhancer": {"GFPGAN": "gfpgan", "restoreformer": "RestoreFormer"},
    "background_enhancer": {"RealESRGAN": "realesrgan"},
}
"""Their word -> our word, by setting."""

_WEIGHTS = "Weights are recognised by what is in them; --checkpoint names another file."
_RECONSTRUCTION = (
    "The published reconstruction network is taken as it is where its files are there; see docs/face3d.md."
)
_VIEW = "--face3dvis draws the reconstructed face in the picture's own frame, without a camera to set."

ABSENT: dict[str, str] = {
    "face_detector": "--landmarks chooses what finds faces.",
    "old_version": _WEIGHTS,
    "net_recon": _RECONSTRUCTION,
    "init_path": _RECONSTRUCTION,
    "use_last_fc": _RECONSTRUCTION,
    "bfm_folder": _VIEW,
    "bfm_model": _VIEW,
    "focal": _VIEW,
    "center": _VIEW,
    "camera_d": _VIEW,
    "z_near": _VIEW,
    "z_far": _VIEW,
    "device_ids": "--device=cuda:N chooses one GPU; several GPUs train through torchrun.",
}
"""Their flags whose function is not here -> what is."""


SURELY_OURS = 0.8  # a flag as like as this to one of ours is not taken for one of the published programs
TRUTH = {"true", "false", "yes", "no", "on", "off", "1", "0"}


@dataclass(frozen=True)
class Given:
    """A value that somebody set.

    Attributes:
        key: dotted name of the setting.
        value: as written; the schema converts and checks it.
        origin: the file or flag it came from.
    """

    key: str
    value: Any
    origin: str


def parse_flags(argv: Sequence[str]) -> list[Given]:
    """The settings that the flags give, in their order.

    Raises:
        ConfigError: for an unknown flag, a missing value, or a word that belongs to no flag.
    """
    given: list[Given] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        if not word.startswith("--") or word == "--":
            raise ConfigError(f"'{word}' belongs to no flag", cure="Write settings as --name=value; see --help.")
        name, equals, text = word[2:].partition("=")
        given.append(_read_flag(name, text if equals else None, words))
    return given


def named_model(argv: Sequence[str]) -> str | None:
    """The word after ``--model``, whatever else the flags say."""
    named = [text for word, text in zip(argv, [*argv[1:], ""], strict=True) if word == "--model"]
    named += [word.partition("=")[2] for word in argv if word.startswith("--model=")]
    return named[-1] if named else None


def _read_flag(name: str, text: str | None, words: list[str]) -> Given:
    """One flag; takes its values from the front of ``words`` where they do not follow an equals sign."""
    flag, plain = f"--{name}", name.replace("-", "_")
    if plain in ABSENT:
        raise ConfigError("this version has no such function", where=flag, cure=ABSENT[plain])
    if plain in SHORTHANDS and _truth(flag, text, words):
        key, value = SHORTHANDS[plain]
        return Given(key, value, flag)
    plain = RENAMED.get(plain, plain)
    option = find(plain)
    if option is None and plain.startswith("no_"):
        negated = find(RENAMED.get(plain[3:], plain[3:]))
        if negated and negated.is_switch and text is None:
            return Given(negated.key, "false", flag)
    if option is None:
        raise ConfigError("unknown flag", where=flag, cure=_near_flag(plain))
    return Given(option.key, _values(option, flag, text, words), flag)


def _truth(flag: str, text: str | None, words: list[str]) -> bool:
    """Whether a shorthand is switched on; ``--cpu false`` is refused, as the schema knows no such value."""
    said = text if text is not None else (words.pop(0) if words and words[0].casefold() in TRUTH else "true")
    if said.casefold() not in ("true", "yes", "on", "1"):
        raise ConfigError(f"'{said}' is not possible here", where=flag, cure=f"Leave {flag} out instead.")
    return True


def _values(option: Option, flag: str, text: str | None, words: list[str]) -> Any:
    if option.is_switch and text is None:
        return words.pop(0) if words and words[0].casefold() in TRUTH else "true"
    if text is not None:
        texts = [text]
    else:
        several = option.is_list or option.annotation is Any
        texts = _take(words, several)
    if not texts and option.key in BARE:
        return read_words(option, [BARE[option.key]])
    if not texts:
        cure = f"Write {flag}=VALUE, also where the value starts with two dashes."
        raise ConfigError("needs a value", where=flag, cure=cure)
    return read_words(option, texts)


def _take(words: list[str], several: bool) -> list[str]:
    """Remove and return the values that follow a flag: at most one, or all up to the next flag."""
    taken: list[str] = []
    while words and not words[0].startswith("--") and (several or not taken):
        taken.append(words.pop(0))
    return taken


def read_words(option: Option, texts: Sequence[str]) -> Any:
    """What the words after a flag mean: a list where the setting is one, nothing for ``none``, else the word."""
    if option.key == "config":
        return list(texts)
    parts = [part for text in texts for part in _split(text)]
    if option.is_list and not (option.may_be_none and parts == ["none"]):
        return parts
    if option.annotation is Any and (len(parts) > 1 or texts[0].startswith("[")):
        return parts
    text = texts[0]
    if (option.may_be_none or option.annotation is Any) and text.casefold() in ("none", "null"):
        return None
    return WORDS.get(option.key, {}).get(text, text)


def _split(text: str) -> list[str]:
    """``[1, 2]`` or ``1,2`` -> its items."""
    return [part.strip() for part in text.strip().removeprefix("[").removesuffix("]").split(",") if part.strip()]


def _near_flag(name: str) -> str:
    """The cure for an unknown flag: our own nearest name, else the nearest of all, theirs too."""
    if name in groups():
        inner = next(key for key in options() if key.startswith(f"{name}."))
        return f"It is a group of settings: write --{inner}=VALUE, and so on."
    published = [*options(), *RENAMED, *SHORTHANDS]
    for names, cutoff in ((options(), SURELY_OURS), (published, 0.6)):
        cure = did_you_mean(name, names, cutoff)
        if cure.startswith("Did"):
            return cure.replace("'", "'--", 1)
    return "See --help for all of them."
