"""Step ``download``: raw files of the listed videos, downloaded by a program of the user's choice."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....children import run
from ....errors import ConfigError, DataError
from ....media.probe import describe
from ....part_files import sync, temporary_folder
from ..items import Video
from ..step import Step, StepResult, TemporaryError

# Messages about videos that another attempt will not bring.
_PERMANENT = re.compile(
    r"unavailable|private|removed|terminated|does not exist|no longer available|copyright|\b404\b|\b410\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Download(Step[Video]):
    """Downloads missing files; existing ones are used as they are.

    Attributes:
        command: program and arguments with ``{id}``, ``{url}`` and ``{out}``; split like a shell command, but started
            without a shell.
        timeout_s: longest time of one download, in seconds.
        offline: download nothing.
    """

    command: str
    timeout_s: float
    offline: bool = False

    name = "download"
    owns_outputs = False

    def inputs(self, item: Video) -> list[Path]:
        return []

    def outcome_settings(self) -> dict[str, Any]:
        return {}  # the video is the same, whichever program downloaded it

    def check(self) -> None:
        """Check the command; raises ConfigError if it cannot work for any video."""
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise ConfigError(f"cannot be split into words ({error})", where="--prepare.downloader") from error
        if not words or not any("{out}" in word for word in words):
            cure = "Write it as: PROGRAM --output {out} {url}"
            raise ConfigError("the command has no {out}", where="--prepare.downloader", cure=cure)

    def perform(self, item: Video) -> StepResult:
        if not item.path.is_file():
            self._fetch(item)
        info = describe(item.path)
        if not info.has_video:
            raise DataError("holds no video", where=item.path, cure="Remove the file to have it fetched again.")
        return StepResult([item.path], {"size": [info.width, info.height]})

    def _fetch(self, video: Video) -> None:
        if self.offline:
            raise TemporaryError("is not there, and --offline forbids to fetch it", where=video.path)
        # In a folder of its own, because such programs leave temporary files beside their target.
        with temporary_folder(video.path.parent) as folder:
            target = folder / f"video{video.path.suffix}"
            self._run(video, target)
            if not target.is_file():
                raise TemporaryError("the downloader ended well but wrote no file", where=video.url)
            sync(target)
            target.replace(video.path)

    def _run(self, video: Video, out: Path) -> None:
        values = {"{id}": video.url.rpartition("=")[2] or video.name, "{url}": video.url, "{out}": str(out.absolute())}
        words = [_filled(word, values) for word in shlex.split(self.command)]
        if shutil.which(words[0]) is None:
            cure = "Install it (pip install yt-dlp), or name another with --prepare.downloader."
            raise TemporaryError(f"the video is not there, and neither is '{words[0]}'", where=video.path, cure=cure)
        try:
            done = run(words, timeout_s=self.timeout_s)
        except TimeoutError as error:
            raise TemporaryError(f"given up after {self.timeout_s:g} s", where=video.url) from error
        if done.returncode != 0:
            reason = _reason(done.stderr) or f"exit status {done.returncode}"
            kind = DataError if _PERMANENT.search(reason) else TemporaryError
            raise kind(f"cannot be fetched: {reason}", where=video.url)


def _filled(word: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(?:id|url|out)\}", lambda match: values[match[0]], word)


def _reason(messages: str) -> str:
    """Line of a program's messages with the cause: the last one that contains "error", else the last one."""
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.casefold()]
    return (errors or lines or [""])[-1][:300]
