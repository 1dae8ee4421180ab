"""Names that other people's programs use; losing one is a broken promise."""

from __future__ import annotations

import importlib
import inspect

import pytest

import talkingface

NAMES = {
    "talkingface": ["Motion", "Result", "Settings", "Source", "TalkingFaceError", "__version__", "animate"],
    "talkingface.config": [
        *("Settings", "describe", "load_settings", "model_config"),
        *("read_settings", "save_settings", "settings_from", "variant_params"),
    ],
    "talkingface.errors": [
        *("ConfigError", "DataError", "DependencyError", "MediaError", "MotionError", "ShapeError"),
        *("TalkingFaceError", "TrainingError", "UnknownNameError", "WeightsError", "did_you_mean"),
        *("CutFaceError", "FaceError", "NoFaceError", "SeveralFacesError", "SmallFaceError"),
    ],
    "talkingface.registry": ["GROUP", "ModelEntry", "broken", "config_class", "entry", "model", "models"],
    "talkingface.models.base": ["MotionExtractor", "ModelPlugin", "Phase", "Renderer"],
    "talkingface.data": ["Batches", "Clip", "ClipStore", "batch_loader", "open_store"],
    "talkingface.train": ["TrainResult", "TrainSettings", "Trainer"],
    "talkingface.evaluation": ["EvaluateSettings", "Report", "evaluate"],
    "talkingface.pipelines.animate": ["Result", "animate", "animate_each"],
}


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in NAMES.items() for name in names])
def test_public_name_exists(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name)


@pytest.mark.parametrize("module", ["talkingface", "talkingface.config", "talkingface.data", "talkingface.train"])
def test_what_a_package_offers_is_listed_here(module: str) -> None:
    assert sorted(importlib.import_module(module).__all__) == sorted(NAMES[module])


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'animat'"):
        _ = talkingface.animat


def test_the_library_call_takes_the_promised_arguments() -> None:
    parameters = inspect.signature(talkingface.animate).parameters
    assert list(parameters) == ["model", "source", "driving", "output", "settings"]
