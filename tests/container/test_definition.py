"""The sections of apptainer.def are run one after another in a bare root, where Apptainer is not to be had.

Asked for by ``TALKINGFACE_BARE_ROOT``, a folder made by root, which is copied:

    debootstrap --variant=minbase --include=ca-certificates,python3-venv bookworm root

``TALKINGFACE_ROOT_ARGS`` sets arguments of the definition (``TORCH_ARGS=...``, one a line), ``TALKINGFACE_ROOT_COPIES``
names files and folders of this machine that pip needs there (``/etc/resolv.conf``, certificates, its settings).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from talkingface import __version__
from talkingface.paths import CLONE

from .recipes import sections

BARE = os.environ.get("TALKINGFACE_BARE_ROOT", "")
NOBODY = "54321:54321"  # has no name in the image
pytestmark = pytest.mark.skipif(not BARE or os.geteuid() != 0, reason="TALKINGFACE_BARE_ROOT names no root, or no root")


def arguments() -> dict[str, str]:
    """Arguments of the definition with their defaults, or as the user sets them."""
    pairs = re.findall(r"^\s+(\w+)=\"?(.*?)\"?$", sections()["arguments"], re.MULTILINE)
    given = [line.partition("=")[::2] for line in os.environ.get("TALKINGFACE_ROOT_ARGS", "").splitlines() if line]
    return {**dict(pairs), **dict(given)}


def section(name: str) -> str:
    """A section with its arguments put in."""
    return re.sub(r"{{ (\w+) }}", lambda found: arguments()[found.group(1)], sections()[name])


def inside(root: Path, script: str, folder: str = "/", user: str = "0:0") -> str:
    """Run a script in the root as `apptainer` does: /proc and /dev are there, the folder is the current one."""
    mounts = f"mount -t proc proc {root}/proc; mount --rbind /dev {root}/dev; cd {root}"
    line = f'{mounts} && exec chroot --userspec={user} {root} sh -c "cd {folder} && exec sh -s"'
    words = ["unshare", "--mount", "--pid", "--fork", "sh", "-c", line]
    done = subprocess.run(words, input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A root in which %files and %post were carried out."""
    root = tmp_path_factory.mktemp("apptainer") / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", BARE, str(root)], check=True)
    for name in os.environ.get("TALKINGFACE_ROOT_COPIES", "").split():
        target = root / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-rLT", name, str(target)], check=True)
    for line in sections()["files"].splitlines():
        if line.strip():
            source, target = line.split()
            (root / target.lstrip("/")).mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-r", str(CLONE / source), str(root / target.lstrip("/"))], check=True)
    inside(root, section("post"))
    yield root
    shutil.rmtree(root)


def test_it_speaks_as_a_user_without_a_name_and_writes_to_its_folder_alone(built: Path) -> None:
    assert inside(built, section("test")).strip() == __version__
    data = built / "work"
    data.mkdir(mode=0o777)
    data.chmod(0o777)
    sample = "/opt/talkingface/dataset/sample"
    flags = f"--model=SadTalker --image_source={sample}/source.png --audio_path={sample}/driving.mp4 --frame_limit=3"
    run = section("runscript").replace('"$@"', f"{flags} --output=result.mp4")
    script = f"unset HOME XDG_CACHE_HOME TMPDIR\n{section('environment')}\n{run}"
    assert inside(built, script, "/work", NOBODY).split()[-1] == "result.mp4"
    assert {path.name for path in data.iterdir()} <= {"result.mp4", "result.mp4.yaml", ".cache"}
    found = inside(built, f"find / -xdev -user {NOBODY.partition(':')[0]} -not -path '/work*'")
    assert found.strip() == ""
