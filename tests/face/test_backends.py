"""One registry of landmark backends: ours, and those of other packages, with nothing else to edit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from third_party import offer

from talkingface import plugins
from talkingface.config.layers import load_settings
from talkingface.errors import ConfigError, DependencyError, UnknownNameError
from talkingface.face.detect import analyser
from talkingface.plugins import LANDMARKS

MIDDLE = """
from talkingface.face.detect.analyser import Backend, FaceAnalyser
from talkingface.face.face import Box, Face

class Middle(FaceAnalyser):
    name = "middle"

    def faces(self, picture):
        height, width = picture.shape[:2]
        return [Face(Box(width / 4, height / 4, width * 3 / 4, height * 3 / 4), 1.0, None, None, self.name)]

    def follow(self, picture, previous):
        return list(previous)

BACKEND = Backend(lambda root, device, file: Middle(), gives=frozenset(), insists=False, version="2")
LACKING = Backend(lambda root, device, file: Middle(), package="no_such_package", install="pip install it")
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "middle_backend.py").write_text(MIDDLE)
    (tmp_path / "broken_backend.py").write_text("import no_such_thing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.forget()
    yield tmp_path
    plugins.forget()


def test_each_of_ours_has_one_entry() -> None:
    assert LANDMARKS.names() == ["mesh", "retinaface", "face_alignment", "given"]
    assert analyser.searching_backends() == ["mesh", "retinaface", "face_alignment"]
    given = {name: LANDMARKS.get(name).gives for name in LANDMARKS.names()}
    assert [name for name, what in given.items() if "mesh" in what] == ["mesh"]


@pytest.mark.parametrize(
    ("word", "insists"),
    [
        ("auto", False),
        ("none", False),
        ("given", False),
        ("mesh", True),
        ("retinaface", True),
        ("face_alignment", True),
    ],
)
def test_naming_one_that_searches_insists_on_a_face(word: str, insists: bool) -> None:
    assert analyser.insists_on_a_face(word) is insists


def test_a_third_party_is_a_backend_like_ours(installed: Path) -> None:
    offer(installed, "middle", "middle = middle_backend:BACKEND", group=LANDMARKS.group)
    assert load_settings(["--landmarks=middle"]).landmarks == "middle"
    assert analyser.open_analyser("middle", root=installed).faces(np.zeros((8, 8, 3), np.uint8))[0].backend == "middle"
    assert not analyser.insists_on_a_face("middle")
    assert analyser.identity_of("middle", installed) == {"version": "2"}
    # It comes last: a package that is installed does not take the place of what worked before.
    assert [item.name for item in analyser.available(installed)][-1] == "middle"
    assert analyser.open_analyser(root=installed).name == "middle", "nothing else is in this folder"


def test_what_a_third_party_lacks_is_reported_with_its_own_cure(installed: Path) -> None:
    offer(installed, "middle", "middle = middle_backend:LACKING", group=LANDMARKS.group)
    with pytest.raises(DependencyError, match=r"no_such_package is not installed. Install it: pip install it"):
        analyser.open_analyser("middle", root=installed)
    with pytest.raises(DependencyError, match="pip install it"):
        analyser.open_analyser(root=installed)


def test_a_broken_third_party_leaves_ours_alone(installed: Path) -> None:
    offer(installed, "broken", "broken = broken_backend:BACKEND", group=LANDMARKS.group)
    assert [item.state for item in analyser.available(installed) if item.name == "broken"] == ["broken"]
    with pytest.raises(UnknownNameError, match=r"--landmarks: landmark backend 'broken' of broken is broken: Module"):
        analyser.open_analyser("broken", root=installed)
    with pytest.raises(DependencyError, match="no landmark backend is there"):
        analyser.open_analyser(root=installed)


def test_two_owners_and_unknown_words(installed: Path) -> None:
    offer(installed, "copycat", "mesh = middle_backend:BACKEND", group=LANDMARKS.group)
    with pytest.raises(ConfigError, match=r"'mesh' is offered by talkingface and by copycat. Uninstall copycat"):
        analyser.open_analyser("mesh", root=installed)
    with pytest.raises(ConfigError, match=r"--landmarks: 'mash' is no choice. Did you mean 'mesh'"):
        load_settings(["--landmarks=mash"])
