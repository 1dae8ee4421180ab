"""Command line -> settings: ``--k=v``, ``--k v``, bare ``--switch``, ``--no-switch``, dotted keys and lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from .. import registry
from ..errors import ConfigError, TalkingFaceError, did_you_mean, together
from .options import Option, find_anywhere, groups, options, settings_class

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
}
"""Flag of the published programs -> our setting."""

SHORTHANDS: dict[str, tuple[str, str]] = {
    "cpu": ("device", "cpu"),
    "side_by_side": ("compare", "true"),
    "multi_person": ("face", "all"),
    "face_enhancement": ("enhancer", "gfpgan"),
}
"""Switch of the published programs -> our setting and its value."""

BARE: dict[str, str] = {"audio": "driving"}
"""Settings that may stand without a value, and the value that this means; a model's own flags have their own."""

WORDS: dict[str, dict[str, str]] = {
    "run_mode": {"animate": "infer", "inference": "infer", "reconstruction": "evaluate", "test": "evaluate"},
    "precision": {"fp32": "float32", "bfloat16": "bf16"},
    "enhancer": {"GFPGAN": "gfpgan", "restoreformer": "RestoreFormer"},
    "background_enhancer": {"RealESRGAN": "realesrgan"},
}
"""Value of the published programs -> ours, by setting."""

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
"""Flags of the published programs whose function is missing here -> the alternative."""


STRAY = (
    "Write --image_source=PICTURE --video_source=VIDEO or --audio_path=SOUND, a name with spaces in quotes; see --help."
)
SURELY_OURS = 0.8  # similarity to one of our flags from which a flag is not taken for one of the published programs
TRUTH = {"true", "false", "yes", "no", "on", "off", "1", "0"}


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


def parse_flags(argv: Sequence[str], model: str | None = None) -> list[Given]:
    """The settings that the flags give, in their order.

    Args:
        model: whose own flags are known beside the shared ones.

    Raises:
        ConfigError: for unknown flags, missing values and words that belong to no flag, all of them at once.
    """
    given, problems = read_flags(argv, model)
    if problems:
        raise together(problems)
    return given


def read_flags(argv: Sequence[str], model: str | None = None) -> tuple[list[Given], list[TalkingFaceError]]:
    """(the settings that the flags give, errors of the others); arguments as for :func:`parse_flags`."""
    given: list[Given] = []
    problems: list[TalkingFaceError] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        try:
            given.append(_read_word(word, words, model))
        except ConfigError as error:
            problems.append(error)
            _take(words, several=True)
    return given, problems


def named_model(argv: Sequence[str]) -> str | None:
    """The word after ``--model``, whatever else the flags say."""
    named = [text for word, text in pairwise([*argv, ""]) if word == "--model"]
    named += [word.partition("=")[2] for word in argv if word.startswith("--model=")]
    return named[-1] if named else None


def _read_word(word: str, words: list[str], model: str | None) -> Given:
    """Read a flag, with its values from the front of ``words`` where they do not follow an equals sign."""
    if not word.startswith("--") or word == "--":
        raise ConfigError(f"'{word}' belongs to no flag", cure=STRAY)
    name, equals, value = word[2:].partition("=")
    text = value if equals else None
    flag, plain = f"--{name}", name.replace("-", "_")
    if plain in ABSENT:
        raise ConfigError("this version has no such function", where=flag, cure=ABSENT[plain])
    if plain in SHORTHANDS and _truth(flag, text, words):
        key, value = SHORTHANDS[plain]
        return Given(key, value, flag)
    option = _meant(plain, model)
    if option is None and plain.startswith("no_"):
        negated = _meant(plain[3:], model)
        if negated and negated.is_switch and text is None:
            return Given(negated.key, "false", flag)
    if option is None:
        raise ConfigError("unknown flag", where=flag, cure=_near_flag(RENAMED.get(plain, plain), model))
    return Given(option.key, _values(option, flag, text, words, model), flag)


def _meant(word: str, model: str | None) -> Option | None:
    """The setting of a flag in a model, else in another one; None if there is none."""
    plain = settings_class(model).OwnOptions.aliases.get(word, word)
    option = find_anywhere(RENAMED.get(plain, plain), model)
    if option is None:
        theirs = (own.aliases[word] for own in registry.all_options().values() if word in own.aliases)
        option = next((other for name in theirs if (other := find_anywhere(name, model))), None)
    return option


def _truth(flag: str, text: str | None, words: list[str]) -> bool:
    """True if a shorthand is switched on; ``--cpu false`` is refused, as the schema knows no such value."""
    word = text if text is not None else (words.pop(0) if words and words[0].casefold() in TRUTH else "true")
    if word.casefold() not in ("true", "yes", "on", "1"):
        raise ConfigError(f"'{word}' is not possible here", where=flag, cure=f"Leave {flag} out instead.")
    return True


def _values(option: Option, flag: str, text: str | None, words: list[str], model: str | None) -> Any:
    if option.is_switch and text is None:
        return words.pop(0) if words and words[0].casefold() in TRUTH else "true"
    if text is not None:
        texts = [text]
    else:
        several = option.is_list or option.annotation is Any
        texts = _take(words, several)
    bare = {**BARE, **settings_class(model).OwnOptions.bare}
    if not texts and option.key in bare:
        return read_words(option, [bare[option.key]])
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
    """Value of the words after a flag: a list where the setting is one, None for ``none``, else the word."""
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


def _near_flag(name: str, model: str | None) -> str:
    """The cure for an unknown flag: our nearest name, else the nearest of all, those of the published programs too."""
    known, own = options(model), settings_class(model).OwnOptions
    if name in groups(model):
        inner = next(key for key in known if key.startswith(f"{name}."))
        return f"It is a group of settings: write --{inner}=VALUE, and so on."
    published = [*known, *RENAMED, *SHORTHANDS, *own.aliases]
    elsewhere = {flag: other for other, theirs in registry.all_options().items() for flag in theirs.model_fields}
    for names, cutoff in ((known, SURELY_OURS), (elsewhere, SURELY_OURS), (published, 0.6)):
        cure = did_you_mean(name, names, cutoff)
        if cure.startswith("Did"):
            near = cure.replace("'", "'--", 1)
            word = near.split("'--")[1].rstrip("'?")
            return near if names is not elsewhere or word in known else f"{near} It is a flag of {elsewhere[word]}."
    return "See --help for all of them."
