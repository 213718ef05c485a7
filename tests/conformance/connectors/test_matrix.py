"""Every connector has a stand, and every behaviour is run with it or has a reason; the reference page says so."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from stands.behaviours import Behaviour
from stands.matrix import page
from stands.registry import STANDS, TESTED

from polyceph import plugins

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__))
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "connector-conformance.md"


def test_every_connector_has_a_stand() -> None:
    assert {stand.connector for stand in STANDS.values()} == set(plugins.names(plugins.CONNECTORS))


def test_every_behaviour_is_asked_by_a_test() -> None:
    for name in MODULES:
        importlib.import_module(name)
    assert set(TESTED) == set(Behaviour)


@pytest.mark.parametrize("name", STANDS)
def test_a_reason_is_given_once_and_in_words(name: str) -> None:
    stand = STANDS[name]
    assert not set(stand.not_applicable) & set(stand.unproven)
    for reason in (*stand.not_applicable.values(), *stand.unproven.values()):
        assert len(reason.split()) > 3
    assert any(stand.reason(behaviour) is None for behaviour in Behaviour)


def test_the_reference_page_is_what_the_stands_say() -> None:
    assert REFERENCE.read_text(encoding="utf-8").endswith(page().rstrip() + "\n")
