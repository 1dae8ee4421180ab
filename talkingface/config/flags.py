"""Command line -> settings: ``--k=v``, ``--k v``, bare ``--switch``, ``--no-switch``, dotted keys and lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from .. import registry
from ..errors import ConfigError, TalkingFaceError, did_you_mean, together
from .options import Option, find_anywhere, groups, options, settings_class
from .published import ABSENT, CHOICES, JOINED, LETTERS, NEEDLESS, RENAMED, SHORTHANDS, TAKES_VALUE, WORDS
from .translate import Given, choice, join, joined

BARE: dict[str, str] = {"audio": "driving"}
"""Settings that may stand without a value, and the value that this means; a model's own flags have their own."""

STRAY = (
    "Write --image_source=PICTURE --video_source=VIDEO or --audio_path=SOUND, a name with spaces in quotes; see --help."
)
SURELY_OURS = 0.8  # similarity to one of our flags from which a flag is not taken for one of the published programs
TRUE = ("true", "yes", "on", "1")
TRUTH = {"true", "false", "yes", "no", "on", "off", "1", "0"}


@dataclass
class Flags:
    """A command line, read.

    Attributes:
        given: the settings that the flags give, in their order.
        problems: errors of the other flags.
        notes: sentences for the user about flags of the published programs.
    """

    given: list[Given] = field(default_factory=list)
    problems: list[TalkingFaceError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def parse_flags(argv: Sequence[str], model: str | None = None) -> list[Given]:
    """The settings that the flags give, in their order.

    Args:
        model: whose own flags are known beside the shared ones.

    Raises:
        ConfigError: for unknown flags, missing values and words that belong to no flag, all of them at once.
    """
    flags = read_flags(argv, model)
    if flags.problems:
        raise together(flags.problems)
    return flags.given


def read_flags(argv: Sequence[str], model: str | None = None) -> Flags:
    """The settings that the flags give, with the errors of the others; arguments as for :func:`parse_flags`."""
    flags = Flags()
    words = list(argv)
    while words:
        word = words.pop(0)
        try:
            flags.given += _read_word(LETTERS.get(word, word), words, model, flags.notes)
        except ConfigError as error:
            flags.problems.append(error)
            _take(words, several=True)
    flags.given = join(flags.given, flags.problems, flags.notes)
    return flags


def named_model(argv: Sequence[str]) -> str | None:
    """The word after ``--model``, whatever else the flags say."""
    named = [text for word, text in pairwise([*argv, ""]) if word == "--model"]
    named += [word.partition("=")[2] for word in argv if word.startswith("--model=")]
    return named[-1] if named else None


def _read_word(word: str, words: list[str], model: str | None, notes: list[str]) -> list[Given]:
    """Read a flag, with its values from the front of ``words`` where they do not follow an equals sign."""
    if not word.startswith("--") or word == "--":
        cure = f"Write --config={word}." if word.endswith((".yaml", ".yml")) else STRAY
        raise ConfigError(f"'{word}' belongs to no flag", cure=cure)
    name, equals, value = word[2:].partition("=")
    text = value if equals else None
    flag, plain = f"--{name}", name.replace("-", "_")
    if find_anywhere(plain, model) is None:
        old = _read_published(plain, flag, text, words, notes)
        if old is not None:
            return old
    option = _meant(plain, model)
    if option is None and plain.startswith("no_"):
        negated = _meant(plain[3:], model)
        if negated and negated.is_switch and text is None:
            return [Given(negated.key, "false", flag)]
    if option is None:
        raise ConfigError("unknown flag", where=flag, cure=_near_flag(RENAMED.get(plain, plain), model))
    return [Given(option.key, _values(option, flag, text, words, model), flag)]


def _read_published(plain: str, flag: str, text: str | None, words: list[str], notes: list[str]) -> list[Given] | None:
    """Read a flag of the published programs that is more than another name of a setting; None for all others."""
    if plain in ABSENT:
        raise ConfigError("this version has no such function", where=flag, cure=ABSENT[plain])
    if plain in SHORTHANDS and _truth(flag, text, words):
        return [Given(*SHORTHANDS[plain], flag)]
    needless = plain.removeprefix("no_")
    if needless in NEEDLESS:
        if text is None:
            _take(words, several=False) if needless in TAKES_VALUE else _truth_word(words)
        notes.append(f"{flag} is not needed: {NEEDLESS[needless]}")
        return []
    if plain == "mobile_net" and _truth(flag, text, words):
        return [joined(plain, "true", flag)]
    if plain not in JOINED and plain not in CHOICES:
        return None
    texts = [text] if text is not None else _take(words, several=False)
    if not texts:
        raise ConfigError("needs a value", where=flag, cure=f"Write {flag}=VALUE.")
    if plain in JOINED:
        return [joined(plain, texts[0], flag)]
    item = choice(plain, texts[0])
    return [] if item is None else [item]


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
    word = text if text is not None else _truth_word(words)
    if word.casefold() not in TRUE:
        raise ConfigError(f"'{word}' is not possible here", where=flag, cure=f"Leave {flag} out instead.")
    return True


def _truth_word(words: list[str]) -> str:
    """Remove and return the word after a switch, where it is one of truth; else "true"."""
    return words.pop(0) if words and words[0].casefold() in TRUTH else "true"


def _values(option: Option, flag: str, text: str | None, words: list[str], model: str | None) -> Any:
    if option.is_switch and text is None:
        return _truth_word(words)
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
    while words and not words[0].startswith("--") and words[0] not in LETTERS and (several or not taken):
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
    published = [*known, *RENAMED, *SHORTHANDS, *NEEDLESS, *CHOICES, *JOINED, *own.aliases]
    elsewhere = {flag: other for other, theirs in registry.all_options().items() for flag in theirs.model_fields}
    for names, cutoff in ((known, SURELY_OURS), (elsewhere, SURELY_OURS), (published, 0.6)):
        cure = did_you_mean(name, names, cutoff)
        if cure.startswith("Did"):
            near = cure.replace("'", "'--", 1)
            word = near.split("'--")[1].rstrip("'?")
            return near if names is not elsewhere or word in known else f"{near} It is a flag of {elsewhere[word]}."
    return "See --help for all of them."
