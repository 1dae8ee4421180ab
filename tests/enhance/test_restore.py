"""Aligning faces, restoring them, and putting back what changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from talkingface.enhance.align import SIDE, TEMPLATE, aligned_crop, five_of, warp
from talkingface.enhance.frames import Enhancer, enhance_frames
from talkingface.enhance.restore import mask_of, restore_faces
from talkingface.face.crop.crop import Crop
from talkingface.face.face import Points, similarity
from talkingface.face.track.track import Track
from talkingface.media.image import read_image

CPU = torch.device("cpu")


def turned(scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    """Similarity as a (3, 3) matrix."""
    cos, sin = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]], [0, 0, 1]])


def placed(scale: float, degrees: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> Points:
    """The five points of a face whose aligned picture is so many times smaller, turned and moved."""
    points = np.column_stack([TEMPLATE, np.ones(5)]) @ turned(scale, degrees, shift).T
    return points[:, :2].astype(np.float32)


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def brighter(faces: Tensor) -> Tensor:
    return (faces + 0.25).clamp(0, 1)


def test_similarity_is_found_again() -> None:
    rng = np.random.default_rng(0)
    matrix, points = turned(0.4, 25, (30, -7)), rng.uniform(0, 100, (5, 2))
    wanted = (np.column_stack([points, np.ones(5)]) @ matrix.T)[:, :2]
    np.testing.assert_allclose(similarity(points, wanted), matrix, atol=1e-9)


def test_aligned_points_lie_on_the_template() -> None:
    crop = aligned_crop(placed(0.31, -20, (40, 60)))
    assert crop.size == (SIDE, SIDE) and crop.scale == pytest.approx(0.31, rel=1e-4)
    np.testing.assert_allclose(crop.to_crop(placed(0.31, -20, (40, 60))), TEMPLATE, atol=1e-2)


def test_five_of_the_68_points() -> None:
    landmarks = np.zeros((68, 2), np.float32)
    landmarks[36:42], landmarks[42:48] = (10, 20), (30, 20)
    landmarks[30], landmarks[48], landmarks[54] = (20, 30), (12, 40), (28, 40)
    assert five_of(landmarks).tolist() == [[10, 20], [30, 20], [20, 30], [12, 40], [28, 40]]


def test_warp_cuts_whole_pixels_exactly() -> None:
    picture = noise(40, 50)
    shift = np.array([[1.0, 0, 7], [0, 1, 5], [0, 0, 1]])
    torch.testing.assert_close(warp(picture, shift, (20, 30)), picture[..., 5:25, 7:37], atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [0.4, 3.0])
def test_warp_far_beyond_the_picture_gives_its_border_or_nothing(scale: float) -> None:
    picture = torch.full((1, 3, 40, 50), 0.5)
    beyond = turned(scale, 20, (500, -300))
    torch.testing.assert_close(warp(picture, beyond, (8, 9)), torch.full((1, 3, 8, 9), 0.5))
    assert not warp(picture, beyond, (8, 9), outside="zeros").any()


@pytest.mark.parametrize("scale", [0.4, 1.3, 3.0])
def test_warp_agrees_with_the_crop_of_pictures(scale: float) -> None:
    waves = torch.sin(torch.arange(300) / 15)
    # Smooth, as the two filters treat noise differently.
    grey = (0.5 + 0.4 * waves[:, None] * waves).expand(1, 3, 300, 300)
    matrix = turned(scale, 17, (60, 20))
    levels = (grey[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    wanted = Crop(matrix, (64, 64)).cut(levels).astype(np.float32)
    found = warp(torch.from_numpy(levels).permute(2, 0, 1)[None].float(), matrix, (64, 64))
    assert np.abs(found[0].permute(1, 2, 0).numpy() - wanted).max() < 2.5  # of 255


@pytest.mark.parametrize(
    ("scale", "degrees", "shift"), [(0.2, 10, (20, 10)), (0.5, -30, (-60, 90)), (1.5, 5, (-9, -9))]
)
@pytest.mark.parametrize("shape", ["soft", "round"])
def test_a_restorer_that_changes_nothing_changes_no_pixel(
    scale: float, degrees: float, shift: tuple[float, float], shape: str
) -> None:
    picture = noise(200, 240)  # the hardest there is: no two neighbours are alike
    faces = [placed(scale, degrees, shift), placed(0.15, 0, (150, 100))]
    result = restore_faces(picture, picture, faces, lambda seen: seen, shape)  # type: ignore[arg-type]
    assert (result - picture).abs().max() < 1e-6


def test_the_change_fades_towards_the_border_without_a_seam() -> None:
    picture = torch.full((1, 3, 400, 400), 0.5)
    result = restore_faces(picture, picture, [placed(0.5, 15, (90, 40))], brighter)
    change = (result - picture)[0, 0]
    assert change.max() == pytest.approx(0.25, abs=1e-3)
    steps = torch.cat([change.diff(dim=0).flatten(), change.diff(dim=1).flatten()]).abs()
    assert steps.max() < 0.25 * 1.6 / (0.12 * SIDE * 0.5)  # an s-curve is 1.5 times as steep as a ramp
    crop = aligned_crop(placed(0.5, 15, (90, 40)))
    y, x = np.mgrid[:400, :400]
    inside = crop.to_crop(np.stack([x, y], -1))
    outside = torch.from_numpy(((inside < -1) | (inside > SIDE)).any(-1))
    assert change[outside].abs().max() < 1e-4
    assert change[200, 218] > 0.2  # the middle of the face


def test_every_face_of_a_group_is_restored_once() -> None:
    picture = torch.full((1, 3, 160, 400), 0.5)
    faces = [placed(0.2, 0, (10 + 120 * number, 30)) for number in range(3)]
    result = restore_faces(picture, picture, faces, brighter, "round")
    for five in faces:
        x, y = five.mean(0).round().astype(int)
        assert result[0, 0, y, x].item() == pytest.approx(0.75, abs=1e-3)
    assert result.max() < 0.76


def test_faces_that_overlap_are_not_restored_twice() -> None:
    picture = torch.full((1, 3, 200, 260), 0.5)
    result = restore_faces(
        picture, picture, [placed(0.3, 0, (10, 10)), placed(0.3, 0, (60, 15))], lambda seen: torch.full_like(seen, 0.6)
    )
    assert result.max() < 0.601 and result.min() > 0.499


def test_tiny_faces_and_faces_beyond_the_picture_are_left_alone() -> None:
    picture = noise(60, 60)
    asked: list[int] = []

    def restorer(seen: Tensor) -> Tensor:
        asked.append(len(seen))
        return brighter(seen)

    assert restore_faces(picture, picture, [placed(0.03)], restorer) is picture and not asked
    assert torch.equal(restore_faces(picture, picture, [placed(0.1, 0, (500, 500))], restorer), picture)


def test_a_restorer_of_another_size_is_refused() -> None:
    picture = noise(60, 60)
    with pytest.raises(RuntimeError, match="the restorer gave"):
        restore_faces(picture, picture, [placed(0.1)], lambda seen: seen[..., ::2, ::2])


def test_masks_are_whole_inside_and_nothing_at_the_border() -> None:
    for shape in ("soft", "round"):
        mask = mask_of(shape)  # type: ignore[arg-type]
        assert mask.shape == (SIDE, SIDE) and mask[200:400, 180:330].min() == 1
        assert max(mask[0].max(), mask[-1].max(), mask[:, 0].max(), mask[:, -1].max()) < 1e-2


def test_frames_come_out_twice_as_large_with_faces_in_their_places() -> None:
    frame = np.full((90, 120, 3), 128, np.uint8)
    five = placed(0.15, 0, (20, 10))
    result = Enhancer(brighter, None, 2, CPU)(frame, [five])
    assert result.shape == (180, 240, 3) and result.dtype == np.uint8
    x, y = (five.mean(0) * 2).round().astype(int)
    assert abs(int(result[y, x, 0]) - 192) <= 1 and result[0, 0, 0] == 128


def test_the_network_sees_the_frame_itself_and_not_the_redrawn_background() -> None:
    seen: list[Tensor] = []

    def restorer(faces: Tensor) -> Tensor:
        seen.append(faces)
        return torch.full_like(faces, 0.9)

    def black(picture: Tensor) -> Tensor:
        return picture.new_zeros(1, 3, 2 * picture.shape[-2], 2 * picture.shape[-1])

    frame = np.full((90, 120, 3), 128, np.uint8)
    five = placed(0.15, 0, (20, 10))
    result = Enhancer(restorer, black, 1, CPU)(frame, [five])
    assert seen[0].mean().item() == pytest.approx(128 / 255, abs=1e-3)
    x, y = five.mean(0).round().astype(int)
    assert result[0, 0, 0] == 0 and abs(int(result[y, x, 0]) - 230) <= 1


def track(start: int, fives: list[Points]) -> Track:
    boxes = np.stack([[*five.min(0), *five.max(0)] for five in fives]).astype(np.float32)
    return Track(0, start, boxes, None, np.ones(len(fives), np.float32), five=np.stack(fives))


def test_faces_are_restored_in_the_frames_of_their_tracks_only() -> None:
    frames = [np.full((60, 80, 3), 128, np.uint8)] * 4
    result = list(enhance_frames(frames, [track(1, [placed(0.1, 0, (10, 5))] * 2)], Enhancer(brighter, None, 1, CPU)))
    assert [frame.max() > 150 for frame in result] == [False, True, True, False]


def test_a_photograph_survives_a_restorer_that_changes_nothing(shared_portrait: Path) -> None:
    picture = read_image(shared_portrait)
    five = np.array([[202.7, 101], [246.7, 103.4], [222.6, 126.6], [200.5, 138.8], [245.4, 141.4]], np.float32)
    result = Enhancer(lambda seen: seen, None, 1, CPU)(picture, [five])
    assert np.array_equal(result, picture)


@pytest.fixture
def shared_portrait() -> Path:
    path = Path(__file__).parents[3] / "shared" / "data" / "source" / "s01_astronaut_512.png"
    if not path.is_file():
        pytest.skip("shared test data is not here")
    return path
