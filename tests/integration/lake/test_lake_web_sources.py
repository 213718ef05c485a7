"""Every source of the synthetic federation that speaks JSON over HTTP, loaded into a lake and compared with what the generator wrote."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from polyceph.connectors.rest import RestConnector
from polyceph.core.model.contract import Column
from polyceph.testing.federation.generate import pieces
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.servers.addresses import SourceAddress
from polyceph.testing.federation.servers.serving import serve
from polyceph.testing.federation.truth import Truth

if TYPE_CHECKING:
    from conftest import Loads

Row = dict[str, Any]
KINDS = ("rest/", "explore/", "ckan/")
OAUTH2 = {"kind": "oauth2", "token_url": {"env": "TOKEN_URL"}, "client_id": {"env": "CLIENT_ID"}, "client_secret_env": "CLIENT_SECRET"}
REST = {"url": {"env": "URL"}, "auth": OAUTH2, "requests_per_second": 40}
PAGED: Row = {"records": "data.items", "paging": {"style": "page", "size_parameter": "page_size", "size": 100, "total": "total"}}
CHANGED: Row = {**PAGED, "since": {"parameter": "since", "field": "updated_at", "overlap": "1 day"}}
UPDATED = Column("updated_at", "timestamp", "timestamptz", required=True)


def key(name: str, kind: str = "string", physical: str | None = None) -> Column:
    return Column(name, kind, physical, required=True, primary_key=True)


def texts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "string") for name in names)


def wholes(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "integer") for name in names)


@dataclass(frozen=True)
class Systems:
    """The served systems, and the files that they serve."""

    folder: Path
    addresses: Mapping[str, SourceAddress]

    def rows(self, path: str) -> list[Row]:
        return [json.loads(line, parse_float=Decimal) for line in (self.folder / path).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def systems() -> Iterator[Systems]:
    folder = Path(tempfile.mkdtemp(prefix="polyceph-systems-"))
    for piece in pieces(Scenario(), Truth()):
        if piece.path.startswith(KINDS):
            path = folder / piece.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(piece.content)
    try:
        with serve(folder) as addresses:
            yield Systems(folder, addresses)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ordered(rows: list[Row], columns: tuple[Column, ...]) -> list[Row]:
    """Return what was written in the types that the contract promises, in the order in which the lake is asked."""
    found = [{column.name: typed(at(row, column.source_name or column.name), column) for column in columns} for row in rows]
    return sorted(found, key=lambda row: tuple(row.values()))


def at(row: Row, path: str) -> Any:
    found: Any = row
    for part in path.split("."):
        found = found[part]
    return found


def typed(value: Any, column: Column) -> Any:
    if column.logical_type == "timestamp":
        return datetime.fromisoformat(value).astimezone(UTC)
    if column.logical_type == "date":
        return date.fromisoformat(value)
    return json.dumps(value, ensure_ascii=False, default=float) if isinstance(value, dict) else value


REST_DATASETS: dict[str, tuple[str, str, tuple[Column, ...], Row]] = {
    "culture.raw.museums": (
        "culture_museums",
        "museums",
        (
            key("museum_id"),
            *texts("name", "category"),
            Column("nis_code", "string", source_name="address.nis_code"),
            Column("postcode", "string", source_name="address.postcode"),
            *texts("director", "email", "telephone"),
            UPDATED,
        ),
        CHANGED,
    ),
    "culture.raw.museum_entries": (
        "culture_museums",
        "entries",
        (key("entry_id"), *texts("museum_id", "month"), *wholes("paid", "free", "schools"), UPDATED),
        CHANGED,
    ),
    "education.raw.canteens": (
        "education_canteens",
        "canteens",
        (
            key("canteen_id"),
            *wholes("school_id", "places"),
            Column("own_kitchen", "boolean"),
            Column("price_eur", "number", "decimal(6,2)"),
            UPDATED,
        ),
        PAGED,
    ),
    "education.raw.meals": (
        "education_canteens",
        "meals",
        (key("meal_id"), *texts("canteen_id", "month"), *wholes("served", "vegetarian", "free"), UPDATED),
        CHANGED,
    ),
    "higher_education.raw.projects": (
        "higher_education_research",
        "projects",
        (
            key("project_id", "integer"),
            *texts("title", "institution_id", "study_domain", "promoter_name", "promoter_email"),
            Column("budget_eur", "number", "decimal(12,2)"),
            Column("begins_on", "date"),
            Column("ends_on", "date"),
            *texts("status"),
            UPDATED,
        ),
        CHANGED,
    ),
    "youth_care.raw.hotline_calls": (
        "youth_care_hotline",
        "calls",
        (
            key("day", "date"),
            *wholes("calls", "answered"),
            Column("mean_wait_s", "number", "decimal(6,1)"),
            *(
                Column(f"calls_{theme}", "integer", source_name=f"themes.{theme}")
                for theme in ("violence", "school", "family", "health", "network")
            ),
            UPDATED,
        ),
        CHANGED,
    ),
}


def rest(systems: Systems, source: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> RestConnector:
    for name, value in systems.addresses[source].environment.items():
        monkeypatch.setenv(name, value)
    return RestConnector(RestConnector.source_options.model_validate(REST), base=folder)


@pytest.mark.parametrize("name", REST_DATASETS)
def test_a_service_is_loaded_row_for_row_and_once(
    name: str, systems: Systems, loads: Callable[..., Loads], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source, path, columns, options = REST_DATASETS[name]
    connector, loaded = rest(systems, source, monkeypatch, tmp_path), loads(columns)
    expected = ordered(systems.rows(f"rest/{source}/{path}.ndjson"), columns)
    [report] = loaded.load(connector, {"path": path, **options})
    assert (report.is_new, report.rows) == (True, len(expected))
    assert loaded.rows() == expected
    again = loaded.load(connector, {"path": path, **options}, run="run-2")
    assert sum(one.rows for one in again) == 0
    assert loaded.rows() == expected
