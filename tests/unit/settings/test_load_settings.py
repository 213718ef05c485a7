"""Settings of the environment: what is wrong is said with the variable's name and what is good."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from polyceph.errors import Misconfigured
from polyceph.settings import load_settings


def test_what_is_given_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYCEPH_FEDERATION", "/elsewhere")
    monkeypatch.setenv("POLYCEPH_TODAY", "2026-03-31")
    settings = load_settings(federation=Path("/here"))
    assert (settings.federation, settings.today) == (Path("/here"), date(2026, 3, 31))


@pytest.mark.parametrize(
    ("variable", "value", "good"),
    [
        ("POLYCEPH_WEB__PORT", "99999", "less than or equal to 65535"),
        ("POLYCEPH_LIMITS__DUCKDB_THREADS", "many", "valid integer"),
        ("POLYCEPH_TODAY", "31/3/2026", "valid date"),
        ("POLYCEPH_WEB__PROT", "3000", "POLYCEPH_WEB__PORT"),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_good(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, good: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(Misconfigured) as raised:
        load_settings()
    assert f"{variable}" in str(raised.value)
    assert good in str(raised.value)


def test_a_wrong_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYCEPH_STORE", '{"dsn": ["hunter2"]}')
    with pytest.raises(Misconfigured) as raised:
        load_settings()
    assert "POLYCEPH_STORE__DSN" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_section_that_is_not_json_is_refused_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYCEPH_STORE", "hunter2")
    with pytest.raises(Misconfigured) as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)
