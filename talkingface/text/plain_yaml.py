"""YAML of plain values: mappings, lists, text, numbers, true, false, null.

Aliases (a few lines of them unfold to more than any memory holds) and tags are refused, dates stay text; depth, size
and the length of numbers are limited.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError, TalkingFaceError, quoted
from .read import read_text

LARGEST = 512 * 2**10  # bytes; twenty times the catalogue of weights
DEEPEST = 20
LONGEST_NUMBER = 40  # characters
LARGEST_WHOLE = 2**63 - 1
_BREAK = "\n"
_PLAIN = ("bool", "float", "int", "null")


def load(path: Path, error: type[TalkingFaceError] = ConfigError) -> Any:
    """Content of a YAML file; None if it is empty.

    Raises:
        TalkingFaceError: ``error``, if the file cannot be read, is not YAML, holds anything but plain values or names a
            key twice, with the line.
    """
    text = read_text(path, error, largest=LARGEST)
    try:
        return _PlainLoader(text).get_single_data()
    except _NotPlainError as problem:
        raise error(problem.what, where=f"{path}, line {problem.line}", cure=problem.cure) from None
    except yaml.reader.ReaderError as problem:
        where = f"{path}, line {text.count(_BREAK, 0, problem.position) + 1}"
        raise error(f"is not YAML: {quoted(text[problem.position])} is no character of a text", where=where) from None
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = path if mark is None else f"{path}, line {mark.line + 1}"
        what = " ".join((problem.problem or problem.context or "damaged").split())
        raise error(f"is not YAML: {what}", where=place) from None


def dump(values: Any, *, flow: bool = False) -> str:
    """Text of plain values that `load` reads; ``flow``: in one line, for messages."""
    width = 10_000 if flow else 80
    return yaml.dump(
        values, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, default_flow_style=flow, width=width
    )


class _NotPlainError(yaml.YAMLError):
    """YAML, but not of plain values."""

    def __init__(self, place: Any, what: str, cure: str) -> None:
        """Args: place: event or node that is refused."""
        self.what, self.cure, self.line = what, cure, place.start_mark.line + 1


class _PlainDumper(yaml.SafeDumper):
    """Writes a value that stands twice twice, because aliases are not read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _PlainLoader(yaml.SafeLoader):
    """Refuses what plain values do not need before anything is made of it."""

    # Dates (2001-99-99 is none), merged keys and '=' stay text.
    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, form) for tag, form in forms if tag.rpartition(":")[2] in _PLAIN]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _NotPlainError(event, f"the alias '*{event.anchor}' is not read", "Write the value itself.")
        if event.tag is not None:
            tag = quoted(event.tag.replace("tag:yaml.org,2002:", "!!"), 40)
            raise _NotPlainError(event, f"the tag {tag} is not read", "Write a plain value.")
        self._depth += 1
        if self._depth > DEEPEST:
            raise _NotPlainError(event, f"nested more than {DEEPEST} levels deep", "Write fewer brackets.")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _NotPlainError(key, "a key is a list or a mapping", "Write a word before the colon.")
            if key.value in names:
                raise _NotPlainError(key, f"key {quoted(key.value)} stands twice", "Keep one of them.")
            names.add(key.value)
        return super().construct_mapping(node, deep)

    def whole(self, node: yaml.ScalarNode) -> int:
        """Value of a whole number."""
        value = int(self._number(node, super().construct_yaml_int))
        if abs(value) > LARGEST_WHOLE:
            raise _not_a_number(node)
        return value

    def number(self, node: yaml.ScalarNode) -> float:
        """Value of a number with a point."""
        return float(self._number(node, super().construct_yaml_float))

    def _number(self, node: yaml.ScalarNode, construct: Callable[[yaml.ScalarNode], Any]) -> Any:
        if len(node.value) > LONGEST_NUMBER:
            raise _not_a_number(node)
        try:
            return construct(node)
        except (ValueError, OverflowError):  # such as 0x_ and 0b_
            raise _not_a_number(node) from None


_PlainLoader.add_constructor("tag:yaml.org,2002:int", _PlainLoader.whole)
_PlainLoader.add_constructor("tag:yaml.org,2002:float", _PlainLoader.number)


def _not_a_number(node: yaml.ScalarNode) -> _NotPlainError:
    return _NotPlainError(
        node, f"{quoted(node.value, 20)} is no number that can be kept", "Put text into quotation marks."
    )
