"""A network that a graph file describes, run step by step; only the operations that our files hold are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import WeightsError
from ..weights.files.tfjs import Graph, Node


class GraphNetwork(nn.Module):
    """One picture in, one result out. Inside, pictures are (N, H, W, C), as TensorFlow has them."""

    def __init__(self, graph: Graph) -> None:
        """Take the steps and constants.

        Raises:
            WeightsError: if an operation is not known, or there is more than one input or output.
        """
        super().__init__()
        strange = sorted({node.op for node in graph.nodes.values()} - {*_OPERATIONS, "Placeholder"})
        if strange:
            raise WeightsError(f"a network with an operation that is not known: {strange[0]}")
        if len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise WeightsError(
                f"a network with {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, not 1 and 1"
            )
        self._nodes, (self._input,), (self._output,) = graph.nodes, graph.inputs, graph.outputs
        self._names = list(graph.constants)
        for number, values in enumerate(graph.constants.values()):
            self.register_buffer(f"constant_{number}", torch.from_numpy(values), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """The result (N, ...) for pictures (N, C, H, W) in the network's own range."""
        known: dict[str, Tensor] = {
            name: self.get_buffer(f"constant_{number}") for number, name in enumerate(self._names)
        }
        known[self._input] = pictures.permute(0, 2, 3, 1)
        for name, node in self._nodes.items():
            if name not in known:
                known[name] = _OPERATIONS[node.op](node, *(known[taken] for taken in node.inputs))
        return known[self._output]


def _convolution(node: Node, pictures: Tensor, kernel: Tensor) -> Tensor:
    """Kernel: (height, width, in, out)."""
    return _convolved(node, pictures, kernel.permute(3, 2, 0, 1), 1)


def _depthwise(node: Node, pictures: Tensor, kernel: Tensor) -> Tensor:
    """Kernel: (height, width, in, out of each)."""
    channels = kernel.shape[2]
    return _convolved(node, pictures, kernel.flatten(2).permute(2, 0, 1)[:, None], channels)


def _convolved(node: Node, pictures: Tensor, kernel: Tensor, groups: int) -> Tensor:
    if node.padding != "VALID":
        raise WeightsError(f"a network with a padding that is not known: {node.padding}")
    return F.conv2d(pictures.permute(0, 3, 1, 2), kernel, stride=node.strides, groups=groups).permute(0, 2, 3, 1)


def _padded(_: Node, pictures: Tensor, widths: Tensor) -> Tensor:
    """Widths: (axes, 2), zeros before and after; torch wants the last axis first."""
    return F.pad(pictures, [int(width) for pair in reversed(widths.tolist()) for width in pair])


_OPERATIONS: Mapping[str, Callable[..., Tensor]] = {
    "AddV2": lambda _, a, b: a + b,
    "Sub": lambda _, a, b: a - b,
    "Mul": lambda _, a, b: a * b,
    "Maximum": lambda _, a, b: torch.maximum(a, b),
    "Minimum": lambda _, a, b: torch.minimum(a, b),
    "MatMul": lambda _, a, b: a @ b,
    "Reshape": lambda _, a, shape: a.reshape([int(length) for length in shape.tolist()]),
    "Pad": _padded,
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
}
