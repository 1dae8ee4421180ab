"""Unfinished files: what a killed process leaves is removed by the next one, whatever kind of file it was writing."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

import talkingface
from talkingface.part_files import (
    PREFIX,
    STALE_S,
    atomic_file,
    atomic_folder,
    is_dead,
    owner,
    part_of,
    remove_dead,
    replace,
    temporary_folder,
)

PACKAGE = Path(talkingface.__file__).parent
# A line for each kind of file that is written beside its place; ``to`` is an empty folder.
KINDS = {
    "picture": "write_image(to / 'x.png', PICTURE)",
    "video": "video(to / 'x.mp4')",
    "folder of frames": "video(to / 'frames')",
    "settings": "save_settings(SETTINGS, to / 'x.mp4.yaml')",
    "scores": "Report([], [], {}).save_json(to / 'x.json')",
    "weights": "write_safetensors(to / 'x.safetensors', {'a': torch.zeros(3)}, {})",
    "published weights": "save_published(to / 'x.pth.tar', NETWORKS)",
    "motion": "save_motion(to / 'x.motion', Motion('k', Fraction(25), {'v': torch.zeros(2, 3)}, 's'))",
    "rows of coefficients": "save_3dmm(to / 'x.npy', ROWS)",
    "clip of a cache": "write_shard(to / 'x.safetensors', 'c', 'i', [PICTURE], [0], MESH, MESH[:, 0])",
    "lists of an LMDB": "write_lists(to, {'train': ['a']})",
    "state of a training": "with state.saving(to / 'step-00000001', torch.nn.ModuleDict(), {}, {}, {}): pass",
}
PREPARE = """
    import os, signal, sys
    from fractions import Fraction
    from pathlib import Path
    import numpy as np, torch
    from talkingface.config import load_settings, save_settings
    from talkingface.data.cache.store import write_shard
    from talkingface.data.lmdb.write import write_lists
    from talkingface.evaluation.report import Report
    from talkingface.media.image import write_image
    from talkingface.media.writer import open_writer
    from talkingface.motion.file import save_3dmm, save_motion
    from talkingface.train import state
    from talkingface.types import Motion
    from talkingface.weights.convert import save_published
    from talkingface.weights.files.tensorfile import write_safetensors
    from talkingface.weights.load import NetworkWeights

    PICTURE, MESH = np.zeros((16, 16, 3), np.uint8), np.zeros((1, 468, 3), np.float32)
    ROWS = Motion("3dmm.73", Fraction(25), {"coefficients": torch.zeros(2, 73)}, "bfm")
    SETTINGS = load_settings(["--image_source=x.png"])
    NETWORKS = NetworkWeights({"a": {"b": torch.zeros(3)}}, {}, "FOM", "")

    def video(output):
        with open_writer(output, fps=Fraction(25)) as writer:
            writer.write(PICTURE)

    def die(event, arguments):
        if event == "os.rename":
            os.kill(os.getpid(), signal.SIGKILL)
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", textwrap.dedent(PREPARE) + textwrap.dedent(code)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each kind, with what a process leaves that is killed before its file takes its place."""
    root = tmp_path_factory.mktemp("killed")
    done = run(f"""
        for number, line in enumerate({list(KINDS.values())!r}):
            to = Path({str(root)!r}, str(number))
            to.mkdir()
            child = os.fork()
            if child == 0:
                sys.addaudithook(die)  # the moment before the file is there
                exec(line)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == signal.SIGKILL, line
        """)
    assert done.returncode == 0, done.stderr
    return root


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def parts(folder: Path) -> list[str]:
    return [name for name in names(folder) if name.startswith(PREFIX)]


def test_every_kind_leaves_a_part_and_the_next_run_removes_it(killed: Path) -> None:
    kinds = list(KINDS)
    for number, kind in enumerate(kinds):
        left = names(killed / str(number))
        assert left == parts(killed / str(number)) and len(left) == 1, kind
    done = run(f"""
        for number, line in enumerate({list(KINDS.values())!r}):
            to = Path({str(killed)!r}, str(number))
            exec(line)
        """)
    assert done.returncode == 0, done.stderr
    for number, kind in enumerate(kinds):
        assert parts(killed / str(number)) == [] and names(killed / str(number)), kind


def test_no_other_module_makes_names_of_unfinished_files() -> None:
    banned = {"mkstemp", "mkdtemp", "TemporaryDirectory", "NamedTemporaryFile", "token_hex"}
    allowed = {
        "part_files.py",
        "testing.py",  # its folder is the author's own
        "ops/build.py",  # under a lock, whose next holder removes them
        "weights/download/fetch.py",  # a download that the next run continues
        "weights/download/http.py",
    }
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).as_posix() in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            word = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            assert word not in banned and not text.endswith(".part"), f"{path}, line {getattr(node, 'lineno', 0)}"


def test_parts_of_running_processes_stay(tmp_path: Path) -> None:
    code = "import time; from pathlib import Path; from talkingface.part_files import part_of; import sys"
    code += "\npart_of(Path(sys.argv[1])).touch(); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, tmp_path / "x.mp4"], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline()
        own = part_of(tmp_path / "y.mp4")
        own.touch()
        assert remove_dead(tmp_path) == [] and len(parts(tmp_path)) == 2
        other.send_signal(signal.SIGKILL)
        time.sleep(0.2)  # ended, and not yet waited for
        assert len(remove_dead(tmp_path)) == 1 and parts(tmp_path) == [own.name]


def test_another_process_of_the_same_number_is_another_owner(tmp_path: Path) -> None:
    machine, pid, _ = owner().split("-")
    assert is_dead(tmp_path / f"{PREFIX}{machine}-{pid}-00000000-0123456789ab.mp4")
    assert not is_dead(part_of(tmp_path / "x.mp4"))


@pytest.mark.parametrize(
    "name", [f"{PREFIX}00000000-1-00000000-0123456789ab", f"{PREFIX}0123456789ab", f"{PREFIX}x.mp4"]
)
def test_parts_whose_owner_nobody_knows_are_dead_after_a_day(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "x").touch()
    assert not is_dead(folder)
    old = time.time() - STALE_S - 60
    os.utime(folder, (old, old))
    assert not is_dead(folder)  # something in it is new
    os.utime(folder / "x", (old, old))
    assert remove_dead(tmp_path) == [folder]


def test_only_parts_are_removed_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "x").touch()
    dead = owner().rsplit("-", 1)[0] + "-00000000"
    (tmp_path / f"{PREFIX}{dead}-0123456789ab").symlink_to(tmp_path / "kept")
    assert len(remove_dead(tmp_path)) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "x"]
    assert remove_dead(tmp_path / "none") == []


def test_a_folder_changes_places_with_the_one_before(tmp_path: Path) -> None:
    target = tmp_path / "frames"
    for text in ("first", "second"):
        with atomic_folder(target) as part:
            (part / "x").write_text(text)
    assert (target / "x").read_text() == "second" and names(tmp_path) == ["frames"]
    (tmp_path / "empty").mkdir()
    replace(target, tmp_path / "empty")
    assert names(tmp_path) == ["empty"] and (tmp_path / "empty" / "x").read_text() == "second"


def test_nothing_stays_after_an_error(tmp_path: Path) -> None:
    for context in (atomic_file(tmp_path / "a.bin"), atomic_folder(tmp_path / "b"), temporary_folder(tmp_path)):
        with pytest.raises(RuntimeError), context as part:
            (part / "x" if part.is_dir() else part).write_text("half")
            raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_names_as_long_as_names_can_be(tmp_path: Path) -> None:
    for name in ("x" * 251 + ".mp4", "x." + "y" * 253):
        with atomic_file(tmp_path / name) as part:
            part.write_text("whole")
    assert len(names(tmp_path)) == 2
