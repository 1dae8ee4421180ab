"""The image recipes of this repository, read into their parts."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from talkingface.paths import CLONE

_SECTION = re.compile(r"^%(\w+)\n(.*?)(?=^%|\Z)", re.MULTILINE | re.DOTALL)


def dockerfile() -> list[str]:
    """Instructions of the Dockerfile, each on one line, without comments."""
    lines = [line for line in (CLONE / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [line for line in joined.splitlines() if line.strip()]


def instructions(name: str) -> list[str]:
    """Texts behind an instruction of the Dockerfile, such as ``RUN``, wherever it stands."""
    return [rest for word, _, rest in (line.partition(" ") for line in dockerfile()) if word == name]


def environment() -> dict[str, str]:
    """Variables that the Dockerfile sets."""
    pairs = re.findall(r"(\w+)=(\"[^\"]*\"|\S+)", " ".join(instructions("ENV")))
    return {name: value.strip('"') for name, value in pairs}


def sections() -> dict[str, str]:
    """Text of the sections of apptainer.def, continued lines joined, without comments."""
    text = re.sub(r"\s*\\\n\s*", " ", (CLONE / "apptainer.def").read_text())
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    return {name: body for name, body in _SECTION.findall(text)}


def context() -> list[str]:
    """Files and folders that .dockerignore lets into the image."""
    lines = (CLONE / ".dockerignore").read_text().splitlines()
    return [line[1:] for line in lines if line.startswith("!")]


def copy_context(folder: Path) -> Path:
    """Copy what goes into the image to a folder, and return it."""
    for name in context():
        source, target = CLONE / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.part"))
        else:
            shutil.copy(source, target)
    return folder
