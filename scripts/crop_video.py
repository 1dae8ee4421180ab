"""Cut the faces out of a video, gif or picture: a clip with its sound for each segment over which a face stays.

python scripts/crop_video.py --inp talk.mp4
python scripts/crop_video.py --inp talk.mp4 --output_dir crops --min_frames 75 --image_shape 512,512
python scripts/crop_video.py --inp talk.mp4 --print

The files that were written are listed on the output, what is left out and which setting takes it beside it (on the
error output). The exit status is 2 where nothing could be cropped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from talkingface.errors import TalkingFaceError
from talkingface.face.crop.video import FORMATS, CropOutput, ffmpeg_commands, find_crops, write_crops
from talkingface.face.detect.analyser import FaceAnalyser, open_analyser
from talkingface.face.track.segments import CropRules
from talkingface.paths import user_path
from talkingface.plugins import LANDMARKS

PATHS = ("--inp", "--output_dir", "--debug_dir", "--landmarks_file", "--checkpoint_root")


def main(argv: Sequence[str] | None = None) -> int:
    """Crop one file; returns the exit status (2: nothing was cropped, or an error that the user can mend)."""
    options = _parser().parse_args(_joined(sys.argv[1:] if argv is None else argv))
    rules = CropRules(options.min_frames, options.min_size, options.increase, options.iou, options.image_shape)
    output = CropOutput(options.output_dir, options.format, options.overwrite)
    try:
        analyser = _analyser(options)
        plan = find_crops(options.inp, analyser, rules, output, debug_dir=options.debug_dir, notify=_notify)
        for sentence in plan.refused:
            _notify(sentence)
        lines = ffmpeg_commands(plan) if options.print else write_crops(plan, notify=_notify)
        for line in lines:
            print(line)
    except TalkingFaceError as error:
        _notify(str(error))
        return 2
    if not plan.crops:
        _notify(f"{options.inp}: nothing was cropped. Use one of the settings named above.")
    return 0 if plan.crops else 2


def _parser() -> argparse.ArgumentParser:
    rules = CropRules()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inp", type=user_path, required=True, help="video, gif, folder of frames, or picture")
    parser.add_argument("--output_dir", type=user_path, default=Path(), help="folder for the crops (default: this one)")
    parser.add_argument(
        "--min_frames", type=_count, default=rules.min_frames, help="shortest clip in frames (default: %(default)s)"
    )
    parser.add_argument(
        "--min_size", type=_count, default=rules.min_size, help="smallest face in pixels (default: %(default)s)"
    )
    parser.add_argument(
        "--increase",
        type=_not_negative,
        default=rules.increase,
        help="margin on each side, as part of the face's region (default: %(default)s)",
    )
    parser.add_argument(
        "--iou",
        "--iou_with_initial",
        type=_share,
        default=rules.iou,
        help="overlap with the face's first place below which a new clip begins, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--image_shape", type=_shape, default=rules.size, metavar="H,W", help="size of the crops (default: 256,256)"
    )
    parser.add_argument("--format", choices=FORMATS, default="mp4", help="of clips; png: a folder of frames each")
    parser.add_argument("--overwrite", action="store_true", help="replace what exists, in place of numbered names")
    parser.add_argument("--print", action="store_true", help="print ffmpeg commands, and write nothing")
    parser.add_argument(
        "--landmarks", choices=("auto", *LANDMARKS.names()), default="auto", help="what finds the faces"
    )
    parser.add_argument("--landmarks_file", type=user_path, help="points or boxes of faces, for --landmarks=given")
    parser.add_argument(
        "--checkpoint_root", type=user_path, help="folder with weights (default: checkpoints of the clone)"
    )
    parser.add_argument(
        "--debug_dir", type=user_path, help="folder for a picture of the search, where there is no face"
    )
    parser.add_argument("--cpu", action="store_true", help="use no GPU")
    return parser


def _joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with each path joined to its flag, so that a name may begin with a dash."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in PATHS:
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _analyser(options: argparse.Namespace) -> FaceAnalyser:
    cpu_only = options.cpu or (options.landmarks != "auto" and LANDMARKS.get(options.landmarks).cpu_only)
    device = "cpu" if cpu_only else _best_device()
    file = options.landmarks_file
    analyser = open_analyser(options.landmarks, root=options.checkpoint_root, device=device, landmarks_file=file)
    if options.landmarks == "auto":
        _notify(f"faces are found by '{analyser.name}'")
    return analyser


def _best_device() -> str:
    """Only the networks of torch use a GPU; loading torch to look for one takes seconds."""
    if find_spec("face_alignment") is None:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _notify(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _count(text: str) -> int:
    return _number(text, int, "a whole number from 1 on", lambda value: value >= 1)


def _not_negative(text: str) -> float:
    return _number(text, float, "a number from 0 to 10", lambda value: 0 <= value <= 10)


def _share(text: str) -> float:
    return _number(text, float, "a number from 0 to 1", lambda value: 0 <= value < 1)


def _number(text, kind, wanted, fits):  # type: ignore[no-untyped-def]
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not fits(value):
        raise argparse.ArgumentTypeError(f"'{text}' is not {wanted}")
    return value


def _shape(text: str) -> tuple[int, int]:
    parts = text.replace("x", ",").split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() and 16 <= int(part) <= 4096 for part in parts):
        raise argparse.ArgumentTypeError(f"'{text}' is not a height and a width from 16 to 4096, such as 256,256")
    return int(parts[0]), int(parts[1])


if __name__ == "__main__":
    sys.exit(main())
