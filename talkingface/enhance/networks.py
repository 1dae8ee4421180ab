"""The published enhancers, built by the optional package spandrel out of files of the catalogue.

The files are read by this toolkit, which executes nothing in them; spandrel is given the numbers and builds networks.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import DependencyError, TalkingFaceError, WeightsError
from ..weights import Entry, load_catalogue
from ..weights.load import load_networks
from ..weights.status import advice
from .background import Upscaler
from .restore import Restorer

INSTALL = "pip install 'talkingface[enhance]'"
# The words of the flags -> the names in the catalogue.
RESTORERS = {"gfpgan": "gfpgan", "RestoreFormer": "restoreformer"}
UPSCALERS = {"realesrgan": "realesrgan"}


def open_restorer(word: str, root: Path, device: torch.device) -> Restorer:
    """The restorer ``"gfpgan"`` or ``"RestoreFormer"`` on a device.

    Raises:
        DependencyError: if spandrel or torchvision is missing, or does not fit torch.
        WeightsError: if the file is missing, damaged, or another one.
    """
    model = _model(load_catalogue()[RESTORERS[word]], root, f"--enhancer={word}").to(device).model
    return _restorer(model, **({"return_rgb": False, "randomize_noise": False} if word == "gfpgan" else {}))


def _restorer(model: Callable[..., Any], **options: bool) -> Restorer:
    """A published face network as a `Restorer`.

    Both work on [-1, 1]. Spandrel's own call hands GFPGAN [0, 1], so the network itself is called. GFPGAN's noise is
    that of the file, the same in each frame; the published program draws it anew, and faces flicker.
    """

    def restore(faces: Tensor) -> Tensor:
        restored: Tensor = model(faces * 2 - 1, **options)[0]
        return ((restored + 1) / 2).clamp(0, 1)

    return restore


def open_upscaler(word: str, root: Path, device: torch.device) -> Upscaler:
    """The upscaler ``"realesrgan"`` on a device; errors as :func:`open_restorer`."""
    upscaler: Upscaler = _model(load_catalogue()[UPSCALERS[word]], root, f"--background_enhancer={word}").to(device)
    return upscaler


def problem() -> TalkingFaceError | None:
    """Why no enhancer can be built on this machine, whatever files are there; None if they can."""
    try:
        spandrel("--enhancer")
    except DependencyError as error:
        return error
    return None


def spandrel(where: str) -> Any:
    """The package spandrel.

    Args:
        where: the flag that wants it.

    Raises:
        DependencyError: if it or torchvision is missing, or torchvision was made for another torch.
    """
    try:
        return importlib.import_module("spandrel")
    except ModuleNotFoundError as error:
        package = (error.name or "spandrel").partition(".")[0]
        what, cure = f"{package} is not installed", f"Install it: {INSTALL}, or leave the flag out."
        raise DependencyError(what, where=where, cure=cure) from error
    # What torchvision raises where its library was built for another torch depends on the two versions.
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise DependencyError(
            f"torchvision, which spandrel needs, does not fit torch {torch.__version__} ({_first_line(error)})",
            where=where,
            cure="Install the torchvision made for this torch, from the same index; or leave the flag out.",
        ) from error


def _model(entry: Entry, root: Path, where: str) -> Any:
    """Spandrel's description of a network, with the weights of a file."""
    package, path = spandrel(where), entry.path(root)
    if not path.is_file():
        raise WeightsError(f"its file {path} is not there", where=where, cure=advice(entry, root))
    (name,) = entry.networks
    state = load_networks(path, model=entry.model).states[name]
    try:
        return package.ModelLoader("cpu").load_from_state_dict(dict(state)).eval()
    except (package.UnsupportedModelError, RuntimeError, KeyError, ValueError) as error:
        what = f"spandrel {package.__version__} cannot build its network ({_first_line(error)})"
        raise WeightsError(what, where=path, cure=f"Fetch {entry.name} again, or another spandrel.") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".:")
