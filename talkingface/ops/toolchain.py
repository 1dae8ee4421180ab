"""Compilers, flags and ninja files of the native operations, for the CPU and for the GPU."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from ..children import run
from ..errors import DependencyError

SOURCES = Path(__file__).parent / "csrc"
LIBRARY = "libtalkingface_ops.so"
_SUFFIX = {"cpu": ".cpp", "cuda": ".cu"}


@dataclass(frozen=True)
class BuildRecipe:
    """Build parameters of the library for one kind of device.

    Attributes:
        kind: ``cpu`` or ``cuda``.
        target: description of the target architecture.
        compile_flags, link_flags: flags of the compiler.
    """

    kind: str
    target: str
    compile_flags: tuple[str, ...]
    link_flags: tuple[str, ...]

    @property
    def key(self) -> str:
        """Hash of the sources, torch, CUDA, the architecture and the flags."""
        texts = [path.read_text(encoding="utf-8") for path in sorted(SOURCES.iterdir()) if path.is_file()]
        parts = [texts, torch.__version__, torch.version.cuda, self.target, self.compile_flags, self.link_flags]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def ninja_file(self, compiler: Path) -> str:
        """Content of the ninja file: compile each source, then link the library."""
        sources = sorted(path for path in SOURCES.iterdir() if path.suffix == _SUFFIX[self.kind])
        objects = [f"{path.stem}.o" for path in sources]
        lines = [
            "rule compile",
            f"  command = {_command(compiler, *self.compile_flags)} -c $source -o $out",
            "rule link",
            f"  command = {_command(compiler)} -shared $in -o $out {_command(*self.link_flags)}",
        ]
        for source, target in zip(sources, objects, strict=True):
            lines += [f"build {target}: compile", f"  source = {_command(source)}"]
        return "\n".join([*lines, f"build {LIBRARY}: link {' '.join(objects)}", ""])

    def compiler(self) -> Path:
        """Path of the compiler.

        Raises:
            DependencyError: if there is none.
        """
        return _nvcc() if self.kind == "cuda" else _cxx()


def recipe(kind: str) -> BuildRecipe:
    """Build recipe of the library for ``cpu`` or ``cuda`` on this machine.

    Raises:
        DependencyError: if it cannot be built on this system.
    """
    if sys.platform not in ("linux", "darwin"):
        raise DependencyError(f"native operations are not built on {sys.platform}")
    if kind == "cuda":
        arch = "sm_{}{}".format(*torch.cuda.get_device_capability())
        return BuildRecipe(kind, arch, ("-O3", "-std=c++17", f"-arch={arch}", "-Xcompiler", "-fPIC"), ())
    home = Path(torch.__file__).parent
    mac = sys.platform == "darwin"
    tuned = "-mcpu=native" if mac and platform.machine() == "arm64" else "-march=native"
    # Threads use torch's own OpenMP library, which is loaded already: it is not linked, so that no second one loads.
    parallel = () if mac else ("-fopenmp",)
    flags = ("-O3", "-std=c++20", "-fPIC", tuned, *parallel, "-isystem", str(home / "include"))
    return BuildRecipe(kind, _processor(), flags, (f"-L{home / 'lib'}", "-ltorch_cpu", "-lc10"))


def ninja() -> Path:
    """Path of the ninja program, preferably that of the Python package.

    Raises:
        DependencyError: if there is none.
    """
    try:
        from ninja import BIN_DIR
    except ImportError:
        program = shutil.which("ninja")
    else:
        program = shutil.which("ninja", path=BIN_DIR) or shutil.which("ninja")
    if program is None:
        raise DependencyError("ninja is not installed", cure="Install it with: pip install ninja")
    return Path(program)


def version_of(program: Path) -> str:
    """Path and version text of a compiler; empty if it does not start."""
    try:
        done = run([program, "--version"], timeout_s=60)
    except OSError:
        return ""
    return f"{program} {done.stdout.strip()}"


def _cxx() -> Path:
    preferred = os.environ.get("CXX")
    for name in [preferred] if preferred else ["c++", "g++", "clang++"]:
        program = shutil.which(name)
        if program:
            return Path(program)
    what = f"CXX={preferred} cannot be found" if preferred else "there is no C++ compiler"
    raise DependencyError(what, cure="Install g++ (Debian: apt install g++).")


def _nvcc() -> Path:
    homes = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    for place in (*(str(Path(home) / "bin") for home in homes), None, "/usr/local/cuda/bin"):
        program = shutil.which("nvcc", path=place)
        if program:
            return Path(program)
    raise DependencyError("there is no nvcc", cure="Install the CUDA toolkit and let CUDA_HOME name its folder.")


def _processor() -> str:
    """Machine type and CPU instructions, because a library tuned to one CPU may not run on another."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return f"{platform.machine()} {platform.processor()}"
    instructions = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()} {' '.join(sorted(instructions.split()))}"


def _command(*words: object) -> str:
    """Quote the words of a command line, for the shell that ninja starts and for ninja itself."""
    return shlex.join(str(word) for word in words).replace("$", "$$")
