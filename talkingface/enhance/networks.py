"""Published enhancement networks, built by the optional package spandrel from weight files of the catalogue.

The files are read by this toolkit, which executes nothing in them; spandrel gets state dicts and builds networks.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import DependencyError, TalkingFaceError, WeightsError
from ..paths import install_command
from ..weights import Entry, load_catalogue
from ..weights.load import load_networks
from ..weights.status import advice
from .frames import Upscaler
from .restore import Restorer

INSTALL = install_command("enhance")
# Value of the flag -> name in the catalogue.
RESTORERS = {"gfpgan": "gfpgan", "RestoreFormer": "restoreformer"}
UPSCALERS = {"realesrgan": "realesrgan"}


def open_restorer(word: str, root: Path, device: torch.device) -> Restorer:
    """Open the restorer ``"gfpgan"`` or ``"RestoreFormer"`` on a device.

    Raises:
        DependencyError: if spandrel or torchvision is missing, or does not match torch.
        WeightsError: if the file is missing, damaged, or not the right one.
    """
    model = _model(load_catalogue()[RESTORERS[word]], root, f"--enhancer={word}").to(device).model
    return _restorer(model, **({"return_rgb": False, "randomize_noise": False} if word == "gfpgan" else {}))


def _restorer(model: Callable[..., Any], **options: bool) -> Restorer:
    """Wrap a published face network as a `Restorer`.

    Both networks work on [-1, 1]. Spandrel's wrapper passes [0, 1] to GFPGAN, so the network itself is called. GFPGAN's
    noise is that of the file, the same in each frame; the published program draws new noise, which makes faces flicker.
    """

    def restore(faces: Tensor) -> Tensor:
        restored: Tensor = model(faces * 2 - 1, **options)[0]
        return ((restored + 1) / 2).clamp(0, 1)

    return restore


def open_upscaler(word: str, root: Path, device: torch.device) -> Upscaler:
    """Open the upscaler ``"realesrgan"`` on a device; errors as :func:`open_restorer`."""
    upscaler: Upscaler = _model(load_catalogue()[UPSCALERS[word]], root, f"--background_enhancer={word}").to(device)
    return upscaler


def missing_package() -> TalkingFaceError | None:
    """Error that prevents enhancers on this machine, apart from missing weight files; None if they can be built."""
    try:
        import_spandrel("--enhancer")
    except DependencyError as error:
        return error
    return None


def import_spandrel(where: str) -> Any:
    """Import the package spandrel.

    Args:
        where: flag that requires it, for the error.

    Raises:
        DependencyError: if it or torchvision is missing, or torchvision was made for another torch.
    """
    try:
        return importlib.import_module("spandrel")
    except ModuleNotFoundError as error:
        package = (error.name or "spandrel").partition(".")[0]
        what, cure = f"{package} is not installed", f"Install it: {INSTALL}, or leave the flag out."
        raise DependencyError(what, where=where, cure=cure) from error
    # The error of a torchvision that was built for another torch depends on the two versions.
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise DependencyError(
            f"torchvision, which spandrel needs, does not fit torch {torch.__version__} ({_first_line(error)})",
            where=where,
            cure="Install the torchvision made for this torch, from the same index; or leave the flag out.",
        ) from error


def _model(entry: Entry, root: Path, where: str) -> Any:
    """Spandrel's model descriptor of a network, with the weights of a file."""
    package, path = import_spandrel(where), entry.path(root)
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
