"""Programs that this one starts end with it, however it ends, and have limits of memory, time and silence."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import talkingface
from talkingface.children import run, start
from talkingface.media.ffmpeg import SILENT, Child, input_arguments

PACKAGE = Path(talkingface.__file__).parent
PROC = Path("/proc")
pytestmark = pytest.mark.skipif(not PROC.is_dir(), reason="processes are looked up in /proc")
ENDLESS = ["-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25", "-f", "rawvideo", "pipe:1"]
MORE_THAN_A_FRAME = 1 << 20  # bytes; a frame comes at once, the next after 100 s
SILENT_SOURCE = ["-re", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=1/100", "-f", "rawvideo", "pipe:1"]
# A program, its parent's pid as its name in the list of processes, that starts one more and never ends.
FAMILY = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)', '{mark}'])"


def test_no_other_module_starts_programs() -> None:
    allowed = {"children.py"}
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).as_posix() not in allowed:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
            assert "subprocess" not in names, path
            words = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
            assert not {"Popen", "posix_spawn", "execv", "spawnv", "popen"} & set(words), path


def test_every_file_is_opened_with_the_limits_of_inputs() -> None:
    for path in (PACKAGE / "media").glob("*.py"):
        words = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
        pipes = words.count("pipe:0")  # frames of our own
        assert words.count("-i") == pipes + (path.name == "ffmpeg.py"), path


def alive(pid: int) -> bool:
    """True if a process runs; one that has ended and was not waited for does not."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def with_word(word: str) -> list[int]:
    """Running processes with this word in their command."""
    pids = [int(path.name) for path in PROC.iterdir() if path.name.isdecimal()]
    return [pid for pid in pids if word.encode() in _command(pid).split(b"\0") and alive(pid)]


def _command(pid: int) -> bytes:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def soon(true: object, seconds: float = 10) -> bool:
    """True if something becomes true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


@contextmanager
def parent(code: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process with some code that starts ``program``, whose pid it tells; killed at the end."""
    code = (
        "import sys, time, threading\nfrom talkingface.children import *\nfrom talkingface.media.ffmpeg import *\n"
        + code
    )
    code += "\nprint(program.pid, flush=True)\ntime.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("encoder", [False, True])
def test_decoder_and_encoder_end_with_a_killed_parent(number: signal.Signals, encoder: bool) -> None:
    waits = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x64", "-i", "pipe:0", "-f", "null", "-"]
    code = f"program = Child({waits if encoder else ENDLESS!r}, feed={encoder}, collect={not encoder})._process"
    with parent(code) as (process, child):
        assert alive(child)
        process.send_signal(number)
        assert soon(lambda: not alive(child))


def test_what_a_program_started_ends_with_a_killed_parent() -> None:
    mark = f"family-{os.getpid()}-killed"
    words = ["-c", FAMILY.format(mark=mark)]
    with parent(f"program = start([sys.executable, *{words!r}], family=True)") as (process, child):
        assert soon(lambda: with_word(mark))
        process.kill()
        assert soon(lambda: not alive(child) and not with_word(mark))


def test_a_program_outlives_the_thread_that_started_it() -> None:
    started: list[Child] = []
    thread = threading.Thread(target=lambda: started.append(Child(ENDLESS, collect=True)))
    thread.start()
    thread.join()
    time.sleep(0.3)
    with started[0] as child:
        assert len(child.read(3 * 64 * 64)) == 3 * 64 * 64
        assert alive(child._process.pid)
    assert not alive(child._process.pid)


def test_a_forked_process_starts_its_own() -> None:
    code = "import os, sys\nfrom talkingface.children import run\nrun(['true'], timeout_s=60)\nchild = os.fork()\n"
    code += "done = run(['true'], timeout_s=60)\nif child == 0: os._exit(done.returncode)\n"
    code += "sys.exit(os.waitpid(child, 0)[1])"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_time_is_limited_and_all_that_a_program_started_ends() -> None:
    mark = f"family-{os.getpid()}-late"
    with pytest.raises(TimeoutError, match="not done after 1 s"):
        run([sys.executable, "-c", FAMILY.format(mark=mark)], timeout_s=1)
    assert soon(lambda: not with_word(mark))


def test_memory_is_limited() -> None:
    words = [sys.executable, "-c", "print(len(bytearray(200 << 20)))"]
    for limit, works in ((100 << 20, False), (400 << 20, True)):
        program = start(words, stdout=-1, memory_bytes=limit)
        out, messages = program.communicate()
        program.end()
        assert (program.returncode == 0, out != b"") == (works, works), messages
        assert works or b"MemoryError" in messages


def test_silence_is_limited() -> None:
    with Child(SILENT_SOURCE, collect=True) as child:
        began = time.monotonic()
        assert len(child.read(MORE_THAN_A_FRAME, limit_s=0.5)) < MORE_THAN_A_FRAME
        assert time.monotonic() - began < 10
        assert child.first_message() == SILENT


def test_a_slow_consumer_is_no_silence() -> None:
    with Child(ENDLESS, collect=True) as child:
        with child.patience(0.2):
            child.stdout.read(1)
        time.sleep(1.5)
        assert child.stdout.read(1) and SILENT not in child.messages


def test_what_does_not_start_is_told(tmp_path: Path) -> None:
    for name, reason in (("nothing-of-this-name", "No such file"), (str(tmp_path / "x"), "Permission denied")):
        (tmp_path / "x").write_text("no program")
        with pytest.raises(OSError, match=reason):
            start([name])
    assert "-max_pixels" in input_arguments("x.mp4")
