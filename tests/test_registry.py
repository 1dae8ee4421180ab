"""Models of other people: found through entry points, kept apart when they are broken."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from third_party import offer

from talkingface import plugins, registry
from talkingface.config import load_settings, settings_from
from talkingface.config.checks import drivers_in
from talkingface.config.report import help_text
from talkingface.errors import ConfigError, UnknownNameError
from talkingface.jobs.doctor import examine
from talkingface.pipelines.plan.assignment import assign_drivers

PLUGIN = """
from dataclasses import replace
from pathlib import Path
from pydantic import BaseModel, Field
from talkingface.models.settings import ModelOptions
from talkingface.registry import ModelEntry

class Config(BaseModel):
    depth: int = 3

class Options(ModelOptions):
    "Flags of the third party"
    zeal: float = Field(1.0, description="how eager it is")

class Greedy(ModelOptions):
    "Flags that others have"
    seed: int = Field(1, description="of its own")

class Plugin:
    name = "ThirdParty"

ENTRY = ModelEntry("third_party_plugin:Plugin", "third_party_plugin:Config", Path(__file__).parent / "properties")
WITH_FLAGS = replace(ENTRY, options="third_party_plugin:Options")
GREEDY = replace(ENTRY, options="third_party_plugin:Greedy")
FLAWED = replace(ENTRY, options="broken_plugin:Options")
NOT_AN_ENTRY = 5
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path with a real module; the test adds what entry points it wants."""
    (tmp_path / "third_party_plugin.py").write_text(PLUGIN)
    (tmp_path / "broken_plugin.py").write_text("raise RuntimeError('needs a newer\\nlibrary')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.forget()
    yield tmp_path
    plugins.forget()


def test_ours_are_there() -> None:
    assert "FOM" in registry.models()
    assert registry.model("FOM").name == "FOM"
    assert registry.model("FOM").Config is registry.config_class("FOM")


def test_a_third_party_is_a_model_like_ours(installed: Path) -> None:
    offer(installed, "third_party", "ThirdParty = third_party_plugin:ENTRY", group=registry.GROUP)
    assert {"FOM", "ThirdParty"} <= set(registry.models())
    assert registry.model("ThirdParty").name == "ThirdParty"
    assert registry.config_class("ThirdParty")().model_dump() == {"depth": 3}
    assert registry.broken() == {}


def test_a_broken_third_party_leaves_ours_alone_and_is_logged_once(
    installed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    offer(installed, "broken", "Broken = broken_plugin:ENTRY", group=registry.GROUP)
    with caplog.at_level(logging.WARNING, logger="talkingface"):
        assert registry.entry("FOM").plugin.endswith(":FOM")
        for _ in range(2):
            with pytest.raises(
                UnknownNameError, match="model 'Broken' of broken is broken: RuntimeError: needs a newer l"
            ):
                registry.entry("Broken")
        assert list(registry.broken()) == ["Broken"]
    assert len(caplog.records) == 1


def test_an_entry_point_to_something_else_is_broken(installed: Path) -> None:
    offer(installed, "odd", "Odd = third_party_plugin:NOT_AN_ENTRY", group=registry.GROUP)
    assert "no talkingface.registry.ModelEntry" in registry.broken()["Odd"]


def test_a_third_party_whose_plugin_cannot_be_imported_says_why(installed: Path) -> None:
    text = PLUGIN.replace("third_party_plugin:Plugin", "broken_plugin:Plugin")
    (installed / "half_plugin.py").write_text(text)
    offer(installed, "half", "Half = half_plugin:ENTRY", group=registry.GROUP)
    with pytest.raises(UnknownNameError, match="model 'Half' is broken: RuntimeError: needs a newer library"):
        registry.model("Half")


def test_a_name_offered_twice_names_both_owners(installed: Path) -> None:
    offer(
        installed,
        "copycat",
        "FOM = third_party_plugin:ENTRY",
        "ThirdParty = third_party_plugin:ENTRY",
        group=registry.GROUP,
    )
    offer(installed, "third_party", "ThirdParty = third_party_plugin:ENTRY", group=registry.GROUP)
    with pytest.raises(ConfigError, match=r"model 'FOM' is offered by talkingface and by copycat\. Uninstall copycat"):
        registry.entry("FOM")
    with pytest.raises(ConfigError, match="model 'ThirdParty' is offered by copycat and by third_party"):
        registry.entry("ThirdParty")


def test_third_party_flags_join_ours(installed: Path) -> None:
    offer(installed, "third_party", "ThirdParty = third_party_plugin:WITH_FLAGS", group=registry.GROUP)
    settings = load_settings(["--model=ThirdParty", "--zeal=2", "--seed=3"])
    assert (settings.own.model_dump(), settings.seed) == ({"zeal": 2.0}, 3)
    assert settings_from({"model": "ThirdParty", "zeal": 3}).own.model_dump() == {"zeal": 3.0}
    with pytest.raises(ConfigError, match=r"--zeal is a flag of ThirdParty; FOM has no such flag"):
        load_settings(["--zeal=2"])


def test_a_third_party_whose_flags_are_broken_or_taken_leaves_ours_alone(installed: Path) -> None:
    offer(installed, "flawed", "Flawed = third_party_plugin:FLAWED", group=registry.GROUP)
    offer(installed, "greedy", "Greedy = third_party_plugin:GREEDY", group=registry.GROUP)
    with pytest.raises(ConfigError, match=r"--sede: unknown flag. Did you mean '--seed'"):
        load_settings(["--sede=2"])
    assert load_settings(["--seed=2"]).seed == 2
    assert "Models: FOM, Flawed, Greedy" in help_text()
    with pytest.raises(UnknownNameError, match="model 'Flawed' is broken: RuntimeError: needs a newer library"):
        load_settings(["--model=Flawed"])
    with pytest.raises(ConfigError, match="the flag --seed of model 'Greedy' has the name of one that"):
        load_settings(["--model=Greedy"])


def test_a_misspelt_model_is_told_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'FOM'"):
        registry.entry("FOMM")


BAD_DRIVERS = """
from pydantic import BaseModel

from talkingface.plugins import DriverEntry


class Clash(BaseModel):
    "Takes the name of a setting of ours."

    frame_limit: int | None = None


class Lazy(BaseModel):
    "Brings a flag."

    lazy_path: str | None = None


GHOST = DriverEntry("nowhere:X", "ghost_path")
CLASH = DriverEntry("nowhere:X", "frame_limit", options=Clash)
LAZY = DriverEntry("nowhere:X", "lazy_path", options=Lazy)
"""


def test_a_broken_driver_of_others_leaves_ours_alone(installed: Path, tmp_path: Path, capsys) -> None:
    (installed / "bad_drivers.py").write_text(BAD_DRIVERS)
    lines = [f"{name.lower()} = bad_drivers:{name}" for name in ("GHOST", "CLASH", "LAZY")]
    offer(installed, "bad", *lines, "frames = bad_drivers:LAZY", group=plugins.DRIVERS.group)
    offer(installed, "exits", "gone = exits_at_import:X", group=plugins.DRIVERS.group)
    (installed / "exits_at_import.py").write_text("import sys; sys.exit(3)")
    settings = settings_from({"audio_path": "a.wav", "image_source": "a.png", "model": "SadTalker", "frame_limit": 3})
    assert list(drivers_in(settings)) == ["audio_path"]
    lazy = settings_from({"lazy_path": "x", "image_source": "a.png"})
    with pytest.raises(UnknownNameError, match="driver 'lazy' is broken: ModuleNotFoundError"):
        assign_drivers(lazy)
    video = settings_from({"video_source": str(tmp_path), "image_source": "a.png"})
    with pytest.raises(ConfigError, match="driver 'frames' is offered by talkingface and by bad"):
        assign_drivers(video)
    found = [finding.text for finding in examine(settings) if finding.topic == "plug-ins"]
    for name in ("ghost", "clash", "gone", "frames"):
        assert any(text.startswith(f"driver '{name}':") for text in found), name


def test_settings_are_read_in_little_time(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed packages are read once, not for each of hundreds of keys."""
    plugins.forget()
    calls: list[str] = []
    real = plugins.entry_points

    def counted(group: str):
        calls.append(group)
        return real(group=group)

    monkeypatch.setattr(plugins, "entry_points", counted)
    for _ in range(2):
        settings_from({"image_source": "a.png", "video_source": "b.mp4"})
    assert len(calls) <= 5, "one for each kind of part"


def test_a_word_as_long_as_a_file_is_quoted_in_part() -> None:
    with pytest.raises(UnknownNameError) as caught:
        load_settings([f"--model=F{'9' * 100_000}"])
    assert 0 < len(str(caught.value)) < 1500 and "F999" in str(caught.value) and "[...]" in str(caught.value)


def test_a_word_of_a_file_does_not_steer_the_terminal() -> None:
    error = ConfigError("no column '\x1b[2J\u202e\udcff'", where="name\twith\ttabs \u3000 \u00a0")
    assert str(error) == "name\\twith\\ttabs \u3000 \u00a0: no column '\\x1b[2J\\u202e\\udcff'"
