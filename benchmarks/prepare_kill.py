"""Kill -9 at random moments of a preparation, and compare what comes of it with an undisturbed run.

    python -m benchmarks.prepare_kill [--kills 20] [--engine process] [--seed 0] [--json FILE]

Each kill hits the command itself, its whole family, or one of its workers. After a kill the same command goes on; when
it ends, the finished LMDB is compared with that of an undisturbed run, key by key and value by value, and the next
round begins with an empty folder. Exit status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.raw_videos import make_raw_videos
from benchmarks.report import Figure, arguments, publish
from talkingface.data.lmdb.write import content_digest

SMALL = ("--min_frames=16", "--min_size=48", "--prepare.test_share=0", "--prepare.resolutions=64")
PROC = Path("/proc")
VICTIMS = ("command", "family", "worker")


@dataclass
class Tally:
    """Record of a kill: actions and observations.

    Attributes:
        kills: by what was hit ("command", "family", "worker").
        phases: by the step that was under way.
        equal, different: finished data sets compared with the undisturbed one.
        orphans: processes that outlived their command by more than ten seconds.
    """

    kills: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    equal: int = 0
    different: int = 0
    orphans: int = 0


def main() -> int:
    """Run and report."""
    parser = arguments(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--kills", type=int, default=20, help="kills in all")
    parser.add_argument("--engine", choices=("process", "ray"), default="process", help="engine of the preparation")
    parser.add_argument("--workers", type=int, default=2, help="its workers")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and the victims")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        raw = make_raw_videos(Path(folder) / "raw", copies=2)
        flags = (f"--engine={options.engine}", f"--workers={options.workers}")
        wanted = Undisturbed.of(raw, Path(folder) / "undisturbed", flags)
        out = Path(folder) / "tormented"
        tally = torment(raw, out, options.kills, flags, wanted, random.Random(options.seed))
    figures = [
        *(Figure(f"kills of the {victim}", count) for victim, count in sorted(tally.kills.items())),
        *(Figure(f"kills during {phase}", count) for phase, count in sorted(tally.phases.items())),
        Figure("finished data sets equal to the undisturbed one", tally.equal, "", ">= 1"),
        Figure("finished data sets that differ", tally.different, "", "<= 0"),
        # Ray's own processes take a while to notice; what they still finish is whole and the same.
        Figure(
            "processes that outlived it by ten seconds",
            tally.orphans,
            "",
            "<= 0" if options.engine == "process" else "",
        ),
    ]
    return publish(f"preparation killed at random moments, engine {options.engine}", figures, options.json)


@dataclass(frozen=True)
class Undisturbed:
    """Result of a preparation that nobody disturbs.

    Attributes:
        digest: of the finished LMDB.
        seconds: how long it takes.
    """

    digest: str
    seconds: float

    @classmethod
    def of(cls, raw: Path, out: Path, flags: Sequence[str]) -> Undisturbed:
        """By doing it."""
        started = time.monotonic()
        finish(begin(raw, out, flags))
        return cls(content_digest(out), time.monotonic() - started)


def torment(
    raw: Path,
    out: Path,
    kills: int,
    flags: Sequence[str],
    wanted: Undisturbed,
    rng: random.Random,
    victims: Sequence[str] = VICTIMS,
) -> Tally:
    """Kill a preparation so many times, over as many rounds as it takes.

    Args:
        raw: the raw videos.
        out: where the data set is made; not there yet.
        kills: how many.
        flags: further flags of the command.
        wanted: what has to come of it.
        rng: gives moments and victims.
        victims: what may be killed.
    """
    tally, seconds = Tally(), wanted.seconds
    while sum(tally.kills.values()) < kills:
        fresh, started = not out.exists(), time.monotonic()
        child = begin(raw, out, flags)
        if _ends_before(child, rng.uniform(0.1, seconds)):
            # On a machine that has become faster, later moments would all be too late.
            seconds = min(seconds, time.monotonic() - started) if fresh else seconds
            _compare(child, out, wanted, tally)
            continue
        victim = rng.choice(victims)
        phase = _phase(out)
        if _kill(child, victim, rng):
            tally.phases[phase] += 1
            tally.kills[victim] += 1
        if victim == "worker":
            _compare(child, out, wanted, tally)
        else:
            tally.orphans += _wait_for_orphans(child.pid)
    _compare(begin(raw, out, flags), out, wanted, tally)
    return tally


def begin(raw: Path, out: Path, flags: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the command in a session of its own, so that its family is known by it."""
    command = [sys.executable, "-m", "talkingface", "--run_mode=prepare", f"--raw={raw}", f"--prepare.out={out}"]
    return subprocess.Popen(  # noqa: S603
        [*command, *SMALL, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def finish(child: subprocess.Popen[bytes]) -> None:
    """Wait for the end, which has to be a good one."""
    if child.wait() != 0:
        raise RuntimeError(f"the preparation ended with status {child.returncode}")


def _ends_before(child: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _compare(child: subprocess.Popen[bytes], out: Path, wanted: Undisturbed, tally: Tally) -> None:
    """Let the command end, compare, and clear the folder for the next round."""
    finish(child)
    same = content_digest(out) == wanted.digest
    tally.equal += same
    tally.different += not same
    shutil.rmtree(out)


def _kill(child: subprocess.Popen[bytes], victim: str, rng: random.Random) -> bool:
    """Kill; False if nothing was hit, because it had ended by itself before."""
    if victim == "worker":
        return any(map(_end, _a_worker(child, rng)))
    hit = [_end(pid) for pid in (family(child.pid) if victim == "family" else [child.pid])]
    child.wait()
    return any(hit)


def _a_worker(child: subprocess.Popen[bytes], rng: random.Random) -> list[int]:
    """One of the workers, as soon as there is one; empty if the command ends without."""
    while child.poll() is None:
        workers = [pid for pid in family(child.pid) if pid != child.pid and is_worker(pid)]
        if workers:
            return [rng.choice(workers)]
        time.sleep(0.05)
    return []


def _end(pid: int) -> bool:
    """Kill a process; False if it is gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def family(pid: int) -> list[int]:
    """A process and all its descendants that still run, the oldest first."""
    parents = {child: _stat(child)[1] for child in _everybody()}
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one and child not in found]
    return [one for one in found if one in parents]


def is_worker(pid: int) -> bool:
    """True if a process does items: one of a pool, or one that Ray gives tasks to."""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False
    return b"spawn_main" in words or words.startswith((b"ray::IDLE", b"ray::Map", b"ray::_map_task"))


def _wait_for_orphans(session: int) -> int:
    """Number of a session's processes that live ten seconds after their command was killed; they are ended then."""
    end = time.monotonic() + 10
    while (left := _of_session(session)) and time.monotonic() < end:
        time.sleep(0.1)
    for pid in left:
        _end(pid)
    return len(left)


def _of_session(session: int) -> list[int]:
    return [pid for pid in _everybody() if _stat(pid)[3] == session]


def _everybody() -> list[int]:
    return [int(path.name) for path in PROC.iterdir() if path.name.isdecimal()]


def _stat(pid: int) -> tuple[str, int, int, int]:
    """State, parent, group and session of a process; zeros where it is gone or dead."""
    try:
        words = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", 0, 0, 0
    return ("", 0, 0, 0) if words[0] in "ZX" else (words[0], int(words[1]), int(words[2]), int(words[3]))


def _phase(out: Path) -> str:
    """The step that was under way, by the manifests that there are."""
    there = [path.stem for path in (out / "prepare" / "manifests").glob("*.jsonl")]
    return next((name for name in ("lmdb", "coefficients", "landmarks", "crop") if name in there), "the beginning")


if __name__ == "__main__":
    sys.exit(main())
