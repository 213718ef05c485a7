"""The connector `lake` on real tables: DuckLake in PostgreSQL, DuckDB and SQLite, Delta, Iceberg; loaded into a lake of our own."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import deltalake
import duckdb
import psycopg
import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from polyceph.connectors.lake import LakeConnector
from polyceph.errors import Denied, Invalid, Misconfigured, NotFound, PolycephError
from polyceph.sdk import Column
from polyceph.settings import PostgresAddress

if TYPE_CHECKING:
    from conftest import Home

KEYED = (Column("id", "integer", primary_key=True), Column("name", "string"), Column("price", "number", "decimal(8,2)"))
TABLE = {"table": "main.schools"}


def extension(name: str) -> str:
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    return str(next(Path(str(spec.origin)).parent.glob("extensions/*/*.duckdb_extension")))


def connector(base: Path, **options: object) -> LakeConnector:
    return LakeConnector(LakeConnector.source_options.model_validate(options), base=base)


@pytest.fixture(params=["postgres", "duckdb", "sqlite"])
def other(request: pytest.FixtureRequest, tmp_path: Path, database: PostgresAddress) -> Iterator[tuple[Any, dict[str, object]]]:
    """A DuckLake of somebody else: a connection that writes there, and the options of a source that reads it."""
    writer = duckdb.connect()
    for name in ("ducklake", "postgres_scanner", "sqlite_scanner"):
        writer.load_extension(extension(name))
    if request.param == "postgres":
        address = f"postgres:host={database.host} port={database.port} dbname={database.database} user={database.user}"
        address += f" password={database.password.get_secret_value()}"
        source = {"host": database.host, "port": database.port, "database": database.database, "user": database.user}
        source |= {"password_env": "SOURCE_PASSWORD", "metadata_schema": "other"}
        schema = ", METADATA_SCHEMA 'other'"
        with psycopg.connect(database.url(), autocommit=True) as session:
            session.execute("CREATE SCHEMA other")
    else:
        address = f"sqlite:{tmp_path}/other.db" if request.param == "sqlite" else f"{tmp_path}/other.db"
        source, schema = {"file": "other.db"}, ""
    writer.execute(f"ATTACH 'ducklake:{address}' AS other (DATA_PATH '{tmp_path}/other'{schema})")
    writer.execute("CREATE TABLE other.schools (id INTEGER, name VARCHAR, price DECIMAL(8,2), opened TIMESTAMPTZ)")
    writer.execute("INSERT INTO other.schools VALUES (1, 'a', 1.10, '2024-01-01 12:00:00+01'), (2, 'b', 2.20, NULL), (3, 'c', NULL, NULL)")
    # A DuckDB file is for one process: it is let go so that the source can be read.
    yield writer, {"kind": "ducklake", **source}
    writer.close()


class Other:
    """Writes to a DuckLake whose catalogue is a file and lets it go at once."""

    def __init__(self, writer: Any, tmp_path: Path, source: dict[str, object]) -> None:
        self.writer, self.address = writer, f"ducklake:{tmp_path}/other.db"
        self.is_file = source.get("file") is not None
        self.is_sqlite = self.is_file and (tmp_path / "other.db").read_bytes()[:6] == b"SQLite"
        self.release()

    def release(self) -> None:
        if self.is_file:
            self.writer.execute("DETACH other")

    def write(self, *statements: str) -> None:
        if self.is_file:
            address = self.address.replace("ducklake:", "ducklake:sqlite:") if self.is_sqlite else self.address
            self.writer.execute(f"ATTACH '{address}' AS other")
        for statement in statements:
            self.writer.execute(statement)
        self.release()


def test_a_ducklake_is_read_whole_and_then_by_its_changes(home: Home, other: tuple[Any, dict[str, object]], tmp_path: Path) -> None:
    writer, source = other
    theirs = Other(writer, tmp_path, source)
    contract, lake = home.contract(*KEYED), connector(tmp_path, **source)
    [first] = home.load(lake, contract, TABLE)
    assert (first.rows, first.is_new) == (3, True)
    assert home.load(lake, contract, TABLE) == []
    theirs.write(
        "UPDATE other.schools SET name = 'B' WHERE id = 2",
        "DELETE FROM other.schools WHERE id = 1",
        "INSERT INTO other.schools VALUES (4, 'd', 4.40, NULL)",
        "UPDATE other.schools SET id = 30 WHERE id = 3",
    )
    [second] = home.load(lake, contract, TABLE)
    assert home.rows(contract) == [
        {"id": 2, "name": "B", "price": Decimal("2.20")},
        {"id": 4, "name": "d", "price": Decimal("4.40")},
        {"id": 30, "name": "c", "price": None},
    ]
    assert second.rows == 5  # 2 changed, 1 and 3 removed, 4 and 30 added: the unchanged are not read again
    theirs.write("CREATE TABLE other.unrelated (x INTEGER)")
    assert home.load(lake, contract, TABLE) == []
    theirs.write("BEGIN", "DELETE FROM other.schools WHERE id = 4", "INSERT INTO other.schools VALUES (4, 'D', 4.50, NULL)", "COMMIT")
    home.load(lake, contract, TABLE)
    assert {"id": 4, "name": "D", "price": Decimal("4.50")} in home.rows(contract)


def test_history_that_is_gone_is_replaced_by_a_comparison(home: Home, other: tuple[Any, dict[str, object]], tmp_path: Path) -> None:
    writer, source = other
    theirs = Other(writer, tmp_path, source)
    contract, lake = home.contract(*KEYED), connector(tmp_path, **source)
    home.load(lake, contract, TABLE)
    theirs.write("DELETE FROM other.schools WHERE id = 1", "INSERT INTO other.schools VALUES (5, 'e', NULL, NULL)")
    theirs.write("CALL ducklake_expire_snapshots('other', older_than => now()::TIMESTAMP + INTERVAL 1 DAY)")
    [report] = home.load(lake, contract, TABLE)
    assert "history" in {note.subject for note in report.notes}
    assert [row["id"] for row in home.rows(contract)] == [2, 3, 5]


def test_conditions_and_columns_are_sent_to_the_lake(home: Home, other: tuple[Any, dict[str, object]], tmp_path: Path) -> None:
    writer, source = other
    theirs = Other(writer, tmp_path, source)
    opened = Column("since", "timestamp", "timestamptz", source_name="opened")
    contract, lake = home.contract(KEYED[0], opened), connector(tmp_path, **source)
    options = {**TABLE, "where": [{"column": "name", "op": "<=", "value": "b'; DROP TABLE x"}]}
    home.load(lake, contract, options)
    assert home.rows(contract) == [{"id": 1, "since": datetime(2024, 1, 1, 11, tzinfo=UTC)}, {"id": 2, "since": None}]
    theirs.write("UPDATE other.schools SET name = 'z' WHERE id = 1")  # no longer meets the condition
    home.load(lake, contract, options)
    assert [row["id"] for row in home.rows(contract)] == [2]
    with pytest.raises(Invalid) as caught:
        home.load(lake, home.contract(Column("nam", "string")), TABLE)
    assert caught.value.problems[0].hint == "did you mean name?"
    with pytest.raises(NotFound) as missing:
        home.load(lake, contract, {"table": "main.school"})
    assert missing.value.problems[0].allowed == ("main.schools",)


def test_a_ducklake_is_shown_with_a_sample(other: tuple[Any, dict[str, object]], tmp_path: Path) -> None:
    writer, source = other
    Other(writer, tmp_path, source)
    lake = connector(tmp_path, **source)
    assert [(table.name, dict(table.options)) for table in lake.tables()] == [("main.schools", TABLE)]
    sample = lake.sample(TABLE, rows=2, workspace=tmp_path)
    assert [(c.name, c.logical_type, c.physical_type) for c in sample.columns][2:] == [
        ("price", "number", "decimal(8,2)"),
        ("opened", "timestamp", "timestamptz"),
    ]
    assert len(pa.RecordBatchReader.from_stream(sample.rows).read_all()) == 2


def test_a_wrong_password_stands_nowhere(database: PostgresAddress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_PASSWORD", "very-secret-word")
    source = {"host": database.host, "port": database.port, "database": database.database, "user": database.user}
    with pytest.raises(PolycephError) as caught:
        list(connector(tmp_path, kind="ducklake", password_env="SOURCE_PASSWORD", **source).tables())
    assert isinstance(caught.value, Misconfigured | Denied)
    assert "very-secret-word" not in str(caught.value)


def test_delta_tables_are_read_by_version(home: Home, tmp_path: Path) -> None:
    path = str(tmp_path / "delta" / "schools")
    made = pa.table({"id": [1, 2, 3], "name": ["a", "b", "c"], "price": pa.array([Decimal("1.10"), None, None], pa.decimal128(8, 2))})
    deltalake.write_deltalake(path, made)
    contract, lake = home.contract(*KEYED), connector(tmp_path, kind="delta", url="delta")
    assert [table.name for table in lake.tables()] == ["schools"]
    options: dict[str, object] = {"table": "schools"}
    home.load(lake, contract, options)
    assert home.load(lake, contract, options) == []
    deltalake.DeltaTable(path).delete("id = 1")
    deltalake.write_deltalake(path, made.slice(2).set_column(0, "id", [[4]]), mode="append")
    [report] = home.load(lake, contract, options)
    assert report.rows == 2  # one removed, one added
    assert [row["id"] for row in home.rows(contract)] == [2, 3, 4]
    filtered = home.contract(*KEYED)
    home.load(lake, filtered, {**options, "where": [{"column": "id", "op": ">", "value": 2}]})
    assert [row["id"] for row in home.rows(filtered)] == [3, 4]
    assert next(c.physical_type for c in lake.sample(options, rows=1, workspace=tmp_path).columns if c.name == "price") == "decimal(8,2)"
    for wrong in ("none", "../x"):
        with pytest.raises((NotFound, Invalid)):
            home.load(lake, contract, {"table": wrong})


def test_iceberg_tables_are_read_by_snapshot(home: Home, tmp_path: Path) -> None:
    catalogue = SqlCatalog("default", uri=f"sqlite:///{tmp_path}/catalogue.db", warehouse=f"file://{tmp_path}/warehouse")
    catalogue.create_namespace("edu")
    made = pa.table(
        {
            "id": pa.array([1, 2, 3], pa.int64()),
            "name": ["a", "b", "c"],
            "price": pa.array([Decimal("1.10"), None, None], pa.decimal128(8, 2)),
            "day": [date(2024, 1, 1), None, None],
        }
    )
    table = catalogue.create_table("edu.schools", schema=made.schema)
    table.append(made)
    contract = home.contract(*KEYED, Column("on", "date", source_name="day"))
    lake = connector(tmp_path, kind="iceberg", file="catalogue.db")
    assert [one.name for one in lake.tables()] == ["edu.schools"]
    options: dict[str, object] = {"table": "edu.schools"}
    home.load(lake, contract, options)
    assert home.rows(contract)[0] == {"id": 1, "name": "a", "price": Decimal("1.10"), "on": date(2024, 1, 1)}
    assert home.load(lake, contract, options) == []
    table.delete("id = 1")
    [report] = home.load(lake, contract, options)
    assert report.rows == 1
    assert [row["id"] for row in home.rows(contract)] == [2, 3]
    by_file = connector(tmp_path, kind="iceberg", url="warehouse")
    [found] = by_file.tables()
    only = home.contract(*KEYED)
    home.load(by_file, only, {**found.options, "where": [{"column": "id", "op": ">=", "value": 3}]})
    assert [row["id"] for row in home.rows(only)] == [3]
    sample = lake.sample(options, rows=1, workspace=tmp_path)
    described = [(c.name, c.logical_type, c.physical_type) for c in sample.columns]
    assert described[2:] == [("price", "number", "decimal(8,2)"), ("day", "date", None)]
    assert len(pa.RecordBatchReader.from_stream(sample.rows).read_all()) == 1
    with pytest.raises(NotFound):
        home.load(lake, contract, {"table": "edu.none"})


def test_nothing_is_written_to_the_other_lake(tmp_path: Path) -> None:
    writer = duckdb.connect()
    writer.load_extension(extension("ducklake"))
    writer.execute(f"ATTACH 'ducklake:{tmp_path}/other.db' AS other (DATA_PATH '{tmp_path}/other')")
    writer.execute("CREATE TABLE other.schools AS SELECT 1 AS id")
    writer.close()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    lake = connector(tmp_path, kind="ducklake", file="other.db")
    assert len(list(lake.tables())) == 1
    sample = lake.sample(TABLE, rows=5, workspace=tmp_path)
    assert pa.RecordBatchReader.from_stream(sample.rows).read_all().to_pylist() == [{"id": 1}]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
