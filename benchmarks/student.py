"""A student beside its teacher, in the same run: sizes, speed, and L1 on clips.

L1 is the mean absolute error (colours 0 to 1) of frames spread over a clip, redrawn from its first frame with absolute
motion, as `--run_mode=evaluate` does for all frames; a mean over clips. "Repeated" is the first frame itself.

python -m benchmarks.student STUDENT [--teacher FILE] [--data CLIPS --split val] [--frames N] [--json FILE]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.frame_run import Run, faster, measure
from benchmarks.report import Figure, arguments, publish
from talkingface.data import ClipStore, open_store
from talkingface.media.image import center_square, read_image, resize
from talkingface.media.video import open_video
from talkingface.models.fom.config import FOMConfig
from talkingface.models.fom.plugin import FOM
from talkingface.paths import shipped
from talkingface.pipelines.frames import to_tensor
from talkingface.types import Source
from talkingface.weights.load import load_networks, load_strict, read_notes

SAMPLE = shipped("dataset", "sample")
TEACHER = shipped("checkpoints", "compact", "fom.safetensors")
BATCH = 8
RATE = Fraction(25)

Way = Callable[[Tensor, Tensor], Tensor]
"""(source (1, 3, H, W), driving frames (T, 3, H, W)) -> drawn frames (T, 3, H, W)."""


def main() -> int:
    """Measure and report."""
    parser = arguments(__doc__)
    parser.add_argument("student", type=Path, help="weights of the student")
    parser.add_argument("--teacher", type=Path, default=TEACHER, help="weights of its teacher")
    parser.add_argument("--data", type=Path, help="clips to measure L1 on; left out: no L1")
    parser.add_argument("--split", default="val", help="of the clips")
    parser.add_argument("--frames", type=int, default=32, help="driving frames of the speed")
    parser.add_argument("--clip_frames", type=int, default=8, help="frames of each clip")
    parser.add_argument("--repeat", type=int, default=3, help="runs, in turns; the fastest counts")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    files = {"teacher": options.teacher, "student": options.student}
    plugins = {name: open_weights(path) for name, path in files.items()}
    ways = {name: drawing(plugin, relative=False) for name, plugin in plugins.items()}
    figures = []
    for name, plugin in plugins.items():
        figures.append(Figure(f"{name}: file", files[name].stat().st_size / 1e6, "MB"))
        figures.append(Figure(f"{name}: numbers in it", numbers(plugin) / 1e6, "million"))
    for name, run in speeds(ways, options.frames, options.repeat).items():
        figures.append(Figure(f"{name}: by the clock", 1 / run.wall_s, "frames/s"))
        figures.append(Figure(f"{name}: of one busy core", 1 / run.processor_s, "frames/s"))
    if options.data is not None:
        errors = clip_errors(ways, open_store(options.data, options.split), options.clip_frames)
        figures += [Figure(f"{name}: L1 on {options.split}", value) for name, value in errors.items()]
    return publish("student and teacher: keypoints, mesh and drawing, float32", figures, options.json)


def open_weights(path: Path) -> FOM:
    """FOM with the weights of a file that holds its settings, and without the discriminator."""
    plugin = FOM(FOMConfig.model_validate_json(read_notes([path])["config"]))
    del plugin.networks["discriminator"]
    for name, state in load_networks(path, model="FOM").states.items():
        load_strict(plugin.networks[name], state, where=path)
    return plugin


def numbers(plugin: FOM) -> int:
    """Count of the numbers in its file, statistics of batch norms included."""
    return sum(value.numel() for value in plugin.networks.state_dict().values())


def drawing(plugin: FOM, *, relative: bool) -> Way:
    """Function that draws frames with the fast networks of a plug-in."""
    extractor, renderer = plugin.extractor(), plugin.renderer()

    def draw(source: Tensor, driving: Tensor) -> Tensor:
        still = extractor.extract([source], RATE)
        motion = plugin.retarget(still, extractor.extract(list(driving.split(BATCH)), RATE), {"relative": relative})
        state = renderer.encode_source(Source(source))
        return torch.cat([renderer.render(state, motion[i : i + BATCH]) for i in range(0, len(driving), BATCH)])

    return draw


def speeds(ways: dict[str, Way], frames: int, repeat: int) -> dict[str, Run]:
    """Time of a frame of the sample's video, drawn onto its picture by each way in turn."""
    size = (256, 256)
    source = to_tensor([resize(center_square(read_image(SAMPLE / "source.png")), size)])
    with open_video(SAMPLE / "driving.mp4", frame_limit=frames, size=size, square=True) as reader:
        driving = to_tensor(list(reader))
    runs: dict[str, Run] = {}
    for _ in range(repeat):
        for name, way in ways.items():
            run = measure(lambda way=way: way(source, driving))  # type: ignore[misc]
            runs[name] = faster(runs.get(name, run), run)
    return runs


@torch.inference_mode()
def clip_errors(ways: dict[str, Way], store: ClipStore, count: int) -> dict[str, float]:
    """L1 of each way, and of the first frame repeated, as a mean over clips."""
    errors: dict[str, list[float]] = {"repeated": [], **{name: [] for name in ways}}
    for clip in store.clips():
        places = np.unique(np.linspace(0, clip.frames - 1, count + 1).round().astype(int))
        frames = to_tensor(list(store.frames(clip, places.tolist(), 256)))
        source, driving = frames[:1], frames[1:]
        errors["repeated"].append(float((source - driving).abs().mean()))
        for name, way in ways.items():
            errors[name].append(float((way(source, driving) - driving).abs().mean()))
    return {name: float(np.mean(values)) for name, values in errors.items()}


if __name__ == "__main__":
    sys.exit(main())
