"""``--run_mode=evaluate``: judge a model on a data set, beside simple baselines."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..config import save_settings
from ..data import open_store
from ..evaluation import evaluate
from ..pipelines.device import choose_precision
from ..pipelines.model import load_model
from .data import data_root, run_folder, with_data

if TYPE_CHECKING:
    from ..config import Settings

WHEN_STOPPED = "nothing was written"

logger = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Print the table; the last line on standard output is the path of the report."""
    folder = run_folder(settings)
    settings = with_data(settings)
    store = open_store(data_root(settings), settings.evaluate.split, size=settings.evaluate.image_size)
    model = load_model(settings)
    logger.info("%s", model.weights)
    precision = choose_precision(settings.precision, model.device)
    report = evaluate(model.plugin, store, settings.evaluate, device=model.device, precision=precision)
    save_settings(settings, folder / "evaluation.yaml")
    print(report.table())
    print(report.save_json(folder / "evaluation.json"), flush=True)
    return 0
