#!/usr/bin/env python3
"""Learn the mesh space's face model from clips, measure it on other people, and put it where the toolkit looks for it.

    python scripts/train_mesh_space.py --data CLIPS [--meshes runs/mesh_space] [--out FILE.safetensors]

CLIPS holds square clips and clips.csv (docs/data.md). The face meshes of all frames are found once and kept in
--meshes. The same meshes always give the same model.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from talkingface.errors import TalkingFaceError
from talkingface.face.detect.analyser import FaceAnalyser, open_analyser
from talkingface.face3d.fit.mesh_space import learn, people_of
from talkingface.face3d.mesh import POINTS
from talkingface.face3d.mesh_measure import SpaceFigures, measure
from talkingface.face3d.mesh_space import MeshSpace
from talkingface.face3d.reconstruction import FRAME
from talkingface.media.video import open_video
from talkingface.paths import inside
from talkingface.text.lists import read_table

CLONE = Path(__file__).resolve().parents[1]
WEIGHTS = CLONE / "checkpoints" / "compact" / "mesh_space.safetensors"


def main() -> int:
    """Find meshes, learn, save, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of clips with clips.csv")
    parser.add_argument("--meshes", type=Path, default=CLONE / "runs" / "mesh_space", help="where meshes are kept")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="the model (%(default)s)")
    arguments = parser.parse_args()
    try:
        train = list(clips(arguments.data, "train", arguments.meshes))
        people = people_of(train)
        frames = sum(len(person.points) for person in people)
        print(f"learning from {frames} frames of {len(people)} people in {len(train)} clips", flush=True)
        space = learn(people)
        space.save(arguments.out, {"trained_on": f"{frames} frames of {len(people)} people"})
        test = [mesh for _, mesh in clips(arguments.data, "test", arguments.meshes)]
        if test:
            report(measure(MeshSpace.load(arguments.out), test))
    except TalkingFaceError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def clips(data: Path, split: str, kept: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Person and meshes of each clip of a split, in pixels of a 256 frame; NaN where there is no face."""
    analyser: FaceAnalyser | None = None
    rows = [row for row in read_table(data / "clips.csv", ("file", "split", "identity")) if row["split"] == split]
    for row in rows:
        target = inside(kept, split, f"{Path(row['file']).stem}.npy")
        if not target.is_file():
            analyser = analyser or open_analyser("mesh")
            target.parent.mkdir(parents=True, exist_ok=True)
            meshes = find_meshes(inside(data, row["file"], where=row.where), analyser)
            np.save(target, meshes, allow_pickle=False)
            print(f"{row['file']}: {np.isfinite(meshes[:, 0, 0]).sum()} of {len(meshes)} frames", flush=True)
        yield row["identity"], np.load(target, allow_pickle=False)


def find_meshes(path: Path, analyser: FaceAnalyser) -> NDArray[np.float32]:
    """(T, 468, 3): the largest face of the first frame is followed, and looked for again where it is lost."""
    meshes, face = [], None
    with open_video(path) as reader:
        for picture in reader:
            face = analyser.follow(picture, [face])[0] if face else None
            face = face or next(iter(analyser.faces(picture)), None)
            mesh = face.mesh if face is not None else None
            # A 256 frame counts from the centre of its first pixel, as any picture does.
            factor = FRAME / picture.shape[0]
            moved = None if mesh is None else mesh * factor + np.float32([(factor - 1) / 2, (factor - 1) / 2, 0])
            meshes.append(np.full((POINTS, 3), np.nan) if moved is None else moved)
    return np.array(meshes, np.float32)


def report(figures: SpaceFigures) -> None:
    """One line for each figure."""
    for name, value in figures.figures():
        print(f"{name:<56} {value:.4f}")


if __name__ == "__main__":
    sys.exit(main())
