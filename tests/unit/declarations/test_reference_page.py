"""The reference page names every key that can be declared."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from polyceph.core.policies.contracts import CLASSIFICATIONS, LOGICAL_TYPES, PERSONAL_DATA, STATUSES
from polyceph.core.policies.zones import ZONES
from polyceph.declarations import forms

PAGE = (Path(__file__).parents[3] / "docs/reference/declarations.md").read_text(encoding="utf-8")
MODELS = [value for value in vars(forms).values() if isinstance(value, type) and issubclass(value, BaseModel)]


@pytest.mark.parametrize(("model", "key"), [(model.__name__, key) for model in MODELS for key in model.model_fields])
def test_every_key_is_on_the_page(model, key):
    assert f"`{key}`" in PAGE or f"`{key}:" in PAGE


@pytest.mark.parametrize(
    "value", [*ZONES, *CLASSIFICATIONS, *PERSONAL_DATA, *STATUSES, *LOGICAL_TYPES, *forms.LANGUAGES, *forms.OUTPUT_KINDS]
)
def test_every_closed_value_is_on_the_page(value):
    assert f"`{value}`" in PAGE
