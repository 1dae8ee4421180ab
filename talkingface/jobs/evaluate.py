"""``--run_mode=evaluate``: score a model on a data set beside simple baselines, or videos that any program made."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import save_settings
from ..data import open_store
from ..errors import ConfigError, TalkingFaceError
from ..evaluation.clips.folders import find_pairs, shots_of
from ..evaluation.measure import Measured, measure
from ..evaluation.metric import Metric, MetricTools, choose_metrics, lacking_metrics
from ..evaluation.reconstruct import measure_another, measure_reconstruction, size_of
from ..evaluation.report import Report
from ..evaluation.results.protocol import file_hash, protocol
from ..evaluation.results.unfinished import Unfinished
from ..evaluation.results.write import directions, write_reports
from ..evaluation.talking import evaluate_talking
from ..motion.kinds import of_coefficients
from ..pipelines.drivers.voices import load_voice
from ..pipelines.model import LoadedModel, load_model
from ..pipelines.progress import SILENT
from ..weights.load import fingerprint
from .data import data_root, run_folder, with_data

if TYPE_CHECKING:
    from ..config import Settings
    from ..data import ClipStore

WHEN_STOPPED = "the clips that were measured are kept; the same command goes on"

logger = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Print the tables and the paths of the reports, one per line; that of the reconstruction comes last."""
    if settings.scores_videos:
        return score_videos(settings)
    folder = run_folder(settings)
    settings = with_data(settings)
    check_options(settings)
    tools = MetricTools(root=settings.checkpoint_root)
    metrics = choose_metrics(settings.evaluate.metrics, tools)
    store = open_store(data_root(settings), settings.evaluate.split, size=settings.evaluate.image_size)
    model = load_model(settings)
    tools = MetricTools(model.device, settings.checkpoint_root)
    logger.info("%s", model.weights)
    described = protocol(
        settings.evaluate.tables,
        _data_of(store),
        metrics,
        {name: fingerprint(model.plugin.networks[name]) for name in model.plugin.inference_networks},
        {**settings.evaluate.model_dump(mode="json"), "seed": settings.seed, "size": size_of(model, settings.evaluate)},
    )
    unfinished = Unfinished(folder, described["hash"])
    tables, measured = _tables(model, store, settings, metrics, tools, unfinished)
    save_settings(settings, folder / "evaluation.yaml")
    names = {"talking": "talking.json", "another": "another.json", "reconstruction": "evaluation.json"}
    old = [tables[table].save_json(folder / name) for table, name in names.items() if table in tables]
    title = f"{settings.model} on {store.root.name}"
    stills = [still for result in measured.values() for still in result.stills]
    speeds = {table: result.seconds for table, result in measured.items()}
    reports = write_reports(folder, title, tables, stills, speeds, described, lacking_metrics(tools), [])
    unfinished.done()
    print("\n\n".join(report.table() for report in tables.values()))
    print(*reports, *old, sep="\n", flush=True)
    return 0


def score_videos(settings: Settings) -> int:
    """Measure videos that any program made against the real ones; prints the table and the paths of the reports.

    Raises:
        ConfigError: if one of the two folders is not named.
    """
    if settings.real is None or not settings.made:
        missing = "--real" if settings.real is None else "--made"
        raise ConfigError("two folders are compared", where=missing, cure="Give --real=DIR and --made=DIR.")
    folder = settings.output_dir or Path("runs") / f"videos_{settings.made[0].resolve().name}"
    tools = MetricTools(root=settings.checkpoint_root)
    options = settings.evaluate
    metrics = choose_metrics(options.metrics if settings.origin("evaluate.metrics") != "default" else ["all"], tools)
    pairs, notes = find_pairs(settings.real, settings.made)
    pairs = pairs[: options.max_clips]
    data = {f"real/{pair.name}": file_hash(pair.real) for pair in pairs}
    data |= {f"{program}/{pair.name}": file_hash(file) for pair in pairs for program, file in pair.made.items()}
    limit = options.max_frames if settings.origin("evaluate.max_frames") != "default" else None
    crop = {"image_size": options.image_size, "max_frames": limit}
    described = protocol(["videos"], data, metrics, {}, crop)
    unfinished = Unfinished(folder, described["hash"])
    shots = shots_of(pairs, options.image_size, limit)
    result = measure("videos", shots, metrics, tools, chunk=options.chunk, unfinished=unfinished)
    facts = {**crop, "better": directions(metrics)}
    tables = {"videos": Report.of(result.scores, facts, notes, result.of_sets)}
    title = f"{', '.join(path.name for path in settings.made)} against {settings.real.name}"
    speeds = {"videos": result.seconds}
    reports = write_reports(folder, title, tables, result.stills, speeds, described, lacking_metrics(tools), notes)
    unfinished.done()
    print(tables["videos"].table())
    print(*reports, sep="\n", flush=True)
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


def _tables(
    model: LoadedModel,
    store: ClipStore,
    settings: Settings,
    metrics: Mapping[str, type[Metric]],
    tools: MetricTools,
    unfinished: Unfinished,
) -> tuple[dict[str, Report], dict[str, Measured]]:
    """Reports of the tasks that are asked for, in the order in which they are printed."""
    options = settings.evaluate
    tables: dict[str, Report] = {}
    measured: dict[str, Measured] = {}
    if "talking" in options.tables and (spoken := talking(model, store, settings)) is not None:
        tables["talking"] = spoken
    if not options.rendered:
        return tables, measured
    if "another" in options.tables:
        measured["another"] = measure_another(model, store, options, metrics, tools, settings.seed, unfinished)
    if "reconstruction" in options.tables:
        measured["reconstruction"] = measure_reconstruction(model, store, options, metrics, tools, unfinished)
    facts: dict[str, Any] = {"data": store.root.name, "size": size_of(model, options), "better": directions(metrics)}
    facts |= options.model_dump(mode="json", exclude={"image_size"})
    for table, result in measured.items():
        tables[table] = Report.of(result.scores, facts, of_sets=result.of_sets)
    return tables, measured


def _data_of(store: ClipStore) -> dict[str, str]:
    """Names of the store's files below its root, with their hashes."""
    files = dict.fromkeys(store.sources())
    return {file.name if file == store.root else _below(file, store.root): file_hash(file) for file in files}


def _below(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
