"""Coefficients by name: views, conversions, and what is said of rows that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from talkingface.errors import ShapeError
from talkingface.motion.coefficients import LAYOUTS, Coefficients, layout_of, row70, row73

ROWS = np.arange(2 * 260, dtype=np.float32).reshape(2, 260)


def test_columns_are_where_the_published_code_has_them() -> None:
    named = Coefficients(ROWS)
    starts = {name: int(part[0, 0]) for name, part in named.parts().items()}
    assert starts == {"id": 0, "exp": 80, "tex": 144, "angle": 224, "gamma": 227, "trans": 254, "crop": 257}
    assert [part.shape[1] for part in named.parts().values()] == [80, 64, 80, 3, 27, 3, 3]
    short = Coefficients(np.arange(73.0))
    assert [int(part[0]) for part in (short.exp, short.angle, short.trans, short.crop)] == [0, 64, 67, 70]


@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_parts_are_views_that_write_through(make) -> None:
    rows = make(ROWS)
    named = Coefficients(rows)
    named.angle[:] = -1.0
    named.id[1, 3] = 7.0
    assert (rows[:, 224:227] == -1).all() and rows[1, 3] == 7 and rows[0, 3] == 3


@pytest.mark.parametrize("width", sorted(LAYOUTS))
def test_parts_cover_every_column_once(width: int) -> None:
    columns = [column for part in LAYOUTS[width].parts.values() for column in range(part.start, part.stop)]
    assert columns == list(range(width))


def test_conversions_keep_numbers_and_agree_between_arrays_and_tensors() -> None:
    short = row73(ROWS)
    assert short.shape == (2, 73)
    np.testing.assert_array_equal(short[1], np.concatenate([ROWS[1, 80:144], ROWS[1, 224:227], ROWS[1, 254:260]]))
    np.testing.assert_array_equal(row73(torch.from_numpy(ROWS)).numpy(), short)
    np.testing.assert_array_equal(row70(short), short[:, :70])
    np.testing.assert_array_equal(row73(short), short)
    short[:] = 0
    assert ROWS[0, 259] == 259


def test_one_crop_serves_all_frames_of_an_audio_driver() -> None:
    frames, crop = np.ones((5, 70), np.float32), np.array([1.5, 128, 120], np.float32)
    assert np.array_equal(row73(frames, crop)[:, 70:], np.tile(crop, (5, 1)))
    found = row73(torch.ones(5, 70), torch.from_numpy(crop))
    assert torch.equal(found[:, 70:], torch.from_numpy(crop).expand(5, 3))
    with pytest.raises(ShapeError, match="70 numbers have no crop parameters"):
        row73(frames)


@pytest.mark.parametrize(
    ("shape", "said"),
    [((4, 349), "DECA"), ((73, 27), "wrong way round"), ((4, 61), r"\(4, 61\)"), ((), r"array \(\)")],
)
def test_other_widths_are_explained(shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(ShapeError, match=said) as caught:
        Coefficients(np.zeros(shape), where="a.npy")
    message = str(caught.value)
    assert message.startswith("a.npy: ") and "exp 64" in message and "\n" not in message


def test_a_known_layout_in_the_wrong_place_is_named() -> None:
    with pytest.raises(ShapeError, match=r"rows of 70 numbers are exp 64, angle 3, trans 3\. Wanted 260"):
        layout_of(np.zeros((2, 70)), allowed=[260])
    with pytest.raises(ShapeError, match="no part 'gamma'"):
        _ = Coefficients(np.zeros(73)).gamma


def test_columns_and_views_have_the_same_names() -> None:
    rows = np.arange(2 * 73, dtype=np.float32).reshape(2, 73)
    named = Coefficients(rows)
    for part in ("exp", "angle", "trans", "pose", "crop"):
        columns = getattr(LAYOUTS[73], part)
        np.testing.assert_array_equal(getattr(named, part), rows[:, columns])
    assert LAYOUTS[70].pose == slice(64, 70) and LAYOUTS[70].kind == "3dmm.70"
    with pytest.raises(ShapeError, match="no part 'pose'"):
        _ = LAYOUTS[260].pose  # its angles and its translation are no neighbours
    with pytest.raises(ShapeError, match="no part 'crop'"):
        _ = LAYOUTS[257].crop
