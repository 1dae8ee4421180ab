"""Log of a training run: text, JSON lines, pictures, TensorBoard."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..data.loader import Batches
from ..data.store import ClipStore
from ..errors import ConfigError, did_you_mean
from ..models.base import ModelPlugin
from ..paths import install_command
from .settings import TrainSettings

_log = logging.getLogger(__name__)
_ROWS = 6


class TrainingLog:
    """Writes ``train.log``, ``scalars.jsonl``, ``pictures/step-*.png`` and ``tensorboard/`` of a run folder.

    Args:
        folder: folder of the run; created if it is missing.
        tensorboard: write for TensorBoard too; if it is not installed, a line says so and the rest is written.
        silent: write nothing, as in all processes but the first.
    """

    def __init__(self, folder: Path, *, tensorboard: bool = True, silent: bool = False) -> None:
        self._folder, self._silent = folder, silent
        self._board: Any = None
        self._started = time.monotonic()
        if silent:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._board = _summary_writer(folder / "tensorboard", self) if tensorboard else None

    def line(self, text: str) -> None:
        """Write a line to the text log and to the program's log."""
        if self._silent:
            return
        _log.info("%s", text)
        with (self._folder / "train.log").open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    def scalars(self, step: int, group: str, values: Mapping[str, float]) -> None:
        """Write the scalars of a step, by name."""
        if self._silent or not values:
            return
        seconds = round(time.monotonic() - self._started, 1)
        entry = {"step": step, "seconds": seconds, "group": group, **{k: float(f"{v:.6g}") for k, v in values.items()}}
        with (self._folder / "scalars.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        for name, value in values.items() if self._board else ():
            self._board.add_scalar(f"{group}/{name}", value, step)
        self.line(f"step {step} {group}: " + ", ".join(_shown(name, value) for name, value in values.items()))

    def pictures(self, step: int, columns: Mapping[str, Tensor]) -> None:
        """Write a contact sheet with a row per item and a column per name; each is (N, 3, H, W) in [0, 1]."""
        if self._silent or not columns:
            return
        from ..media.image import write_image

        sheet = contact_sheet(columns)
        target = self._folder / "pictures" / f"step-{step:08d}.png"
        target.parent.mkdir(exist_ok=True)
        write_image(target, sheet)
        self.line(f"step {step} pictures ({' | '.join(columns)}): {target}")
        if self._board:
            self._board.add_image("pictures", sheet, step, dataformats="HWC")

    def close(self) -> None:
        if self._board:
            self._board.close()


def _shown(name: str, value: float) -> str:
    """A scalar for readers; slow rates are shown as seconds a step."""
    return f"s_per_step {1 / value:.4g}" if name == "steps_per_s" and 0 < value < 1 else f"{name} {value:.4g}"


def contact_sheet(columns: Mapping[str, Tensor]) -> np.ndarray:
    """Arrange pictures (N, 3, H, W) in [0, 1] by name as one picture (rows * H, columns * W, 3), uint8, RGB.

    It shows up to six items; pictures of other sizes are scaled to those of the first name.
    """
    first = next(iter(columns.values()))
    count = min(_ROWS, *(len(pictures) for pictures in columns.values()))
    cells = [_cells(pictures[:count], first.shape[-2:]) for pictures in columns.values()]
    rows = torch.cat(cells, dim=-1).permute(0, 2, 3, 1)
    return rows.reshape(-1, *rows.shape[2:]).numpy()


def _cells(pictures: Tensor, size: torch.Size) -> Tensor:
    """Convert the pictures of one column to uint8 of one size, grey ones to RGB."""
    pictures = pictures.detach().float().cpu().expand(-1, 3, -1, -1)
    if pictures.shape[-2:] != size:
        pictures = functional.interpolate(pictures, size=tuple(size), mode="bilinear", antialias=True)
    return pictures.clamp(0, 1).mul(255).round().to(torch.uint8)


def _summary_writer(folder: Path, log: TrainingLog) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.line(f"TensorBoard is not installed, its log is left out; {install_command('log')} brings it")
        return None
    try:
        return SummaryWriter(str(folder))
    except UnicodeEncodeError:
        log.line("TensorBoard's log is left out: it needs a folder whose name is UTF-8")
        return None


_SEED = 0


class Validation:
    """Validation of a model on fixed batches of a store.

    Args:
        plugin: the model; the present weights of its networks are validated.
        store: clips of the validation.
        settings: group ``train``.
        scored: the clips are not those of the training, so that their scores are meaningful.
    """

    def __init__(self, plugin: ModelPlugin, store: ClipStore, settings: TrainSettings, *, scored: bool) -> None:
        self._plugin, self.scored, self._best = plugin, scored, settings.best_score
        self._batches = Batches(
            store, plugin.samples(), batch_size=settings.batch_size, image_size=settings.image_size, seed=_SEED
        )
        self._count = settings.validate_batches

    def scores(self, device: torch.device) -> dict[str, float]:
        """Mean scores, by the names of the plug-in."""
        totals: dict[str, float] = {}
        for number in range(self._count):
            scores, _ = self._validate_batch(number, device)
            for name, value in scores.items():
                totals[name] = totals.get(name, 0.0) + value / self._count
        return totals

    def pictures(self, device: torch.device) -> dict[str, Tensor]:
        """Columns of the contact sheet, (N, 3, H, W) in [0, 1]: the inputs, then the pictures of the plug-in."""
        batch = self._batches[0]
        _, shown = self._validate_batch(0, device)
        inputs = {name: value for name, value in batch.items() if value.ndim == 4 and name not in shown}
        return {**inputs, **shown}

    def ranked(self, scores: dict[str, float]) -> float:
        """Score that selects the best state; lower is better.

        Raises:
            ConfigError: if the model has no score of the name in ``best_score``.
        """
        name = self._best or next(iter(scores))
        if name not in scores:
            raise ConfigError(f"no score '{name}'", where="--train.best_score", cure=did_you_mean(name, scores))
        return scores[name]

    def _validate_batch(self, number: int, device: torch.device) -> tuple[dict[str, float], dict[str, Tensor]]:
        batch = {name: value.to(device) for name, value in self._batches[number].items()}
        networks = self._plugin.networks
        networks.eval()
        try:
            with torch.no_grad():
                return self._plugin.validate(batch)
        finally:
            networks.train()
