"""Build the native libraries on first use, once for all processes, and record failures.

A library is built in a temporary folder and moved into place when it is complete, so an existing library can always
be loaded. One process builds, the others wait for it at a file lock, which ends with its process: a killed build leaves
only a folder, which the next one removes.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

from ..children import run
from ..errors import DependencyError
from .toolchain import LIBRARY, BuildRecipe, ninja, version_of

log = logging.getLogger(__name__)

LIMIT_S = 600.0
"""Time limit of a build, and of other processes waiting for it, in seconds."""
_FAILURE = "failure.json"
_PARTIAL = "build-"
_SHOWN_LINES = 3


def build(recipe: BuildRecipe, *, again: bool = False) -> Path:
    """Return the library of a recipe; build it if it does not exist.

    Args:
        recipe: the recipe.
        again: try again even if the same compiler failed before.

    Raises:
        DependencyError: if a program is missing or the build fails, with the reason.
    """
    folder = folder_of(recipe)
    library = folder / LIBRARY
    if library.is_file():
        return library
    compiler, program = recipe.compiler(), ninja()
    version = version_of(compiler)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=LIMIT_S):
            if not library.is_file():
                if not again:
                    _raise_known_failure(folder, version)
                _build(recipe, folder, compiler, program, version)
    except Timeout as error:
        raise DependencyError("another process has been building the native operations for too long") from error
    except OSError as error:
        raise DependencyError(f"native operations cannot be built: {error}", where=folder) from error
    return library


def folder_of(recipe: BuildRecipe) -> Path:
    """Folder of a recipe's library: ``$XDG_CACHE_HOME/talkingface/ops/<kind>-<key>``."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "talkingface" / "ops" / f"{recipe.kind}-{recipe.key}"


def known_failure(recipe: BuildRecipe) -> str | None:
    """Short reason why the last build of a recipe failed, with any compiler; None if it did not fail."""
    reason = _read(folder_of(recipe)).get("reason")
    return None if reason is None else _summary(reason)


def _build(recipe: BuildRecipe, folder: Path, compiler: Path, program: Path, version: str) -> None:
    for left in folder.glob(f"{_PARTIAL}*"):  # the lock is held, so its process has ended
        shutil.rmtree(left, ignore_errors=True)
    started = time.monotonic()
    log.info("building the native operations for %s (once)", recipe.kind)
    partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=folder))
    try:
        (partial / "build.ninja").write_text(recipe.ninja_file(compiler), encoding="utf-8")
        reason = _run(program, partial)
        if reason is not None:
            (partial / _FAILURE).write_text(json.dumps({"compiler": version, "reason": reason}), encoding="utf-8")
            (partial / _FAILURE).replace(folder / _FAILURE)
            log.warning("the native operations for %s could not be built; plain PyTorch is slower", recipe.kind)
            _raise_known_failure(folder, version)
        (partial / LIBRARY).replace(folder / LIBRARY)
        (folder / _FAILURE).unlink(missing_ok=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    log.info("built the native operations in %.1f s", time.monotonic() - started)


def _run(program: Path, folder: Path) -> str | None:
    """Run ninja in a folder; returns its output if it failed, else None."""
    try:
        done = run([program, "-C", folder], timeout_s=LIMIT_S)
    except TimeoutError as error:
        return str(error)
    return None if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"exit status {done.returncode}"


def _raise_known_failure(folder: Path, version: str) -> None:
    known = _read(folder)
    if known.get("compiler") != version:
        return
    raise DependencyError(
        f"building the native operations failed: {_summary(known['reason'])}",
        cure=f"The complete output of the compiler is in {folder / _FAILURE}; delete it to try again.",
    )


def _summary(reason: str) -> str:
    """First lines of a compiler's output that contain an error."""
    lines = reason.splitlines()
    return "; ".join(([line for line in lines if "error" in line.casefold()] or lines)[:_SHOWN_LINES])


def _read(folder: Path) -> dict[str, str]:
    try:
        stored = json.loads((folder / _FAILURE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or damaged: then it is tried again
        return {}
    return {str(key): str(value) for key, value in stored.items()} if isinstance(stored, dict) else {}
