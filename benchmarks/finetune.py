"""Fine-tune on single people, and compare held-out frames of them, and of strangers, before and after.

    python -m benchmarks.finetune --data CLIPS --split val [--people id1 id2] [--model FOM] [--json FILE] [-- FLAGS]

CLIPS holds ``clips.csv`` (docs/data.md). Everything goes through the command, as a user would call it: one fine-tuning
for each person, and evaluations of the weights at the start and of the exported ones, in which the first frame of a
clip redraws the others. What stands behind ``--`` is handed on to the fine-tunings.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Figure, publish
from talkingface.text.lists import read_table

WORSE = 5.0  # percent that strangers may lose


@dataclass(frozen=True)
class Setup:
    """Ingredients of a measurement.

    Attributes:
        data: folder of ``clips.csv``.
        work: folder for links, runs and reports.
        model: the model.
        frames: of each clip that are measured at most.
        words: further flags of the fine-tunings.
    """

    data: Path
    work: Path
    model: str
    frames: int
    words: tuple[str, ...]

    def clips(self, split: str) -> dict[str, list[Path]]:
        """Clips of a split by identity."""
        found: dict[str, list[Path]] = {}
        for row in read_table(self.data / "clips.csv", ("file", "split", "identity")):
            if row["split"] == split and row["synthetic"] != "1":
                found.setdefault(row["identity"], []).append(self.data / row["file"])
        return {identity: sorted(files) for identity, files in found.items()}

    def folder(self, name: str, files: Sequence[Path]) -> Path:
        """Folder with links to clips."""
        folder = self.work / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            link = folder / file.name
            link.unlink(missing_ok=True)
            link.symlink_to(file.resolve())
        return folder

    def finetune(self, person: str, clips: Path) -> Path:
        """Weights of a person."""
        words = ["--run_mode=train", "--finetune", f"--dataset={clips}", f"--output_dir={self.work / person}"]
        return Path(self._run([*words, "--overwrite", *self.words])[-1])

    def l1(self, name: str, clips: Path, weights: Path | None) -> dict[str, float]:
        """Mean absolute error of each clip."""
        output = self.work / "reports" / name
        words = ["--run_mode=evaluate", f"--dataset={clips}", "--evaluate.split=", f"--output_dir={output}"]
        words += ["--evaluate.tables", "reconstruction", "--evaluate.metrics", "l1", "--evaluate.baselines="]
        words += [f"--evaluate.max_frames={self.frames}", *([f"--checkpoint={weights}"] if weights else [])]
        self._run(words)
        report = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
        return {row["clip"]: row["scores"]["l1"] for row in report["clips"] if row["method"] == self.model}

    def _run(self, words: Sequence[str]) -> list[str]:
        command = [sys.executable, "-m", "talkingface", f"--model={self.model}", "--quiet", *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
        return done.stdout.splitlines()


def main() -> int:
    """Measure, and print the table."""
    found = parse()
    setup = Setup(found.data, found.work, found.model, found.frames, tuple(found.flags))
    clips = setup.clips(found.split)
    people = found.people or [name for name, files in clips.items() if len(files) > 1]
    others = [files[0] for name, files in clips.items() if name not in people]
    strangers = setup.folder("strangers", others[: found.strangers])
    before = setup.l1("strangers-before", strangers, None)
    figures = []
    for person in people:
        own = setup.folder(person, clips[person])
        held = setup.folder(f"{person}-held", clips[person][-1:])
        weights = setup.finetune(person, own)
        pairs = {
            "held out": (setup.l1(f"{person}-before", held, None), setup.l1(f"{person}-after", held, weights)),
            "strangers": (before, setup.l1(f"{person}-strangers", strangers, weights)),
        }
        for name, (old, new) in pairs.items():
            means = [sum(scores.values()) / len(scores) for scores in (old, new)]
            change = 100 * (means[1] / means[0] - 1)
            figures += [Figure(f"{person}, {name}: L1 before", means[0]), Figure(f"{person}, {name}: after", means[1])]
            figures += [Figure(f"{person}, {name}: change", change, "%", f"<= {0 if name == 'held out' else WORSE}")]
    return publish("finetune", figures, found.json)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of clips.csv")
    parser.add_argument("--split", default="val", help="split of people and strangers (default: val)")
    parser.add_argument("--people", nargs="+", help="identities (default: all with several clips)")
    parser.add_argument("--strangers", type=int, default=10, help="clips of other people, one each (default: 10)")
    parser.add_argument("--frames", type=int, default=60, help="measured of each clip at most (default: 60)")
    parser.add_argument("--model", default="FOM")
    parser.add_argument("--work", type=Path, default=Path("runs") / "finetune", help="links, runs and reports")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("flags", nargs="*", help="further flags of the fine-tunings, behind --")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
