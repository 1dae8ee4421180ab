"""One recorded case: what to build, what to feed, what came out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from talkingface.errors import DataError

from .draw import KEEP, Array, Specification, draw_inputs, draw_state


@dataclass(frozen=True)
class Case:
    """A case as its files say it.

    Attributes:
        folder: where it lies.
        kind: names the builder, for example ``fom/generator``.
        build: numbers to build with: configs, sizes, modes.
        call: how the inputs are fed, in words.
        outputs: name -> shape, tolerance and subsampling.
        expected: name -> what the published code gave, subsampled.
        dtype: to compute in; float32, or float64 where the case has tolerances for it.
    """

    folder: Path
    kind: str
    build: Mapping[str, Any]
    call: str
    source: Mapping[str, Any]
    weight_specs: Mapping[str, Any]
    input_specs: Mapping[str, Specification]
    outputs: Mapping[str, Mapping[str, Any]]
    expected: Mapping[str, Array] = field(repr=False)
    dtype: torch.dtype = torch.float32

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        """All inputs by name, in `dtype` where they are real numbers."""
        return {name: self._tensor(array) for name, array in draw_inputs(self.input_specs).items()}

    def input(self, name: str) -> Tensor:
        """The input of that name, or the only one whose name begins so (cases of a kind may add a suffix).

        Raises:
            DataError: if there is none, or more than one.
        """
        found = [name] if name in self.inputs else [key for key in self.inputs if key.startswith(name)]
        if len(found) != 1:
            raise DataError(f"{len(found)} inputs begin with '{name}'", where=self.folder)
        return self.inputs[found[0]]

    def load(self, network: nn.Module, name: str | None = None) -> None:
        """Give a network its drawn weights and the case's dtype, strictly.

        Args:
            name: of the network, where the case has several.

        Raises:
            DataError: if the names of the state dict are not exactly those of the case.
        """
        manifest = self.weight_specs if name is None else self.weight_specs[name]
        own, wanted = set(network.state_dict()), set(manifest)
        if own != wanted:
            lacking, extra = sorted(wanted - own), sorted(own - wanted)
            raise DataError(f"state dict lacks {lacking[:5]} and has {extra[:5]} too many", where=self.folder)
        state = {key: torch.from_numpy(array) for key, array in draw_state(manifest).items()}
        kept = {key: value for key, value in network.state_dict().items() if manifest[key]["dist"] == KEEP}
        network.load_state_dict({**state, **kept})
        network.to(self.dtype)

    @property
    def align_corners(self) -> bool:
        """What grid_sample did in the recorded run: the build's word, else the first "True" or "False" after the
        name in the source's or the call's; False, as in torch since 1.3, where nothing is said."""
        if "align_corners" in self.build:
            return bool(self.build["align_corners"])
        said = str(self.source.get("align_corners", "")), *re.findall(r"align_corners[ =:]+(\w+)", self.call)
        words = [word for text in said for word in re.findall(r"\b(True|False)\b", text)[:1]]
        return bool(words) and words[0] == "True"

    def _tensor(self, array: Array) -> Tensor:
        tensor = torch.from_numpy(array)
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor


def read_case(folder: Path, dtype: torch.dtype = torch.float32) -> Case:
    """The case in a folder.

    Raises:
        DataError: if a file or a field is missing.
    """
    try:
        text = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        with np.load(folder / "expected.npz", allow_pickle=False) as stored:
            expected = dict(stored)
        return Case(
            folder,
            text["kind"],
            text["build"],
            text.get("call", ""),
            text.get("source", {}),
            text.get("weights") or {},
            text.get("inputs") or {},
            text["outputs"],
            expected,
            dtype,
        )
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise DataError(f"not a parity case: {type(error).__name__} {error}", where=folder) from error


def find_cases(root: Path) -> list[Path]:
    """Folders of all cases at any depth below `root`, by name."""
    return sorted(path.parent for path in root.rglob("case.json"))
