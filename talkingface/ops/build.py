"""Builds the native libraries on first use, once for all processes, and remembers why it could not.

A library is made in a folder of its own and moved into place when it is whole, so what lies at its place can always be
loaded. One process builds, the others wait for it at a lock of the system's, which goes with the process that holds
it: a build that was killed leaves nothing but a folder, which the next one removes.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import DependencyError
from .toolchain import LIBRARY, Recipe, ninja, version_of

log = logging.getLogger(__name__)

LIMIT_S = 600.0
"""Longest time that a build may take, and that another process waits for it."""
_FAILURE = "failure.json"
_PARTIAL = "build-"
_SHOWN_LINES = 3


def build(recipe: Recipe, *, again: bool = False) -> Path:
    """The library of a recipe, made now unless it is there already.

    Args:
        again: try also what failed with the same compiler before.

    Raises:
        DependencyError: if a program is missing or the build fails; it says why.
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


def folder_of(recipe: Recipe) -> Path:
    """Where the library of a recipe is kept: ``$XDG_CACHE_HOME/talkingface/ops/<kind>-<key>``."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "talkingface" / "ops" / f"{recipe.kind}-{recipe.key}"


def known_failure(recipe: Recipe) -> str | None:
    """Why the last build of a recipe failed, in short and whatever the compiler; None if it did not."""
    reason = _read(folder_of(recipe)).get("reason")
    return None if reason is None else _telling(reason)


def _build(recipe: Recipe, folder: Path, compiler: Path, program: Path, version: str) -> None:
    for left in folder.glob(f"{_PARTIAL}*"):  # we hold the lock: its process has gone
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
    """Let ninja build in a folder; what it said if it failed."""
    try:
        done = subprocess.run(  # noqa: S603
            [program, "-C", folder], capture_output=True, text=True, errors="replace", check=False, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired:
        return f"not done after {LIMIT_S:.0f} s"
    return None if done.returncode == 0 else (done.stdout + done.stderr).strip() or f"exit status {done.returncode}"


def _raise_known_failure(folder: Path, version: str) -> None:
    known = _read(folder)
    if known.get("compiler") != version:
        return
    raise DependencyError(
        f"building the native operations failed: {_telling(known['reason'])}",
        cure=f"All that the compiler said is in {folder / _FAILURE}; delete it to try again.",
    )


def _telling(reason: str) -> str:
    """The lines of a compiler's words that say what is wrong."""
    lines = reason.splitlines()
    return "; ".join(([line for line in lines if "error" in line.casefold()] or lines)[:_SHOWN_LINES])


def _read(folder: Path) -> dict[str, str]:
    try:
        stored = json.loads((folder / _FAILURE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or damaged: then it is tried again
        return {}
    return {str(key): str(value) for key, value in stored.items()} if isinstance(stored, dict) else {}
