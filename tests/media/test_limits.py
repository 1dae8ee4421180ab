"""Files that would fill memory or disk, wait for ever or open others: one clear line, or what they really hold."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest

from talkingface.config import load_settings
from talkingface.errors import ConfigError, MediaError
from talkingface.media.ffmpeg import DEMUXERS, MAX_PIXELS, address
from talkingface.media.image import read_image
from talkingface.media.probe import check_size, describe
from talkingface.media.sounds.audio import read_audio
from talkingface.media.sounds.buffer import open_audio
from talkingface.media.sounds.track import sound_track
from talkingface.media.video import open_video, probe
from talkingface.paths import CLONE

from .clips import ffmpeg, moving_picture, with_sound

HOSTILE = Path(os.environ.get("TALKINGFACE_SHARED", CLONE.parent / "shared")) / "data" / "hostile" / "video"
READERS = [describe, probe, open_video, read_audio, open_audio, read_image, sound_track]


def read_by(reader: object, path: Path) -> object:
    if reader is open_audio:
        return open_audio(path, 16000)
    return reader(path, None) if reader is sound_track else reader(path)  # type: ignore[operator]


def gapped(path: Path, *gaps_s: int, frames: int = 10) -> Path:
    """A clip of 25 frames/s with a pause of so many seconds after each ten frames."""
    late = "+".join(f"gte(N,{frames * (number + 1)})*{gap}/TB" for number, gap in enumerate(gaps_s))
    return moving_picture(
        path, "-vf", f"setpts='PTS+{late}'", "-fps_mode", "vfr", seconds=frames * (len(gaps_s) + 1) / 25
    )


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi"])
def test_pauses_of_more_than_a_minute_are_told_and_not_filled(tmp_path: Path, ending: str) -> None:
    with open_video(gapped(tmp_path / f"x.{ending}", 2000, 300)) as video:
        count = len(list(video))
    assert count == video.frames and abs(count - 30) <= 1
    assert video.fps == 25
    assert any("2 pauses of more than a minute" in line for line in video.warnings)
    assert len(list(open_video(video.path, fps=Fraction(50)))) == pytest.approx(2 * count, abs=1)


def test_a_pause_of_less_than_a_minute_is_filled(tmp_path: Path) -> None:
    with open_video(gapped(tmp_path / "x.mp4", 20), fps=Fraction(25)) as video:
        assert abs(len(list(video)) - 520) <= 26  # its rate is known within the rounding of an average
    assert not any("minute" in line for line in video.warnings)


def test_a_clip_of_slow_pictures_is_no_pause(tmp_path: Path) -> None:
    file = moving_picture(tmp_path / "x.mkv", rate="1/40", seconds=200)
    with open_video(file) as video:
        assert len(list(video)) == 5
    assert video.fps == Fraction(1, 40) and video.warnings == []


@pytest.mark.parametrize("ending", ["mkv", "wav"])
def test_pauses_of_a_sound_are_told_and_not_filled(tmp_path: Path, ending: str) -> None:
    file, copy = tmp_path / f"x.{ending}", ["-c:a", "flac"] if ending == "mkv" else []
    late = [] if ending == "wav" else ["-af", "asetpts='PTS+gte(N,20)*100000/TB'"]
    ffmpeg("-f", "lavfi", "-i", "sine=440:sample_rate=16000:duration=3", *late, *copy, address(file))
    buffer, (track, notes) = open_audio(file, 16000), sound_track(file, None)
    assert track is not None
    assert 3 <= len(buffer.samples) / 16000 < 5
    for lines in (buffer.notes, notes):
        assert any("100003.0 s as announced" in note for note in lines) == (ending == "mkv")


def test_a_pause_within_the_pictures_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "x.mkv"
    ffmpeg(
        *("-f", "lavfi", "-i", "color=red:size=32x32:rate=1:duration=100"),
        *("-f", "lavfi", "-i", "sine=440:sample_rate=16000:duration=3", "-af", "asetpts='PTS+gte(N,20)*90/TB'"),
        *("-c:a", "flac", address(file)),
    )
    assert len(open_audio(file, 16000).samples) / 16000 == pytest.approx(93, abs=0.1)


def test_frames_have_the_limit_of_pictures(tmp_path: Path) -> None:
    side = 8000
    for size, fits in ((f"{side}x{MAX_PIXELS // side}", True), (f"{side + 2}x{MAX_PIXELS // side}", False)):
        file = tmp_path / "x.avi"
        ffmpeg("-f", "lavfi", "-i", f"color=red:size={size}:rate=1:duration=1", "-c:v", "mjpeg", address(file))
        if fits:
            assert probe(file).width == side
            continue
        with pytest.raises(MediaError, match=rf"{size} pixels exceed the limit of 64 megapixels"):
            probe(file)


def test_shown_frames_have_it_too(tmp_path: Path) -> None:
    file = moving_picture(tmp_path / "x.mov", "-vf", "setsar=8/1", "-c:v", "mjpeg", size="4000x4000", seconds=0.04)
    with pytest.raises(MediaError, match="32000x4000 pixels exceed"):
        describe(file)


PLAY_LISTS = {
    "concat": "ffconcat version 1.0\nfile 'inner.mp4'\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ninner.mp4\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '  # as ffmpeg recognises it
    'profiles="urn:mpeg:dash:profile:isoff-main:2011" type="static">'
    "<Period><AdaptationSet><Representation id='1'><BaseURL>inner.mp4</BaseURL>"
    "</Representation></AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "subtitles": "1\n00:00:00,000 --> 00:00:01,000\nwords\n",
    "text": "words\n" * 100,
}


@pytest.mark.parametrize("name", ["x.mp4", "x.wav", "x.m3u8", "x.mpd", "x.ffconcat", "100%d.png"])
@pytest.mark.parametrize("kind", PLAY_LISTS)
def test_play_lists_under_any_name_open_no_other_file(tmp_path: Path, kind: str, name: str) -> None:
    with_sound(tmp_path / "inner.mp4", seconds=0.2)
    (tmp_path / name).write_text(PLAY_LISTS[kind])
    with pytest.raises(MediaError) as caught:
        describe(tmp_path / name)
    assert "\n" not in str(caught.value) and caught.value.cure


def test_known_kinds_hold_no_play_list() -> None:
    assert not {"concat", "hls", "dash", "imf", "image2", "tty", "lavfi", "sdp", "rtsp", "webm_dash_manifest"} & {
        *DEMUXERS
    }


@pytest.mark.parametrize("name", ["x.mp4", "x.png", "x.webp", "x.wav"])
def test_only_regular_files_are_read(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    for path in (tmp_path / name, Path("/dev/zero")):
        for reader in READERS:
            with pytest.raises(MediaError, match="not a regular file"):
                read_by(reader, path)


@pytest.mark.parametrize("flag", ["config", "image_source", "video_source", "checkpoint", "landmarks_file", "output"])
def test_no_flag_names_a_pipe(tmp_path: Path, flag: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="not a regular file"):
        load_settings([f"--{flag}={tmp_path / 'pipe'}"])
    (tmp_path / "settings.yaml").write_text(f"checkpoint: {tmp_path / 'pipe'}\n")
    with pytest.raises(ConfigError, match="not a regular file"):
        load_settings([f"--config={tmp_path / 'settings.yaml'}"])


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="shared test data is not here")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from Linux")
@pytest.mark.parametrize("name", ["delta.mp4", "big.mov", "ccs.mp4"])
def test_hostile_videos_end_soon_and_small(name: str) -> None:
    code = "import re, resource, sys\nfrom pathlib import Path\nfrom fractions import Fraction\n"
    code += "from talkingface.errors import MediaError\n"
    code += "from talkingface.media.video import open_video\n"
    code += "try: print(len(list(open_video(sys.argv[1]))), len(list(open_video(sys.argv[1], fps=Fraction(25)))))\n"
    code += "except MediaError as error: print(error)\n"
    # not ru_maxrss of itself: a program that is started inherits that from the process which starts it
    code += "own = int(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1])\n"
    code += "print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))"
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, HOSTILE / name], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0 and done.stdout.count("\n") == 2, done.stderr
    said, kilobytes = done.stdout.splitlines()
    assert (said == "1 1") == (name == "delta.mp4")
    assert time.monotonic() - began < 20
    assert int(kilobytes) < 1 << 20  # of the program and its decoders alone: this process has other children


def test_a_header_without_height_is_a_damaged_file() -> None:
    with pytest.raises(MediaError, match="2x0 pixels"):
        check_size((2, 0), 100, Path("clip.mov"))
