"""Small networks in TensorFlow Lite's format, run on the CPU by ai-edge-litert."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DependencyError, WeightsError

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
