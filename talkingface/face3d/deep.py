"""Coefficients of the ``bfm`` space, by the published reconstruction network."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from ..errors import ConfigError, ShapeError, WeightsError, did_you_mean
from ..face.face import Face
from ..media.image import Picture
from ..motion.coefficients import LAYOUT_257, LAYOUT_260
from ..nn.blocks.resnet import resnet18, resnet50
from ..weights import Entry, load_catalogue
from ..weights.load import fingerprint, load_networks, load_strict
from ..weights.status import advice
from .five_points import Alignment, Points, align, load_standard
from .reconstruction import FRAME, Reconstructor, check_square

BACKBONES = {"resnet18": resnet18, "resnet50": resnet50}
# id, exp, tex, angle, gamma, x and y of trans, z of trans: the depth has a layer of its own.
HEADS = (80, 64, 80, 3, 27, 2, 1)


class ReconNet(nn.Module):
    """A residual network and seven linear heads.

    Args:
        backbone: ``"resnet50"`` (published) or ``"resnet18"``.
        use_last_fc: one linear layer ``backbone.fc`` in place of the heads, an option of the published code.

    Raises:
        ConfigError: if there is no such backbone.
    """

    def __init__(self, backbone: str = "resnet50", *, use_last_fc: bool = False) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise ConfigError(f"no backbone {backbone!r}", where="net_recon", cure=did_you_mean(backbone, BACKBONES))
        self.backbone = BACKBONES[backbone](LAYOUT_257.width if use_last_fc else None)
        if use_last_fc:
            self.final_layers = None
            return
        self.final_layers = nn.ModuleList(nn.Conv2d(self.backbone.features, width, 1) for width in HEADS)
        # An untrained network gives the mean face from the front, where training starts.
        for parameter in self.final_layers.parameters():
            nn.init.zeros_(parameter)

    def forward(self, pictures: Tensor) -> Tensor:
        """Coefficients of faces.

        Args:
            pictures: (N, 3, 224, 224), RGB, [0, 1], cut by `five_points.align`.

        Returns:
            (N, 257), laid out as `coefficients.LAYOUT_257`.
        """
        features: Tensor = self.backbone(pictures)
        if self.final_layers is None:
            return features
        return torch.cat([head(features) for head in self.final_layers], dim=1).flatten(1)


logger = logging.getLogger(__name__)

STANDARD = "deep3d_landmarks"
"""Catalogue entry of the standard points that the network was trained with."""

TRAINED_ON = "face_alignment"
"""Backend whose landmarks aligned the crops of StyleHEAT's and SadTalker's training data."""

_NETWORKS = ("net_recon", "face_3drecon")  # its names in Deep3DFaceRecon's file and in SadTalker's package


@dataclass(frozen=True)
class DeepFiles:
    """Files that `DeepReconstructor` is read from.

    Attributes:
        weights: file with the network.
        network: its name in there.
        standard: ``similarity_Lm3D_all.mat``.
        name: of the weights, for the user.
    """

    weights: Path
    network: str
    standard: Path
    name: str


def find_files(root: Path) -> DeepFiles:
    """Find the files of the ``bfm`` space in a folder of weights.

    Raises:
        WeightsError: if one is not there, with the way to get it.
    """
    catalogue = load_catalogue()
    standard = catalogue[STANDARD]
    with_network = list(_with_network(catalogue.entries.values()))
    available = next((item for item in with_network if item[0].path(root).is_file()), None)
    missing = [] if available else [with_network[0][0]]
    missing += [] if standard.path(root).is_file() else [standard]
    if available is None or missing:
        names = " and ".join(str(entry.path(root)) for entry in missing)
        cures = " ".join(advice(entry, root) for entry in missing)
        raise WeightsError(f"coefficients of the bfm space need {names}", cure=cures)
    entry, network = available
    return DeepFiles(entry.path(root), network, standard.path(root), entry.name)


def _with_network(entries: Any) -> Iterator[tuple[Entry, str]]:
    """Catalogue entries that hold the network, with its name there; its own file comes first."""
    for network in _NETWORKS:
        for entry in entries:
            if network in entry.networks:
                yield entry, network


class DeepReconstructor(Reconstructor):
    """Reads coefficients from pictures as StyleHEAT's extraction did: 256 frame, five-point alignment, 224 crop.

    A face model is not needed for it.

    Args:
        network: with weights.
        standard: (5, 3), standard points that the network was trained with.
        device: where the network runs.
        label: one line for the user.
        batch_size: faces that go through the network at once; it does not change the result.
    """

    space = "bfm"

    def __init__(
        self, network: ReconNet, standard: Points, *, device: str = "cpu", label: str = "", batch_size: int = 16
    ) -> None:
        # Convolutions are faster with the channels of a pixel side by side.
        self._network: ReconNet = network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._standard, self._device, self._batch_size = standard, torch.device(device), batch_size
        self.label = label or "coefficients: bfm space"
        self._warned = False

    @classmethod
    def open(cls, files: DeepFiles, *, device: str = "cpu", batch_size: int = 16) -> DeepReconstructor:
        """Load the published network; nothing in its file is executed.

        Raises:
            WeightsError: if a file is damaged, or holds another network.
        """
        loaded = load_networks(files.weights, only=[files.network])
        network = ReconNet()
        state = loaded.states.get(files.network)
        if state is None:
            raise WeightsError(f"holds no network {files.network!r}", where=files.weights)
        load_strict(network, state, where=f"{files.network} of {files.weights}")
        label = f"coefficients: bfm space, {files.name}"
        return cls(network, load_standard(files.standard), device=device, label=label, batch_size=batch_size)

    def rows(self, pictures: Sequence[Picture], faces: Sequence[Face]) -> NDArray[np.float32]:
        out = np.empty((len(pictures), LAYOUT_260.width), np.float32)
        if len(pictures) != len(faces):
            raise ShapeError(f"{len(pictures)} pictures, but {len(faces)} faces")
        for start in range(0, len(pictures), self._batch_size):
            part = slice(start, start + self._batch_size)
            aligned = [self._align(*item) for item in zip(pictures[part], faces[part], strict=True)]
            out[part, : LAYOUT_257.width] = self._predict(np.stack([cut for _, cut in aligned]))
            out[part, LAYOUT_257.width :] = [alignment.parameters for alignment, _ in aligned]
        return out

    def fingerprint(self) -> str:
        standard = hashlib.sha256(np.ascontiguousarray(self._standard).tobytes()).hexdigest()
        return f"{fingerprint(self._network)}-{standard[:12]}"

    def _align(self, picture: Picture, face: Face) -> tuple[Alignment, Picture]:
        """Place of the face in the 256 frame, and its crop."""
        check_square(picture)
        points = face.landmarks if face.landmarks is not None else face.five
        if points is None:
            raise ShapeError("a face with a box alone has no coefficients", cure="Take another --landmarks backend.")
        self._warn_once(face.backend)
        side = len(picture)
        if side != FRAME:
            picture = np.asarray(Image.fromarray(picture).resize((FRAME, FRAME), Image.Resampling.BICUBIC))
        alignment = align((points + 0.5) * (FRAME / side) - 0.5, (FRAME, FRAME), self._standard)
        return alignment, alignment.cut(picture)

    def _warn_once(self, backend: str) -> None:
        if backend != TRAINED_ON and not self._warned:
            logger.warning("the bfm network was trained on crops by %s landmarks; these are by %s", TRAINED_ON, backend)
            self._warned = True

    @torch.inference_mode()
    def _predict(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 224, 224, 3) -> (n, 257)."""
        # Pictures are already in this layout.
        batch = torch.from_numpy(crops).to(self._device).permute(0, 3, 1, 2).float() / 255
        rows: Tensor = self._network(batch)
        return np.asarray(rows.float().cpu().numpy(), np.float32)
