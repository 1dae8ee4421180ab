"""Ends of a run: lost streams stop nothing, signals tidy up, and the next run removes what a kill left."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from talkingface.media.ffmpeg import address, output_of
from talkingface.media.video import open_video
from talkingface.part_files import PREFIX
from talkingface.paths import CLONE

PROGRAM = [sys.executable, str(CLONE / "run_talkingface.py")]


@pytest.fixture(scope="module")
def words(weights: Path, clips: Path) -> list[str]:
    """A command that draws a few frames."""
    inputs = [f"--image_source={clips / 'source.png'}", f"--video_source={clips / 'talk.mp4'}", "--cross_id"]
    short = ["--landmarks=none", "--frame_limit=5", "--output=made.mp4"]
    return [*PROGRAM, "--model=FOM", f"--checkpoint={weights}", *inputs, *short]


@pytest.fixture(scope="module")
def long_words(weights: Path, clips: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A command that draws for many seconds."""
    clip = tmp_path_factory.mktemp("long") / "long.mp4"
    made = ["-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25:duration=60", "-preset", "ultrafast", address(clip)]
    assert output_of(["-y", *made])[0] == 0
    inputs = [f"--image_source={clips / 'source.png'}", f"--video_source={clip}", "--cross_id", "--landmarks=none"]
    return [*PROGRAM, "--model=FOM", f"--checkpoint={weights}", *inputs]


STREAMS = {
    "log's reader leaves": "{command} 2>&1 | head -c1",
    "all closed": "{command} <&- >&- 2>&-",
    "output full": "{command} >/dev/full",
}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("streams", STREAMS)
def test_a_render_goes_on_without_its_streams(words: list[str], streams: str, tmp_path: Path) -> None:
    line = STREAMS[streams].format(command=" ".join(f"'{word}'" for word in words))
    script = f"set -o pipefail; {line}"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert len(list(open_video(tmp_path / "made.mp4"))) == 5
    assert (b"output cannot be written" in done.stderr.encode()) == (streams == "output full")


@pytest.mark.parametrize("flag", ["--help", "--version", "--print_config"])
def test_what_is_only_printed_has_to_arrive(flag: str) -> None:
    line = f"'{sys.executable}' '{PROGRAM[1]}' {flag} >/dev/full"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "No space left" in done.stderr


@pytest.fixture
def running(long_words: list[str], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A render that has begun to write into the folder ``out``."""
    words = [*long_words, "--output=out/made.mp4"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            end = time.monotonic() + 90
            while not parts(tmp_path / "out") and process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            assert parts(tmp_path / "out"), process.communicate()[1]
            yield process
        finally:
            process.kill()


def parts(folder: Path) -> list[Path]:
    return list(folder.glob(f"{PREFIX}*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_tidy_up(running: subprocess.Popen[str], number: signal.Signals, tmp_path: Path) -> None:
    running.send_signal(number)
    _, messages = running.communicate(timeout=60)
    assert running.returncode == 128 + number, messages
    assert f"stopped by {number.name}: results that were finished are kept" in messages and "Traceback" not in messages
    assert not parts(tmp_path / "out") and not (tmp_path / "out" / "made.mp4").exists()


def test_after_a_kill_the_next_run_into_that_place_tidies_up(
    running: subprocess.Popen[str], words: list[str], tmp_path: Path
) -> None:
    running.kill()
    running.wait()
    assert parts(tmp_path / "out")
    done = subprocess.run([*words, "--output=out/other.mp4"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0 and not parts(tmp_path / "out")
    assert (tmp_path / "out" / "other.mp4").is_file()


def test_an_ignored_signal_stays_ignored() -> None:
    code = "import os, signal, sys\nfrom talkingface.console import stop_in_order\n"
    code += "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    code += "with stop_in_order(): os.kill(os.getpid(), signal.SIGHUP)\n"
    code += "print('still here')"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).stdout == b"still here\n"
