"""Kill -9 at random moments of a render, and compare what comes of it with an undisturbed run, byte by byte.

    python -m benchmarks.render_kill [--kills 200] [--ending .mp4] [--frames 620] [--seed 0] [--model FOM] [--json FILE]

A small network of the FOM family draws 64 x 64 pixels; of another model the weights that ship draw. After a kill the
same run goes on; when it ends, its bytes are compared and the next round begins. What a run keeps is kept from the
first frame on, so that every moment counts. Exit status 1 if anything differs or is left behind.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import random
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchmarks.clips import SAMPLE, loop_clip
from benchmarks.report import Figure, arguments, publish

SMALL = {"block_expansion": 8, "max_features": 16, "num_blocks": 2}
CONFIG = {
    "image_size": 64,
    "common_params": {"num_kp": 4},
    "kp_detector_params": SMALL,
    "generator_params": {
        "block_expansion": 8,
        "max_features": 16,
        "num_bottleneck_blocks": 1,
        "dense_motion_params": SMALL,
    },
}


@dataclass
class Tally:
    """Kills, and what came of them.

    Attributes:
        kills: how many runs were killed.
        resumed: runs that went on from a later frame than the first.
        equal, different: finished results compared with the undisturbed one.
        left: files that finished runs left beside the result.
    """

    kills: int = 0
    resumed: int = 0
    equal: int = 0
    different: int = 0
    left: int = 0


def main() -> int:
    """Run and report."""
    parser = arguments(__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--kills", type=int, default=200, help="kills in all")
    parser.add_argument("--ending", default=".mp4", help="of the result; empty: a folder of png")
    parser.add_argument("--frames", type=int, default=620, help="frames of the result")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--model", default="FOM", help="that draws: FOM, SadTalker or StyleHeat")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        values = {
            **_drawn_by(options.model, folder),
            "image_source": SAMPLE / "source.png",
            "video_source": loop_clip(SAMPLE / "driving.mp4", folder / "driving.mp4", frames=options.frames),
        }
        tally = torment(values, folder / "out", options.ending, options.kills, random.Random(options.seed))
    figures = [
        Figure("kills", tally.kills),
        Figure("runs that went on from a later frame", tally.resumed),
        Figure("results equal to the undisturbed one, byte by byte", tally.equal, "", ">= 1"),
        Figure("results that differ", tally.different, "", "<= 0"),
        Figure("files left beside results", tally.left, "", "<= 0"),
    ]
    return publish(f"render of {options.model} to '{options.ending}' killed at random moments", figures, options.json)


def _drawn_by(model: str, folder: Path) -> dict[str, Any]:
    """Settings that name the model and its weights."""
    if model == "FOM":
        return {"checkpoint": str(small_weights(folder / "small.safetensors"))}
    return {"model": model, "checkpoint": f"{model.lower()}_compact", "landmarks": "auto"}


def small_weights(path: Path) -> Path:
    """Write weights of a small FOM, drawn from a seed."""
    import torch

    from talkingface.models.fom.config import FOMConfig
    from talkingface.models.fom.plugin import FOM
    from talkingface.weights.load import save_networks

    torch.manual_seed(3)
    config = FOMConfig.model_validate(CONFIG)
    plugin = FOM(config)
    for weight in plugin.networks.parameters():
        if weight.dim() == 4:
            weight.data.normal_().mul_((3.0 / weight[0].numel()) ** 0.5)
    states = {name: plugin.networks[name].state_dict() for name in plugin.inference_networks}
    notes = {"format": "talkingface/1", "model": "FOM", "variant": "small", "config": config.model_dump_json()}
    save_networks(path, states, notes)
    return path


def torment(values: Mapping[str, Any], folder: Path, ending: str, kills: int, rng: random.Random) -> Tally:
    """Kill a render so many times, over as many rounds as it takes.

    Args:
        values: settings of the run: weights, source and driving.
        folder: for the results; not there yet.
        ending: of the result.
        rng: gives the moments.
    """
    folder.mkdir()
    fixed = {"model": "FOM", "device": "cpu", "landmarks": "none", "threads": 1, "precision": "float32"}
    run = {**fixed, **values, "commit_seconds": 0, "output": folder / f"result{ending}"}
    wanted, lasts_s = _undisturbed({**run, "output": folder / f"undisturbed{ending}"})
    tally = Tally()
    while tally.kills < kills or not tally.equal:
        process = _begin(run)
        _wait(process, folder, rng, lasts_s if tally.kills < kills else None)
        if process.is_alive():
            tally.resumed += bool(list(folder.glob(".work-*/*/*")))
            process.kill()
            process.join()
            tally.kills += 1
            continue
        _judge(tally, folder, run["output"], wanted)
    return tally


def _wait(process: BaseProcess, folder: Path, rng: random.Random, lasts_s: float | None) -> None:
    """Wait for a random moment of a run, in three of four cases one while it draws.

    Args:
        lasts_s: how long the run takes; None waits for its end.
    """
    if lasts_s is None:
        process.join()
        return
    if rng.random() < 0.75:
        while process.is_alive() and not list(folder.glob(".work-*")):
            time.sleep(0.01)
        lasts_s /= 3
    process.join(rng.uniform(0, lasts_s))


def _judge(tally: Tally, folder: Path, output: Path, wanted: str) -> None:
    same = output.exists() and digest(output) == wanted
    tally.equal += same
    tally.different += not same
    known = {f"{stem}{output.suffix}{more}" for stem in ("result", "undisturbed") for more in ("", ".yaml")}
    tally.left += len({path.name for path in folder.iterdir()} - known)
    for path in [output, *output.glob("*")] if output.is_dir() else [output]:
        path.unlink() if path.is_file() else None


def _undisturbed(run: Mapping[str, Any]) -> tuple[str, float]:
    """(digest, seconds) of a run that nobody kills."""
    process, began = _begin(run), time.monotonic()
    process.join()
    return digest(run["output"]), time.monotonic() - began


def _begin(run: Mapping[str, Any]) -> BaseProcess:
    """Start a run in a process of its own, copied from one that has loaded the libraries already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["talkingface.pipelines.animate", "talkingface.models.fom.plugin"])
    process = context.Process(target=animate_once, args=(dict(run),))
    process.start()
    return process


def animate_once(run: Mapping[str, Any]) -> None:
    """Animate by these settings."""
    from talkingface.config import settings_from
    from talkingface.pipelines.animate import animate

    animate(settings_from(run))


def digest(output: Path) -> str:
    """Digest of a file, or of all files of a folder."""
    files = sorted(output.iterdir()) if output.is_dir() else [output]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
