"""docs/architecture.md names files that exist, and its picture shows every part of the package."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from talkingface.paths import CLONE, PACKAGE

PAGE = (CLONE / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMES = sorted(set(re.findall(r"`([\w/]+(?:\.py|/))`", PAGE)))
ROOTS = (
    CLONE,
    PACKAGE,
    PACKAGE / "pipelines",
    PACKAGE / "pipelines" / "drivers",
    PACKAGE / "models" / "sadtalker",
    PACKAGE / "models" / "styleheat",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_named_file_exists(name: str) -> None:
    assert any((root / name).exists() for root in ROOTS)


def test_the_picture_shows_every_part(tmp_path: Path) -> None:
    script = CLONE / "scripts" / "draw_architecture.py"
    picture = tmp_path / "parts.svg"
    subprocess.run([sys.executable, str(script), "--output", str(picture)], check=True, capture_output=True)
    drawn = picture.read_text(encoding="utf-8")
    parts = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert all(f">{name}</text>" in drawn for name in parts if not name.startswith("_"))
