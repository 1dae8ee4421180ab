"""Results that an earlier run over a folder of pictures has finished, which the same run keeps as they are.

The settings file beside such a result begins with a comment that says what the result was made of, and its size.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ...weights import resolve
from ..draw.kept import file_facts

if TYPE_CHECKING:
    from ...config.schema import Settings

FileFacts = Sequence[tuple[str, int, int]]
_MARK = "made of {made_of}, {size} bytes"
_LONGEST = 200  # bytes of the comment, which is the first line


def settings_file(output: Path) -> Path:
    """File beside a result that repeats its run."""
    return output.with_name(f"{output.name}.yaml")


def face_video_path(output: Path) -> Path:
    """``result.mp4`` -> ``result_face3d.mp4``, in the same folder."""
    stem = output.stem if output.suffix else output.name
    return output.with_name(f"{stem}_face3d.mp4")


def keeps_finished(settings: Settings) -> bool:
    """True where a run over a folder may keep results; not where it is to write other files on its way."""
    return not (settings.restart or settings.overwrite or settings.save_motion or settings.debug_dir)


def weight_facts(settings: Settings) -> FileFacts:
    """Path, size and time of change of all weights that a run may use: those it names and those of the folder.

    Raises:
        TalkingFaceError: there are no such weights.
    """
    root = settings.weights_root
    found = resolve(settings.model, settings.checkpoint, root, preferences=dict(settings)).paths
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())] if root.is_dir() else []
    return sorted({facts for path in (*found, *folders) for facts in file_facts(path)})


def made_of(key: str, weights: FileFacts) -> str:
    """Digest of everything that a result is made of.

    Args:
        key: of the run, see :func:`~talkingface.pipelines.draw.kept.run_key`.
        weights: as `weight_facts` gives them.
    """
    return hashlib.sha256(json.dumps([key, weights]).encode()).hexdigest()


def mark(output: Path, digest: str) -> str:
    """Comment for the settings file of a finished result.

    Args:
        digest: as `made_of` gives it.
    """
    return _MARK.format(made_of=digest, size=output.stat().st_size)


def find_finished(folder: Path, stem: str, ending: str, digest: str, *, with_face: bool) -> Path | None:
    """Find the result ``<stem>[_<number>]<ending>`` of a folder that was made of the same; None if there is none.

    Args:
        with_face: ask for the video of the face beside it, too.
    """
    name = re.compile(rf"{re.escape(stem)}(_[0-9]+)?{re.escape(ending)}")
    with suppress(OSError):  # there is no such folder yet, or none that can be looked into
        for path in sorted(entry for entry in folder.iterdir() if name.fullmatch(entry.name)):
            if _is_finished(path, digest) and (not with_face or face_video_path(path).is_file()):
                return path
    return None


def _is_finished(path: Path, digest: str) -> bool:
    try:
        with settings_file(path).open("rb") as file:
            first = file.readline(_LONGEST)
        return path.is_file() and first.decode("ascii").rstrip() == f"# {mark(path, digest)}"
    except (OSError, UnicodeDecodeError):
        return False
