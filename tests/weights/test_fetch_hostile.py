"""Fetching from servers that lie: every answer is a file that the catalogue judges, or one line."""

from __future__ import annotations

import http.server
import shutil
import ssl
import subprocess
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest

from talkingface.errors import WeightsError
from talkingface.weights.download import http as download_http
from talkingface.weights.download.fetch import fetch
from talkingface.weights.download.http import ExpectedFile, RetryPolicy, download

from .test_fetch import DATA, QUICK, SHA256, Handler, Server, entry, left, server, whole

__all__ = ["server"]  # a fixture


def refused(server: Server, folder: Path, *, sha256: str | None = SHA256, size: int | None = len(DATA)) -> str:
    with pytest.raises(WeightsError) as caught:
        fetch(entry(server, "/a", sha256=sha256, size=size), folder, retry=QUICK)
    message = str(caught.value)
    assert "\n" not in message and message.isprintable() and left(folder) in ([], ["net.pth.part"])
    return message


@pytest.mark.parametrize(
    "place",
    [
        "http://[::1", "http://", "//", "http://a b/", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://\xfc\xb2\xff:x/",
        "http://127.0.0.1:99999/", "http://127.0.0.1:port/", "data:text/plain,x", "http://" + "a" * 70 + ".example/",
        "http://a..b/", "javascript:alert(1)", "http://127.0.0.1:0/", "/a\x7f\x1b[31m", "/a",
    ],
)  # fmt: skip
def test_redirects_to_what_is_no_address_are_one_line(server: Server, tmp_path: Path, place: str) -> None:
    def redirect(handler: Handler, before: int) -> None:
        handler.wfile.write(b"HTTP/1.0 302 Fo\x1b[31mund\r\nLocation: " + place.encode("latin-1") + b"\r\n\r\n")

    server.answers["/a"] = redirect
    server.answers["/a%7F%1B[31m"] = server.answers["/a\x7f\x1b[31m"] = lambda handler, _: handler.head(404, 0)
    refused(server, tmp_path)


def test_letters_beyond_ascii_in_an_address_are_sent_as_they_have_to_be(server: Server, tmp_path: Path) -> None:
    server.answers["/%C3%BC"] = whole
    assert fetch(entry(server, "/ü"), tmp_path / "own", retry=QUICK).read_bytes() == DATA
    server.answers["/a"] = lambda handler, _: handler.head(302, 0, Location="/%C3%BC")
    assert fetch(entry(server, "/a"), tmp_path / "redirected", retry=QUICK).read_bytes() == DATA


@pytest.mark.parametrize("url", ["http://[::1", "http://ü..ü/", "http://a b/", "http://127.0.0.1:x/"])
def test_own_addresses_that_are_none(tmp_path: Path, url: str) -> None:
    with pytest.raises(WeightsError, match=r"not an address|cannot be reached"):
        download(url, tmp_path / "part", ExpectedFile(), QUICK)


@pytest.mark.parametrize("length", ["\xb2", "-1", "1e3", "0x10", "9" * 5000, "", " "])
def test_lengths_that_are_none(server: Server, tmp_path: Path, length: str) -> None:
    def answer(handler: Handler, _: int) -> None:
        head = b"HTTP/1.0 200 OK\r\nContent-Length: " + length.encode("latin-1") + b"\r\n\r\n"
        handler.wfile.write(head + DATA)

    server.answers["/a"] = answer
    assert fetch(entry(server, "/a"), tmp_path, retry=QUICK).read_bytes() == DATA


def test_ranges_that_are_none(server: Server, tmp_path: Path) -> None:
    def answer(handler: Handler, before: int) -> None:
        if before:
            return handler.give()
        handler.head(206, 10, Content_Range=f"bytes {'9' * 5000}-/*")
        handler.wfile.write(bytes(10))

    (tmp_path / "net.pth.part").write_bytes(DATA[:10])
    server.answers["/a"] = answer
    assert fetch(entry(server, "/a"), tmp_path, retry=QUICK).read_bytes() == DATA


def test_a_body_without_end_is_given_up(server: Server, tmp_path: Path) -> None:
    def endless(handler: Handler, _: int) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        try:
            while True:
                handler.wfile.write(bytes(1 << 20))
        except OSError:
            return

    server.answers["/a"] = endless
    with pytest.raises(WeightsError, match="more than the 5000000 bytes that a file of unknown size may have"):
        download(f"{server.url}/a", tmp_path / "part", ExpectedFile(largest=5_000_000), QUICK)
    assert left(tmp_path) == []
    assert "sends more than the" in refused(server, tmp_path)


def test_a_length_beyond_any_weight_file_is_refused(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = lambda handler, _: handler.head(200, 10**17)
    assert "more than any weight file" in refused(server, tmp_path, sha256=None, size=None)


def drip(handler: Handler, data: bytes) -> None:
    """Send over and over, so that the connection never is silent for long."""
    try:
        while True:
            handler.wfile.write(data)
            handler.wfile.flush()
            time.sleep(0.02)
    except OSError:
        return


@pytest.mark.parametrize(
    ("begin", "again", "told"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x", "stalled"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", "stalled"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", "no response in"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x", "no response in"),
    ],
    ids=["body", "chunks", "continue", "head"],
)
def test_servers_that_only_keep_a_connection_alive_are_given_up(
    server: Server, tmp_path: Path, begin: bytes, again: bytes, told: str
) -> None:
    def answer(handler: Handler, _: int) -> None:
        handler.wfile.write(begin)
        drip(handler, again)

    server.answers["/a"] = answer
    began = time.monotonic()
    with pytest.raises(WeightsError, match=told):
        download(f"{server.url}/a", tmp_path / "part", ExpectedFile(), RetryPolicy(0.25, 2, 0.01))
    assert time.monotonic() - began < 15


Usage = namedtuple("Usage", "total used free")


def test_room_is_looked_at_before_anything_is_asked(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is one of the few things that a test cannot fill."""
    monkeypatch.setattr(download_http.shutil, "disk_usage", lambda _: Usage(10**9, 10**9 - 9, 9))
    server.answers["/a"] = whole
    assert "are needed and 0 free" in refused(server, tmp_path) and server.requests == []
    assert "are needed and 0 free" in refused(server, tmp_path, size=None) and len(server.requests) == 1


def certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate of this machine's own address."""
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(cert)]
    command += ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return key, cert


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate")
def test_https_is_left_only_where_a_hash_judges(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, cert = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    server.answers["/a"] = whole
    target = f"{server.url}/a"

    class Redirecting(Handler):
        server_facts = Server("", {"/a": lambda handler, _: handler.head(302, 0, Location=target)})

    secure = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    threading.Thread(target=secure.serve_forever, args=(0.05,), daemon=True).start()
    url = f"https://127.0.0.1:{secure.server_port}/a"
    try:
        download(url, tmp_path / "judged", ExpectedFile(sha256=SHA256), QUICK)
        assert (tmp_path / "judged").read_bytes() == DATA
        for weak in (None, SHA256[:10]):
            with pytest.raises(WeightsError, match=r"redirected from https to .*no sha256 is known"):
                download(url, tmp_path / "part", ExpectedFile(sha256=weak), QUICK)
    finally:
        secure.shutdown()
        secure.server_close()
