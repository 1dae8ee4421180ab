"""``--run_mode=evaluate``: score a model on a data set, beside simple baselines."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..config import save_settings
from ..data import open_store
from ..errors import ConfigError, TalkingFaceError
from ..evaluation.metric import MetricTools, choose_metrics
from ..evaluation.reconstruct import reconstruct
from ..evaluation.talking import evaluate_talking
from ..motion.kinds import of_coefficients
from ..pipelines.drivers.voices import load_voice
from ..pipelines.model import LoadedModel, load_model
from ..pipelines.progress import SILENT
from .data import data_root, run_folder, with_data

if TYPE_CHECKING:
    from ..config import Settings
    from ..data import ClipStore
    from ..evaluation import Report

WHEN_STOPPED = "nothing was written"

logger = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Print the tables and the paths of the reports, one per line; that of the reconstruction comes last."""
    folder = run_folder(settings)
    settings = with_data(settings)
    check_options(settings)
    choose_metrics(settings.evaluate.metrics, MetricTools(root=settings.checkpoint_root))
    store = open_store(data_root(settings), settings.evaluate.split, size=settings.evaluate.image_size)
    model = load_model(settings)
    logger.info("%s", model.weights)
    reports: dict[str, Report] = {}
    if "talking" in settings.evaluate.tables and (spoken := talking(model, store, settings)) is not None:
        reports["talking.json"] = spoken
    if "reconstruction" in settings.evaluate.tables and settings.evaluate.rendered:
        reports["evaluation.json"] = reconstruct(
            model, store, settings.evaluate, device=model.device, root=settings.checkpoint_root
        )
    save_settings(settings, folder / "evaluation.yaml")
    print("\n\n".join(report.table() for report in reports.values()))
    print(*(report.save_json(folder / name) for name, report in reports.items()), sep="\n", flush=True)
    return 0


def check_options(settings: Settings) -> None:
    """Refuse settings that leave nothing to measure.

    Raises:
        ConfigError: with the setting to change.
    """
    if not settings.evaluate.tables or (not settings.evaluate.rendered and "talking" not in settings.evaluate.tables):
        what = "nothing is measured: without drawing, only the motion of a voice can be"
        raise ConfigError(what, where="evaluate.tables", cure="Name 'talking', or leave it out.")


def talking(model: LoadedModel, store: ClipStore, settings: Settings) -> Report | None:
    """Evaluate voice-driven motion; None, with a warning, if it cannot be measured but something else can.

    Raises:
        TalkingFaceError: if it cannot be measured and nothing else is requested.
    """
    alone = settings.evaluate.tables == ["talking"] or not settings.evaluate.rendered
    if not of_coefficients(model.renderer.takes) and not alone:
        return None  # driven by frames: nobody expects it to speak
    try:
        voice = load_voice(model, settings, SILENT)
        return evaluate_talking(model, voice, store, settings.evaluate, seed=settings.seed)
    except TalkingFaceError as error:
        if alone:
            raise
        logger.warning("how it speaks is not measured: %s", error)
        return None
