"""Time is played on: each source of the federation is loaded, three months later loaded again, and what is current is what it has then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyceph.connectors.sap import SapConnector
from polyceph.connectors.sharepoint import SharepointConnector
from polyceph.connectors.soap import SoapConnector
from polyceph.sdk import Column
from polyceph.testing.federation.generate import generate
from polyceph.testing.federation.scenario import Month, Scenario

Source = tuple[str, str, str, dict[str, object], tuple[str, ...]]
SOURCES: tuple[Source, ...] = (
    ("odata", "data_office_finance", "BudgetLines", {"entity_set": "BudgetLines"}, ("Year", "Article")),
    ("odata", "data_office_finance", "Commitments", {"entity_set": "Commitments"}, ("Year", "Article", "Quarter")),
    (
        "soap",
        "higher_education_budget",
        "GetAllotments",
        {"operation": "GetAllotments", "ignore_columns": ["AllotmentEur"]},
        ("Year", "Institution"),
    ),
    ("graph", "education_inspection", "lists/visits", {"list": "visits"}, ("id",)),
    ("graph", "culture_archives", "lists/fonds", {"list": "fonds"}, ("id",)),
    ("graph", "youth_care_reports", "lists/visites", {"list": "visites"}, ("Title",)),
)


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("later")
    generate(folder, Scenario(month=Month(2026, 1)))
    return folder


def entered(kind: str, own: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    common = {"url": own["URL"], "requests_per_second": 500}
    if kind == "soap":
        return SoapConnector(SoapConnector.source_options.model_validate(common), base=Path())
    if kind == "odata":
        monkeypatch.setenv("OFFICE_USER", own["USER"])
        monkeypatch.setenv("OFFICE_SECRET", own["PASSWORD"])
        common |= {"auth": {"kind": "basic", "user_env": "OFFICE_USER", "password_env": "OFFICE_SECRET"}}
        return SapConnector(SapConnector.source_options.model_validate(common), base=Path())
    monkeypatch.setenv("OFFICE_SECRET", own["CLIENT_SECRET"])
    auth = {"kind": "oauth2", "token_url": own["TOKEN_URL"], "client_id": own["CLIENT_ID"], "client_secret_env": "OFFICE_SECRET"}
    common |= {"site": f"federation.example:/sites/{name}", "auth": auth | {"scope": "https://graph.microsoft.com/.default"}}
    return SharepointConnector(SharepointConnector.source_options.model_validate(common), base=Path())


def columns(row: dict[str, Any], key: tuple[str, ...]) -> tuple[Column, ...]:
    """Return columns of text, so that each value is compared as the generator wrote it; numbers are compared elsewhere."""
    kinds = {name: "integer" if isinstance(value, int) else "string" for name, value in row.items()}
    kept = [name for name in row if not name.endswith("Eur") and name != "MetresLineaires"]
    return tuple(Column(name, kinds[name], required=name in key, primary_key=name in key) for name in kept)


@pytest.mark.parametrize(("kind", "name", "file", "options", "key"), SOURCES, ids=[one[2] for one in SOURCES])
def test_a_later_month_is_loaded_on_top_of_an_earlier_one(
    services: Any,
    loads: Any,
    later: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    name: str,
    file: str,
    options: dict[str, object],
    key: tuple[str, ...],
) -> None:
    copy = f"{name}_{file.rpartition('/')[2].lower()}_months"
    services.copy(kind, name, copy)
    connector = entered(kind, services.of(copy), copy, monkeypatch)
    path = f"{kind}/{copy}/{file}.ndjson"
    first = services.rows(path)
    promise = loads.contract(*columns(first[0], key))
    loads.load(connector, promise, options)
    assert loads.current(promise) == told(first, promise)
    shutil.copyfile(later / kind / name / f"{file}.ndjson", services.folder / path)
    second = services.rows(path)
    assert len(second) > len(first)
    loads.load(connector, promise, options)
    assert loads.current(promise) == told(second, promise)
    assert loads.load(connector, promise, options) == []


def told(rows: list[dict[str, Any]], promise: Any) -> list[dict[str, Any]]:
    names = [column.name for column in promise.columns]
    order: Callable[[dict[str, Any]], Any] = lambda row: tuple((row[name] is None, row[name]) for name in names)  # noqa: E731
    return sorted(({name: row[name] for name in names} for row in rows), key=order)
