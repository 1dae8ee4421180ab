"""The clips of the sample as an LMDB with keypoints and coefficients, as preparation makes it of real videos."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import lmdb
import numpy as np

from talkingface.data import Clip, ClipStore, open_store
from talkingface.data.lmdb.keys import DATA_FILE
from talkingface.data.lmdb.write import LMDBWriter, encode_frame, write_lists
from talkingface.face.detect.analyser import FaceAnalyser, open_analyser
from talkingface.face3d.reconstruction import Reconstructor, open_reconstructor

SIDE = 128
_QUALITY = 70  # a frame fits into a page of the file
_LAYOUT_SIDE = 256  # of the frame in which the layout gives points


def make_lmdb(sample: Path) -> int:
    """Make ``sample/lmdb`` out of the clips; returns the size of the file in bytes."""
    analyser, reconstructor = open_analyser("mesh"), open_reconstructor("mesh")
    target, splits = sample / "lmdb", {}
    with tempfile.TemporaryDirectory() as folder:
        with LMDBWriter(Path(folder), SIDE) as writer:
            for split in ("train", "test"):
                store = open_store(sample, split)
                splits[split] = [_write(writer, store, clip, analyser, reconstructor) for clip in store.clips()]
        shutil.rmtree(target, ignore_errors=True)
        (target / str(SIDE)).mkdir(parents=True)
        with lmdb.open(f"{folder}/{SIDE}", readonly=True, lock=False) as environment:
            environment.copy(str(target / str(SIDE)), compact=True)  # without free pages, the same bytes each time
    write_lists(target, splits)
    return (target / str(SIDE) / DATA_FILE).stat().st_size


def _write(
    writer: LMDBWriter, store: ClipStore, clip: Clip, analyser: FaceAnalyser, reconstructor: Reconstructor
) -> str:
    """Write a clip; returns its name in the LMDB, where the person stands before a '#'."""
    frames = list(store.whole(clip))
    found = analyser.faces_of(frames)
    missing = [number for number, faces in enumerate(found) if not faces]
    if missing:
        raise SystemExit(f"{clip.name}: no face in frames {missing}")
    faces = [faces[0] for faces in found]
    points = np.stack([face.landmarks for face in faces])
    scale = _LAYOUT_SIDE / frames[0].shape[0]
    name = Path(clip.name).stem.replace("_", "#")
    writer.write(
        name,
        [encode_frame(frame, SIDE, quality=_QUALITY) for frame in frames],
        coefficients=reconstructor.for_clip(faces, len(frames[0])).rows(frames, faces),
        keypoints=((points + 0.5) * scale - 0.5).astype(np.float32),
    )
    return name
