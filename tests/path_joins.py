"""Joins of a path with a name, found in the text of a program."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

CALLS = {
    "absolute",
    "resolve",
    "expanduser",
    "with_name",
    "with_stem",
    "with_suffix",
    "joinpath",
    "home",
    "cwd",
    "Path",
}
LISTS = {"iterdir", "glob", "rglob"}
MADE_HERE = re.compile(r"secrets\.token_hex\(\d\)|os\.getpid\(\)|.*\.hexdigest\(\)(\[.*\])?")


class Joins(ast.NodeVisitor):
    """Finds the joins of a path with a name that is not written in the program.

    A path is what is annotated or made as one; where that cannot be seen, a division by a text is a join too.
    """

    def __init__(self, known: Known) -> None:
        self.known = known
        self.scopes: list[set[str]] = [set()]
        self.found: list[ast.expr] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        paths = {argument.arg for argument in arguments if is_path(argument.annotation)}
        others = {argument.arg for argument in arguments} - paths
        self.scopes.append((self.scopes[-1] - others) | paths)
        for _ in range(2):  # a name may be used above the line that makes it, in a loop
            for child in ast.walk(node):
                self.learn(child)
        self.generic_visit(node)
        self.scopes.pop()

    def learn(self, node: ast.AST) -> None:
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.Assign):
            for target in node.targets:
                both = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                pairs += zip(target.elts, node.value.elts, strict=False) if both else [(target, node.value)]
        elif isinstance(node, ast.NamedExpr):
            pairs.append((node.target, node.value))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and is_path(node.annotation):
            self.scopes[-1].add(node.target.id)
        elif isinstance(node, ast.For | ast.comprehension) and self.lists_paths(node.iter):
            self.scopes[-1].update(name.id for name in ast.walk(node.target) if isinstance(name, ast.Name))
        for target, value in pairs:
            if isinstance(target, ast.Name) and self.is_path(value):
                self.scopes[-1].add(target.id)

    def lists_paths(self, node: ast.expr) -> bool:
        called = [last(call) for call in ast.walk(node) if isinstance(call, ast.Call)]
        return bool(LISTS & set(called)) or last(node) in self.known.lists

    def is_path(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return node.id in self.scopes[-1] or node.id in self.known.constants
        if isinstance(node, ast.Attribute):
            return node.attr == "parent" or node.attr in self.known.attributes
        if isinstance(node, ast.Call):
            return last(node) in CALLS | self.known.functions
        if isinstance(node, ast.BinOp):
            return isinstance(node.op, ast.Div) and (self.is_path(node.left) or is_text(node.right))
        if isinstance(node, ast.IfExp):
            return self.is_path(node.body) or self.is_path(node.orelse)
        return isinstance(node, ast.BoolOp) and any(map(self.is_path, node.values))

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if (
            isinstance(node.op, ast.Div)
            and not is_fixed(node.right)
            and (self.is_path(node.left) or is_text(node.right))
        ):
            self.found.append(node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name, parts = last(node), list(node.args)
        is_join = name in ("joinpath", "shipped") or (name == "join" and ast.unparse(node.func) == "os.path.join")
        # These take one name without a slash, so that they go up only where that is "..", which no longer text is.
        is_join |= name in ("with_name", "with_stem") and not isinstance(parts[0], ast.JoinedStr)
        if name == "Path" and len(parts) > 1:
            is_join, parts = True, parts[1:]
        if is_join and not all(map(is_fixed, parts)):
            self.found.append(node)
        self.generic_visit(node)


class Known:
    """Names of paths in the whole package: attributes, functions that return one, constants, and lists of them."""

    def __init__(self, trees: list[ast.Module]) -> None:
        self.attributes: set[str] = set()
        self.functions: set[str] = {"inside"}
        self.constants: set[str] = set()
        self.lists: set[str] = set()
        for tree in trees:
            for node in ast.walk(tree):
                self._learn(node)
            finder = Joins(self)
            for line in tree.body:
                if isinstance(line, ast.Assign) and finder.is_path(line.value):
                    self.constants.update(ast.unparse(target) for target in line.targets)

    def _learn(self, node: ast.AST) -> None:
        if isinstance(node, ast.ClassDef):
            fields = [line for line in node.body if isinstance(line, ast.AnnAssign) and is_path(line.annotation)]
            self.attributes.update(ast.unparse(line.target) for line in fields)
            self._learn_self(node)
        if isinstance(node, ast.FunctionDef):
            text = ast.unparse(node.returns) if node.returns else ""
            if is_path(node.returns):
                self.functions.add(node.name)
            elif "Path]" in text and text.startswith(("list", "Sequence", "Iterator")):
                self.lists.add(node.name)
            if any(ast.unparse(mark) in ("property", "cached_property") for mark in node.decorator_list):
                self.attributes.update({node.name} if is_path(node.returns) else ())

    def _learn_self(self, node: ast.ClassDef) -> None:
        finder = Joins(self)
        for function in node.body:
            if isinstance(function, ast.FunctionDef) and function.name == "__init__":
                finder.scopes[-1] = {a.arg for a in function.args.args if is_path(a.annotation)}
                for line in ast.walk(function):
                    targets = line.targets if isinstance(line, ast.Assign) else []
                    for target in targets:
                        if isinstance(target, ast.Attribute) and finder.is_path(line.value):
                            self.attributes.add(target.attr)


def is_path(annotation: ast.expr | None) -> bool:
    return annotation is not None and re.fullmatch(r"(Pure)?Path( \| (None|str))*", ast.unparse(annotation)) is not None


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def is_fixed(node: ast.expr) -> bool:
    """True for a name that the program itself says: a word, a constant, a number, a random or a hashed word."""
    if isinstance(node, ast.Constant):
        return ".." not in Path(str(node.value)).parts
    if isinstance(node, ast.JoinedStr):
        return all(map(is_fixed, node.values))
    if isinstance(node, ast.FormattedValue):
        is_number = node.format_spec is not None and ast.unparse(node.format_spec).endswith("d'")
        return is_number or is_fixed(node.value)
    node = node.value if isinstance(node, ast.Starred) else node
    return last(node).lstrip("_").isupper() or MADE_HERE.fullmatch(ast.unparse(node)) is not None


def last(node: ast.AST) -> str:
    """Last name of an expression: `b` of `a.b` and of `a.b(c)`."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def joins(text: str, known: Known) -> Iterator[str]:
    finder = Joins(known)
    finder.visit(ast.parse(text))
    yield from dict.fromkeys(ast.unparse(node) for node in finder.found)
