"""Fetching from a server on this machine that behaves badly in every way the web does."""

from __future__ import annotations

import hashlib
import http.server
import io
import re
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from talkingface.errors import WeightsError
from talkingface.weights.catalogue import Entry
from talkingface.weights.download.fetch import fetch
from talkingface.weights.download.http import RetryPolicy
from talkingface.weights.download.packages import PackageCache

QUICK = RetryPolicy(timeout_s=0.5, attempts=3, backoff_s=0.01)
STALL_S = 1.2


def weights_bytes() -> bytes:
    buffer = io.BytesIO()
    torch.save({"net": {"w": torch.arange(20_000.0)}}, buffer)
    return buffer.getvalue()


DATA = weights_bytes()
SHA256 = hashlib.sha256(DATA).hexdigest()
PAGE = b"<!DOCTYPE html><html><body>Quota exceeded</body></html>"

Response = Callable[["Handler", int], None]


@dataclass
class Server:
    """A server whose behaviour a test chooses by path.

    Attributes:
        answers: path -> what it does at a request, given how many came before.
        requests: path and Range header of each request.
    """

    url: str
    answers: dict[str, Response]
    requests: list[tuple[str, str | None]] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    """Hands each request to the behaviour of its path."""

    server_facts: Server

    def do_GET(self) -> None:
        facts = self.server_facts
        before = sum(path == self.path for path, _ in facts.requests)
        facts.requests.append((self.path, self.headers.get("Range")))
        facts.answers[self.path](self, before)

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    @property
    def first(self) -> int:
        found = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        return int(found[1]) if found else 0

    def head(self, status: int, length: int | None, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def give(self, data: bytes = DATA, *, upto: int | None = None, etag: str = "") -> None:
        """Answer as a good server does, ranges included, but stop at byte ``upto``."""
        first = self.first
        extra = {"ETag": etag} if etag else {}
        if first >= len(data):
            self.head(416, 0)
        elif first:
            self.head(206, len(data) - first, Content_Range=f"bytes {first}-{len(data) - 1}/{len(data)}", **extra)
        else:
            self.head(200, len(data), **extra)
        self.wfile.write(data[first:upto])


@pytest.fixture
def server() -> Iterator[Server]:
    facts = Server("", {})
    handler = type("BoundHandler", (Handler,), {"server_facts": facts})
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    service.daemon_threads = True
    facts.url = f"http://127.0.0.1:{service.server_port}"
    thread = threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield facts
    service.shutdown()
    service.server_close()
    thread.join(5)


def entry(server: Server, *paths: str, sha256: str | None = SHA256, size: int | None = len(DATA)) -> Entry:
    return Entry(
        name="net",
        model="M",
        variant="v",
        title="t",
        file="net.pth",
        size=size,
        sha256=sha256,
        licence="none",
        networks={"net": ""},
        sources=[{"kind": "url", "urls": [server.url + path for path in paths]}],
    )


def whole(handler: Handler, _: int) -> None:
    handler.give()


def page(handler: Handler, _: int) -> None:
    handler.head(200, len(PAGE), Content_Type="text/html; charset=utf-8")
    handler.wfile.write(PAGE)


def left(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_file())


def test_good_server_with_progress(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = whole
    seen: list[tuple[int, int | None]] = []
    path = fetch(entry(server, "/a"), tmp_path, progress=lambda done, total: seen.append((done, total)), retry=QUICK)
    assert path == tmp_path / "net.pth" and path.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA)) and left(tmp_path) == ["net.pth"]


def test_present_file_is_checked_and_not_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "net.pth").write_bytes(DATA)
    assert fetch(entry(server, "/a"), tmp_path, retry=QUICK) == tmp_path / "net.pth"
    assert server.requests == []
    (tmp_path / "net.pth").write_bytes(DATA[:-1] + b"x")
    with pytest.raises(WeightsError, match="sha256 differs"):
        fetch(entry(server, "/a"), tmp_path, retry=QUICK)


@pytest.mark.parametrize("known", [True, False])
def test_cut_connection_is_resumed(server: Server, tmp_path: Path, known: bool) -> None:
    def cut(handler: Handler, before: int) -> None:
        handler.give(upto=30_000 * (before + 1) if before < 2 else None, etag='"v1"')

    server.answers["/a"] = cut
    wanted = entry(server, "/a") if known else entry(server, "/a", sha256=None, size=None)
    assert fetch(wanted, tmp_path, retry=QUICK).read_bytes() == DATA
    assert [place for _, place in server.requests] == [None, "bytes=30000-", "bytes=60000-"]


def test_stalled_connection_is_given_up_and_resumed(server: Server, tmp_path: Path) -> None:
    def stall(handler: Handler, before: int) -> None:
        handler.give(upto=None if before else 40_000)
        handler.wfile.flush()
        if not before:
            time.sleep(STALL_S)

    server.answers["/a"] = stall
    assert fetch(entry(server, "/a"), tmp_path, retry=QUICK).read_bytes() == DATA
    assert server.requests[1] == ("/a", "bytes=40000-")


def test_attempts_without_progress_are_bounded(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = lambda handler, _: handler.give(upto=handler.first)
    with pytest.raises(WeightsError, match=r"connection closed after 0 of .* \(3 attempts\)") as caught:
        fetch(entry(server, "/a"), tmp_path, retry=QUICK)
    assert len(server.requests) == 3
    message = str(caught.value)
    assert "net:" in message and f"{server.url}/a" in message and str(tmp_path / "net.pth") in message


def test_server_that_ignores_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    def ignore(handler: Handler, before: int) -> None:
        handler.head(200, len(DATA))
        handler.wfile.write(DATA[: None if before else 50_000])

    server.answers["/a"] = ignore
    assert fetch(entry(server, "/a"), tmp_path, retry=QUICK).read_bytes() == DATA


def test_server_that_sends_another_range(server: Server, tmp_path: Path) -> None:
    def shifted(handler: Handler, before: int) -> None:
        if before != 1:
            return handler.give(upto=None if before else 50_000)
        handler.head(206, 10, Content_Range=f"bytes 7-16/{len(DATA)}")
        handler.wfile.write(DATA[7:17])

    server.answers["/a"] = shifted
    assert fetch(entry(server, "/a"), tmp_path, retry=QUICK).read_bytes() == DATA


def test_redirect_to_a_page_then_mirror(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = lambda handler, _: handler.head(302, 0, Location="/login")
    server.answers["/login"] = page
    server.answers["/mirror"] = whole
    with pytest.raises(WeightsError, match="a web page instead of the file"):
        fetch(entry(server, "/a"), tmp_path, retry=QUICK)
    assert fetch(entry(server, "/a", "/mirror"), tmp_path, retry=QUICK).read_bytes() == DATA


@pytest.mark.parametrize(
    ("data", "sha256", "size", "words"),
    [
        (DATA[:-1] + b"x", SHA256, len(DATA), "its sha256 is not that of the catalogue"),
        (DATA + b"x", SHA256, len(DATA), "the server has .* bytes, not"),
        (PAGE + bytes(600), None, None, "a web page instead of the file"),
        (b"not weights at all", None, None, "the file that came is not usable"),
        (DATA[:-2000], None, None, "the file that came is not usable"),
    ],
)
def test_wrong_bytes_are_deleted(
    server: Server, tmp_path: Path, data: bytes, sha256: str | None, size: int | None, words: str
) -> None:
    server.answers["/a"] = lambda handler, _: handler.give(data)
    with pytest.raises(WeightsError, match=words):
        fetch(entry(server, "/a", sha256=sha256, size=size), tmp_path, retry=QUICK)
    assert left(tmp_path) == []


def test_leftover_of_an_earlier_run(server: Server, tmp_path: Path) -> None:
    """It is continued where a sha256 judges the whole, thrown away where none does, and replaced where it was wrong."""
    server.answers["/a"] = whole
    part, target = tmp_path / "net.pth.part", tmp_path / "net.pth"
    for content, sha256, ranges in (
        (DATA[:1000], SHA256, ["bytes=1000-"]),
        (DATA[:1000], None, [None]),
        (b"x" * 1000, SHA256, ["bytes=1000-", None]),
        (b"x" * len(DATA), SHA256, [None]),
        (DATA + b"more", SHA256, [f"bytes={len(DATA) + 4}-", None]),
        (DATA, SHA256, []),
    ):
        part.write_bytes(content)
        target.unlink(missing_ok=True)
        server.requests.clear()
        assert fetch(entry(server, "/a", sha256=sha256), tmp_path, retry=QUICK).read_bytes() == DATA
        assert [place for _, place in server.requests] == ranges
        assert left(tmp_path) == ["net.pth"]


def test_busy_server_is_asked_again_and_a_missing_file_is_not(server: Server, tmp_path: Path) -> None:
    server.answers["/busy"] = lambda handler, before: handler.give() if before else handler.head(503, 0)
    server.answers["/gone"] = lambda handler, _: handler.head(404, 0)
    assert fetch(entry(server, "/gone", "/busy"), tmp_path, retry=QUICK).read_bytes() == DATA
    assert [path for path, _ in server.requests] == ["/gone", "/busy", "/busy"]


def test_offline_never_asks_the_server(server: Server, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="--offline is set") as caught:
        fetch(entry(server, "/a"), tmp_path, offline=True)
    assert server.requests == [] and str(tmp_path / "net.pth") in str(caught.value)


def test_two_at_once_fetch_once(server: Server, tmp_path: Path) -> None:
    def slow(handler: Handler, _: int) -> None:
        time.sleep(0.2)
        handler.give()

    server.answers["/a"] = slow
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(entry(server, "/a"), tmp_path, retry=QUICK)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [tmp_path / "net.pth"] * 3 and len(server.requests) == 1


def test_unreachable_server(tmp_path: Path, server: Server) -> None:
    closed = Server("http://127.0.0.1:9", {})
    with pytest.raises(WeightsError, match="connection failed"):
        fetch(entry(closed, "/a"), tmp_path, retry=QUICK)


def test_file_for_a_person_to_get(tmp_path: Path, server: Server) -> None:
    manual = {"kind": "manual", "what": "Register and download BFM.", "where": "https://example.org/bfm"}
    item = entry(server, "/a").model_copy(update={"sources": Entry.model_validate(_raw(manual)).sources})
    with pytest.raises(WeightsError, match=r"Register and download BFM, at https://example.org/bfm") as caught:
        fetch(item, tmp_path)
    assert str(tmp_path / "net.pth") in str(caught.value)


def _raw(source: dict[str, object]) -> dict[str, object]:
    facts = {"model": "M", "variant": "v", "title": "t", "licence": "none", "networks": {"net": ""}}
    return {"name": "net", "file": "net.pth", "sha256": SHA256, **facts, "sources": [source]}


def _wheel(folder: Path) -> str:
    """A wheel with the weights inside, for pip to find in ``folder``; returns its sha256."""
    path = folder / "facebox-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("facebox/net.pth", DATA)
        archive.writestr("facebox-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: facebox\nVersion: 1.0\n")
        archive.writestr(
            "facebox-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("facebox-1.0.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_file_out_of_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index").mkdir()
    sha256 = _wheel(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    wheel = {"kind": "wheel", "package": "facebox", "version": "1.0", "sha256": sha256, "member": "facebox/net.pth"}
    path = fetch(Entry.model_validate(_raw(wheel)), tmp_path / "good")
    assert path.read_bytes() == DATA
    with pytest.raises(WeightsError, match="pip did not get facebox"):
        fetch(Entry.model_validate(_raw({**wheel, "sha256": "0" * 64})), tmp_path / "bad")


def test_two_files_of_one_bundle_take_their_wheel_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index").mkdir()
    sha256 = _wheel(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    wheel = {"kind": "wheel", "package": "facebox", "version": "1.0", "sha256": sha256, "member": "facebox/net.pth"}
    with PackageCache() as wheels:
        fetch(Entry.model_validate(_raw(wheel)), tmp_path / "a", packages=wheels)
        (tmp_path / "index" / "facebox-1.0-py3-none-any.whl").unlink()
        assert fetch(Entry.model_validate(_raw(wheel)), tmp_path / "b", packages=wheels).read_bytes() == DATA
    with pytest.raises(WeightsError, match="pip did not get facebox"), PackageCache() as wheels:
        fetch(Entry.model_validate(_raw(wheel)), tmp_path / "c", packages=wheels)


def test_the_first_digits_of_a_hash_are_a_check(server: Server, tmp_path: Path) -> None:
    server.answers["/a"] = whole
    item = entry(server, "/a", sha256=None, size=None)
    good = item.model_copy(update={"sha256_start": SHA256[:10]})
    assert fetch(good, tmp_path / "good", retry=QUICK).read_bytes() == DATA
    bad = item.model_copy(update={"sha256_start": "0" * 10})
    with pytest.raises(WeightsError, match="its sha256 is not that of the catalogue"):
        fetch(bad, tmp_path / "bad", retry=QUICK)
    (tmp_path / "bad" / "net.pth").write_bytes(DATA)
    with pytest.raises(WeightsError, match="its sha256 differs"):
        fetch(bad, tmp_path / "bad", retry=QUICK)
