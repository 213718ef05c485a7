"""What of a PostgreSQL table is read: a filter, a range with an overlap; and what the database offers before there is a contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from polyceph.connectors.postgres import PostgresConnector
from polyceph.errors import Invalid
from polyceph.sdk import Column, Demand, LoadMode
from polyceph.settings import PostgresAddress

Writer = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def connector(database: PostgresAddress, monkeypatch: pytest.MonkeyPatch) -> PostgresConnector:
    monkeypatch.setenv("SOURCE_PASSWORD", database.password.get_secret_value())
    given = {"host": database.host, "port": database.port, "database": database.database, "user": database.user}
    return PostgresConnector(PostgresConnector.source_options.model_validate({**given, "password_env": "SOURCE_PASSWORD"}), base=Path())


@pytest.fixture
def schools(write: Writer) -> None:
    write.execute("CREATE TABLE schools (id int PRIMARY KEY, name text, year int)")
    write.execute("INSERT INTO schools VALUES (1, 'A', 2019), (2, 'O''B\\\\x', 2020), (3, 'x'') OR (1=1', 2021), (4, NULL, 2022)")


def ids(loading: Any, connector: PostgresConnector, **options: object) -> list[int]:
    contract = loading.contract(Column("id", "integer", required=True, primary_key=True))
    loading.load(connector, contract, options)
    return [row[0] for row in loading.rows(contract)]


@pytest.mark.parametrize(
    ("condition", "parameters", "expected"),
    [
        ("year >= 2021", {}, [3, 4]),
        ("year >= :first AND year < :last", {"first": 2020, "last": 2022}, [2, 3]),
        ("name = :name", {"name": "x') OR (1=1"}, [3]),
        ("name = :name", {"name": "O'B\\\\x"}, [2]),
        ("name IS NULL -- why", {}, [4]),
        ("id IN (SELECT max(id) FROM schools) OR id::text = ':no'", {}, [4]),
        ("name LIKE '%B%'", {}, [2]),
        ("(year = 2019) = :yes", {"yes": True}, [1]),
    ],
)
@pytest.mark.parametrize(
    "source", [{"table": "public.schools"}, {"query": "SELECT * FROM schools"}, {"table": "public.schools", "cursor": "id"}]
)
def test_a_filter_is_run_by_the_server(
    connector: PostgresConnector,
    schools: None,
    loading: Any,
    condition: str,
    parameters: dict[str, object],
    expected: list[int],
    source: dict[str, object],
) -> None:
    assert ids(loading, connector, **source, filter=condition, parameters=parameters) == expected


@pytest.mark.parametrize(
    ("condition", "parameters"),
    [
        ("year = 1; DELETE FROM schools", {}),
        ("year = 1) OR (1 = 1", {}),
        ("SELECT 1", {}),
        ("EXISTS (DELETE FROM schools RETURNING 1)", {}),
        ("DELETE FROM schools", {}),
        ("year", {"x": 1}),
        ("year = :first", {}),
        ("yaer = 1", {}),
        ("year = 'abc'", {}),
        ("'x'", {}),
        ("", {}),
    ],
)
def test_what_is_no_condition_is_refused(
    connector: PostgresConnector, schools: None, write: Writer, loading: Any, condition: str, parameters: dict[str, object]
) -> None:
    with pytest.raises(Invalid):
        ids(loading, connector, table="public.schools", filter=condition, parameters=parameters)
    assert write.execute("SELECT count(*) FROM schools").fetchone() == (4,)


def test_a_filter_that_writes_is_stopped_by_the_session(connector: PostgresConnector, schools: None, write: Writer, loading: Any) -> None:
    write.execute(
        "CREATE FUNCTION sneaky() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN DELETE FROM schools; RETURN true; END $$",
    )
    with pytest.raises(Exception, match="read-only"):
        ids(loading, connector, table="public.schools", filter="sneaky()")
    assert write.execute("SELECT count(*) FROM schools").fetchone() == (4,)


CHANGES = {"table": "public.changes", "cursor": "at"}


@pytest.fixture
def changes(write: Writer) -> None:
    write.execute("CREATE TABLE changes (id int PRIMARY KEY, name text, at timestamptz)")
    write.execute("INSERT INTO changes VALUES (1, 'a', '2024-01-01 10:00+00'), (2, 'b', '2024-01-02 10:00+00')")


def changed(loading: Any) -> Any:
    return loading.contract(Column("id", "integer", required=True, primary_key=True), Column("name", "string"))


def test_an_overlap_brings_late_rows_once(connector: PostgresConnector, changes: None, write: Writer, loading: Any) -> None:
    contract, options = changed(loading), {**CHANGES, "overlap": "1 day"}
    assert [r.rows for r in loading.load(connector, contract, options)] == [2]
    write.execute("INSERT INTO changes VALUES (3, 'late', '2024-01-01 20:00+00'), (4, 'too late', '2023-12-31 10:00+00')")
    assert [r.rows for r in loading.load(connector, contract, options)] == [1]
    assert [r.rows for r in loading.load(connector, contract, options)] == [0]
    assert [r.rows for r in loading.load(connector, contract, CHANGES)] == []
    write.execute("UPDATE changes SET name = 'B' WHERE id = 2")
    assert [r.rows for r in loading.load(connector, contract, options)] == [1]
    assert sorted(loading.rows(contract, "id, name, _change")) == [
        (1, "a", "added"),
        (2, "B", "changed"),
        (2, "b", "added"),
        (3, "late", "added"),
    ]
    assert loading.lake.cursor(contract.dataset) == "2024-01-02 10:00:00.000000+00:00"


def test_the_same_run_tried_again_loads_an_overlap_once(connector: PostgresConnector, changes: None, write: Writer, loading: Any) -> None:
    contract, options = changed(loading), {**CHANGES, "overlap": "1 day"}
    loading.load(connector, contract, options, run="one")
    write.execute("INSERT INTO changes VALUES (3, 'late', '2024-01-01 20:00+00')")
    assert [r.is_new for r in loading.load(connector, contract, options, run="two")] == [True]
    assert [r.is_new for r in loading.load(connector, contract, options, run="two")] == [False]


def test_an_integer_cursor_has_an_overlap_in_numbers(connector: PostgresConnector, schools: None, write: Writer, loading: Any) -> None:
    contract, options = changed(loading), {"table": "public.schools", "cursor": "year", "overlap": 2}
    loading.load(connector, contract, options)
    write.execute("INSERT INTO schools VALUES (5, 'late', 2021), (6, 'too late', 2020)")
    [report] = loading.load(connector, contract, options)
    assert report.rows == 1
    assert [row[0] for row in loading.rows(contract)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("overlap", ["soon", 3])
def test_an_overlap_that_does_not_fit_is_refused(
    connector: PostgresConnector, changes: None, tmp_path: Path, loading: Any, overlap: object
) -> None:
    with pytest.raises(Invalid, match="overlap"):
        loading.load(connector, changed(loading), {**CHANGES, "overlap": overlap})


def test_a_delivery_with_an_overlap_asks_for_what_is_new(connector: PostgresConnector, changes: None, tmp_path: Path, loading: Any) -> None:
    contract = changed(loading)
    demand = Demand(
        contract.dataset, contract, {**CHANGES, "overlap": "1 day"}, "2024-01-02 10:00:00.000000+00:00", lambda _: False, tmp_path, tmp_path
    )
    [delivery] = connector.deliveries(demand)
    assert delivery.mode is LoadMode.NEW
    [plain] = connector.deliveries(Demand(contract.dataset, contract, CHANGES, None, lambda _: False, tmp_path, tmp_path))
    assert plain.mode is LoadMode.APPEND


def test_tables_and_samples_tell_what_the_catalogue_knows(connector: PostgresConnector, schools: None, write: Writer) -> None:
    write.execute("COMMENT ON TABLE schools IS 'Every school'")
    write.execute("COMMENT ON COLUMN schools.year IS 'School year'")
    write.execute("ALTER TABLE schools ADD price numeric(10,2), ADD seen timestamptz, ADD amount numeric, ALTER year SET NOT NULL")
    write.execute("UPDATE schools SET seen = '2024-07-01 12:00+02', price = 1.50 WHERE id = 1")
    write.execute("CREATE VIEW recent AS SELECT * FROM schools WHERE year > 2020")
    write.execute("ANALYZE schools")
    found = {t.name: t for t in connector.tables()}
    assert list(found) == ["public.recent", "public.schools"]
    assert (found["public.schools"].rows, found["public.schools"].description) == (4, "Every school")
    assert found["public.recent"].rows is None
    sample = connector.sample({"table": "public.schools"}, rows=2, workspace=Path())
    assert sample.description == "Every school"
    columns = {c.name: c for c in sample.columns}
    assert (columns["id"].primary_key, columns["id"].required, columns["id"].logical_type) == (True, True, "integer")
    assert (columns["year"].required, columns["year"].description) == (True, "School year")
    assert (columns["price"].source_type, columns["price"].physical_type) == ("numeric(10,2)", "decimal(10,2)")
    assert (columns["seen"].logical_type, columns["seen"].physical_type) == ("timestamp", "timestamptz")
    rows = sample.rows.to_pylist()  # type: ignore[attr-defined]
    assert len(rows) == 2
    first = next(row for row in connector.sample({"table": "public.schools"}, rows=9, workspace=Path()).rows.to_pylist() if row["id"] == 1)  # type: ignore[attr-defined]
    assert str(first["price"]) == "1.50"
    assert first["seen"].isoformat() == "2024-07-01T10:00:00+00:00"


def test_a_query_can_be_sampled(connector: PostgresConnector, schools: None) -> None:
    sample = connector.sample({"query": "SELECT id, name FROM schools ORDER BY id", "filter": "id > 2"}, rows=1, workspace=Path())
    assert [c.name for c in sample.columns] == ["id", "name"]
    assert sample.rows.to_pylist() == [{"id": 3, "name": "x') OR (1=1"}]  # type: ignore[attr-defined]


def test_tables_that_may_not_be_read_are_not_offered(
    database: PostgresAddress, schools: None, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    write.execute("DROP ROLE IF EXISTS looker")
    write.execute("CREATE ROLE looker LOGIN PASSWORD 'looks'")
    monkeypatch.setenv("SOURCE_PASSWORD", "looks")
    given = {"host": database.host, "port": database.port, "database": database.database, "user": "looker"}
    connector = PostgresConnector(
        PostgresConnector.source_options.model_validate({**given, "password_env": "SOURCE_PASSWORD"}), base=Path()
    )
    assert list(connector.tables()) == []
