"""Docstrings begin with what comes out, and public functions with arrays state their shapes.

``python tests/test_docstrings.py [FOLDER]`` prints every docstring that still has to be rewritten.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import talkingface

PACKAGE = Path(talkingface.__file__).parent
FOLDERS = sorted({path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")})

FIRST_WORDS = ("What", "Which", "How", "Whether", "Where", "As", "So", "That", "When")
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
ARRAYS = {"ndarray", "NDArray", "Tensor"}
_NAMED_SIZE = (
    r"[dfhkmnsw]|in|out|inputs|outputs|height|width|side|size|length|samples|frames|rank|rows|columns|count|channels"
    r"|features|coefficients|codes|code_length|components|compress|moments|points|parts|pieces|bins|numbers|classes"
)
_SIZE = rf"(?:\d+|[A-Z]\w*'?|\.\.\.|{_NAMED_SIZE})"
_TERM = rf"(?:(?:\d+ )?{_SIZE}|[\w ]+ [-+*/]+ [\w ]+|\((?:[\w ]+ [-+*/]+ [\w ]+)\)(?: [-+*/]+ \w+)?|len\(\w+\)"
_TERM += rf"|{_SIZE} or (?:{_SIZE}|more))"
SHAPE = re.compile(rf"\((?:|\.\.\.|{_TERM},|{_TERM}(?:, {_TERM})+)\)|\bscalars?\b")


@dataclass(frozen=True)
class Documented:
    """A public module, class, function or method, with the docstrings that describe it.

    Attributes:
        name: dotted name in the package, and the line.
        docstring: its own docstring.
        context: docstrings of its class and of the methods that it overrides.
        arrays: true if its annotations hold arrays or tensors.
    """

    name: str
    docstring: str
    context: str = ""
    arrays: bool = False


def parsed() -> dict[str, ast.Module]:
    """Syntax tree of every module, by its path in the package."""
    return {str(path.relative_to(PACKAGE)): ast.parse(path.read_text("utf-8")) for path in PACKAGE.rglob("*.py")}


def is_public(name: str) -> bool:
    return not name.startswith("_") or name == "__call__"


def names_in(annotation: ast.AST | None) -> Iterator[str]:
    """Names in an annotation; those inside ``Callable[...]`` describe another function."""
    if annotation is None:
        return
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        yield from re.findall(r"\w+", annotation.value)
    if isinstance(annotation, ast.Subscript) and "Callable" in set(names_in(annotation.value)):
        return
    if isinstance(annotation, ast.Name | ast.Attribute):
        yield annotation.id if isinstance(annotation, ast.Name) else annotation.attr
        return
    for child in ast.iter_child_nodes(annotation):
        yield from names_in(child)


def array_names(trees: dict[str, ast.Module]) -> set[str]:
    """``Tensor``, ``NDArray`` and all aliases of them in the package, such as ``Picture``."""
    aliases: dict[str, set[str]] = {}
    for tree in trees.values():
        for node in tree.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            value = getattr(node, "value", None)
            if isinstance(target, ast.Name) and isinstance(value, ast.Name | ast.Subscript | ast.BinOp):
                aliases.setdefault(target.id, set()).update(names_in(value))
    known = set(ARRAYS)
    while new := {name for name, parts in aliases.items() if parts & known and name[0].isupper()} - known:
        known |= new
    return known


def has_arrays(function: ast.FunctionDef, known: set[str]) -> bool:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    annotations = [argument.annotation for argument in arguments] + [function.returns]
    if any(argument.arg == "state" for argument in arguments):  # of a network: a shape for each of its parameters
        annotations = [item for item in annotations if item and "[str, Tensor]" not in ast.unparse(item)]
    return any(name in known for annotation in annotations for name in names_in(annotation))


@cache
def documented() -> tuple[tuple[str, Documented], ...]:
    """Everything public, with its folder."""
    return tuple(_documented())


def _documented() -> Iterator[tuple[str, Documented]]:
    trees = parsed()
    known = array_names(trees)
    classes: dict[str, list[ast.ClassDef]] = {}
    for tree in trees.values():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                classes.setdefault(node.name, []).append(node)
    for path, tree in sorted(trees.items()):
        folder, module = Path(path).parts[0].removesuffix(".py"), path.removesuffix(".py").replace("/", ".")
        yield folder, Documented(module, ast.get_docstring(tree) or "")
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and is_public(node.name):
                yield folder, _function(module, node, "", known)
            elif isinstance(node, ast.ClassDef) and is_public(node.name):
                yield folder, Documented(f"{module}:{node.lineno} {node.name}", ast.get_docstring(node) or "")
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and is_public(method.name):
                        context = "\n".join(_context(node, method.name, classes))
                        yield folder, _function(f"{module}:{method.lineno} {node.name}", method, context, known)


def _function(where: str, node: ast.FunctionDef, context: str, known: set[str]) -> Documented:
    name = f"{where}.{node.name}" if " " in where else f"{where}:{node.lineno} {node.name}"
    return Documented(name, ast.get_docstring(node) or "", context, has_arrays(node, known))


def _context(owner: ast.ClassDef, method: str, classes: dict[str, list[ast.ClassDef]]) -> Iterator[str]:
    """Docstrings of a class, of its ``__init__``, and of the overridden methods and their classes."""
    yield ast.get_docstring(owner) or ""
    for node in owner.body:
        if isinstance(node, ast.FunctionDef) and node.name in ("__init__", method):
            yield ast.get_docstring(node) or ""
    for base in owner.bases:
        for name in names_in(base):
            for parent in classes.get(name, []):
                if parent is not owner:
                    yield from _context(parent, method, classes)


def wrong_first_words() -> Iterator[tuple[str, str]]:
    """Folder and name of each docstring that begins with a question word or the like."""
    for folder, item in documented():
        words = re.findall(r"\w+", item.docstring)
        if words and words[0] in FIRST_WORDS:
            yield folder, f"{item.name}: {item.docstring.splitlines()[0]}"


def missing_shapes() -> Iterator[tuple[str, str]]:
    """Folder and name of each function with arrays whose docstrings have no shape such as (N, 3, H, W)."""
    for folder, item in documented():
        if item.arrays and not SHAPE.search(item.docstring) and not SHAPE.search(item.context):
            yield folder, item.name


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_begin_with_what_comes_out(folder: str) -> None:
    wrong = [name for place, name in wrong_first_words() if place == folder]
    assert wrong == []


@pytest.mark.parametrize("folder", ["benchmarks", "examples", "parity", "scripts", "tests"])
def test_docstrings_outside_the_package_begin_so_too(folder: str) -> None:
    wrong = []
    for path in (PACKAGE.parent / folder).rglob("*.py"):
        nodes = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, DOCUMENTED))
        words = ((ast.get_docstring(node) or "").split() for node in nodes)
        wrong += [f"{path.name}: {' '.join(some)}" for some in words if some and some[0] in FIRST_WORDS]
    assert wrong == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_arrays_have_shapes(folder: str) -> None:
    missing = [name for place, name in missing_shapes() if place == folder]
    assert missing == []


SHAPES = ["(N, 3, H, W)", "(T,)", "(68, 2)", "()", "(...)", "(N, ...)", "(height, width)", "(1, 3, 2 H, 2 W)"]


@pytest.mark.parametrize("text", [*SHAPES, "(n, H', 3)", "(1 or N, 70 or more)", "a scalar"])
def test_a_shape_is_recognised(text: str) -> None:
    assert SHAPE.search(f"Pictures {text}, RGB.")


@pytest.mark.parametrize("text", ["(x, y)", "(see there)", "(left, top, right, bottom)", "(x, y, 1)", "f(x)"])
def test_other_brackets_are_no_shapes(text: str) -> None:
    assert not SHAPE.search(f"Points {text}.")


def main(folder: str = "") -> None:
    """Print all docstrings to rewrite, and their numbers per folder."""
    for title, items in (("first words", list(wrong_first_words())), ("shapes", list(missing_shapes()))):
        for place, name in items:
            if folder in ("", place):
                print(f"{title}: {name}")
        print(f"# {title}: {dict(sorted(Counter(place for place, _ in items).items()))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
