"""Keys of StyleHEAT's and PIRenderer's LMDB files.

A key is its parts joined by "-", integers with seven digits, in UTF-8. ``<path>/<resolution>`` is an environment;
``<path>/train_list.txt`` and ``test_list.txt`` hold a clip's name per line.

| key | value |
|---|---|
| ``<clip>-0000012`` | a frame, jpeg or png |
| ``<clip>-align-0000012`` | the same frame, aligned as FFHQ |
| ``<clip>-length`` | number of frames as text |
| ``<clip>-coeff_3dmm`` | float32 (T, 260): Deep3DFaceRecon's 257 numbers, and scale and shift of the crop |
| ``<clip>-keypoint`` | float32 (T, 68, 2), pixels in a frame of 256 |
| ``<clip>-3dmm``, ``<clip>-kp`` | a variant with DECA's rows, float32 (T, 349), and its points |
| ``<clip>-digest`` | ours: sha256 of the clip's other values, as text |
"""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import DataError

LENGTH, DIGEST, ALIGN = "length", "digest", "align"
COEFFICIENTS, KEYPOINTS = "coeff_3dmm", "keypoint"
DECA_COEFFICIENTS, DECA_KEYPOINTS = "3dmm", "kp"
ARRAYS = (COEFFICIENTS, KEYPOINTS, DECA_COEFFICIENTS, DECA_KEYPOINTS)
DATA_FILE, LOCK_FILE = "data.mdb", "lock.mdb"
LIST_ENDING = "_list.txt"

MAX_KEY = 511  # bytes, fixed when LMDB is built
MAX_DIGITS = 9  # of a clip's length
_LONGEST_END = len(f"-{ALIGN}-0000000")
_OWN = re.compile(rf"({ALIGN}-)?\d{{7,}}|{LENGTH}|{DIGEST}|{'|'.join(ARRAYS)}")


def key(*parts: str | int) -> bytes:
    """Join parts to a key: ``key("anna", 12)`` is ``b"anna-0000012"``."""
    return "-".join(f"{part:07d}" if isinstance(part, int) else part for part in parts).encode()


def frame_key(clip: str, number: int, *, aligned: bool = False) -> bytes:
    """Key of a frame, or of its aligned version."""
    return key(clip, ALIGN, number) if aligned else key(clip, number)


def belongs(stored: bytes, clip: str) -> bool:
    """True if a stored key is one of this clip, and not of another whose name begins alike."""
    prefix = key(clip, "")
    return stored.startswith(prefix) and _OWN.fullmatch(stored[len(prefix) :].decode("utf-8", "replace")) is not None


def check_name(clip: str) -> None:
    """Refuse names that would be ambiguous in keys or lists.

    Raises:
        DataError: if the name is empty, too long, holds a line break, or ends like the keys of aligned frames.
    """
    if not clip.strip() or clip != clip.strip() or len(clip.splitlines()) != 1:
        raise DataError(f"'{clip}' is no name for a clip", cure="Use one line without spaces around it.")
    if len(clip.encode()) > MAX_KEY - _LONGEST_END:
        raise DataError(
            f"the clip's name '{clip[:40]}...' is too long", cure=f"At most {MAX_KEY - _LONGEST_END} bytes."
        )
    if clip.endswith(f"-{ALIGN}"):
        raise DataError(f"the clip's name '{clip}' ends like a key of aligned frames", cure="Name it otherwise.")


def is_lmdb(root: Path) -> bool:
    """True if a folder is a data set in LMDB."""
    return (root / DATA_FILE).is_file() or bool(resolutions(root))


def resolutions(root: Path) -> list[int]:
    """Sides in pixels of the pictures for which an environment exists, in ascending order."""
    return sorted(int(path.parent.name) for path in root.glob(f"*/{DATA_FILE}") if path.parent.name.isdecimal())
