"""Clips of a training: those to learn from, those to validate on, and those of other people."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data import ClipStore, open_store
from ...data.features import FeatureOptions, add_features
from ...data.parts import PartStore, beside, hold_out
from ...data.prepare.tools import PrepareTools
from ...data.samples import describe, pictures_of
from ...errors import DataError
from ..data import data_root

if TYPE_CHECKING:
    from ...config import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """Clips of a training.

    Attributes:
        training: those to learn from.
        validation: those that scores are taken on; None: no validation.
        others: those of other people, for fine-tuning that must not forget them; None: none.
    """

    training: ClipStore
    validation: ClipStore | None
    others: ClipStore | None = None


def open_data(settings: Settings, samples: Mapping[str, Any]) -> TrainingData:
    """Open the splits of a data set, with the features that a model's samples require."""
    return TrainingData(open_training(settings, samples), open_validation(settings, samples))


def open_person(settings: Settings, samples: Mapping[str, Any]) -> TrainingData:
    """Open the clips of one person, part of which is held out, and those of other people where there are some.

    Names of splits that the user gives are kept to; otherwise all clips are the person's, see
    :func:`~talkingface.data.parts.hold_out`.
    """
    if settings.origin("evaluate.split").startswith("--"):
        data = open_data(settings, samples)
        training, held = data.training, data.validation
    else:
        named = settings.origin("data.train_split").startswith("--")
        split = settings.data.train_split if named else None
        parts, last = hold_out(_open(settings, data_root(settings), split, samples))
        training, held = PartStore(parts), PartStore(last)
        names = ", ".join(f"{part.name} from frame {part.start}" for part in last)
        logger.info("held out: %s, %d frames", names, sum(part.frames for part in last))
    root = settings.train.others
    if root is None:
        return TrainingData(training, held)
    learnt = _open(settings, root, settings.data.train_split, samples)
    try:
        guard = _open(settings, root, settings.evaluate.split or "test", samples)
    except DataError:
        guard = learnt
    return TrainingData(beside(training, learnt), held, guard)


def open_training(settings: Settings, samples: Mapping[str, Any]) -> ClipStore:
    """Open the clips of the training, with the features that a model's samples require."""
    return _open(settings, data_root(settings), settings.data.train_split, samples)


def open_validation(settings: Settings, samples: Mapping[str, Any]) -> ClipStore | None:
    """Open the clips of the validation; None if the data set has no such split."""
    if not settings.evaluate.split:
        return None
    try:
        return _open(settings, data_root(settings), settings.evaluate.split, samples)
    except DataError as error:
        logger.warning("no validation: %s", error)
        return None


def _open(settings: Settings, root: Path, split: str | None, samples: Mapping[str, Any]) -> ClipStore:
    """Open the clips of a split with the features that the samples require, preloaded if ``train.preload`` is set."""
    train = settings.train
    size = train.image_size if train.preload and pictures_of(describe(samples)) else None
    store = open_store(root, split, size=train.image_size, preload_size=size, preload_dir=train.preload_dir)
    return add_features(store, samples, _feature_options(settings))


def _feature_options(settings: Settings) -> FeatureOptions:
    data = settings.data
    tools = PrepareTools(landmarks=settings.landmarks, root=settings.checkpoint_root)
    return FeatureOptions(tools, data.cache, data.sound, data.unsure_sync, settings.prepare.workers)
