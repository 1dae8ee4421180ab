"""The image is built and run; asked for by ``TALKINGFACE_IMAGE_BASE``, since it takes minutes and gigabytes.

``TALKINGFACE_IMAGE_BASE`` names a base image that buildah has or can get, such as ``python:3.11-slim``. Without a
registry of images a bare Debian does, made by root:

    debootstrap --variant=minbase --include=ca-certificates,python3-venv bookworm root
    base=$(buildah from scratch) && buildah copy "$base" root / && buildah commit "$base" localhost/base

``TALKINGFACE_IMAGE_FLAGS`` are further flags of ``buildah build``, such as ``--build-arg TORCH_ARGS=...``.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from talkingface.paths import CLONE

BASE = os.environ.get("TALKINGFACE_IMAGE_BASE", "")
BUILDAH = shutil.which("buildah")
NOBODY = "54321:54321"  # has no name in the image
pytestmark = [
    pytest.mark.skipif(not BASE, reason="TALKINGFACE_IMAGE_BASE names no base image"),
    pytest.mark.skipif(BUILDAH is None, reason="buildah is not installed"),
]


def buildah(*words: str) -> str:
    done = subprocess.run([str(BUILDAH), *words], cwd=CLONE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def container() -> Iterator[str]:
    flags = shlex.split(os.environ.get("TALKINGFACE_IMAGE_FLAGS", ""))
    image = "localhost/talkingface-test"
    buildah("build", "--isolation=chroot", f"--build-arg=BASE={BASE}", *flags, f"--tag={image}", ".")
    name = buildah("from", "--pull-never", image).strip()
    yield name
    buildah("rm", name)
    buildah("rmi", image)


def run(container: str, data: Path, *words: str, user: str = NOBODY) -> str:
    """Run a command as a user, by default one that the image does not know, with a folder mounted at /data."""
    return buildah("run", "--isolation=chroot", f"--user={user}", f"--volume={data}:/data", container, "--", *words)


def test_it_speaks_without_root_and_writes_below_the_mounted_folder_alone(container: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    sample = "/opt/talkingface/dataset/sample"
    inputs = [f"--image_source={sample}/source.png", f"--audio_path={sample}/driving.mp4", "--frame_limit=3"]
    told = run(container, tmp_path, "talkingface", "--model=SadTalker", *inputs, "--output=result.mp4")
    assert told.split()[-1] == "result.mp4"
    assert {path.name for path in tmp_path.iterdir()} <= {"result.mp4", "result.mp4.yaml", ".cache"}
    find = ["find", "/", "-xdev", "-user", NOBODY.partition(":")[0], "-not", "-path", "/data*"]
    assert run(container, tmp_path, *find, user="0:0").strip() == ""


def test_its_face_networks_lie_inside(container: str, tmp_path: Path) -> None:
    assert "mesh" in run(container, tmp_path, "talkingface", "--run_mode=doctor")
