"""Lists of videos: the published formats, a folder of one's own, and who may be in which split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from talkingface.data.prepare.settings import PrepareSettings
from talkingface.data.prepare.steps.lists import check_splits, own_videos, split_of, videos
from talkingface.data.prepare.steps.vox import read_annotation
from talkingface.errors import ConfigError, DataError

# The heading and the blanks are those of the published files.
ANNOTATION = """Identity  : \tid10001
Reference : \tAbCdEfGhIjK
Offset    : \t5
FV Conf   : \t17.3(1)
ASD Conf  : \t3.5

FRAME \tX \tY \tW \tH 
000100 \t{0} \t{1} \t{2} \t{3} 
000101 \t{0} \t{1} \t{2} \t{3} 
"""


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_annotations_become_videos_with_parts(tmp_path: Path) -> None:
    for name in ("id10001/AbCdEfGhIjK/00001", "id10001/AbCdEfGhIjK/00002", "id10270/-bcdefghijk/00001"):
        write(tmp_path / "txt" / f"{name}.txt", ANNOTATION.format(90, 60, 180, 180))
    local = write(tmp_path / "raw" / "-bcdefghijk.webm")
    found = videos(PrepareSettings(raw=tmp_path / "raw", list=tmp_path, dataset_version=1))
    assert [(video.name, video.split) for video in found] == [
        ("id10001#AbCdEfGhIjK", "train"),
        ("id10270#-bcdefghijk", "test"),
    ]
    assert [part.name for part in found[0].parts] == ["id10001#AbCdEfGhIjK#00001", "id10001#AbCdEfGhIjK#00002"]
    assert found[0].path == tmp_path / "raw" / "AbCdEfGhIjK.mp4"
    assert found[0].url.endswith("watch?v=AbCdEfGhIjK")
    assert found[1].path == local


@pytest.mark.parametrize(
    ("version", "numbers", "box"),
    [
        # 360 pixels high whatever the video is; parts of the picture's own width and height.
        (1, (90, 60, 180, 180), (0.25, 1 / 6, 0.75, 2 / 3)),
        (2, (0.25, 0.5, 0.5, 0.25), (0.25 * 16 / 9, 0.5, 0.75 * 16 / 9, 0.75)),
    ],
)
def test_boxes_are_parts_of_the_height(tmp_path: Path, version: int, numbers: tuple, box: tuple) -> None:
    path = write(tmp_path / "00001.txt", ANNOTATION.format(*numbers))
    known = read_annotation(path, version, width=1280, height=720)
    assert known.frames.tolist() == [100, 101]
    np.testing.assert_allclose(known.boxes, [box, box])


@pytest.mark.parametrize(
    "text", ["", "FRAME \tX \tY \tW \tH \n", "FRAME X Y W H\n1 2 3\n", "FRAME X Y W H\na b c d e\n"]
)
def test_a_damaged_annotation_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="table"):
        read_annotation(write(tmp_path / "00001.txt", text), 1, 640, 360)


def test_table_of_known_crops(tmp_path: Path) -> None:
    table = write(
        tmp_path / "vox-metadata.csv",
        "video_id,start,end,bbox,fps,width,height,partition,person_id\n"
        "WMabcdefghi,3657,3994,624-48-1018-553,25,1280,720,train,id10005\n"
        "WMabcdefghi,100,200,1-2-300-400,25,1280,720,train,id10005\n"
        "WMabcdefghi,100,200,1-2-300-400,25,1280,720,train,id10005\n"
        "xyabcdefghi,50,100,1-2-300-400,25,640,360,test,id10270\n",
    )
    found = videos(PrepareSettings(raw=tmp_path, list=table))
    assert [(video.name, video.split, len(video.parts)) for video in found] == [
        ("id10005#WMabcdefghi", "train", 2),
        ("id10270#xyabcdefghi", "test", 1),
    ]
    part = found[0].parts[1]
    assert part.name == "id10005#WMabcdefghi#003657#003994"
    assert (part.start_s, part.end_s) == (3657 / 25, 3994 / 25)
    assert (part.box, part.frame_height) == ((624, 48, 1018, 553), 720)


def test_older_table_has_the_person_in_the_video_id(tmp_path: Path) -> None:
    head = "video_id,start,end,bbox,fps,width,height\n"
    table = write(tmp_path / "old.csv", f"{head}WMabcdefghi#id10005,10,99,1-2-300-400,25,1280,720\n")
    (video,) = videos(PrepareSettings(raw=tmp_path, list=table))
    assert video.identity == "id10005"
    assert video.split in ("train", "test")


@pytest.mark.parametrize("line", ["a,1,2,1-2-3,25,9,9", "a,5,2,1-2-3-4,25,9,9", "a,1,2,1-2-3-4,25,9,x"])
def test_a_wrong_line_of_a_table_is_named(tmp_path: Path, line: str) -> None:
    table = write(tmp_path / "t.csv", f"video_id,start,end,bbox,fps,width,height\n{line}\n")
    with pytest.raises(DataError, match="line 2"):
        videos(PrepareSettings(raw=tmp_path, list=table))


def test_hdtf(tmp_path: Path) -> None:
    folder = tmp_path / "HDTF_dataset"
    write(folder / "WRA_video_url.txt", "SomeName0 https://example.org/watch?v=abc\nSomeName1 https://example.org/b\n")
    write(folder / "WRA_annotion_time.txt", "SomeName0.mp4 00:05-02:55 1:00:00-1:00:10 \nSomeName1.mp4 00:05-00:10\n")
    write(folder / "WRA_crop_wh.txt", "SomeName0_1.mp4 306 480 41 480\n")
    write(folder / "WRA_resolution.txt", "SomeName0.mp4 720\n")
    (video,) = videos(PrepareSettings(raw=tmp_path, list=folder))
    assert (video.name, video.identity) == ("SomeName#SomeName0", "SomeName")
    assert video.path == tmp_path / "WRA_SomeName0.mp4"
    # Part 0 has no place, so its authors left it out; the numbers stay.
    (part,) = video.parts
    assert part.name == "SomeName#SomeName0#001"
    assert (part.start_s, part.end_s) == (3600, 3610)
    assert (part.box, part.frame_height) == ((306, 41, 786, 521), 720)


def test_own_videos(tmp_path: Path) -> None:
    for name in ("anna_01.mp4", "anna/talk 1.mov", "anna/b/x.mp4", "test/ben#v#0.mp4", "test/cleo/y.gif", "notes.txt"):
        write(tmp_path / name)
    found = {video.name: (video.identity, video.split) for video in own_videos(tmp_path, test_share=0.0)}
    assert found == {
        "anna#anna_01": ("anna", "train"),
        "anna#talk_1": ("anna", "train"),
        "anna#b_x": ("anna", "train"),
        "ben#v_0": ("ben", "test"),
        "cleo#y": ("cleo", "test"),
    }


def test_two_videos_of_one_name_are_an_error(tmp_path: Path) -> None:
    for name in ("a/x.mp4", "a/x.mov"):
        write(tmp_path / name)
    with pytest.raises(DataError, match=r"a#x.*Rename"):
        videos(PrepareSettings(raw=tmp_path))


def test_nobody_is_in_two_splits(tmp_path: Path) -> None:
    for name in ("train/anna_1.mp4", "test/anna_2.mp4"):
        write(tmp_path / name)
    with pytest.raises(DataError, match="in both train and test: anna"):
        videos(PrepareSettings(raw=tmp_path))
    check_splits([("a", "train"), ("a", "train"), ("b", "test")])


def test_split_by_hash_is_steady_and_in_proportion() -> None:
    names = [f"person{number}" for number in range(4000)]
    testing = {name for name in names if split_of(name, 0.1) == "test"}
    assert abs(len(testing) - 400) < 60
    assert testing <= {name for name in names if split_of(name, 0.2) == "test"}
    assert {split_of(name, 0.0) for name in names} == {"train"}


def test_data_range_leaves_out_its_end(tmp_path: Path) -> None:
    for number in (10001, 10002, 10003):
        write(tmp_path / "txt" / f"id{number}" / "v" / "00001.txt")
    found = videos(PrepareSettings(raw=tmp_path, list=tmp_path / "txt", data_range="10001-10003"))
    assert [video.identity for video in found] == ["id10001", "id10002"]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--raw"):
        videos(PrepareSettings())
    with pytest.raises(DataError, match="no video is left"):
        videos(PrepareSettings(raw=tmp_path))
    with pytest.raises(DataError, match="no list of videos"):
        videos(PrepareSettings(raw=tmp_path, list=tmp_path))
