from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from polyceph.connectors.postgres import PostgresConnector
from polyceph.core.model.classification import Classification
from polyceph.core.model.place import Place
from polyceph.errors import Conflict, Denied, Invalid, Misconfigured, NotFound, PolycephError, Unavailable
from polyceph.sdk import Column, Contract, DatasetId, Delivery, Demand, Pushdown, Zone
from polyceph.settings import PostgresAddress

SCHOOLS = DatasetId("education", Zone.RAW, "schools")
Duck = Callable[[], duckdb.DuckDBPyConnection]
Writer = psycopg.Connection[tuple[object, ...]]


def contract(*columns: Column) -> Contract:
    place = Place("domains/education/contracts/schools.odcs.yaml")
    return Contract(SCHOOLS, "1", "1.0.0", "active", "anne", "marc", Classification.INTERNAL, columns, place, "0" * 64)


ID_AND_NAME = contract(Column("id", "integer", required=True), Column("name", "string", source_name="Nom école"))


def demand(tmp_path: Path, options: dict[str, object], *, cursor: str | None = None, promised: Contract = ID_AND_NAME) -> Demand:
    return Demand(SCHOOLS, promised, options, cursor, lambda _: False, tmp_path, tmp_path)


def source(address: PostgresAddress, **other: object) -> PostgresConnector:
    options: dict[str, Any] = {"host": address.host, "port": address.port, "database": address.database, "user": address.user}
    options |= {"password_env": "SOURCE_PASSWORD"} | other
    return PostgresConnector(PostgresConnector.source_options.model_validate(options), base=Path())


def rows(connection: duckdb.DuckDBPyConnection, delivery: Delivery) -> list[tuple[Any, ...]]:
    assert isinstance(delivery.rows, Pushdown)
    return sorted(connection.sql(delivery.rows.prepare(connection)).fetchall())


@pytest.fixture
def schools(write: Writer) -> None:
    write.execute('CREATE TABLE schools (id int PRIMARY KEY, "Nom école" text, changed timestamptz DEFAULT now(), secret text)')
    write.execute("INSERT INTO schools VALUES (1, 'Érables', '2024-01-01 10:00+00'), (2, 'L''Arbre \"vert\"', '2024-01-02 10:00+00')")


def test_a_table_is_read_under_the_contracts_names(database: PostgresAddress, schools: None, duck: Duck, tmp_path: Path) -> None:
    [delivery] = source(database).deliveries(demand(tmp_path, {"table": "public.schools"}))
    assert rows(duck(), delivery) == [(1, "Érables"), (2, 'L\'Arbre "vert"')]
    assert delivery.origin == "public.schools"
    assert delivery.cursor is None
    assert [n.value for n in delivery.notes] == ["changed, secret"]


def test_each_snapshot_has_a_key_of_its_own(database: PostgresAddress, schools: None, tmp_path: Path) -> None:
    keys = {d.key for _ in range(2) for d in source(database).deliveries(demand(tmp_path, {"table": "public.schools"}))}
    assert len(keys) == 2


def test_values_come_in_the_types_of_the_contract(database: PostgresAddress, write: Writer, duck: Duck, tmp_path: Path) -> None:
    write.execute("CREATE TYPE level AS ENUM ('primary', 'secondary')")
    write.execute(
        "CREATE TABLE t AS SELECT 7::smallint a, 12.345::numeric(10,3) b, 1.5::numeric c, true d, date '2024-02-29' e,"
        " timestamptz '2024-07-01 12:00+02' f, timestamptz '2024-07-01 12:00+02' g, timestamp '2024-07-01 12:00' h, 'primary'::level i,"
        " '{\"x\": 1}'::jsonb j, ARRAY[1,2] k, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid l, time '08:30' m"
    )
    kinds = ["integer", "number", "number", "boolean", "date", "timestamp", "timestamp", "timestamp", "string", "object", "array"]
    kinds += ["string", "time"]
    physical = {"b": "DECIMAL(10,3)", "g": "TIMESTAMPTZ"}
    columns = [Column(n, k, physical.get(n)) for n, k in zip("abcdefghijklm", kinds, strict=True)]
    [delivery] = source(database).deliveries(demand(tmp_path, {"table": "public.t"}, promised=contract(*columns)))
    connection = duck()
    connection.execute("SET TimeZone = 'Asia/Tokyo'")
    found = connection.sql(delivery.rows.prepare(connection))  # type: ignore[union-attr]
    types = ["BIGINT", "DECIMAL(10,3)", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP", "VARCHAR"]
    assert [str(t) for t in found.types] == [*types, "JSON", "JSON", "VARCHAR", "TIME"]
    row = found.fetchone()
    assert row is not None
    assert [str(v) for v in row[:6]] == ["7", "12.345", "1.5", "True", "2024-02-29", "2024-07-01 10:00:00"]
    assert row[6].timestamp() == 1719828000
    assert [str(v) for v in row[7:11]] == ["2024-07-01 12:00:00", "primary", '{"x": 1}', "[1,2]"]
    assert any(n.subject == "precision" and n.value == "c" for n in delivery.notes)


def test_a_query_is_read(database: PostgresAddress, schools: None, duck: Duck, tmp_path: Path) -> None:
    query = 'SELECT id, "Nom école" FROM schools WHERE "Nom école" LIKE \'%vert%\' -- why; not\n;'
    [delivery] = source(database).deliveries(demand(tmp_path, {"query": query}))
    assert rows(duck(), delivery) == [(2, 'L\'Arbre "vert"')]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM schools RETURNING id, secret",
        "SELECT 1; DROP TABLE schools",
        "WITH gone AS (DELETE FROM schools RETURNING *) SELECT * FROM gone",
        "SELECT * INTO copy FROM schools",
        "SELECT * FROM schools FOR UPDATE",
        "COPY schools TO '/tmp/x'",
        "SELEC id",
    ],
)
def test_a_query_that_is_not_one_plain_select_is_refused(
    database: PostgresAddress, schools: None, write: Writer, tmp_path: Path, query: str
) -> None:
    with pytest.raises(Invalid):
        list(source(database).deliveries(demand(tmp_path, {"query": query})))
    assert write.execute("SELECT count(*) FROM schools").fetchone() == (2,)


def test_a_function_that_writes_is_stopped_by_the_read_only_session(
    database: PostgresAddress, schools: None, write: Writer, duck: Duck, tmp_path: Path
) -> None:
    write.execute(
        "CREATE FUNCTION sneaky() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM schools; RETURN 1; END $$",
    )
    query = "SELECT sneaky() AS id, 'x'::text AS \"Nom école\""
    [delivery] = source(database).deliveries(demand(tmp_path, {"query": query}))
    with pytest.raises(duckdb.Error, match="read-only transaction"):
        rows(duck(), delivery)
    assert write.execute("SELECT count(*) FROM schools").fetchone() == (2,)


INCREMENTAL = {"table": "public.schools", "cursor": "changed"}


def load_all(
    database: PostgresAddress, connection: duckdb.DuckDBPyConnection, tmp_path: Path, cursor: str | None
) -> tuple[Any, str | None]:
    found = list(source(database).deliveries(demand(tmp_path, INCREMENTAL, cursor=cursor)))
    return ([r for d in found for r in rows(connection, d)], found[-1].cursor if found else cursor)


def test_an_incremental_load_continues_where_the_last_one_stopped(
    database: PostgresAddress, schools: None, write: Writer, duck: Duck, tmp_path: Path
) -> None:
    connection = duck()
    first, cursor = load_all(database, connection, tmp_path, None)
    assert [r[0] for r in first] == [1, 2]
    assert cursor == "2024-01-02 10:00:00.000000+00:00"
    assert list(source(database).deliveries(demand(tmp_path, INCREMENTAL, cursor=cursor))) == []
    write.execute("INSERT INTO schools VALUES (3, 'Tilleuls', '2024-01-03 10:00+00'), (4, 'Hêtres', '2023-12-31')")
    second, later = load_all(database, connection, tmp_path, cursor)
    assert [r[0] for r in second] == [3]
    assert later == "2024-01-03 10:00:00.000000+00:00"


def test_the_key_of_a_range_is_the_same_each_time(database: PostgresAddress, schools: None, tmp_path: Path) -> None:
    keys = [d.key for _ in range(2) for d in source(database).deliveries(demand(tmp_path, INCREMENTAL))]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_rows_written_after_the_bound_was_fixed_wait_for_the_next_load(
    database: PostgresAddress, schools: None, write: Writer, duck: Duck, tmp_path: Path
) -> None:
    connection = duck()
    [delivery] = source(database).deliveries(demand(tmp_path, INCREMENTAL))
    write.execute("INSERT INTO schools VALUES (3, 'Tilleuls', now())")
    assert [r[0] for r in rows(connection, delivery)] == [1, 2]
    following, _ = load_all(database, connection, tmp_path, delivery.cursor)
    assert [r[0] for r in following] == [3]


def test_a_transaction_that_commits_late_is_waited_for(database: PostgresAddress, schools: None, duck: Duck, tmp_path: Path) -> None:
    with psycopg.connect(database.url()) as late:
        late.execute("INSERT INTO schools VALUES (9, 'Late', '2024-01-01 12:00+00')")
        timer = threading.Timer(0.6, late.commit)
        timer.start()
        [delivery] = source(database).deliveries(demand(tmp_path, INCREMENTAL))
        timer.join()
        assert [r[0] for r in rows(duck(), delivery)] == [1, 2, 9]


def test_a_transaction_that_never_ends_is_a_conflict(database: PostgresAddress, schools: None, tmp_path: Path) -> None:
    with psycopg.connect(database.url()) as late:
        late.execute("INSERT INTO schools VALUES (9, 'Late', '2024-01-01 12:00+00')")
        with pytest.raises(Conflict, match=r"public\.schools"):
            list(source(database).deliveries(demand(tmp_path, {**INCREMENTAL, "wait_s": 0.2})))


def test_lag_keeps_a_load_behind_now(database: PostgresAddress, schools: None, write: Writer, duck: Duck, tmp_path: Path) -> None:
    write.execute("INSERT INTO schools VALUES (3, 'Fresh', now())")
    [delivery] = source(database).deliveries(demand(tmp_path, {**INCREMENTAL, "lag": "5 minutes"}))
    assert [r[0] for r in rows(duck(), delivery)] == [1, 2]


@pytest.mark.parametrize(
    ("kind", "values", "stops"),
    [
        ("bigint", ["1", "2", "9007199254740993"], "9007199254740993"),
        ("date", ["'2024-01-01'", "'2024-01-02'", "'2024-01-02'"], "2024-01-02"),
        ("timestamp", ["'2024-01-01'", "'2024-01-02'", "'2024-03-31 02:30:00.000001'"], "2024-03-31 02:30:00.000001"),
    ],
)
def test_each_type_of_cursor_goes_on(
    database: PostgresAddress, write: Writer, duck: Duck, tmp_path: Path, kind: str, values: list[str], stops: str
) -> None:
    write.execute(f'CREATE TABLE c (id int, "Nom école" text, "Stand" {kind})')
    write.execute("INSERT INTO c VALUES " + ", ".join(f"({i}, 'n', {v})" for i, v in enumerate(values)))
    options = {"table": "public.c", "cursor": "Stand"}
    [delivery] = source(database).deliveries(demand(tmp_path, options))
    connection = duck()
    assert [r[0] for r in rows(connection, delivery)] == [0, 1, 2]
    assert delivery.cursor == stops
    [rest] = source(database).deliveries(demand(tmp_path, options, cursor=values[0].strip("'")))
    assert [r[0] for r in rows(connection, rest)] == [1, 2]


def test_a_day_that_is_not_over_is_not_read_by_a_date_cursor(database: PostgresAddress, write: Writer, duck: Duck, tmp_path: Path) -> None:
    write.execute("CREATE TABLE c AS SELECT 1 AS id, 'n' AS \"Nom école\", current_date - 1 AS day UNION ALL SELECT 2, 'n', current_date")
    [delivery] = source(database).deliveries(demand(tmp_path, {"table": "public.c", "cursor": "day"}))
    assert [r[0] for r in rows(duck(), delivery)] == [1]


def test_rows_without_a_cursor_value_are_reported(database: PostgresAddress, schools: None, write: Writer, tmp_path: Path) -> None:
    write.execute("INSERT INTO schools VALUES (5, 'None', NULL)")
    [delivery] = source(database).deliveries(demand(tmp_path, INCREMENTAL))
    assert "without changed" in next(n.text for n in delivery.notes if n.subject == "cursor")


def test_a_range_is_read_by_the_server_so_that_its_index_serves(
    database: PostgresAddress, schools: None, duck: Duck, tmp_path: Path
) -> None:
    [delivery] = source(database).deliveries(demand(tmp_path, INCREMENTAL, cursor="2024-01-01 10:00:00.000000+00:00"))
    assert isinstance(delivery.rows, Pushdown)
    connection = duck()
    statement = delivery.rows.prepare(connection)
    assert "postgres_query" in statement.casefold()
    assert [r[0] for r in connection.execute(statement).fetchall()] == [2]


def test_all_threads_read_one_snapshot_while_others_write(database: PostgresAddress, write: Writer, duck: Duck, tmp_path: Path) -> None:
    """Each transaction moves 1 from one account to another; any torn read changes the sum."""
    write.execute(
        "CREATE TABLE schools AS SELECT i AS id, repeat('x', 200) AS \"Nom école\", 100 AS amount FROM generate_series(1, 60000) i"
    )
    write.execute("VACUUM ANALYZE schools")
    promised = contract(Column("id", "integer"), Column("amount", "integer"), Column("name", "string", source_name="Nom école"))
    stop = threading.Event()

    def move() -> None:
        with psycopg.connect(database.url()) as mover:
            i = 1
            while not stop.is_set():
                mover.execute("UPDATE schools SET amount = amount - 1 WHERE id = %s", (i,))
                mover.execute("UPDATE schools SET amount = amount + 1 WHERE id = %s", (60001 - i,))
                mover.commit()
                i = i % 29000 + 7

    thread = threading.Thread(target=move)
    thread.start()
    try:
        connection = duck()
        connection.execute("SET threads = 4")
        for _ in range(4):
            [delivery] = source(database).deliveries(demand(tmp_path, {"table": "public.schools"}, promised=promised))
            statement = delivery.rows.prepare(connection)  # type: ignore[union-attr]
            assert connection.sql(statement).aggregate("count(*), sum(amount)").fetchone() == (60000, 6000000)
    finally:
        stop.set()
        thread.join()


def refusal(connector: PostgresConnector, asked: Demand) -> PolycephError:
    with pytest.raises(PolycephError) as caught:
        list(connector.deliveries(asked))
    return caught.value


def test_an_unknown_table_names_the_nearest(database: PostgresAddress, schools: None, tmp_path: Path) -> None:
    error = refusal(source(database), demand(tmp_path, {"table": "public.schols"}))
    assert isinstance(error, NotFound)
    assert "public.schools" in str(error)


def test_unknown_columns_are_all_named_with_the_nearest(database: PostgresAddress, schools: None, tmp_path: Path) -> None:
    promised = contract(Column("id", "integer"), Column("secrets", "string"), Column("name", "string", source_name="nom ecole"))
    error = refusal(source(database), demand(tmp_path, {"table": "public.schools", "cursor": "change"}, promised=promised))
    assert isinstance(error, Invalid)
    assert [p.value for p in error.problems] == ["secrets", "nom ecole", "change"]
    assert error.problems[1].hint == "did you mean Nom école?"


def test_a_wrong_password_is_misconfigured_and_never_shown(
    database: PostgresAddress, schools: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_PASSWORD", "very-wrong-word")
    error = refusal(source(database), demand(tmp_path, {"table": "public.schools"}))
    assert isinstance(error, Misconfigured)
    assert "very-wrong-word" not in f"{error} {error.__cause__!r}"


def test_a_missing_password_names_the_variable(database: PostgresAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_PASSWORD")
    assert "SOURCE_PASSWORD" in str(refusal(source(database), demand(tmp_path, {"table": "public.schools"})))


def test_a_server_that_is_not_there_is_unavailable(database: PostgresAddress, tmp_path: Path) -> None:
    assert isinstance(refusal(source(database, port=1), demand(tmp_path, {"table": "public.schools"})), Unavailable)


def test_a_database_that_is_not_there_is_misconfigured(database: PostgresAddress, tmp_path: Path) -> None:
    assert isinstance(refusal(source(database, database="nowhere"), demand(tmp_path, {"table": "public.schools"})), Misconfigured)


def test_a_role_without_the_right_is_denied(
    database: PostgresAddress, schools: None, write: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write.execute("DROP ROLE IF EXISTS reader")
    write.execute("CREATE ROLE reader LOGIN PASSWORD 'reads'")
    monkeypatch.setenv("SOURCE_PASSWORD", "reads")
    error = refusal(source(database, user="reader"), demand(tmp_path, INCREMENTAL))
    assert isinstance(error, Denied)
    error = refusal(source(database, user="reader"), demand(tmp_path, {"table": "public.schools"}))
    assert isinstance(error, Denied)
    assert "reader" in str(error)


def test_the_password_stands_in_no_statement_and_no_catalogue(database: PostgresAddress, schools: None, duck: Duck, tmp_path: Path) -> None:
    [delivery] = source(database).deliveries(demand(tmp_path, {"table": "public.schools"}))
    assert isinstance(delivery.rows, Pushdown)
    connection = duck()
    statement = delivery.rows.prepare(connection)
    seen = [statement, repr(delivery), str(connection.execute("FROM duckdb_secrets()").fetchall())]
    seen += [str(connection.execute(f"FROM {f}()").fetchall()) for f in ("duckdb_databases", "duckdb_variables")]
    assert not any(database.password.get_secret_value() in text for text in seen)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"table": "public.a", "query": "SELECT 1"},
        {"table": "schools"},
        {"table": "public.schools", "mode": "incremental"},
        {"table": "public.schools", "mode": "snapshot", "cursor": "changed"},
        {"table": "public.schools", "cursor": "changed", "lag": "soon"},
        {"table": "public.schools", "tabel": "x"},
    ],
)
def test_options_that_cannot_be_meant_are_refused(database: PostgresAddress, tmp_path: Path, options: dict[str, object]) -> None:
    assert isinstance(refusal(source(database), demand(tmp_path, options)), Invalid)
