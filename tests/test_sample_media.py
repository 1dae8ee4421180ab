"""The media that ship with the repository are what their README says."""

from __future__ import annotations

import csv
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from talkingface.data import Clip, open_store
from talkingface.face.detect.mediapipe import MESH_68
from talkingface.face3d.mesh_space import MeshSpace
from talkingface.media.image import read_image
from talkingface.media.sounds.audio import read_audio
from talkingface.media.video import open_video, probe

SAMPLE = Path(__file__).resolve().parent.parent / "dataset" / "sample"
CLIPS = list(csv.DictReader((SAMPLE / "clips.csv").read_text().splitlines()))
LMDB = open_store(SAMPLE / "lmdb")


def test_everything_together_is_small():
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.is_file()) < 3_000_000


def test_source_is_a_square_portrait():
    assert read_image(SAMPLE / "source.png").shape == (256, 256, 3)


def test_driving_clip_has_six_seconds_of_picture_and_sound():
    info = probe(SAMPLE / "driving.mp4")
    assert (info.width, info.height, info.fps, info.frames) == (256, 256, Fraction(25), 150)
    voice = read_audio(SAMPLE / "driving.mp4")
    assert len(voice) / 16000 == pytest.approx(6, abs=0.1)
    assert np.abs(voice).max() > 0.3


def test_driving_face_moves_and_begins_near_the_middle():
    with open_video(SAMPLE / "driving.mp4") as video:
        frames = np.stack([frame.mean(axis=2) for frame in video])
    change = np.abs(frames - frames[0]).mean(axis=(1, 2))
    assert change[8] < 3
    assert change.max() > 12


@pytest.mark.parametrize("row", CLIPS, ids=lambda row: row["file"])
def test_clip_is_as_listed(row: dict[str, str]):
    info = probe(SAMPLE / row["file"])
    assert (info.width, info.height) == (128, 128)
    assert (info.frames, float(info.fps or 0)) == (int(row["frames"]), float(row["fps"]))
    assert info.has_audio == bool(int(row["has_audio"]))
    assert float(row["seconds"]) == int(row["frames"]) / float(row["fps"])


def test_list_names_every_clip_and_no_identity_twice():
    files = {path.relative_to(SAMPLE).as_posix() for path in SAMPLE.glob("*/*.mp4")}
    assert {row["file"] for row in CLIPS} == files
    splits = {(row["split"], row["identity"]) for row in CLIPS}
    assert len({identity for _, identity in splits}) == len(splits), "nobody is in both splits"
    assert Counter(split for split, _ in splits) == {"train": 6, "test": 2}


@pytest.mark.parametrize("row", CLIPS, ids=lambda row: row["file"])
def test_mouth_follows_the_voice(row: dict[str, str]):
    voice = read_audio(SAMPLE / row["file"])
    frames = int(row["frames"])
    samples = 16000 // 25
    assert len(voice) > 0.95 * frames * samples
    level = np.array([np.std(voice[n * samples : (n + 1) * samples]) for n in range(frames - 1)])
    points = LMDB.array(lmdb_clip(row), "keypoint", range(frames - 1))
    gap = np.linalg.norm(points[:, 66] - points[:, 62], axis=1) / np.linalg.norm(points[:, 45] - points[:, 36], axis=1)
    assert np.ptp(gap) > 0.04
    assert np.corrcoef(level, gap)[0, 1] > 0.3


def test_voices_differ():
    voices = [read_audio(SAMPLE / row["file"])[:16000] for row in CLIPS]
    centroids = [np.average(np.arange(8001), weights=np.abs(np.fft.rfft(voice, 16000))) for voice in voices]
    assert max(centroids) > 1.2 * min(centroids)


def test_lmdb_holds_the_same_clips_and_splits():
    for split in ("train", "test"):
        rows = [row for row in CLIPS if row["split"] == split]
        clips = open_store(SAMPLE / "lmdb", split).clips()
        listed = [(clip.name, clip.identity, clip.frames) for clip in clips]
        assert listed == sorted((lmdb_clip(row).name, row["identity"], int(row["frames"])) for row in rows)


@pytest.mark.parametrize("row", CLIPS[::4], ids=lambda row: row["file"])
def test_lmdb_frames_are_those_of_the_clip(row: dict[str, str]):
    with open_video(SAMPLE / row["file"]) as video:
        frames = np.stack(list(video)).astype(int)
    stored = LMDB.whole(lmdb_clip(row)).astype(int)
    assert stored.shape == frames.shape
    assert np.abs(stored - frames).mean() < 6


@pytest.mark.parametrize("row", CLIPS, ids=lambda row: row["file"])
def test_coefficients_draw_the_keypoints(row: dict[str, str]):
    clip = lmdb_clip(row)
    rows = LMDB.array(clip, "coeff_3dmm", range(clip.frames))
    points = LMDB.array(clip, "keypoint", range(clip.frames))
    drawn = MeshSpace.load().decode(rows, size=256)[:, MESH_68, :2]
    eyes = np.linalg.norm(points[:, 45] - points[:, 36], axis=1).mean()
    assert np.linalg.norm(drawn - points, axis=2).mean() < 0.1 * eyes


def lmdb_clip(row: dict[str, str]) -> Clip:
    """The clip of the LMDB that a line of the list means."""
    name = Path(row["file"]).stem.replace("_", "#")
    return next(clip for clip in LMDB.clips() if clip.name == name)
