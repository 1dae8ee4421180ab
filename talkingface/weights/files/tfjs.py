"""Reading of graph models of TensorFlow.js: a JSON file with the nodes, and one file with all numbers."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import WeightsError
from .read import file_errors

_TYPES = {"float32": np.dtype("<f4"), "int32": np.dtype("<i4")}
_AGAIN = "Delete it and fetch it again."


@dataclass(frozen=True)
class Node:
    """A step of a graph.

    Attributes:
        op: its operation, by TensorFlow's name.
        inputs: names of the nodes and constants that it takes.
        strides: (down, across) of a convolution.
        padding: TensorFlow's word for it, "" for operations without one.
    """

    op: str
    inputs: tuple[str, ...]
    strides: tuple[int, int] = (1, 1)
    padding: str = ""


@dataclass(frozen=True)
class Graph:
    """Network as steps and constants.

    Attributes:
        nodes: by name, each after those that it takes.
        constants: by name.
        inputs, outputs: names of the nodes that take pictures, and of those whose results nothing else takes.
    """

    nodes: Mapping[str, Node]
    constants: Mapping[str, NDArray[Any]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_graph(layers: Path, numbers: Path) -> Graph:
    """Read a model whose numbers are plain float32 and int32, not packed smaller.

    Args:
        layers: the JSON file.
        numbers: the binary file.

    Raises:
        WeightsError: if a file is missing, damaged, or of another kind.
    """
    with file_errors(layers):
        text = layers.read_bytes()
    with file_errors(numbers):
        data = numbers.read_bytes()
    try:
        content = json.loads(text)
        constants = _constants(content["weightsManifest"], data)
        nodes = {node["name"]: _node(node) for node in content["modelTopology"]["node"] if node["op"] != "Const"}
    except (KeyError, TypeError, ValueError, IndexError, RecursionError, binascii.Error) as error:
        raise WeightsError("no graph model of TensorFlow.js that can be read", where=layers, cure=_AGAIN) from error
    return _ordered(nodes, constants, layers)


def _constants(manifest: list[dict[str, Any]], data: bytes) -> dict[str, NDArray[Any]]:
    constants, place = {}, 0
    for group in manifest:
        for weight in group["weights"]:
            if "quantization" in weight:
                raise ValueError("quantization")
            kind, shape = _TYPES[weight["dtype"]], tuple(int(length) for length in weight["shape"])
            values = np.frombuffer(data, kind, prod(shape), place)
            constants[str(weight["name"])] = values.reshape(shape).copy()
            place += values.nbytes
    if place != len(data):
        raise ValueError(place)
    return constants


def _node(node: dict[str, Any]) -> Node:
    attributes = node.get("attr", {})
    dilations = attributes["dilations"]["list"]["i"] if "dilations" in attributes else []
    turned = [attributes[key]["b"] for key in ("transpose_a", "transpose_b") if key in attributes]
    if any(turned) or any(int(step) != 1 for step in dilations):
        raise ValueError("a variant of its operation that is not known")
    inputs = tuple(str(name).partition(":")[0] for name in node.get("input", []))
    padding = base64.b64decode(attributes["padding"]["s"]).decode() if "padding" in attributes else ""
    strides = attributes["strides"]["list"]["i"] if "strides" in attributes else [1, 1, 1, 1]
    return Node(str(node["op"]), inputs, (int(strides[1]), int(strides[2])), padding)


def _ordered(nodes: dict[str, Node], constants: dict[str, NDArray[Any]], where: Path) -> Graph:
    """The graph with its nodes in an order in which they can be run."""
    import graphlib

    known = {**nodes, **constants}
    strange = next((name for node in nodes.values() for name in node.inputs if name not in known), None)
    if strange is not None:
        raise WeightsError(f"a node takes '{strange}', which is not there", where=where, cure=_AGAIN)
    try:
        order = list(graphlib.TopologicalSorter({name: node.inputs for name, node in nodes.items()}).static_order())
    except graphlib.CycleError as error:
        raise WeightsError("its nodes run in a circle", where=where, cure=_AGAIN) from error
    taken = {name for node in nodes.values() for name in node.inputs}
    return Graph(
        {name: nodes[name] for name in order if name in nodes},
        constants,
        tuple(name for name, node in nodes.items() if node.op == "Placeholder"),
        tuple(name for name in nodes if name not in taken),
    )
