"""Step ``download``: the raw file of each video of a list, by a program of the user's choice."""

from __future__ import annotations

import re
import secrets
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import ConfigError, DataError
from ....media.probe import describe
from ..files import PART, remove, sync
from ..items import Video
from ..step import Made, PassingError, Step

# What sites say of videos that no second attempt will bring.
_DEAD = re.compile(
    r"unavailable|private|removed|terminated|does not exist|no longer available|copyright|\b404\b|\b410\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Download(Step[Video]):
    """Fetches what is not there yet. Files that are there are taken as they are.

    Attributes:
        command: program and arguments with ``{id}``, ``{url}`` and ``{out}``; split as a shell would, started without.
        timeout_s: a download that takes longer is given up.
        offline: fetch nothing.
    """

    command: str
    timeout_s: float
    offline: bool = False

    name = "download"
    owns_outputs = False

    def inputs(self, item: Video) -> list[Path]:
        return []

    def shaping(self) -> dict[str, Any]:
        return {}  # whoever fetched a file, it is the same video

    def check(self) -> None:
        """Raise ConfigError if the command cannot work for any video."""
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise ConfigError(f"cannot be split into words ({error})", where="--prepare.downloader") from error
        if not words or not any("{out}" in word for word in words):
            cure = "Write it as: PROGRAM --output {out} {url}"
            raise ConfigError("the command has no {out}", where="--prepare.downloader", cure=cure)

    def perform(self, item: Video) -> Made:
        if not item.path.is_file():
            self._fetch(item)
        info = describe(item.path)
        if not info.has_video:
            raise DataError("holds no video", where=item.path, cure="Remove the file to have it fetched again.")
        return Made([item.path], {"size": [info.width, info.height]})

    def _fetch(self, video: Video) -> None:
        if self.offline:
            raise PassingError("is not there, and --offline forbids to fetch it", where=video.path)
        # A folder, because such programs leave pieces beside their target.
        folder = video.path.parent / f"{PART}{secrets.token_hex(6)}"
        folder.mkdir(parents=True)
        try:
            whole = folder / f"video{video.path.suffix}"
            self._run(video, whole)
            if not whole.is_file():
                raise PassingError("the downloader ended well but wrote no file", where=video.url)
            sync(whole)
            whole.replace(video.path)
        finally:
            remove(folder)

    def _run(self, video: Video, out: Path) -> None:
        values = {"{id}": video.url.rpartition("=")[2] or video.name, "{url}": video.url, "{out}": str(out.absolute())}
        words = [_filled(word, values) for word in shlex.split(self.command)]
        if shutil.which(words[0]) is None:
            cure = "Install it (pip install yt-dlp), or name another with --prepare.downloader."
            raise PassingError(f"the video is not there, and neither is '{words[0]}'", where=video.path, cure=cure)
        try:
            done = subprocess.run(  # noqa: S603
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise PassingError(f"given up after {self.timeout_s:g} s", where=video.url) from error
        if done.returncode != 0:
            reason = _reason(done.stderr.decode("utf-8", "replace")) or f"exit status {done.returncode}"
            kind = DataError if _DEAD.search(reason) else PassingError
            raise kind(f"cannot be fetched: {reason}", where=video.url)


def _filled(word: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(?:id|url|out)\}", lambda found: values[found[0]], word)


def _reason(messages: str) -> str:
    """The line of a program's messages that tells the cause: the last one that speaks of an error, else the last."""
    lines = [line.strip() for line in messages.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.casefold()]
    return (errors or lines or [""])[-1][:300]
