"""Text that comes as data is read by `talkingface.text` alone, which says file and line and knows limits."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from talkingface.paths import CLONE, PACKAGE

FILES = [path for folder in (PACKAGE, CLONE / "scripts") for path in sorted(folder.rglob("*.py"))]
READERS = {"read_text", "loadtxt", "genfromtxt", "safe_load", "DictReader", "reader"}
ALLOWED = {
    "part_files.py": "what the system says about its processes",
    "train/state_facts.py": "JSON of our own, of a limited size, whose errors name the state",
    "text/read.py": "the reader of all text",
    "text/lists.py": "the reader of lists and tables",
    "ops/toolchain.py": "sources of the package, and what the system says about its processor",
    "ops/build.py": "a note that the package leaves for itself; a damaged one counts as none",
    "scripts/sample_media/clips.py": "writes a table",
    "scripts/draw_architecture.py": "sources of the package",
    "face/detect/from_file.py": "JSON of points, with its own limits",
    "train/state.py": "JSON of a state",
    "data/preload.py": "JSON that lies beside frames",
}
"""Files with another reader -> reason."""


def others(text: str) -> set[str]:
    """Calls of a program that read text past `talkingface.text`."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = {alias.name for alias in node.names} | {getattr(node, "module", "")}
            found |= modules & {"yaml", "csv"}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS:
            found.add(ast.unparse(node.func))
        elif isinstance(node, ast.Call) and any(word.arg == "encoding" for word in node.keywords):
            name, mode = ast.unparse(node.func), [part.value for part in node.args if isinstance(part, ast.Constant)]
            if name.split(".")[-1] == "open" and not {"w", "a", "x"} & set(mode):
                found.add(name)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_other_reader(path: Path) -> None:
    name = path.relative_to(PACKAGE if path.is_relative_to(PACKAGE) else CLONE).as_posix()
    if name not in ALLOWED and name != "text/plain_yaml.py":
        assert others(path.read_text(encoding="utf-8")) == set(), "use talkingface.text, or say here why not"


READ = ["np.loadtxt(path)", "path.read_text()", "open(path, encoding='utf-8')", "path.open('r', encoding='ascii')"]
LEFT = ["path.open('w', encoding='utf-8')", "read_text(path, DataError)", "path.read_bytes()"]


def test_other_readers_are_found() -> None:
    assert all(others(text) for text in ["import csv", "import yaml", *READ])
    assert not any(others(text) for text in LEFT)
