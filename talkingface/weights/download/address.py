"""Addresses as they are sent, and which redirects are followed."""

from __future__ import annotations

import string
import urllib.request
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit


class RefusedRedirectError(Exception):
    """The server points to an address that is not followed."""


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to web addresses; from https to http only where a sha256 verifies what comes."""

    def __init__(self, verified: bool) -> None:
        self._verified = verified

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        before, after = urlsplit(req.full_url), urlsplit(newurl)
        if after.scheme not in ("http", "https") or not after.hostname:
            raise RefusedRedirectError(f"redirected to {one_line(newurl)!r}, which is no web address")
        if before.scheme == "https" and after.scheme == "http" and not self._verified:
            what = f"redirected from https to {one_line(newurl)!r}, and no sha256 is known that could verify what comes"
            raise RefusedRedirectError(what)
        return super().redirect_request(req, fp, code, msg, headers, as_sent(newurl))


def as_sent(url: str) -> str:
    """An address as it is sent: the host's name in its ASCII form, other letters as %XX.

    Raises:
        ValueError: if it is not an address.
    """
    parts = urlsplit(url)
    if url.isascii():
        return url
    host = (parts.hostname or "").encode("idna").decode("ascii")
    place = host if parts.port is None else f"{host}:{parts.port}"
    path, query = (quote(part, safe=string.punctuation) for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, place, path, query, ""))


def one_line(text: str) -> str:
    """Text that a server or an address gave, in one line that a terminal can show."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())[:200]
