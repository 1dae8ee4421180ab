"""Every reader of the package against files damaged at random: each is read, or told in one line, and quickly."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType

import pytest

import talkingface

from . import data_files, media_files, weight_files
from .registry import READERS, Reader
from .run import attack

__all__ = ["data_files", "media_files", "weight_files"]  # they enter their readers
COUNT = int(os.environ.get("TALKINGFACE_FUZZ", "200"))
PROGRAM_SHARE = 10  # readings that start another program take a tenth of a second each
PACKAGE = Path(talkingface.__file__).parent
# Calls that take bytes from a file.
OPENS = (
    ".read_bytes", ".read_text", "json.loads", "json.load", "np.load", "np.loadtxt", "open_memmap", "mmap.mmap",
    "np.memmap", "Image.open", "csv.DictReader", "csv.reader", "lmdb.open", "h5py.File", "safe_open", "load_file",
    "ZipFile", "yaml.load", "yaml.safe_load", "yaml.compose",
)  # fmt: skip
# What else opens files, and why no file of a stranger gets there.
OTHERS = {
    "ops/": "the package's own sources, and what its compiler said",
    "pipelines/plan/known_weights.py": "notes of weight files, which the readers of weights give; "
    "tests/pipelines/test_checks.py",
    "weights/files/read.py:read_keras_vgg16": "only the file of the catalogue: `published_bytes`",
    "weights/download/": "tests/weights/test_fetch_hostile.py",
    "testing.py": "what the test itself has written",
    "weights/exact.py": "refuses every file but that of the catalogue; tests/nn/test_vgg16.py",
    "weights/files/hama.py": "tests/weights/test_graph_files.py",
    "weights/files/tfjs.py": "tests/weights/test_graph_files.py",
    "evaluation/metrics/lips.py:_names": "a file that is fetched by its sha256",
    "evaluation/results/unfinished.py": "notes of an evaluation for itself; what is damaged is measured anew",
    "jobs/sweep.py:_scores": "what its own training has just written",
    "media/animation.py:keep_duration": "what its own encoder has just written",
    "media/image.py:is_transparent": "pictures that `read_image` has read",
    "media/keep/": "notes of a render for itself; damaged ones count as none; tests/pipelines/test_kept_runs.py",
    "part_files.py:_text": "what the system says about its processes",
    "data/lmdb/write.py": "writes; its check of the file before is that of the reader",
    "data/prepare/steps/arrays.py:write_arrays": "writes",
    "train/state_facts.py:write_facts": "writes",
    "pipelines/read/coefficient_cache.py:_sources": "the package's own sources",
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_damaged_files_are_read_or_told(tmp_path: Path, reader: Reader) -> None:
    count = COUNT // PROGRAM_SHARE if reader.starts_program else COUNT
    outcome = attack(reader, tmp_path, range(count))
    assert (outcome.faults, outcome.slow, outcome.count) == ({}, [], count)


def _opening_functions() -> Iterator[tuple[str, str, int]]:
    """Module, name and first line of each function of the package that takes bytes from a file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            calls = [ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)]
            if any(call.endswith(OPENS) for call in calls):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                yield path.relative_to(PACKAGE).as_posix(), node.name, first


def _visited(folder: Path) -> set[tuple[str, str]]:
    """Module and name of all functions of the package that run while each reader reads its own file."""
    seen: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            seen.add(frame.f_code)

    for number, reader in enumerate(READERS.values()):
        (folder / str(number)).mkdir()
        path = reader.seed(folder / str(number))
        sys.setprofile(note)
        try:
            reader.read(path)
        finally:
            sys.setprofile(None)
    files = {code: Path(code.co_filename) for code in seen}
    return {
        (file.relative_to(PACKAGE).as_posix(), code.co_name) for code, file in files.items() if PACKAGE in file.parents
    }


def test_every_function_that_opens_a_file_belongs_to_a_reader(tmp_path: Path) -> None:
    visited = _visited(tmp_path)
    left = [
        f"{module}:{name} (line {line})"
        for module, name, line in _opening_functions()
        if (module, name) not in visited and not any(f"{module}:{name}".startswith(other) for other in OTHERS)
    ]
    assert left == [], "enter a reader in tests/fuzz, or say in OTHERS why none is needed"
