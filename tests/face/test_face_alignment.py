"""The backend of the package face-alignment: what it says where something is missing, and that it runs."""

from __future__ import annotations

import importlib.util
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from talkingface.errors import ConfigError, DependencyError, WeightsError
from talkingface.face.detect import face_alignment as fan
from talkingface.face.detect.analyser import track_by_landmarks
from talkingface.face.face import Box, Face
from talkingface.weights import load_catalogue

needs_package = pytest.mark.skipif(
    importlib.util.find_spec("face_alignment") is None, reason="face-alignment is not installed (extra fan)"
)
ENTRIES = ("fan_2d", "s3fd")


def place(root: Path, name: str, content: bytes) -> Path:
    path = load_catalogue()[name].path(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_missing_files_are_named_with_their_place_their_origin_and_the_cure(tmp_path: Path) -> None:
    place(tmp_path, "s3fd", b"x")
    with pytest.raises(WeightsError) as caught:
        fan.FaceAlignmentAnalyser.open(tmp_path)
    message = str(caught.value)
    assert str(tmp_path / "hub" / "checkpoints" / "2DFAN4-11f355bf06.pth.tar") in message
    assert "https://" in message and "sha256 11f355bf06" in message
    assert "--run_mode=fetch --checkpoint=face_alignment" in message and "s3fd" not in message


def test_a_file_with_another_hash_is_refused_before_anything_reads_it(tmp_path: Path) -> None:
    for name in ENTRIES:
        place(tmp_path, name, b"not the published one")
    with pytest.raises(WeightsError, match="does not begin with 11f355bf06"):
        fan.FaceAlignmentAnalyser.open(tmp_path)


def test_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan, "_check_files", lambda *_: None)
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(DependencyError, match=r"\[fan\]"):
        fan.FaceAlignmentAnalyser.open(tmp_path)


def test_unknown_detector(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'sfd'"):
        fan.FaceAlignmentAnalyser.open(tmp_path, detector="sfdd")


def test_a_followed_face_keeps_its_box_around_its_landmarks_or_is_lost() -> None:
    points = np.random.default_rng(0).uniform(100, 200, (68, 2)).astype(np.float32)
    face = Face(Box(90, 80, 210, 220), 0.9, points, None, "face_alignment")
    followed = track_by_landmarks(face, points * 1.1 + 5, "face_alignment")
    assert followed is not None and followed.score == 0.9
    wanted = [90 * 1.1 + 5, 80 * 1.1 + 5, 210 * 1.1 + 5, 220 * 1.1 + 5]
    found = [followed.box.left, followed.box.top, followed.box.right, followed.box.bottom]
    np.testing.assert_allclose(found, wanted, atol=0.01)
    assert track_by_landmarks(face, points * 0.1 + 135, "face_alignment") is None


@pytest.fixture
def random_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of the right form under their published names. Their numbers are random, but the detector finds nothing."""
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.models import FAN

    torch.manual_seed(0)
    states = {"fan_2d": FAN(4).state_dict(), "s3fd": s3fd().state_dict()}
    for key, value in states["s3fd"].items():
        if "_conf." in key:  # the last output of each is the face, those before it are not
            value.zero_()
            if key.endswith("bias"):
                value[-1] = -10
    for name, state in states.items():
        path = load_catalogue()[name].path(tmp_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, path)
    monkeypatch.setattr(fan, "sha256_of", lambda path: path.name.split("-")[1].split(".")[0])
    return tmp_path


@needs_package
def test_it_runs_with_its_files_and_without_the_web(random_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the package asked for the web")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    before = torch.hub.get_dir()
    analyser = fan.FaceAlignmentAnalyser.open(random_files)
    assert torch.hub.get_dir() == before
    picture = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    assert analyser.faces(picture) == [] and analyser.faces_of([picture, picture]) == [[], []]
    boxes = [Box(10, 5, 60, 55), Box(30, 10, 80, 60)]
    seen = analyser._landmarks_in(picture, boxes)
    assert [points.shape for points in seen] == [(68, 2)] * 2 and all(np.isfinite(points).all() for points in seen)
    assert len(analyser.follow(picture, [Face(boxes[0], 1.0, None, None, "given")])) == 1
    found = analyser._faces(picture, [[10, 5, 60, 55, 0.9], [500, 500, 600, 600, 0.8]])
    assert [(face.box, face.score) for face in found] == [(boxes[0], 0.9)]
