"""The YAML files of every model: there, valid, and complete, so that a changed default never changes a variant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pydantic import BaseModel

from talkingface import registry
from talkingface.config import model_config, settings_from, variant_params
from talkingface.config.model import variant_names

from .small import SMALL

MODELS = sorted({small.model for small in SMALL})
MAY_DEFAULT = {model: [small.may_default for small in SMALL if small.model == model] for model in MODELS}


def left_out(config: type[BaseModel], given: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of the settings that a variant leaves to their defaults; a group left out counts once."""
    for name, field in config.model_fields.items():
        if name not in given:
            yield f"{prefix}{name}"
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from left_out(field.annotation, given[name], f"{prefix}{name}.")


@pytest.mark.parametrize("model", MODELS)
def test_defaults_and_variants_are_there(model: str) -> None:
    assert (registry.entry(model).properties / f"{model}.yaml").is_file()
    assert variant_names(model)
    assert settings_from({"model": model}).model == model


@pytest.mark.parametrize("model", MODELS)
def test_each_variant_is_valid_and_says_everything(model: str) -> None:
    for variant in variant_names(model):
        settings = settings_from({"model": model, "variant": variant})
        config = registry.config_class(model)
        assert model_config(settings) == config.model_validate(variant_params(model, variant))
        missing = {name for name in left_out(config, variant_params(model, variant))}
        allowed = (groups for groups in MAY_DEFAULT[model] if {name.split(".")[0] for name in missing} <= groups)
        assert any(True for _ in allowed), f"{variant} leaves out {sorted(missing)}"
