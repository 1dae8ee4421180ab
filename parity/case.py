"""Recorded cases: networks to build, inputs to feed, outputs of the published code."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor, nn

from talkingface.errors import DataError

from .draw import KEEP, Array, Specification, draw_inputs, draw_state


@dataclass(frozen=True)
class Case:
    """One recorded run of published code.

    Attributes:
        folder: where the case lies.
        kind: of runner, for example ``fom/generator``.
        build: configs, sizes and modes of the networks.
        call: how the inputs are fed, in words; numbers that stand nowhere else are read from it.
        source: project, commit and versions of the recorded run.
        weight_specs: parameter name -> specification; a case with several networks has one such table for each.
        input_specs: input name -> specification.
        outputs: output name -> shape, tolerance and subsampling.
        expected: output name -> array of the published code, subsampled.
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
        """All inputs by name; real numbers in `dtype`."""
        return {name: self._tensor(array) for name, array in draw_inputs(self.input_specs).items()}

    def has(self, name: str) -> bool:
        """True if an input has that name, or that name and a suffix."""
        return bool(self._matches(name))

    def input(self, name: str) -> Tensor:
        """Input of that name, or of that name with the case's suffix (``yaw_b`` beside ``yaw_in_b``).

        Raises:
            DataError: if there is none, or several fit equally well.
        """
        found = self._matches(name)
        best = [key for key in found if all(other.endswith(key.removeprefix(name)) for other in found)]
        if len(best) != 1:
            raise DataError(f"{len(found)} inputs begin with '{name}'", where=self.folder)
        return self.inputs[best[0]]

    def from_call(self, pattern: str, default: str) -> str:
        """Text of the first group of `pattern` in the words of the call, or `default`."""
        found = re.search(pattern, self.call)
        return found[1] if found else default

    def load(self, network: nn.Module, name: str | None = None) -> None:
        """Give a network its drawn weights and the case's dtype, strictly.

        Args:
            name: of the network, where the case has several.

        Raises:
            DataError: if the names of the state dict are not exactly those of the case.
        """
        self._load(network, self.weight_specs if name is None else self.weight_specs[name])

    def load_together(self, *networks: nn.Module) -> None:
        """Load as `load` does, for networks whose names stand in one table; no two may share a name."""
        owners = [set(network.state_dict()) for network in networks]
        for network, own in zip(networks, owners, strict=True):
            others = set().union(*(names for names in owners if names is not own))
            self._load(network, {key: spec for key, spec in self.weight_specs.items() if key not in others})

    def require(self, settings: Mapping[str, Any], supported: Mapping[str, Any]) -> None:
        """Refuse settings of the published code that ours does not have.

        Args:
            settings: of the case; those that are not in `supported` are left alone.
            supported: name -> the only value there is.

        Raises:
            DataError: if a setting has another value.
        """
        for name, value in supported.items():
            if settings.get(name, value) != value:
                raise DataError(f"{name} {settings[name]!r} is not supported, only {value!r}", where=self.folder)

    @property
    def align_corners(self) -> bool:
        """Setting of grid_sample in the recorded run.

        It stands in the build, else behind the name in the words of source or call; torch since 1.3 takes False.
        """
        if "align_corners" in self.build:
            return bool(self.build["align_corners"])
        texts = str(self.source.get("align_corners", "")), *re.findall(r"align_corners[ =:]+(\w+)", self.call)
        words = [word for text in texts for word in re.findall(r"\b(True|False)\b", text)[:1]]
        return bool(words) and words[0] == "True"

    def _matches(self, name: str) -> list[str]:
        if name in self.inputs:
            return [name]
        numbered = name[-1:].isdigit()  # "starts_20" is not the beginning of "starts_200"
        rests = {key: key.removeprefix(name) for key in self.inputs if key.startswith(name)}
        return [key for key, rest in rests.items() if not (numbered and rest[:1].isdigit())]

    def _load(self, network: nn.Module, manifest: Mapping[str, Any]) -> None:
        own, wanted = set(network.state_dict()), set(manifest)
        if own != wanted:
            lacking, extra = sorted(wanted - own), sorted(own - wanted)
            raise DataError(f"state dict lacks {lacking[:5]} and has {extra[:5]} too many", where=self.folder)
        state = {key: torch.from_numpy(array) for key, array in draw_state(manifest).items()}
        kept = {key: value for key, value in network.state_dict().items() if manifest[key]["dist"] == KEEP}
        network.load_state_dict({**state, **kept})
        network.to(self.dtype)

    def _tensor(self, array: Array) -> Tensor:
        tensor = torch.from_numpy(array)
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor


def number(text: str) -> float:
    """Value of a number as the words of a call write it: ``-5``, ``0.45``, ``pi/10``, ``-20/3``."""
    sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
    above, _, below = text.partition("/")
    return sign * (math.pi if above == "pi" else float(above)) / float(below or 1)


def read_case(folder: Path, dtype: torch.dtype = torch.float32) -> Case:
    """Read the case in a folder.

    Raises:
        DataError: if a file or a field is missing or damaged.
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
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise DataError(f"not a parity case: {type(error).__name__} {error}", where=folder) from error


def find_cases(root: Path) -> list[Path]:
    """Folders of all cases at any depth below `root`, by name."""
    return sorted(path.parent for path in root.rglob("case.json"))
