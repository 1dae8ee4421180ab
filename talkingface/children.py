"""Programs started as child processes: argument lists only, ended with this process, however that ends.

On Linux the kernel kills a child with the thread that started it, so all are started by one thread that lasts as long
as the process. Elsewhere, and for programs that start others, a small watcher process does it.
"""

from __future__ import annotations

import errno
import functools
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL
MEMORY_BYTES = (4 << 30) + (64 << 20) * (os.cpu_count() or 1)
"""Memory that a decoder or encoder may take: for frames of 64 megapixels, and stacks and buffers of a thread a core."""
_ON_LINUX = sys.platform == "linux"
# Becomes the program, after asking the kernel to kill it with its parent (PR_SET_PDEATHSIG) and to limit its data. Not
# its address space: allocators reserve far more of that than they use. And in a program of its own: code of ours is not
# safe in a copy of a process with threads, as a fork makes it.
_BECOME = """
import ctypes, os, resource, signal, sys
parent, memory, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != parent:
    os._exit(1)
if memory:
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    memory = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
try:
    os.execv(program[0], program)
except OSError as error:
    sys.exit(f"{program[0]} does not start: {error.strerror}")
"""
# Ends a process group as soon as its own input ends; a line on it says that there is nothing left to do.
_WATCH = """
import os, signal, sys
if not sys.stdin.buffer.readline():
    if hasattr(os, "killpg"):
        os.killpg(int(sys.argv[1]), signal.SIGKILL)
    else:
        os.kill(int(sys.argv[1]), signal.SIGTERM)
"""
_PYTHON = (sys.executable, "-I", "-S", "-c")


class Program(subprocess.Popen[bytes]):
    """A running program, in a session of its own, so that Ctrl-C on the terminal reaches only this process."""

    _watcher: subprocess.Popen[bytes] | None = None

    def watch(self) -> None:
        """Start the process that ends this one, with all that it started, when the present process is gone."""
        words = [*_PYTHON, _WATCH, str(self.pid)]
        self._watcher = subprocess.Popen(  # noqa: S603
            words, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
        )

    def end(self) -> None:
        """Kill the program and all that it started, if it still runs, and wait for its end."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL) if hasattr(os, "killpg") else self.kill()
        self.wait()
        if self._watcher is not None:
            with suppress(OSError):
                self._watcher.communicate(b"\n")
            self._watcher = None


def start(
    command: Sequence[str | Path],
    *,
    stdin: int = DEVNULL,
    stdout: int | None = DEVNULL,
    stderr: int | None = PIPE,
    memory_bytes: int = 0,
    family: bool = False,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Program:
    """Start a program that ends with this process.

    Args:
        command: program and arguments.
        stdin, stdout, stderr: ``PIPE`` or ``DEVNULL``; None for the streams of this process.
        memory_bytes: the system gives it no more than this; 0: no limit. Kept on Linux alone.
        family: it starts programs of its own, which end with it.
        folder: where it looks for relative names; None: the present one.
        environment: its variables; None: those of this process.

    Raises:
        OSError: if it does not start.
    """
    words = [_found(str(command[0])), *map(str, command[1:])]
    if _ON_LINUX:
        words = [*_PYTHON, _BECOME, str(os.getpid()), str(memory_bytes), *words]

    def started() -> Program:
        program = Program(
            words,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            cwd=folder,
            env=environment,
        )
        if family or not _ON_LINUX:
            program.watch()
        return program

    return _starter(os.getpid())(started)


def run(command: Sequence[str | Path], *, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run a program that may start others to its end; returns its exit status and what it wrote.

    Raises:
        OSError: if it does not start.
        TimeoutError: if it is not done in time; it is ended then, with all that it started.
    """
    program = start(command, stdout=PIPE, family=True)
    try:
        out, err = program.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"not done after {timeout_s:g} s") from error
    finally:
        program.end()
    texts = [text.decode("utf-8", "replace") for text in (out, err)]
    return subprocess.CompletedProcess(list(command), program.returncode, *texts)


def _found(program: str) -> str:
    """Path of a program that can be started, by its path or name."""
    path = shutil.which(program)
    if path is None:
        number = errno.EACCES if Path(program).exists() else errno.ENOENT
        raise OSError(number, os.strerror(number), program)
    return path


@functools.cache
def _starter(pid: int) -> Callable[[Callable[[], Program]], Program]:
    """Give the function that runs another one in the thread that starts this process's children.

    Args:
        pid: of this process; one that was forked has none of its parent's threads, and gets its own.
    """
    work: queue.SimpleQueue[tuple[Callable[[], Program], Future[Program]]] = queue.SimpleQueue()

    def serve() -> None:
        while True:
            function, future = work.get()
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

    def started(function: Callable[[], Program]) -> Program:
        future: Future[Program] = Future()
        work.put((function, future))
        return future.result()

    threading.Thread(target=serve, name=f"children-of-{pid}", daemon=True).start()
    return started
