"""The environments of StyleHEAT's audio training."""

from __future__ import annotations

import pickle
from pathlib import Path

import lmdb
import numpy as np
import pytest

from talkingface.data.lmdb.environment import open_crops, open_mel
from talkingface.errors import DataError


def put(folder: Path, values: dict[str, bytes]) -> Path:
    with lmdb.open(str(folder), map_size=2**22) as env, env.begin(write=True) as transaction:
        for key, value in values.items():
            transaction.put(key.encode(), value)
    return folder


def test_spectra_and_crops_are_read(tmp_path: Path) -> None:
    spectrum = np.random.default_rng(0).standard_normal((7, 80))
    crops = np.arange(12).reshape(3, 4)
    mel = open_mel(put(tmp_path / "mel", {"id#a": spectrum.tobytes()}))
    cut = open_crops(put(tmp_path / "crop", {"id#a-crop_params": crops.astype("<i8").tobytes()}))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(mel)).rows("id#a"), spectrum)  # noqa: S301 - our own bytes
    np.testing.assert_array_equal(cut.rows("id#a"), crops)


def test_what_is_missing_or_of_another_width_is_told(tmp_path: Path) -> None:
    mel = open_mel(put(tmp_path / "mel", {"a": np.zeros((7, 64)).tobytes()}))
    with pytest.raises(DataError, match=r"'a' has 3584 bytes\. Expected are rows of 80 float64"):
        mel.rows("a")
    with pytest.raises(DataError, match="there is no 'b'"):
        mel.rows("b")
    with pytest.raises(DataError, match="no LMDB that can be read"):
        open_mel(tmp_path / "nowhere")
