"""Crop the faces of VoxCeleb (or any) videos to clips, with the flags of FOM's video-preprocessing.

python scripts/crop_vox.py --workers 40 --device_ids 0,1 --format .mp4 --dataset_version 2 --data_range 17-1000 \\
    --annotations_folder txt --video_folder videos --out_folder vox

Videos that are not in the video folder are downloaded (--youtube names the program, --no-download forbids it). Without
an annotations folder or a table (--metadata vox-metadata.csv), every face in every video of the video folder is
cropped. The same command goes on where it was stopped. Exit status 2 if nothing could be cropped.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from talkingface.data.prepare.chain import Folders, prepare
from talkingface.data.prepare.command import add_engine, finish, settings_of, square, tools_of
from talkingface.data.prepare.run_step import PreparationReport
from talkingface.data.prepare.settings import PrepareSettings
from talkingface.paths import user_path

SAME = ("dataset_version", "data_range", "format", "increase", "min_frames", "max_frames", "min_size")


def main(argv: list[str] | None = None) -> int:
    """Crop; returns the exit status."""
    options = parser().parse_args(argv)
    return finish(lambda: crop(options))


def parser() -> argparse.ArgumentParser:
    """The flags, with the published defaults."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--annotations_folder", type=user_path, default=Path("txt"), help="folder of VoxCeleb txt files")
    made.add_argument("--metadata", type=user_path, help="a table of known crops (vox-metadata.csv) instead")
    made.add_argument("--video_folder", type=user_path, default=Path("videos"), help="raw videos")
    made.add_argument("--out_folder", type=user_path, default=Path("vox-png"), help="clips, in train and test")
    made.add_argument("--dataset_version", type=int, choices=(1, 2), default=1, help="VoxCeleb 1 or 2")
    made.add_argument("--data_range", help="only identities with these numbers, such as 10001-10050")
    made.add_argument("--format", choices=(".png", ".mp4"), default=".png", help="folders of pictures, or videos")
    made.add_argument("--image_shape", type=square, default=256, help="size of the clips, such as 256,256")
    made.add_argument("--increase", type=float, default=0.1, help="added to each side of the box, as a part of it")
    made.add_argument("--iou_with_initial", type=float, default=0.25, help="a clip ends below this overlap")
    made.add_argument("--min_frames", type=int, default=64, help="shorter clips are left out")
    made.add_argument("--max_frames", type=int, default=1024, help="longer clips are cut")
    made.add_argument("--min_size", type=int, default=256, help="smaller faces are left out, in pixels")
    made.add_argument("--youtube", help="download program that takes the flags of yt-dlp")
    made.add_argument("--no-download", action="store_true", help="take only videos that are there")
    add_engine(made)
    return made


def crop(options: argparse.Namespace) -> PreparationReport:
    """Crop as the flags say."""
    annotations = options.annotations_folder if options.annotations_folder.is_dir() else None
    command = PrepareSettings.model_fields["downloader"].default
    if options.youtube:
        command = f"{shlex.quote(options.youtube)} {command.partition(' ')[2]}"
    settings = settings_of(
        options,
        list=options.metadata or annotations,
        raw=options.video_folder,
        steps=("crop",) if options.no_download else ("download", "crop"),
        downloader=command,
        image_size=options.image_shape,
        iou=options.iou_with_initial,
        **{name: getattr(options, name) for name in SAME},
    )
    return prepare(settings, Folders.flat(options.out_folder), tools_of(options))


if __name__ == "__main__":
    sys.exit(main())
