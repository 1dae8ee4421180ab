"""The image recipes agree with each other and with the code; what they copy runs and writes to one folder alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from talkingface.paths import CLONE, PACKAGE

from .recipes import context, copy_context, dockerfile, environment, instructions, sections

HADOLINT = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
SHELLCHECK = shutil.which("shellcheck")
DATA = "/data"


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed (extra dev, on Linux x86-64)")
def test_the_linter_finds_nothing_in_the_dockerfile() -> None:
    linted = subprocess.run([str(HADOLINT), "Dockerfile"], cwd=CLONE, capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout) == (0, "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("name", ["post", "environment", "runscript", "test"])
def test_the_sections_of_the_definition_are_sound_shell(name: str) -> None:
    text = "#!/bin/sh\n" + re.sub(r"{{ (\w+) }}", r"${\1}", sections()[name])
    subprocess.run(["sh", "-n"], input=text, text=True, check=True)
    if SHELLCHECK:
        linted = subprocess.run([SHELLCHECK, "-e", "SC2086,SC2154", "-"], input=text, text=True, capture_output=True)
        assert linted.stdout == ""


def test_both_recipes_take_the_same_arguments_with_the_same_defaults() -> None:
    ours = [pair.partition("=")[::2] for pair in instructions("ARG")]
    theirs = re.findall(r"^\s+(\w+)=(.*)$", sections()["arguments"], re.MULTILINE)
    assert {name: value.strip('"') for name, value in ours} == {name: value.strip('"') for name, value in theirs}


def test_both_recipes_run_the_same_steps() -> None:
    steps = [step.strip() for run in instructions("RUN") for step in run.split(" && ")]
    post = [re.sub(r"{{ (\w+) }}", r"${\1}", line.strip()) for line in sections()["post"].splitlines()]
    assert [line for line in post if line and not line.startswith(("set ", "export "))] == steps


def test_both_recipes_copy_the_same_files() -> None:
    copied = [line.split() for line in sections()["files"].splitlines() if line.strip()]
    assert [source for source, _ in copied] == context()
    for source, target in copied:
        assert Path(target) == Path("/opt/talkingface", source).parent, source
        assert (CLONE / source).exists(), source


def test_no_weights_or_data_of_the_user_go_into_an_image() -> None:
    ignored = (CLONE / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    known = subprocess.run(["git", "check-ignore", *context()], cwd=CLONE, capture_output=True, text=True, check=False)
    assert known.stdout == "", "what git ignores is the user's own"


def test_runs_need_no_root_and_get_their_signals() -> None:
    (user,) = instructions("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "a number: a cluster checks it without reading the image's names"
    assert dockerfile().index(f"USER {user}") > max(i for i, line in enumerate(dockerfile()) if line.startswith("RUN"))
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["talkingface"], "a shell in between would keep SIGTERM"
    assert sections()["runscript"].split() == ["exec", "talkingface", '"$@"']


def test_every_variable_that_says_where_to_write_leads_below_the_mounted_folder() -> None:
    read = {name for path in PACKAGE.rglob("*.py") for name in re.findall(r'"([A-Z]+_CACHE_HOME)"', path.read_text())}
    places = read | {"TMPDIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH"}
    ours = environment()
    assert "XDG_CACHE_HOME" in read
    assert instructions("WORKDIR") == [DATA]
    assert [name for name in {*places, "HOME"} if not (ours[name] + "/").startswith(f"{DATA}/")] == []
    theirs = dict(re.findall(r'(\w+)="(\${PWD}\S*)"', sections()["environment"]))
    assert {name: value.replace("${PWD}", DATA) for name, value in theirs.items()} == {n: ours[n] for n in places}


READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro / && cd "$1" && shift && exec "$@"'


def read_only(folder: Path, command: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder while all other places of its file system are read-only."""
    words = ["unshare", "--map-root-user", "--mount", "sh", "-c", READ_ONLY, "sh", str(folder), *command]
    return subprocess.run(words, env={**os.environ, **variables}, capture_output=True, text=True, check=False)


def test_what_is_copied_runs_and_writes_to_the_mounted_folder_alone(tmp_path: Path) -> None:
    data, image = tmp_path / "data", copy_context(tmp_path / "image")
    data.mkdir()
    if read_only(data, ["true"], {}).returncode or not read_only(data, ["touch", str(image / "x")], {}).returncode:
        pytest.skip("no mounts of one's own here")
    places = {name: value.replace(DATA, str(data), 1) for name, value in environment().items() if name != "PATH"}
    sample = image / "dataset" / "sample"
    command = [sys.executable, str(image / "run_talkingface.py"), "--frame_limit=2", "--output=result.mp4"]
    inputs = [f"--image_source={sample / 'source.png'}", f"--video_source={sample / 'driving.mp4'}"]
    done = read_only(data, [*command, *inputs], {**places, "PYTHONPATH": str(image)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["result.mp4"]
    assert {path.name for path in data.iterdir()} <= {"result.mp4", "result.mp4.yaml", ".cache"}
