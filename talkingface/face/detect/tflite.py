"""Small networks in TensorFlow Lite's format, run on the CPU by ai-edge-litert."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import DependencyError, WeightsError

INSTALL = 'pip install "talkingface[landmarks]"'


class Model:
    """One network with one picture at a time. Not for two threads at once: give each its own.

    Attributes:
        side: height and width of the picture it takes.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load the file.

        Args:
            threads: CPU threads inside the network; more than one gains little with networks this small.

        Raises:
            DependencyError: if ai-edge-litert is not installed.
            WeightsError: if the file is not there or not such a network.
        """
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise DependencyError("ai_edge_litert is not installed", cure=f"Install it: {INSTALL}") from error
        try:
            # The content rather than the path: the library reads a path through its own code page on some systems.
            self._network = Interpreter(model_content=path.read_bytes(), num_threads=threads)
            with _without_its_greeting():
                self._network.allocate_tensors()
        except (OSError, ValueError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise WeightsError(
                f"not a network that can be run ({reason})", where=path, cure="Delete it and fetch it again."
            ) from error
        taken = self._network.get_input_details()[0]
        self._input = taken["index"]
        self._outputs = [given["index"] for given in self._network.get_output_details()]
        self.side = int(taken["shape"][1])

    def __call__(self, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Run the network.

        Args:
            picture: (side, side, 3) in the network's own range.

        Returns:
            Its outputs without the batch axis, in the order of the file.
        """
        self._network.set_tensor(self._input, picture[None])
        self._network.invoke()
        return [self._network.get_tensor(output)[0] for output in self._outputs]


@contextmanager
def _without_its_greeting() -> Iterator[None]:
    """Keep the library from writing to the terminal what it writes once in each process, whatever one sets.

    It writes to the file descriptor, past Python, so that is where it is turned away, the first time only. What goes
    wrong still comes as an exception.
    """
    global _greeted
    with _LOCK:
        if _greeted:
            yield
            return
        _greeted = True
        try:
            kept = os.dup(2)
        except OSError:  # a program without a terminal may have closed it
            yield
            return
        try:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


_LOCK = threading.Lock()
_greeted = False
