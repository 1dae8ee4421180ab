"""The long form of `test_fuzz.py`: every reader in a process of its own, with 20,000 damaged files or as many as asked.

Where atheris is installed, it chooses the damage by what the code has not yet seen, for all readers that start no other
program. Run it from the folder ``tests`` with ``python -m fuzz``, or with ``make fuzz``.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .registry import Reader

MEMORY_BYTES = 12 << 30  # of the address space, which torch alone takes much of
PROGRAM_SHARE = 10


def main() -> int:
    """Attack the readers one after another and print a table; exit status 1 if any has a fault."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="damaged files for each reader")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--only", default="", help="readers whose name holds this")
    parser.add_argument("--keep", type=Path, default=Path("../results/fuzz"), help="folder for files with a fault")
    parser.add_argument("--own", action="store_true", help="our own damage, also where atheris is installed")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    if options.one:
        return _one(options)
    names = [name for name in _readers() if options.only in name]
    print("| reader | damaged files | read | told in one line | slowest (s) | faults |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    return max([_child(name, options) for name in names], default=2)


def _readers() -> dict[str, Reader]:
    from . import data_files, media_files, registry, weight_files

    assert data_files and media_files and weight_files
    return registry.READERS


def _child(name: str, options: argparse.Namespace) -> int:
    words = [f"--count={options.count}", f"--first={options.first}", f"--keep={options.keep}"]
    words += ["--own"] if options.own or _readers()[name].starts_program else []
    done = subprocess.run([sys.executable, "-m", "fuzz", *words, f"--one={name}"], check=False)
    if done.returncode < 0:
        print(f"| {name} | ended by signal {-done.returncode}: see the file that is kept | | | | 1 |", flush=True)
    return 1 if done.returncode else 0


def _one(options: argparse.Namespace) -> int:
    if not options.own and importlib.util.find_spec("atheris") is not None:
        return _guided(options)
    _limit_memory()
    kept = options.keep / f"{options.one.replace(' ', '_').replace(',', '')}.last"
    from .run import attack

    reader = _readers()[options.one]
    count = options.count // PROGRAM_SHARE if reader.starts_program else options.count
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        seeds = range(options.first, options.first + count)
        outcome = attack(reader, Path(folder), seeds, keep=kept)
    kept.unlink(missing_ok=True)
    faults = outcome.faults | dict.fromkeys(outcome.slow, "too long")
    figures = f"{outcome.read} | {outcome.refused} | {outcome.slowest_s:.2f} | {len(faults)}"
    print(f"| {options.one} | {outcome.count} | {figures} |", flush=True)
    for seed, fault in list(faults.items())[:9]:
        print(f"{options.one}: seed {seed}: {fault}", file=sys.stderr)
    print(f"{options.one}: {time.monotonic() - start:.0f} s", file=sys.stderr)
    return 1 if faults else 0


def _guided(options: argparse.Namespace) -> int:
    """Hand the reader to atheris, which ends the process; a fault leaves its file in the folder that keeps them."""
    import atheris

    with atheris.instrument_imports(include=["talkingface"]):
        reader = _readers()[options.one]
    from talkingface.errors import TalkingFaceError

    folder = Path(tempfile.mkdtemp())
    path = reader.seed(folder)
    corpus = Path(tempfile.mkdtemp())
    (corpus / "good").write_bytes(path.read_bytes())

    def read(data: bytes) -> None:
        path.write_bytes(data)
        with contextlib.suppress(TalkingFaceError):
            reader.read(path)

    limits = [f"-runs={options.count}", "-timeout=20", "-rss_limit_mb=4096", f"-artifact_prefix={options.keep}/"]
    print(f"| {options.one} | {options.count} by atheris | | | | 0 unless it says otherwise |", flush=True)
    atheris.Setup([sys.argv[0], *limits, str(corpus)], read)
    atheris.Fuzz()
    return 0


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    raise SystemExit(main())
