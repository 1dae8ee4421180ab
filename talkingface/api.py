"""The toolkit as a library: the same settings as the command's flags, and a result object."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import settings_from

if TYPE_CHECKING:
    from .pipelines.animate import Result


def animate(
    model: str = "FOM",
    *,
    source: str | Path | None = None,
    driving: str | Path | None = None,
    output: str | Path | None = None,
    **settings: Any,
) -> Result:
    """Animate a picture by a driving video, by a sound (``audio_path=...``), or by nothing (``idle_seconds=...``).

    Args:
        model: the model family.
        source: the picture; None: the driving video's own first frame.
        driving: video, gif, folder of frames or picture; None where something else drives.
        output: ``.mp4``, ``.gif``, or a folder for png frames; None: a made-up name in ``results/``.
        settings: any other setting of the command by its name, such as ``frame_limit=50``, ``face="all"``,
            ``preprocess="full"`` or ``drive=["0=a.mp4", "1=b.mp4"]``.

    Returns:
        Path, frames, fps, seconds, weights in use, what found the faces, warnings and settings of the result.

    Raises:
        TalkingFaceError: anything that the caller can mend.
    """
    named = {"model": model, "image_source": source, "video_source": driving, "output": output}
    resolved = settings_from({**settings, **{key: value for key, value in named.items() if value is not None}})
    from .pipelines.animate import animate as run  # loads torch: only once the settings are known to be right

    return run(resolved)
