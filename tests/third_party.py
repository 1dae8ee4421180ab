"""Packages of other people, left on the import path as pip leaves them there."""

from __future__ import annotations

from pathlib import Path

from talkingface import plugins


def offer(folder: Path, package: str, *lines: str, group: str) -> None:
    """Install a package that offers parts of one kind: ``name = module:attribute`` in each line."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]) + "\n")
    plugins.forget()
