"""Faces keep their numbers through a video, and their tracks are smooth without being late."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from talkingface.face.detect.analyser import FaceAnalyser
from talkingface.face.face import Box
from talkingface.face.track.scenes import scenes
from talkingface.face.track.track import Track, TrackSettings, fill_gaps, smooth, track_faces
from talkingface.media.image import Picture, read_image, resize
from talkingface.media.video import open_video
from talkingface.paths import shipped

from .discs import Discs, frame

RAW = TrackSettings(smoothing=0, box_smoothing=0)


def spans(tracks: list[Track]) -> list[tuple[int, int, int]]:
    return [(track.number, track.start, len(track)) for track in tracks]


def test_one_picture_gives_tracks_of_one_frame_numbered_from_the_left() -> None:
    tracks = track_faces([frame((150, 50, 20), (40, 60, 30))], Discs())
    assert spans(tracks) == [(0, 0, 1), (1, 0, 1)]
    assert tracks[0].union.center == pytest.approx((40, 60)) and tracks[1].side == pytest.approx(41)
    face = tracks[1].face(0)
    assert face.backend == "discs" and face.score == pytest.approx(0.9) and face.box.center == pytest.approx((150, 50))
    assert face.landmarks is not None and face.landmarks.shape == (68, 2) and face.mesh is None


def test_no_face_no_track() -> None:
    assert track_faces([frame()] * 5, Discs()) == [] == track_faces([], Discs())


def test_moving_faces_are_followed_each_under_its_number() -> None:
    frames = [frame((30 + 3 * k, 30, 14), (170 - 3 * k, 85, 14)) for k in range(40)]
    tracks = track_faces(frames, Discs(), RAW)
    assert spans(tracks) == [(0, 0, 40), (1, 0, 40)]
    for track, path in zip(tracks, ([30 + 3 * k for k in range(40)], [170 - 3 * k for k in range(40)]), strict=True):
        assert track.boxes[:, [0, 2]].mean(axis=1) == pytest.approx(path, abs=0.01)
    assert tracks[0].union == Box(*map(float, (15.5, 15.5, 30 + 117 + 14.5, 44.5)))


def test_the_whole_picture_is_searched_only_now_and_then() -> None:
    analyser = Discs()
    track_faces([frame((60, 60, 20))] * 41, analyser, TrackSettings(detect_every=10))
    assert analyser.looks == 5


def test_a_face_that_appears_later_gets_the_next_number() -> None:
    frames = [frame((40, 60, 20), *([(150, 60, 20)] if k >= 12 else [])) for k in range(30)]
    tracks = track_faces(frames, Discs(), TrackSettings(detect_every=5))
    assert [track.number for track in tracks] == [0, 1] and 12 <= tracks[1].start <= 16
    assert tracks[1].frames[-1] == 29 and tracks[1].union.center == pytest.approx((150, 60), abs=0.1)


def test_a_face_that_appears_late_in_an_empty_video_is_found_within_five_frames() -> None:
    analyser = Discs()
    tracks = track_faces([frame(*([(60, 60, 20)] if k >= 40 else [])) for k in range(60)], analyser)
    assert len(tracks) == 1 and 40 <= tracks[0].start < 45 and analyser.looks < 20


def test_a_short_loss_keeps_the_number_and_lies_between_its_neighbours() -> None:
    frames = [frame(*([] if 10 <= k < 14 else [(40 + 2 * k, 60, 20)])) for k in range(30)]
    (track,) = track_faces(frames, Discs(), RAW)
    assert len(track) == 30 and list(np.flatnonzero(track.scores == 0)) == [10, 11, 12, 13]
    assert track.boxes[:, [0, 2]].mean(axis=1) == pytest.approx([40 + 2 * k for k in range(30)], abs=0.01)
    assert track.landmarks is not None and track.landmarks[12].mean(axis=0) == pytest.approx((64, 60), abs=0.1)


def test_a_long_loss_ends_the_track_at_the_last_sight() -> None:
    frames = [frame(*([] if 10 <= k < 30 else [(60, 60, 20)])) for k in range(40)]
    tracks = track_faces(frames, Discs(), TrackSettings(longest_gap=8))
    assert spans(tracks)[0] == (0, 0, 10) and len(tracks) == 2 and 30 <= tracks[1].start < 35
    assert (tracks[0].scores > 0).all()


def test_a_face_that_leaves_does_not_hand_its_number_to_another_face() -> None:
    frames = [frame((30, 30, 14)) if k < 10 else frame((160, 90, 14)) for k in range(20)]
    tracks = track_faces(frames, Discs(), TrackSettings(split_scenes=False))
    assert spans(tracks) == [(0, 0, 10), (1, 10, 10)]


def test_two_trails_never_show_one_face() -> None:
    """Two discs run into each other and become one; one of the trails ends there."""
    frames = [frame((60 + 4 * k, 60, 16), (156, 60, 16)) for k in range(30)]
    tracks = track_faces(frames, Discs(), RAW)
    for one in tracks:
        for other in tracks[one.number + 1 :]:
            common = sorted(set(one.frames) & set(other.frames))
            for number in common:
                first, second = one.face(number - one.start), other.face(number - other.start)
                assert min(first.score, second.score) == 0 or first.box.iou(second.box) < 0.5


def test_a_cut_starts_new_numbers_even_where_the_next_face_is_in_the_same_place() -> None:
    rng = np.random.default_rng(0)
    rooms = [resize(rng.integers(0, 200, (5, 8, 3), dtype=np.uint8), (120, 200)).clip(0, 250) for _ in range(2)]
    frames = [frame((60, 60, 20), background=rooms[k // 15]) for k in range(30)]
    assert spans(track_faces(frames, Discs())) == [(0, 0, 15), (1, 15, 15)]
    assert spans(track_faces(frames, Discs(), TrackSettings(split_scenes=False))) == [(0, 0, 30)]


def test_tracks_hold_no_mesh_where_none_is_wanted(mesh: FaceAnalyser) -> None:
    with open_video(shipped("dataset", "sample", "driving.mp4"), frame_limit=5) as frames:
        (track,) = track_faces(frames, mesh, TrackSettings(keep_mesh=False))
    assert track.mesh is None and track.landmarks is not None and len(track) == 5


def starts(frames: list[Picture]) -> list[int]:
    found = list(scenes(frames))
    assert [id(picture) for picture, _ in found] == [id(picture) for picture in frames]  # all, in their order
    return [number for number, (_, starts_scene) in enumerate(found) if starts_scene]


def room(seed: int) -> Picture:
    grid = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    return resize(grid, (120, 200))


def test_a_cut_is_seen_where_it_is_also_near_the_ends() -> None:
    assert starts([]) == [] and starts([room(0)]) == [0]
    assert starts([room(0)] * 10 + [room(1)] * 10) == [0, 10]
    assert starts([room(0)] + [room(1)] * 10 + [room(2)]) == [0, 1, 11]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_is_no_cut(length: int) -> None:
    bright = (255 - (255 - room(0).astype(int)) // 8).astype(np.uint8)
    blank = np.full_like(bright, 255)
    for flash in (bright, blank):
        assert starts([room(0)] * 10 + [flash] * length + [room(0)] * 10) == [0]


def test_a_flash_at_a_cut_does_not_hide_the_cut() -> None:
    blank = np.full((120, 200, 3), 255, np.uint8)
    found = starts([room(0)] * 10 + [blank] * 2 + [room(1)] * 10)
    assert found[0] == 0 and len(found) >= 2 and 10 <= found[-1] <= 12


def test_light_that_changes_is_no_cut() -> None:
    assert starts([(room(0) * (0.3 + 0.7 * abs(np.sin(k / 6)))).astype(np.uint8) for k in range(60)]) == [0]


def test_a_face_that_shakes_is_no_cut() -> None:
    frames = [frame((100 + 50 * np.sin(k * 1.2), 60, 40), background=room(3) // 2) for k in range(40)]
    assert starts(frames) == [0]


def test_a_still_point_stops_trembling_and_a_moving_one_is_not_late() -> None:
    rng = np.random.default_rng(0)
    sides, time = np.full(100, 200.0), np.arange(100)
    noise = rng.normal(0, 0.3, (100, 5, 2))
    still = smooth(noise, sides, 1.5)
    assert np.diff(still, axis=0).std() < 0.4 * np.diff(noise, axis=0).std()
    swing = np.stack([60 * np.sin(time / 4), np.zeros(100)], axis=1)[:, None]  # 15 pixels a frame at most
    assert np.abs(smooth(swing, sides, 1.5) - swing).max() < 1.5
    ramp = np.repeat(time[:, None, None] * np.array([[0.5, -0.2]]), 5, axis=1)
    assert np.abs(smooth(ramp, sides, 1.5) - ramp).max() < 1e-3  # to the ends


def test_a_blink_stays() -> None:
    lid = np.zeros((60, 1, 2))
    lid[30:33, 0, 1] = (6, 10, 6)  # pixels of a face of 200
    assert smooth(lid, np.full(60, 200.0), 1.5)[31, 0, 1] > 9.5


def test_smoothing_is_the_same_in_both_directions_of_time() -> None:
    path = np.cumsum(np.random.default_rng(1).normal(0, 0.5, (50, 3, 2)), axis=0)
    sides = np.full(50, 150.0)
    assert smooth(path[::-1], sides, 2.0)[::-1] == pytest.approx(smooth(path, sides, 2.0), abs=1e-4)


def test_gaps_are_filled_on_straight_lines() -> None:
    known = np.array([True, False, False, True, True, False, True])
    values = np.array([0, 9, 9, 3, 4, 9, 8], np.float32)[:, None]
    assert fill_gaps(values, known)[:, 0] == pytest.approx([0, 1, 2, 3, 4, 6, 8])


def test_the_shipped_clip_has_one_face_throughout(mesh: FaceAnalyser) -> None:
    with open_video(shipped("dataset", "sample", "driving.mp4")) as reader:
        (track,) = track_faces(reader, mesh)
        height, width = reader.height, reader.width
    assert track.start == 0 and len(track) == reader.frames and (track.scores > 0.9).all()
    assert track.mesh is not None and track.mesh.shape == (len(track), 468, 3)
    assert track.union.left > 0 and track.union.top > 0 and track.union.right < width and track.union.bottom < height


def test_a_portrait_that_slides_is_followed_to_the_pixel(mesh: FaceAnalyser) -> None:
    portrait = read_image(shipped("dataset", "sample", "source.png"))
    side = portrait.shape[0]
    slide = np.rint(side / 20 * np.sin(np.arange(30) / 4)).astype(int)
    frames = (np.roll(portrait, shift, axis=1) for shift in slide)
    (track,) = track_faces(frames, mesh)
    assert track.landmarks is not None
    middle = track.landmarks[:, 36:48, 0].mean(axis=1) - slide
    assert np.abs(middle - np.median(middle)).max() < 0.01 * track.side


def test_a_second_of_nothing_costs_a_few_frames_only(mesh: FaceAnalyser) -> None:
    portrait = resize(read_image(shipped("dataset", "sample", "source.png")), (256, 256))
    nothing = np.full_like(portrait, 90)

    def frames() -> Iterator[Picture]:
        yield from [portrait] * 5 + [nothing] * 20 + [portrait] * 15

    tracks = track_faces(frames(), mesh)
    assert spans(tracks)[0] == (0, 0, 5) and len(tracks) == 2
    assert 25 <= tracks[1].start <= 29 and tracks[1].frames[-1] == 39


SHARED_TRACKS = {
    "d04_selfie_720x1280.mp4": (0, 240),
    "d05_wide_1280x720.mp4": (0, 240),
    "d06_webcam_400x300.mp4": (0, 250),
    "d07_headpose_480x270.gif": (0, 23),
    "d15_face_then_none_960x540.mov": (0, 63),
}


@pytest.mark.parametrize("name", SHARED_TRACKS)
def test_shared_clips(name: str, mesh: FaceAnalyser, shared_data: Path) -> None:
    with open_video(shared_data / "driving" / name) as frames:
        (track,) = track_faces(frames, mesh, TrackSettings(keep_mesh=False))
    start, length = SHARED_TRACKS[name]
    assert track.start == start and len(track) == pytest.approx(length, abs=2)


def test_a_clip_of_two_shared_scenes_splits_between_them(mesh: FaceAnalyser, shared_data: Path) -> None:
    def frames() -> Iterator[Picture]:
        for name in ("d02_talk_256.mp4", "d03_talk_256_10s.mp4"):
            with open_video(shared_data / "driving" / name, frame_limit=30, fps=Fraction(25)) as reader:
                yield from reader

    assert spans(track_faces(frames(), mesh)) == [(0, 0, 30), (1, 30, 30)]


def test_two_people_side_by_side_keep_their_numbers_through_a_short_loss(mesh: FaceAnalyser, shared_data: Path) -> None:
    names = ("d02_talk_256.mp4", "d03_talk_256_10s.mp4")
    readers = [open_video(shared_data / "driving" / name, frame_limit=45) for name in names]

    def frames() -> Iterator[Picture]:
        for number, pair in enumerate(zip(*readers, strict=True)):
            both = np.hstack(pair)
            if 20 <= number < 24:
                both[30:230, 290:480] = 90  # the second face is covered for a moment
            yield both

    tracks = track_faces(frames(), mesh, TrackSettings(keep_mesh=False))
    assert spans(tracks) == [(0, 0, 45), (1, 0, 45)]
    assert tracks[0].union.right < 256 < tracks[1].union.left
    assert list(np.flatnonzero(tracks[1].scores == 0)) == [20, 21, 22, 23] and (tracks[0].scores > 0).all()
