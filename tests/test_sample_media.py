"""The media that ship with the repository are what their README says."""

from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from talkingface.media.audio import read_audio
from talkingface.media.image import read_image
from talkingface.media.video import open_video, probe

SAMPLE = Path(__file__).resolve().parent.parent / "dataset" / "sample"
CLIPS = list(csv.DictReader((SAMPLE / "clips.csv").read_text().splitlines()))


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
    assert len({identity for _, identity in splits}) == len(splits) == 4
    assert {row["split"] for row in CLIPS} == {"train", "test"}
