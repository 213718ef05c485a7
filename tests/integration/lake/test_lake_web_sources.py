"""Every source of the synthetic federation that speaks JSON over HTTP, loaded into a lake and compared with what the generator wrote."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from polyceph.connectors.ckan import CkanConnector
from polyceph.connectors.opendatasoft import OpendatasoftConnector
from polyceph.connectors.rest import RestConnector
from polyceph.core.model.contract import Column
from polyceph.errors import Invalid, NotFound
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


# Open data portals

EVENTS = (
    key("event_id"),
    *texts("title", "kind"),
    Column("begins_on", "date"),
    *texts("nis_code", "municipality", "organiser", "organiser_number", "audience"),
    Column("price_eur", "number", "decimal(8,2)"),
    Column("seats", "integer"),
    Column("longitude", "number", "decimal(8,5)", source_name="position.lon"),
    Column("latitude", "number", "decimal(8,5)", source_name="position.lat"),
    UPDATED,
)
POPULATION = (
    key("nis_code"),
    *texts("municipality"),
    key("year", "integer"),
    *wholes("women", "men", "population"),
)
EXPLORE_DATASETS: dict[str, tuple[str, str, tuple[Column, ...], Row]] = {
    "culture.raw.events": ("culture_events", "agenda", EVENTS, {"since": "updated_at", "overlap": "1 day"}),
    "data_office.raw.population": ("data_office_indicators", "population", POPULATION, {}),
}


def explore(systems: Systems, source: str, folder: Path) -> OpendatasoftConnector:
    given = {"url": systems.addresses[source].environment["URL"], "requests_per_second": 100}
    return OpendatasoftConnector(OpendatasoftConnector.source_options.model_validate(given), base=folder)


@pytest.mark.parametrize("name", EXPLORE_DATASETS)
def test_a_dataset_of_a_portal_is_loaded_row_for_row_and_once(
    name: str, systems: Systems, loads: Callable[..., Loads], tmp_path: Path
) -> None:
    source, dataset, columns, options = EXPLORE_DATASETS[name]
    connector, loaded = explore(systems, source, tmp_path), loads(columns)
    expected = ordered(systems.rows(f"explore/{source}/{dataset}.ndjson"), columns)
    [report] = loaded.load(connector, {"dataset": dataset, **options})
    assert report.rows == len(expected)
    assert loaded.rows() == expected
    assert sum(one.rows for one in loaded.load(connector, {"dataset": dataset, **options}, run="run-2")) == 0
    assert loaded.rows() == expected


def test_the_portal_works_out_conditions_and_fields(systems: Systems, loads: Callable[..., Loads], tmp_path: Path) -> None:
    columns = (key("event_id"), Column("place", "string"), Column("seats", "integer"))
    options = {"dataset": "agenda", "select": ["event_id", "municipality as place", "seats"], "where": "kind = 'festival' and seats > 300"}
    loaded = loads(columns)
    loaded.load(explore(systems, "culture_events", tmp_path), options)
    rows = systems.rows("explore/culture_events/agenda.ndjson")
    wanted = [{**row, "place": row["municipality"]} for row in rows if row["kind"] == "festival" and row["seats"] > 300]
    assert wanted
    assert loaded.rows() == ordered(wanted, columns)


def test_only_events_that_changed_are_read(systems: Systems, loads: Callable[..., Loads], tmp_path: Path) -> None:
    connector, loaded = explore(systems, "culture_events", tmp_path), loads(EVENTS)
    options = {"dataset": "agenda", "since": "updated_at", "where": "seats > 0"}
    loaded.load(connector, options)
    path = systems.folder / "explore/culture_events/agenda.ndjson"
    before = path.read_bytes()
    row = json.loads(before.splitlines()[0]) | {"title": "Reporté", "updated_at": "2026-01-01T00:00:00+00:00"}
    try:
        path.write_bytes(
            before + (json.dumps(row | {"event_id": "NEW"}) + "\n" + json.dumps(row | {"seats": 0, "event_id": "NONE"})).encode() + b"\n"
        )
        [report] = loaded.load(connector, options, run="run-2")
    finally:
        path.write_bytes(before)
    assert report.rows == 1
    assert loaded.lake.cursor(loaded.contract.dataset) == "2026-01-01T00:00:00Z"


def test_a_dataset_that_was_not_processed_again_is_not_read(systems: Systems, loads: Callable[..., Loads], tmp_path: Path) -> None:
    connector, loaded = explore(systems, "data_office_indicators", tmp_path), loads(POPULATION)
    loaded.load(connector, {"dataset": "population"})
    assert loaded.load(connector, {"dataset": "population"}, run="run-2") == []
    path = systems.folder / "explore/data_office_indicators/population.ndjson"
    before = path.read_bytes()
    try:
        path.write_bytes(b"".join(before.splitlines(keepends=True)[1:]))
        [report] = loaded.load(connector, {"dataset": "population"}, run="run-3")
    finally:
        path.write_bytes(before)
    gone = loaded.lake.query(f"SELECT nis_code, _change FROM meuse.raw.{loaded.contract.dataset.name} WHERE _load = ?", [report.key])
    assert gone.to_pylist() == [{"nis_code": "11001", "_change": "removed"}]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"dataset": "agenda", "where": "no such thing"}, "ODSQL"),
        ({"dataset": "agenda", "since": "seats"}, "such are: begins_on, updated_at"),
        ({"dataset": "agenda", "since": "absent"}, "its fields are event_id"),
        ({"dataset": "nothing"}, "does not exist"),
        ({"dataset": "../secrets"}, "pattern"),
        ({"dataset": "agenda", "since": "seats` or 1"}, "pattern"),
        ({"dataset": "agenda", "where": "seats < 0"}, "no row at all"),
    ],
)
def test_a_wrong_wish_is_explained(options: Row, told: str, systems: Systems, loads: Callable[..., Loads], tmp_path: Path) -> None:
    with pytest.raises((Invalid, NotFound)) as caught:
        loads(EVENTS).load(explore(systems, "culture_events", tmp_path), options)
    assert told in str(caught.value)


def test_a_portal_tells_what_it_offers_and_a_sample_of_it(systems: Systems, tmp_path: Path) -> None:
    connector = explore(systems, "culture_events", tmp_path)
    [table] = connector.tables()
    assert (table.name, table.rows, dict(table.options)) == ("agenda", 1608, {"dataset": "agenda"})
    assert "Licence: CC BY 4.0" in table.description
    sample = connector.sample(table.options, rows=150, workspace=tmp_path)
    described = {column.name: (column.source_type, column.logical_type, column.description) for column in sample.columns}
    assert described["updated_at"] == ("datetime", "timestamp", "Modifié le")
    assert described["position"] == ("geo_point_2d", "object", "Position")
    rows = pa.RecordBatchReader.from_stream(sample.rows).read_all()
    assert rows.num_rows == 150
    assert (rows.schema.field("seats").type, rows.schema.field("begins_on").type) == (pa.int64(), pa.date32())


HALLS = (key("nis_code"), *texts("commune", "rue", "code_postal", "courriel", "telephone"))
HOLIDAYS = (Column("day", "date", required=True, primary_key=True, source_name="jour"), Column("name", "string", source_name="nom"))


def ckan(systems: Systems, folder: Path) -> CkanConnector:
    given = {"url": systems.addresses["data_office_portal"].environment["URL"], "requests_per_second": 100}
    return CkanConnector(CkanConnector.source_options.model_validate(given), base=folder)


def written_halls(systems: Systems) -> list[Row]:
    text = (systems.folder / "ckan/data_office_portal/maisons_communales.csv").read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


@pytest.mark.parametrize("read", ["file", "datastore"])
@pytest.mark.parametrize(
    "wanted", [{"resource": "maisons-communales"}, {"package": "adresses-publiques", "resource": "Maisons communales"}]
)
def test_town_halls_are_loaded_row_for_row_and_once(
    read: str, wanted: Row, systems: Systems, loads: Callable[..., Loads], tmp_path: Path
) -> None:
    connector, loaded, options = ckan(systems, tmp_path), loads(HALLS), {**wanted, "read": read}
    expected = ordered(written_halls(systems), HALLS)
    [report] = loaded.load(connector, options)
    assert report.rows == len(expected) > 200
    assert loaded.rows() == expected
    assert loaded.load(connector, options, run="run-2") == []
    path = systems.folder / "ckan/data_office_portal/maisons_communales.csv"
    before = path.read_bytes()
    try:
        path.write_bytes(before.replace(b"Grand-Place ", b"Grand Place "))
        changed = before.count(b"Grand-Place ")
        [report] = loaded.load(connector, options, run="run-3")
    finally:
        path.write_bytes(before)
    assert report.rows == changed > 0


def test_public_holidays_are_loaded_from_a_file_in_json(systems: Systems, loads: Callable[..., Loads], tmp_path: Path) -> None:
    loaded = loads(HOLIDAYS)
    loaded.load(ckan(systems, tmp_path), {"package": "adresses-publiques", "resource": "jours-feries", "records": "jours"})
    written = json.loads((systems.folder / "ckan/data_office_portal/jours_feries.json").read_text())["jours"]
    assert loaded.rows() == ordered(written, HOLIDAYS)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"resource": "nothing"}, "does not exist"),
        ({"package": "nothing", "resource": "x"}, "does not exist"),
        ({"package": "adresses-publiques", "resource": "x"}, "Maisons communales (maisons-communales)"),
        ({"resource": "jours-feries", "read": "datastore"}, "not in the DataStore"),
        ({"resource": "maisons-communales", "path": "x.csv"}, "at most 0 characters"),
    ],
)
def test_a_wrong_resource_is_explained(options: Row, told: str, systems: Systems, loads: Callable[..., Loads], tmp_path: Path) -> None:
    with pytest.raises((Invalid, NotFound)) as caught:
        loads(HALLS).load(ckan(systems, tmp_path), options)
    assert told in str(caught.value)


def test_a_portal_of_ckan_tells_what_it_offers_and_a_sample_of_it(systems: Systems, tmp_path: Path) -> None:
    tables = {table.name: table for table in ckan(systems, tmp_path).tables()}
    assert set(tables) == {"maisons-communales", "jours-feries"}
    assert "Licence: cc-by" in tables["jours-feries"].description
    for read in ("file", "datastore"):
        options = {**tables["maisons-communales"].options, "read": read}
        sample = ckan(systems, tmp_path).sample(options, rows=7, workspace=tmp_path)
        assert [column.name for column in sample.columns] == [column.name for column in HALLS]
        assert pa.RecordBatchReader.from_stream(sample.rows).read_all().to_pylist() == written_halls(systems)[:7]
    sample = ckan(systems, tmp_path).sample({**tables["jours-feries"].options, "records": "jours"}, rows=2, workspace=tmp_path)
    assert pa.RecordBatchReader.from_stream(sample.rows).read_all().to_pylist()[0] == {"jour": "2021-01-01", "nom": "Nouvel An"}


def test_the_sample_of_a_service_tells_the_types_that_its_values_have(
    systems: Systems, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connector = rest(systems, "education_canteens", monkeypatch, tmp_path)
    sample = connector.sample({"path": "canteens", **PAGED}, rows=5, workspace=tmp_path)
    types = {column.name: column.logical_type for column in sample.columns}
    assert (types["places"], types["own_kitchen"], types["price_eur"], types["canteen_id"]) == ("integer", "boolean", "number", None)
    assert list(connector.tables()) == []
