"""The page of a report as a browser lays it out, and what it says in words."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from talkingface.evaluation.report import ClipScore, Report
from talkingface.evaluation.results.page import page
from talkingface.evaluation.results.stills import Still
from talkingface.evaluation.results.write import directions
from talkingface.plugins import METRICS

PIXEL = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"  # a gif of one pixel
PROTOCOL = {
    "toolkit": "1",
    "tables": ["videos"],
    "data": {f"test/{'long-name' * 9}.mp4": "f" * 64},
    "metrics": {f"a metric with a long name {number}": 1 for number in range(40)},
    "weights": {},
    "crop": {"image_size": None},
    "hash": "0123456789abcdef" * 4,
}
# Told by the page itself: its width, the texts that stick out of it, pictures without words, addresses asked for.
SCRIPT = """<script>
const out = [...document.querySelectorAll("body *")]
  .filter(e => !e.closest(".wide") && e.getBoundingClientRect().right > innerWidth + 1);
const mute = [...document.querySelectorAll("img")].filter(i => !i.alt).length
  + [...document.querySelectorAll("svg")].filter(s => !s.getAttribute("aria-label")).length;
const text = Math.min(...[...document.querySelectorAll("svg text")].map(t => t.getBoundingClientRect().height));
const asked = performance.getEntriesByType("resource").filter(r => !r.name.startsWith("data:")).length;
document.title = [document.documentElement.scrollWidth <= innerWidth, out.length, mute, text >= 8, asked].join(" ");
</script></body>"""


def written(methods: tuple[str, ...] = ("mine", "a program with a very long name", "repeat")) -> str:
    scores = [
        ClipScore(method, f"clip{clip}.mp4", f"p{clip}", 9, {"l1": 0.01 * clip + 0.02 * place, "psnr": 30.0 - clip})
        for place, method in enumerate(methods)
        for clip in range(4)
    ]
    report = Report.of(scores, {"better": {"l1": "lower", "psnr": "higher"}})
    stills = [Still("clip1.mp4", methods[0], kind, 3, 0.1, PIXEL) for kind in ("best", "worst")]
    return page("Mine", {"videos": report}, stills, {"lpips": "not there: " + "x" * 200}, PROTOCOL, ["a note"])


def test_no_number_is_a_negative_nothing() -> None:
    scores = [
        ClipScore("M", f"{i}.mp4", f"p{i}", 9, {"mouth_slope": value}) for i, value in enumerate((-0.001, -0.002))
    ]
    assert "-0.00" not in page("M", {"videos": Report.of(scores, {})}, [], {}, PROTOCOL, [])


def test_the_best_are_marked() -> None:
    """Equal ones together; a slope is best at 1, not where it is largest."""
    values = {"a": (0.1, 1.4), "b": (0.1, 1.1), "c": (0.2, 0.7)}
    scores = [ClipScore(name, "x", "x", 9, {"akd": akd, "yaw_slope": slope}) for name, (akd, slope) in values.items()]
    better = directions({name: METRICS.get(name) for name in ("akd", "yaw_slope")})
    lines = page("M", {"videos": Report.of(scores, {"better": better})}, [], {}, PROTOCOL, []).split("<tr>")
    best = {line[4:9]: re.findall(r"class=best>([\d.]+)", line) for line in lines if "class=best" in line}
    assert best == {"AKD&n": ["0.10", "0.10"], "yaw s": ["1.10"]}


def test_the_protocol_is_told_in_words() -> None:
    text = written()
    assert (
        "image_size none" in text and "a metric with a long name 3 1" in text and "{" not in text.split("</style>")[1]
    )


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_sticks_out_of_the_window(width: int, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is here")
    opened = written().replace("<details>", "<details open>").replace("</body>", SCRIPT)
    (tmp_path / "page.html").write_text(opened, encoding="utf-8")
    # Windows are 500 pixels wide at least; a frame may be narrower.
    frame = f'<iframe id="f" src="page.html" style="width:{width}px;height:800px;border:0"></iframe>'
    told = "<script>f.onload = () => { document.title = f.contentDocument.title }</script>"
    (tmp_path / "frame.html").write_text(f"<title></title>{frame}{told}", encoding="utf-8")
    words = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom"]
    words += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1400,900", f"file://{tmp_path / 'frame.html'}"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r"<title>(.*?)</title>", done.stdout)
    assert found and found.group(1) == "true 0 0 true 0"
