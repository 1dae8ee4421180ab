"""Saved states: damage is told by name, the one before goes on, and exports belong to the states after any kill."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from talkingface.data import open_store
from talkingface.errors import ConfigError, TrainingError
from talkingface.train import Trainer
from talkingface.train.checkpoints import claim
from talkingface.train.state import clear_remains, find, read_facts, saved
from talkingface.train.state_facts import FACTS, TENSORS, DamagedStateError
from talkingface.weights.load import load_networks, read_notes

from .tiny import Tiny, quick, write_clips

HOSTILE = Path(os.environ.get("TALKINGFACE_SHARED", Path(__file__).parents[3] / "shared")) / "data/hostile/statejson"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def trained(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run of four steps with a state after each of the last three, and exports of the last and the best."""
    folder = tmp_path_factory.mktemp("trained")
    settings = quick(max_steps=4, checkpoint_every_s=1e-9, keep_last=3, validate_every=1)
    store = open_store(clips)
    Trainer(Tiny(), store, settings, folder, validation=store).run()
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def exported(run: Path) -> dict[str, int]:
    return {name: int(read_notes([run / "export" / f"{name}.safetensors"])["step"]) for name in ("last", "best")}


def wanted(run: Path) -> dict[str, int]:
    facts = read_facts(saved(run / "states")[-1])
    return {"last": facts["step"], "best": int(facts["best"][1].removeprefix("step-"))}


def resumed(clips: Path, run: Path, resume: str = "auto") -> Trainer:
    return Trainer(Tiny(seed=7), open_store(clips), quick(resume=resume, max_steps=9), run)


def test_a_state_says_what_its_files_are(run: Path) -> None:
    facts = read_facts(find(run))
    assert set(facts["files"]) == set(TENSORS) and exported(run) == wanted(run)


@pytest.mark.parametrize("name", [*TENSORS, FACTS])
@pytest.mark.parametrize("harm", ["cut", "flipped", "empty", "gone"])
def test_a_damaged_state_is_told_and_the_one_before_goes_on(clips: Path, run: Path, name: str, harm: str) -> None:
    newest, before = saved(run / "states")[-1], saved(run / "states")[-2]
    data = (newest / name).read_bytes()
    place = len(data) // 2
    flipped = data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]
    changed = {"cut": data[:place], "flipped": flipped, "empty": b"", "gone": b""}[harm]
    (newest / name).write_bytes(changed)
    if harm == "gone":
        (newest / name).unlink()
    if (name, harm) != (FACTS, "gone"):  # without it there is no state at all
        with pytest.raises(TrainingError, match=f"{newest.name}.*the state is damaged") as caught:
            resumed(clips, run, str(newest))
        assert "\n" not in str(caught.value)
        assert f"{newest}: the state is damaged" in _log_of(resumed(clips, run), run)
    trainer = resumed(clips, run)
    assert trainer.step == read_facts(before)["step"] and exported(run)["last"] == trainer.step


def _log_of(trainer: Trainer, run: Path) -> str:
    return (run / "train.log").read_text()


def test_no_state_left_is_an_error_and_not_a_new_training(clips: Path, run: Path) -> None:
    for state in saved(run / "states"):
        (state / FACTS).write_text("{}")
    with pytest.raises(DamagedStateError, match="the state is damaged"):
        resumed(clips, run)


@pytest.mark.skipif(not HOSTILE.is_dir(), reason=f"no {HOSTILE} (set TALKINGFACE_SHARED)")
def test_damaged_facts_are_told(clips: Path, run: Path) -> None:
    files = sorted(HOSTILE.glob("*.json"))
    assert len(files) >= 5
    newest = saved(run / "states")[-1]
    for file in files:
        shutil.copyfile(file, newest / FACTS)
        with pytest.raises(DamagedStateError, match=r"state\.json"):
            read_facts(newest)
    assert resumed(clips, run).step == 3


@pytest.mark.parametrize(
    "change",
    [
        {"step": {}}, {"step": -1}, {"step": 10**30}, {"best": 3}, {"best": ["a", "b"]},
        {"best": [1.0, "../x"]}, {"optimizers": {}},
        {"optimizers": {"generator": [], "discriminator": []}},
        {"optimizers": {"generator": [{}], "discriminator": [{}]}}, {"settings": None},
        {"files": {"networks.safetensors": "0"}},
    ],
)  # fmt: skip
def test_facts_of_other_kinds_are_refused(clips: Path, run: Path, change: dict[str, object]) -> None:
    """Make a state one of before digests, which nothing but its schema judges."""
    newest = saved(run / "states")[-1]
    facts = {key: value for key, value in read_facts(newest).items() if key not in ("digest", "files")}
    (newest / FACTS).write_text(json.dumps({**facts, **change}))
    with pytest.raises(TrainingError):
        resumed(clips, run, str(newest))


def test_a_state_of_before_digests_goes_on(clips: Path, run: Path) -> None:
    newest = saved(run / "states")[-1]
    facts = {key: value for key, value in read_facts(newest).items() if key not in ("digest", "files")}
    (newest / FACTS).write_text(json.dumps(facts))
    assert resumed(clips, run).step == 4


def test_what_a_kill_left_is_cleared_and_set_right(clips: Path, run: Path) -> None:
    newest = saved(run / "states")[-1]
    (run / "states" / ".step-00000009-abc").mkdir()
    newest.rename(run / "states" / f".{newest.name}-old")
    shutil.copyfile(run / "export" / "last.safetensors", run / "export" / "best.safetensors")
    (run / "export" / "last.safetensors").unlink()
    trainer = resumed(clips, run)
    assert trainer.step == 4 and exported(run) == wanted(run)
    assert not list((run / "states").glob(".*"))
    average = load_networks(run / "export" / "last.safetensors").states
    assert torch.equal(average["painter"]["last.bias"], trainer._average.states["painter"]["last.bias"])
    clear_remains(run / "nowhere")


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from train.test_states import exported, wanted
from train.tiny import Tiny, quick
from talkingface.data import open_store
from talkingface.train import Trainer
from talkingface.train.state import saved
run, chosen = Path(sys.argv[3]), random.Random(int(sys.argv[4]))
settings = quick(max_steps=10**6, checkpoint_every_s=1e-9, validate_every=1, log_every=10**6, resume="auto",
                 image_every=10**6, learning_rate=1e-3)
for _ in range(int(sys.argv[5])):
    started = run / "started"
    started.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        store = open_store(Path(sys.argv[2]))
        trainer = Trainer(Tiny(), store, settings, run, validation=store)
        if trainer.step and exported(run) != wanted(run):
            os._exit(1)
        started.touch()
        trainer.run()
    while not started.exists() and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(0.005)
    time.sleep(chosen.uniform(0.02, 0.3))
    os.kill(child, signal.SIGKILL)
    print(os.waitpid(child, 0)[1], len(saved(run / "states")), flush=True)
"""


def test_states_and_exports_agree_after_kills(clips: Path, tmp_path: Path) -> None:
    tests, kills = Path(__file__).parents[1], int(os.environ.get("TALKINGFACE_KILLS", "8"))
    command = [sys.executable, "-c", KILLED, str(tests), str(clips), str(tmp_path / "run"), "1", str(kills)]
    (tmp_path / "run").mkdir()
    done = subprocess.run(command, cwd=tests.parent, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [status for status, _ in lines] == ["9"] * kills and int(lines[-1][1]) > 0
    assert resumed(clips, tmp_path / "run").step > 0 and exported(tmp_path / "run") == wanted(tmp_path / "run")


def test_a_used_run_folder_is_refused_with_three_ways_on(run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"results of another training.*--train\.resume=auto.*--output_dir.*--overwrite"
    ):
        claim(run, "", False)
    with pytest.raises(ConfigError, match="results of another training"):
        claim(run, str(tmp_path / "other"), False)
    claim(run, "auto", False)
    claim(run, str(run), False)
    claim(run, str(saved(run / "states")[0]), False)
    claim(tmp_path / "new", "", False)
    assert saved(run / "states")
    (run / "mine.txt").write_text("kept")
    claim(run, "", True)
    assert [path.name for path in run.iterdir()] == ["mine.txt"]


def test_overwrite_removes_nothing_that_is_not_a_trainings(run: Path) -> None:
    for own in ("pictures/mother.png", "export/invoices.csv", "states/alabama.txt", "tensorboard/notes.txt"):
        (run / own).parent.mkdir(parents=True, exist_ok=True)
        (run / own).write_text("irreplaceable")
        before = sorted(run.rglob("*"))
        with pytest.raises(ConfigError, match=r"other things than results of a training \(.*and is not removed"):
            claim(run, "", True)
        assert sorted(run.rglob("*")) == before
        (run / own).unlink()
    claim(run, "", True)
    assert not (run / "states").exists()
