"""The connector `denodo` against a real PostgreSQL server that speaks for Denodo: no Denodo server was available.

It has functions called GET_VIEWS and GET_VIEW_COLUMNS, as Denodo's manual describes their answers.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from polyceph.connectors.denodo import DenodoConnector
from polyceph.core.model.drift import Kind
from polyceph.errors import Denied, Invalid, Misconfigured, NotFound, PolycephError, Unavailable
from polyceph.sdk import Column
from polyceph.settings import PostgresAddress

sys.path.insert(0, str(Path(__file__).parents[3]))
from denodo_words import PROCEDURES

Writer = psycopg.Connection[tuple[object, ...]]
VIEW = '"Vues d\'école"."Élèves"'


@pytest.fixture
def connector(database: PostgresAddress, monkeypatch: pytest.MonkeyPatch, write: Writer) -> DenodoConnector:
    write.execute(b'CREATE SCHEMA "Vues d\'\xc3\xa9cole"')
    write.execute(
        f'CREATE TABLE {VIEW} (id bigint, "Nom ""x"" %s" text, price numeric, at timestamp, seen timestamptz, d date, ok boolean)'.encode()
    )
    first = "(1, 'L''Été', 12345678901234567890.12, '2024-07-01 12:00', '2024-07-01 12:00+02', '2024-02-29', true)"
    values = f"{first}, (2, NULL, NULL, NULL, NULL, NULL, NULL)"
    write.execute(f"INSERT INTO {VIEW} VALUES {values}".encode())
    write.execute(PROCEDURES.encode())
    monkeypatch.setenv("SOURCE_PASSWORD", database.password.get_secret_value())
    return source(database)


def source(database: PostgresAddress, **other: object) -> DenodoConnector:
    given = {"host": database.host, "port": database.port, "database": database.database, "user": database.user, **other}
    return DenodoConnector(DenodoConnector.source_options.model_validate({**given, "password_env": "SOURCE_PASSWORD"}), base=Path())


COLUMNS = [
    Column("id", "integer", required=True, primary_key=True),
    Column("name", "string", source_name='Nom "x" %s'),
    Column("price", "number", "decimal(38,2)"),
    Column("at", "timestamp", "timestamptz"),
    Column("seen", "timestamp", "timestamptz"),
    Column("d", "date"),
    Column("ok", "boolean"),
]


@pytest.mark.parametrize("options", [{"table": VIEW}, {"query": f"SELECT * FROM {VIEW}"}])
def test_values_come_as_promised(connector: DenodoConnector, loading: Any, options: dict[str, object]) -> None:
    contract = loading.contract(*COLUMNS)
    [report] = loading.load(connector, contract, {**options, "timezone": "Europe/Brussels"})
    ten = datetime(2024, 7, 1, 10, tzinfo=UTC)
    first = (1, "L'Été", Decimal("12345678901234567890.12"), ten, ten, date(2024, 2, 29), True)
    assert loading.rows(contract) == [first, (2, *[None] * 6)]
    assert [n.subject for n in report.notes] == ["snapshot"]


def test_a_range_a_filter_and_many_rows_are_read(connector: DenodoConnector, loading: Any, write: Writer) -> None:
    write.execute(f"TRUNCATE {VIEW}".encode())
    write.execute(f"INSERT INTO {VIEW} SELECT n, 'x''%s' || n, n / 7.0 FROM generate_series(1, 25000) n".encode())
    contract = loading.contract(COLUMNS[0], COLUMNS[1])
    options = {"table": VIEW, "cursor": "id", "overlap": 10, "filter": '"Nom ""x"" %s" <> :no', "parameters": {"no": "x'%s7"}}
    assert [r.rows for r in loading.load(connector, contract, options)] == [24999]
    write.execute(f"INSERT INTO {VIEW} VALUES (25001, 'new')".encode())
    assert [r.rows for r in loading.load(connector, contract, options)] == [1]
    assert [r.rows for r in loading.load(connector, contract, options)] == [0]


def test_an_instant_as_cursor_is_no_wall_clock_of_the_session(
    connector: DenodoConnector, database: PostgresAddress, loading: Any, write: Writer
) -> None:
    write.execute(f"ALTER DATABASE \"{database.database}\" SET timezone = 'Europe/Brussels'".encode())
    contract, options = loading.contract(COLUMNS[0]), {"table": VIEW, "cursor": "seen", "overlap": "1 minute"}
    assert [r.rows for r in loading.load(connector, contract, options)] == [1]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("ALTER TABLE {view} ADD COLUMN sex text", Kind.ADDED),
        ("ALTER TABLE {view} DROP COLUMN d", Kind.REMOVED),
        ("ALTER TABLE {view} RENAME COLUMN price TO prix", Kind.RENAMED),
        ("ALTER TABLE {view} ALTER COLUMN ok TYPE text", Kind.RETYPED),
        ('ALTER TABLE {view} RENAME TO "Élèves 2026"', Kind.TABLE),
    ],
)
def test_a_view_that_drifts_waits_for_a_decision(connector: DenodoConnector, loading: Any, write: Writer, change: str, kind: Kind) -> None:
    contract = loading.contract(*COLUMNS)
    [found] = loading.drift(connector, contract, {"table": VIEW}, lambda: write.execute(change.format(view=VIEW).encode()))
    assert found.kind is kind
    assert kind is not Kind.TABLE or found.is_ == '"Vues d\'école"."Élèves 2026"'


def test_views_and_their_columns_are_told(connector: DenodoConnector) -> None:
    [found] = connector.tables()
    assert (found.name, found.options, found.description) == ('"Vues d\'école".Élèves', {"table": '"Vues d\'école".Élèves'}, "A view")
    sample = connector.sample(found.options, rows=1, workspace=Path())
    assert [(c.source_type, c.logical_type) for c in sample.columns][:3] == [("long", "integer"), ("text", "string"), ("decimal", "number")]


def refusal(connector: DenodoConnector, loading: Any, **options: object) -> PolycephError:
    with pytest.raises(PolycephError) as caught:
        loading.load(connector, loading.contract(COLUMNS[0]), options)
    return caught.value


def test_refusals_are_told_apart(
    connector: DenodoConnector, database: PostgresAddress, loading: Any, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(refusal(connector, loading, table='"Vues d\'école".Eleves'), NotFound)
    assert isinstance(refusal(connector, loading, query="SELECT 1 / 0 AS id"), Invalid)
    assert isinstance(refusal(connector, loading, query="DELETE FROM x"), Invalid)
    assert isinstance(refusal(source(database, port=1), loading, table=VIEW), Unavailable)
    write.execute("DROP ROLE IF EXISTS viewer")
    write.execute("CREATE ROLE viewer LOGIN PASSWORD 'views'")
    monkeypatch.setenv("SOURCE_PASSWORD", "views")
    assert isinstance(refusal(source(database, user="viewer"), loading, query=f"SELECT id FROM {VIEW}"), Denied)
    monkeypatch.setenv("SOURCE_PASSWORD", "very-wrong-word")
    error = refusal(connector, loading, table=VIEW)
    assert isinstance(error, Misconfigured)
    assert "very-wrong-word" not in str(error)
