"""Download one file over HTTP: resume interrupted transfers and check size and sha256."""

from __future__ import annotations

import hashlib
import http.client
import re
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...errors import WeightsError
from .address import Redirects, RefusedRedirectError, as_sent, one_line
from .pace import HEAD, LEAST_BYTES, HeadLimit, Pace, StalledError

Progress = Callable[[int, "int | None"], None]
_CHUNK_BYTES = 1 << 20
# No such host or no network, and a certificate that is not trusted: waiting does not help.
_LASTING = (socket.gaierror, ssl.SSLCertVerificationError)
_TEMPORARY_STATUS = (408, 425, 429, 500, 502, 503, 504)
_LENGTH = re.compile(r"[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-")


@dataclass(frozen=True)
class RetryPolicy:
    """Limits of repeated attempts.

    Attributes:
        timeout_s: a connection counts as stalled after this time without a byte, or with less than 1 KiB.
        attempts: allowed attempts in a row that bring less than 1 KiB.
        backoff_s: pause before the second attempt, in seconds; it doubles with each one.
    """

    timeout_s: float = 30.0
    attempts: int = 5
    backoff_s: float = 1.0


@dataclass(frozen=True)
class ExpectedFile:
    """Known properties of the file.

    Attributes:
        size: in bytes; None where not known.
        sha256: of the whole file, or its first digits; None where not known.
        largest: bytes that are taken where neither catalogue nor server gives a size.
    """

    size: int | None = None
    sha256: str | None = None
    largest: int = 4 << 30

    @property
    def has_digest(self) -> bool:
        """True if a complete sha256 tells the file from any other, whoever sends it."""
        return self.sha256 is not None and len(self.sha256) == 64


class TransferError(Exception):
    """The connection broke, stalled or was refused temporarily; another attempt may succeed."""


def download(url: str, part: Path, wanted: ExpectedFile, retry: RetryPolicy, progress: Progress | None = None) -> None:
    """Download ``url`` into ``part``, repeat failed attempts as the retry policy allows, and check the result.

    A partial file of an earlier run is continued only if a sha256 can verify the complete file. Without one, it is
    continued only within this call, and only while the server's ETag stays the same.

    Raises:
        WeightsError: if the server gives something else, or no attempt succeeds. A wrong file is deleted; a partial
            file that can be continued is kept.
    """
    if wanted.sha256 is None:
        part.unlink(missing_ok=True)
    leftover = _size(part) > 0
    _transfer(_Transfer(url, part, wanted, retry, progress))
    try:
        check(part, wanted, url)
    except WeightsError:
        if not leftover:
            raise
        # The part of the earlier run may belong to another file: start again from the beginning.
        _transfer(_Transfer(url, part, wanted, retry, progress))
        check(part, wanted, url)


def _transfer(transfer: _Transfer) -> None:
    """Repeat attempts until the file is complete, or too many in a row have brought nothing."""
    retry = transfer.retry
    failures, best = 0, _size(transfer.part)
    while True:
        try:
            return transfer.attempt()
        except TransferError as error:
            got = _size(transfer.part)
            failures = 1 if got >= best + LEAST_BYTES else failures + 1
            best = max(best, got)
            if failures >= retry.attempts:
                raise WeightsError(f"{error} ({failures} attempts)", where=transfer.url) from error
            time.sleep(retry.backoff_s * 2 ** (failures - 1))


@dataclass
class _Transfer:
    """State of the attempts to download one address.

    Attributes:
        etag: of the first response of this run; identifies the file where no hash is known.
        total: length in bytes that the server announced.
    """

    url: str
    part: Path
    wanted: ExpectedFile
    retry: RetryPolicy
    progress: Progress | None
    etag: str | None = None
    total: int | None = None

    def attempt(self) -> None:
        """Download the missing bytes.

        Raises:
            TransferError: if another attempt may succeed.
            WeightsError: if none can.
        """
        start = _size(self.part) if self.wanted.sha256 or self.etag else 0
        if start and start == (self.wanted.size or self.total):
            return
        self._check_room((self.wanted.size or 0) - start)
        head = HeadLimit(HEAD * self.retry.timeout_s)
        opener = urllib.request.build_opener(Redirects(self.wanted.has_digest), *head.handlers())
        try:
            with head.watch():
                response = opener.open(self._request(start), timeout=self.retry.timeout_s)
            with response:
                self._receive(response, start)
        except StalledError as error:
            raise TransferError(str(error)) from error
        except RefusedRedirectError as error:
            raise WeightsError(str(error), where=self.url) from error
        except urllib.error.HTTPError as error:
            self._refused(error)
        except (ValueError, http.client.InvalidURL) as error:  # also of the address that a redirect names
            raise WeightsError(f"not an address: {one_line(str(error))}", where=self.url) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, _LASTING):
                raise WeightsError(f"cannot be reached: {one_line(str(reason))}", where=self.url) from error
            raise TransferError(f"connection failed: {one_line(str(reason)) or type(error).__name__}") from error
        got, total = _size(self.part), self.wanted.size or self.total
        if total is not None and got < total:
            raise TransferError(f"connection closed after {got} of {total} bytes")

    def _request(self, start: int) -> urllib.request.Request:
        request = urllib.request.Request(as_sent(self.url), headers={"User-Agent": "talkingface"})  # noqa: S310
        if start:
            request.add_header("Range", f"bytes={start}-")
            if self.etag:
                request.add_header("If-Range", self.etag)
        return request

    def _refused(self, error: urllib.error.HTTPError) -> None:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.part.unlink(missing_ok=True)
            raise TransferError("the server does not know the part that is missing") from error
        if error.code in _TEMPORARY_STATUS:
            raise TransferError(f"the server answers {error.code} {one_line(str(error.reason))}") from error
        raise WeightsError(f"the server answers {error.code} {one_line(str(error.reason))}", where=self.url) from error

    def _receive(self, response: http.client.HTTPResponse, start: int) -> None:
        """Write the response from byte ``start`` on, or from the beginning if the server ignored the range."""
        if response.headers.get_content_type() == "text/html":
            raise WeightsError("the server sent a web page instead of the file", where=self.url)
        start = self._agreed_start(response, start)
        length = _LENGTH.fullmatch(response.headers.get("Content-Length", ""))
        self.total = start + int(length[0]) if length else None
        if self.wanted.size and self.total and self.total != self.wanted.size:
            raise WeightsError(f"the server has {self.total} bytes, not {self.wanted.size}", where=self.url)
        if self.total is not None and self.wanted.size is None and self.total > self.wanted.largest:
            raise WeightsError(f"the server has {self.total} bytes, more than any weight file", where=self.url)
        self._check_room((self.total or 0) - start)
        etag = response.headers.get("ETag")
        self.etag = etag if etag and not etag.startswith("W/") else None
        with self.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            problem = self._copy(response, file)
        if problem:
            self.part.unlink()
            raise WeightsError(problem, where=self.url)

    def _check_room(self, needed: int) -> None:
        """Refuse to begin what the disk cannot hold."""
        free = shutil.disk_usage(self.part.parent).free
        if needed > free:
            what = f"{needed / 2**20:.0f} MiB are needed and {free / 2**20:.0f} free"
            raise WeightsError(what, where=self.part.parent, cure="Make room, or name another --checkpoint_root.")

    def _agreed_start(self, response: http.client.HTTPResponse, start: int) -> int:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            return 0
        match = _RANGE.match(response.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != start:
            self.part.unlink(missing_ok=True)
            raise TransferError("the server sent another part than asked for")
        return start

    def _copy(self, response: http.client.HTTPResponse, file: BinaryIO) -> str:
        """Write what comes; returns what is wrong with it, "" for nothing."""
        limit = self.wanted.size or self.total
        largest = self.wanted.largest if limit is None else limit
        pace = Pace(self.retry.timeout_s)
        while chunk := response.read1(_CHUNK_BYTES):
            pace.came(len(chunk))
            self._write(file, chunk)
            if file.tell() > largest:
                known = "of the file" if limit is not None else "that a file of unknown size may have"
                return f"the server sends more than the {largest} bytes {known}"
            if self.progress is not None:
                self.progress(file.tell(), limit)
        return ""

    def _write(self, file: BinaryIO, chunk: bytes) -> None:
        try:
            file.write(chunk)
        except OSError as error:
            raise WeightsError(f"cannot be written: {error.strerror}", where=self.part) from error


def check(path: Path, wanted: ExpectedFile, where: object) -> None:
    """Compare a file with its known properties, and delete it if it differs.

    Raises:
        WeightsError: if size or sha256 differ, or it is a web page.
    """
    size = path.stat().st_size
    problem = None
    with path.open("rb") as file:
        if file.read(512).lstrip().lower().startswith((b"<!doctype", b"<html")):
            problem = "the server sent a web page instead of the file"
        elif wanted.size is not None and size != wanted.size:
            problem = f"it has {size} bytes, not the {wanted.size} of the catalogue"
        elif wanted.sha256 is not None and not sha256_of(path).startswith(wanted.sha256):
            problem = "its sha256 is not that of the catalogue"
    if problem:
        path.unlink()
        raise WeightsError(problem, where=where)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
