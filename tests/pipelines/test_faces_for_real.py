"""The shipped portrait and clip, looked at by the face mesh: the way of a user who says nothing about faces."""

from __future__ import annotations

import numpy as np
import pytest

from talkingface.errors import NoFaceError
from talkingface.face.detect.analyser import problem_of
from talkingface.media.image import read_image, write_image
from talkingface.media.video import open_video, probe
from talkingface.paths import CLONE, default_checkpoint_root
from talkingface.pipelines.animate import animate
from talkingface.pipelines.draw.face_video import face_video_path

from .small import picture

SAMPLE = CLONE / "dataset" / "sample"

pytestmark = pytest.mark.skipif(
    problem_of("mesh", default_checkpoint_root()) is not None, reason="the face mesh is not installed or fetched"
)


@pytest.fixture
def sample(make, tmp_path):
    """Settings of a run with the shipped pictures and faces looked for."""

    def settings(**changes):
        values = {
            "image_source": SAMPLE / "source.png",
            "video_source": SAMPLE / "driving.mp4",
            "landmarks": "mesh",
            "frame_limit": 6,
        }
        return make(**(values | changes))

    return settings


@pytest.fixture
def two(tmp_path):
    """A wide picture that shows the portrait twice."""
    face = read_image(SAMPLE / "source.png")
    write_image(tmp_path / "zwei Köpfe.png", np.concatenate([face, face[:, ::-1]], axis=1))
    return tmp_path / "zwei Köpfe.png"


def frames_of(path) -> np.ndarray:
    with open_video(path) as reader:
        return np.stack(list(reader)).astype(int)


def test_the_backend_is_named(sample):
    result = animate(sample(landmarks="auto"))
    assert result.faces == "mesh" and result.warnings == ()


def test_a_face_that_stands_aside_is_cut_out_of_a_wide_picture(sample, tmp_path):
    face = read_image(SAMPLE / "source.png")
    wide = np.full((face.shape[0], 3 * face.shape[1], 3), 120, np.uint8)
    wide[:, : face.shape[1]] = face
    write_image(tmp_path / "wide.png", wide)
    aside = frames_of(animate(sample(image_source=tmp_path / "wide.png", output=tmp_path / "aside")).path)
    alone = frames_of(animate(sample(output=tmp_path / "alone")).path)
    assert np.abs(aside - alone).mean() < 12


def test_all_faces_of_a_picture_move_in_their_places(sample, two, tmp_path):
    result = animate(sample(image_source=two, face="all", output=tmp_path / "frames", relative=False))
    source = read_image(two).astype(int)
    changed = np.abs(frames_of(result.path) - source).max(axis=(0, 1, 3))
    half = source.shape[1] // 2
    assert changed[:half].max() > 20 and changed[half:].max() > 20


def test_the_reconstructed_face_is_written_beside_the_result(sample, tmp_path):
    result = animate(sample(face3dvis=True))
    path = face_video_path(result.path)
    assert path == tmp_path / "result_face3d.mp4"
    info = probe(path)
    assert (info.width, info.height, info.frames) == (512, 256, 6)
    drawn = frames_of(path)[:, :, 256:]
    assert 0.1 < (drawn.max(axis=3) > 100).mean() < 0.7  # a face on a dark ground


def test_without_a_face_the_search_is_drawn(sample, clips, tmp_path):
    write_image(tmp_path / "disc.png", picture(0))
    with pytest.raises(NoFaceError, match=r"disc\.png: no face was found"):
        animate(sample(image_source=tmp_path / "disc.png", debug_dir=tmp_path / "looks"))
    assert [path.name for path in (tmp_path / "looks").iterdir()] == ["disc_no_face.png"]
    result = animate(sample(image_source=tmp_path / "disc.png", landmarks="auto"))
    assert any("the central square is taken" in warning for warning in result.warnings)
