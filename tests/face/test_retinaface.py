"""SadTalker's face finder as a backend: files of the published layout, and networks that find what they are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from talkingface.errors import WeightsError
from talkingface.face.detect.analyser import available, open_analyser
from talkingface.face.detect.networks.retinaface import RetinaFace, best_boxes
from talkingface.face.detect.networks.wflw import LandmarkNet98
from talkingface.face.detect.retinaface import RetinaFaceAnalyser, _whole_pixels
from talkingface.face.face import Box, Face
from talkingface.weights import load_catalogue


def told_detector() -> RetinaFace:
    """Of all anchors only those of 256 pixels say that they see a face."""
    detector = RetinaFace()
    for head in (*detector.BboxHead, *detector.ClassHead, *detector.LandmarkHead):
        head.conv1x1.weight.data.zero_(), head.conv1x1.bias.data.zero_()
    # For each of the two anchors of a cell: no face, face.
    for head, biases in zip(detector.ClassHead, ([9, -9, 9, -9], [9, -9, 9, -9], [-9, 9, 9, -9]), strict=True):
        head.conv1x1.bias.data.copy_(torch.tensor(biases, dtype=torch.float32))
    return detector


@pytest.fixture(scope="module")
def analyser() -> RetinaFaceAnalyser:
    torch.manual_seed(0)
    return RetinaFaceAnalyser(told_detector(), LandmarkNet98(num_modules=1))


@pytest.fixture(scope="module")
def published_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of the published layout, all numbers zero."""
    root = tmp_path_factory.mktemp("checkpoints")
    with torch.device("meta"):
        empty = {"retinaface_resnet50": RetinaFace(), "wflw_98": LandmarkNet98()}
    states = {
        name: {key: torch.zeros(value.shape, dtype=value.dtype) for key, value in network.state_dict().items()}
        for name, network in empty.items()
    }
    averages = {n: {"square_avg": torch.zeros(one.shape)} for n, one in enumerate(empty["wflw_98"].parameters())}
    published = {
        "retinaface_resnet50": {f"module.{key}": value for key, value in states["retinaface_resnet50"].items()},
        # Its length says that there is another number for each parameter.
        "wflw_98": {"state_dict": states["wflw_98"], "optimizer": {"state": averages, "param_groups": []}},
    }
    for name, content in published.items():
        path = load_catalogue()[name].path(root)
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, path)
    return root


@pytest.mark.parametrize("name", ["retinaface_resnet50", "wflw_98"])
def test_files_of_the_published_layout_are_as_long_as_the_published_ones(published_files: Path, name: str) -> None:
    entry = load_catalogue()[name]
    assert entry.path(published_files).stat().st_size == pytest.approx(entry.size, rel=2e-3)


def test_missing_files_are_named_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        RetinaFaceAnalyser.open(tmp_path)
    message = str(caught.value)
    assert "detection_Resnet50_Final.pth" in message and "alignment_WFLW_4HG.pth" in message
    assert "--run_mode=fetch --checkpoint=sadtalker_faces" in message


def test_files_that_were_exchanged_are_refused(published_files: Path, tmp_path: Path) -> None:
    paths = [load_catalogue()[name].file for name in ("retinaface_resnet50", "wflw_98")]
    for to, of in zip(paths, reversed(paths), strict=True):
        (tmp_path / to).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / to).symlink_to(published_files / of)
    with pytest.raises(WeightsError, match="holds WFLW98's 98-point network"):
        RetinaFaceAnalyser.open(tmp_path)


def test_it_is_preferred_where_it_is_asked_for(published_files: Path) -> None:
    assert {one.name: one.state for one in available(published_files)}["retinaface"] == "can be used"
    assert open_analyser("auto", root=published_files, prefer="retinaface").name == "retinaface"


def test_faces_are_the_anchors_that_were_told_so(analyser: RetinaFaceAnalyser) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    (face,) = analyser.faces(picture)  # the four cells say the same; the first of them stays
    assert face.box == Box(16 - 128 - 0.5, 16 - 128 - 0.5, 16 + 128 - 0.5, 16 + 128 - 0.5)
    assert face.score > 0.97 and face.backend == "retinaface"
    assert face.landmarks is not None and face.landmarks.shape == (68, 2)
    assert (face.landmarks >= -0.5).all() and (face.landmarks < 64).all() and np.ptp(face.landmarks) > 16


def test_colours_come_in_the_order_that_each_network_was_trained_with(analyser: RetinaFaceAnalyser) -> None:
    seen: dict[str, torch.Tensor] = {}
    hooks = [
        analyser._detector.register_forward_pre_hook(lambda _, given: seen.update(detector=given[0])),
        analyser._landmarks.register_forward_pre_hook(lambda _, given: seen.update(landmarks=given[0])),
    ]
    analyser.faces(np.broadcast_to(np.array([255, 51, 0], np.uint8), (64, 64, 3)).copy())  # orange
    for hook in hooks:
        hook.remove()
    assert seen["detector"][0, :, 0, 0].tolist() == [0 - 104, 51 - 117, 255 - 123]
    assert seen["landmarks"].shape == (1, 3, 256, 256)
    torch.testing.assert_close(seen["landmarks"][0, :, 128, 128], torch.tensor([1.0, 0.2, 0.0]))


def test_pictures_of_several_sizes_are_searched_together_as_each_alone(analyser: RetinaFaceAnalyser) -> None:
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((64, 96), (64, 96), (96, 64))]
    for faces, picture in zip(analyser.faces_of(pictures), pictures, strict=True):
        alone = analyser.faces(picture)
        assert [face.box for face in faces] == [face.box for face in alone]
        for one, other in zip(faces, alone, strict=True):
            np.testing.assert_allclose(one.landmarks, other.landmarks, atol=1.0)  # a maximum may jump by rounding


def test_boxes_of_large_pictures_come_back_in_their_pixels(
    analyser: RetinaFaceAnalyser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkingface.face.detect.retinaface.LARGEST_SIDE", 64)
    (face,) = analyser.faces(np.zeros((128, 128, 3), np.uint8))
    assert face.box == Box(32 - 256 - 0.5, 32 - 256 - 0.5, 32 + 256 - 0.5, 32 + 256 - 0.5)


def test_faces_are_followed_inside_the_picture_only(analyser: RetinaFaceAnalyser) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    known, gone = (
        Face(Box(10, 10, 80, 80), 0.9, None, None, "given"),
        Face(Box(200, 0, 260, 60), 0.9, None, None, "given"),
    )
    followed = analyser.follow(picture, [gone, known])
    assert followed[0] is None and followed[1] is not None and followed[1].box == known.box


def test_the_report_tells_of_what_is_not_sure_enough(analyser: RetinaFaceAnalyser) -> None:
    found = analyser.report(np.zeros((64, 64, 3), np.uint8))
    assert found.backend == "retinaface" and found.candidates


def test_the_surest_of_boxes_that_overlap_stays() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 0, 10, 4]], np.float64)
    assert best_boxes(boxes, np.array([0.98, 0.99, 0.98, 0.99])) == [1, 3, 2]
    assert best_boxes(boxes[:0], np.zeros(0)) == []


def test_boxes_become_whole_pixels_of_the_picture() -> None:
    picture = np.zeros((50, 60, 3), np.uint8)
    assert _whole_pixels(Box(-3.2, 4.6, 70, 20.9), picture) == (0, 5, 60, 21)
    assert _whole_pixels(Box(80, 80, 90, 90), picture) == (59, 49, 60, 50)
