"""Training on pairs of a cache instead of items of a store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..data.cache.batches import PairBatches, PairSampler
from ..data.cache.settings import DrawSettings
from ..data.cache.store import FaceCache
from ..data.loader import NO_AUGMENTATION, batch_loader
from ..data.store import Clip, ClipStore, Frames
from ..models.base import Batch, ModelPlugin
from .report import Validation
from .settings import TrainSettings
from .trainer import Trainer


class CacheStore(ClipStore):
    """The clips of a cache, for what needs their list and their frames by number among the stored ones."""

    def __init__(self, cache: FaceCache, root: Path) -> None:
        self.root = root
        self._clips = {clip.shard.clip: clip for group in cache.clips.values() for clip in group}

    def clips(self) -> list[Clip]:
        return [Clip(name, one.shard.identity, len(one)) for name, one in sorted(self._clips.items())]

    def sources(self) -> list[Path]:
        return [one.shard.path for one in self._clips.values()]

    def frames(self, clip: Clip, indices: Sequence[int], size: int | None = None) -> Frames:
        shard = self._clips[clip.name].shard
        return np.stack([shard.frame(min(index, len(shard) - 1)) for index in indices])


class PairValidation(Validation):
    """Scores and pictures on pairs of a cache, always the same ones.

    Args:
        plugin: the model.
        cache: what to judge on.
        settings: group ``train``.
        draws: shares of pairs that disagree.
        scored: whether scores on this cache mean anything.
        kind: of batches.
    """

    def __init__(
        self,
        plugin: ModelPlugin,
        cache: FaceCache,
        settings: TrainSettings,
        draws: DrawSettings,
        *,
        scored: bool,
        kind: type[PairBatches] = PairBatches,
    ) -> None:
        self._plugin, self.scored, self._best = plugin, scored, settings.best_score
        self._batches = kind(PairSampler(cache, draws), settings.batch_size, NO_AUGMENTATION)  # type: ignore[assignment]
        self._count = settings.validate_batches

    def pictures(self, device: torch.device) -> dict[str, Tensor]:
        """Source, driving frame, and what the plug-in shows."""
        batch = {name: value.to(device) for name, value in self._batches[0].items()}
        _, shown = self._validate_batch(0, device)
        return {"source": batch["source"], "driving": batch["driving"], **shown}


class CachedTrainer(Trainer):
    """The training loop on a cache; see `Trainer`.

    Args:
        plugin: the model.
        cache: training pairs.
        root: of the cache.
        settings: group ``train``.
        draws: shares of pairs that disagree.
        run_dir: folder of the results.
        validation: pairs of other people; None leaves validation out.
        precision: as in `Trainer`.
        metadata: further facts for exported weights.
        kind: of batches.
    """

    def __init__(
        self,
        plugin: ModelPlugin,
        cache: FaceCache,
        root: Path,
        settings: TrainSettings,
        draws: DrawSettings,
        run_dir: Path,
        *,
        validation: FaceCache | None = None,
        device: torch.device | str = "cpu",
        precision: str = "bf16",
        metadata: Mapping[str, str] | None = None,
        kind: type[PairBatches] = PairBatches,
    ) -> None:
        self._sampler, self._kind = PairSampler(cache, draws, settings.seed), kind
        super().__init__(plugin, CacheStore(cache, root), settings, run_dir, device, precision, metadata=metadata)
        scored = validation is not None
        self._validation = PairValidation(
            plugin, validation or cache, settings, DrawSettings(), scored=scored, kind=kind
        )

    def _batches(self) -> Iterator[Batch]:
        settings = self._settings
        batches = self._kind(self._sampler, settings.batch_size, settings.augment)
        numbers = range(self.step * settings.accumulate, self._total * settings.accumulate)
        loader = batch_loader(batches, numbers, settings.workers)  # type: ignore[arg-type]
        return (self._to_device(batch) for batch in loader)
