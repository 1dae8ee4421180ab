"""The landmark backends that come with the toolkit: one entry each, and no network is imported to read them."""

from __future__ import annotations

from pathlib import Path

from ...errors import ConfigError
from ...paths import install_command
from .analyser import Backend, FaceAnalyser


def _open_mesh(root: Path, device: str, file: Path | None) -> FaceAnalyser:
    from .mediapipe import MeshAnalyser

    return MeshAnalyser.open(root)


def _open_retinaface(root: Path, device: str, file: Path | None) -> FaceAnalyser:
    from .retinaface import RetinaFaceAnalyser

    return RetinaFaceAnalyser.open(root, device=device)


def _open_face_alignment(root: Path, device: str, file: Path | None) -> FaceAnalyser:
    from .face_alignment import FaceAlignmentAnalyser

    return FaceAlignmentAnalyser.open(root, device=device)


def _open_file(root: Path, device: str, file: Path | None) -> FaceAnalyser:
    from .from_file import FileAnalyser

    if file is None:
        raise ConfigError("needs a file with points or boxes", where="--landmarks=given", cure="Give --landmarks_file.")
    return FileAnalyser.open(file)


MESH = Backend(
    _open_mesh,
    gives=frozenset({"landmarks", "mesh"}),
    bundle="mesh",
    package="ai_edge_litert",
    install=install_command("landmarks"),
    cpu_only=True,
)
RETINAFACE = Backend(_open_retinaface, bundle="sadtalker_faces")
FACE_ALIGNMENT = Backend(
    _open_face_alignment,
    bundle="face_alignment",
    package="face_alignment",
    install=install_command("fan"),
)
FROM_FILE = Backend(_open_file, gives=frozenset(), from_file=True, insists=False, cpu_only=True)
