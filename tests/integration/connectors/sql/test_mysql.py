"""MariaDB's values reach the lake as they are, or the load says which do not; ranges, refusals, secrets."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from polyceph.connectors.mysql import MySqlConnector
from polyceph.core.model.drift import Form, FormColumn, Kind
from polyceph.errors import Denied, Invalid, Misconfigured, NotFound, PolycephError, Unavailable
from polyceph.sdk import Admission, Column, Demand, LoadMode, Pushdown, Tolerance

WORD = 'reader\'s "word"'
Source = Callable[..., MySqlConnector]


@pytest.fixture
def db(mariadb: Any) -> str:
    name = f"d_{secrets.token_hex(4)}"
    word = WORD.replace("'", "''")
    mariadb.write(f"CREATE DATABASE `{name}`; CREATE USER IF NOT EXISTS reader@'127.0.0.1' IDENTIFIED BY '{word}';")
    mariadb.write(f"GRANT SELECT, SHOW VIEW ON `{name}`.* TO reader@'127.0.0.1';")
    return name


@pytest.fixture
def source(mariadb: Any, db: str, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setenv("MYSQL_WORD", WORD)

    def make(**other: object) -> MySqlConnector:
        given = {"host": "127.0.0.1", "port": mariadb.port, "database": db, "user": "reader", "password_env": "MYSQL_WORD", **other}
        return MySqlConnector(MySqlConnector.source_options.model_validate(given), base=Path("/"))

    return make


EVERY = """CREATE TABLE every (id bigint unsigned PRIMARY KEY, dc decimal(65,30), d10 decimal(10,2), d date, dt datetime(6),
 ts timestamp(6) NULL, tm time(6), b8 bit(8), b1 bit(1), en enum('a','é'), se set('x','y'), js json, t1 tinyint(1),
 l1 varchar(20) CHARACTER SET latin1, u8 varchar(20), yr year, bl blob, db double, ui int unsigned, tx longtext, mi mediumint, yes bool);
INSERT INTO every VALUES (9007199254740993, 123456.000000000000000000000000000001, -1.25, '2024-02-29', '2024-07-01 12:00:00.123456',
 '2024-07-01 12:00:00.5', '08:30:00.5', b'10000001', b'1', 'é', 'x,y', '{"a": 1}', 7, 'école', '😀é', 2024, 'blob', 0.1, 4294967295,
 REPEAT('long', 100000), -8388608, 1);
INSERT INTO every (id) VALUES (18446744073709551615 - 9223372036854775808)"""
COLUMNS = [
    Column("id", "integer"),
    Column("dc", "number", "decimal(38,30)"),
    Column("d10", "number", "decimal(10,2)"),
    Column("d", "date"),
    Column("dt", "timestamp"),
    Column("ts", "timestamp", "timestamptz"),
    Column("tm", "time"),
    Column("b8", "integer"),
    Column("b1", "boolean"),
    *(Column(name, "string") for name in ("en", "se")),
    Column("js", "object"),
    Column("t1", "integer"),
    *(Column(name, "string") for name in ("l1", "u8")),
    Column("yr", "integer"),
    Column("bl", "string"),
    Column("db", "number"),
    Column("ui", "integer"),
    Column("tx", "string"),
    Column("mi", "integer"),
    Column("yes", "boolean"),
]


@pytest.mark.parametrize("kind", ["table", "query"])
def test_every_type_comes_as_promised(mariadb: Any, db: str, source: Source, loading: Any, kind: str) -> None:
    mariadb.write(EVERY, database=db)
    # Of a query the server tells too little of bits and blobs.
    columns = [c for c in COLUMNS if kind == "table" or c.name != "b8"]
    contract = loading.contract(*columns)
    [report] = loading.load(source(), contract, {"table": f"{db}.every"} if kind == "table" else {"query": "SELECT * FROM every"})
    assert report.rows == 2
    first, second = sorted(loading.rows(contract), key=lambda row: row[0])
    expected: list[Any] = [9007199254740993, Decimal("123456.000000000000000000000000000001"), Decimal("-1.25"), date(2024, 2, 29)]
    expected += [datetime.fromisoformat("2024-07-01 12:00:00.123456"), datetime(2024, 7, 1, 12, 0, 0, 500000, tzinfo=UTC)]
    assert list(first[:6]) == expected
    expected = ["08:30:00.500000", 129, True, "é", "x,y", '{"a": 1}', 7, "école", "😀é", 2024, "blob", 0.1, 4294967295, "long" * 100000]
    expected = [v for at, v in enumerate(expected) if kind == "table" or at != 1]
    assert [str(first[6]), *first[7:-2]] == expected
    assert first[-2:] == (-8388608, True)
    assert second == (9223372036854775807, *[None] * (len(columns) - 1))


@pytest.mark.parametrize(
    ("made", "value", "column"),
    [
        ("bigint unsigned", "18446744073709551615", Column("v", "integer")),
        ("decimal(65,30)", "1.000000000000000000000000000001", Column("v", "number", "decimal(38,20)")),
        ("date", "'0000-00-00'", Column("v", "date")),
        ("date", "'2024-00-00'", Column("v", "date")),
        ("datetime", "'0000-00-00 00:00:00'", Column("v", "timestamp")),
        ("datetime", "'0000-00-00 00:00:00'", Column("v", "timestamp", "timestamptz")),
        ("datetime", "'2024-10-27 02:30:00'", Column("v", "timestamp", "timestamptz")),
        ("datetime", "'2024-03-31 02:30:00'", Column("v", "timestamp", "timestamptz")),
        ("datetime", "'2024-10-27 02:30:00'", Column("v", "date")),
        ("time", "'838:59:59'", Column("v", "time")),
        ("time", "'-10:00:00'", Column("v", "time")),
        ("tinyint(1)", "7", Column("v", "boolean")),
        ("varchar(9)", "'1.5'", Column("v", "integer")),
    ],
)
def test_a_value_that_does_not_fit_is_refused_or_set_aside(
    mariadb: Any, db: str, source: Source, loading: Any, made: str, value: str, column: Column
) -> None:
    mariadb.write(f"SET sql_mode = ''; CREATE TABLE t (id int, v {made}); INSERT INTO t VALUES (1, NULL), (2, {value})", database=db)
    contract, options = loading.contract(Column("id", "integer"), column), {"table": f"{db}.t", "timezone": "Europe/Brussels"}
    with pytest.raises(Invalid) as caught:
        loading.load(source(), contract, options)
    assert "column v" in str(caught.value.problems[0])
    [report] = loading.load(source(), contract, options, tolerance=Tolerance(rows=1))
    assert report.rejected == 1
    assert loading.rows(contract) == [(1, None)]


@pytest.mark.parametrize("kind", ["table", "query"])
@pytest.mark.parametrize("column", ["d", "dt", "ts"])
def test_a_zero_date_is_found_in_whichever_column_it_stands(
    mariadb: Any, db: str, source: Source, loading: Any, kind: str, column: str
) -> None:
    mariadb.write("CREATE TABLE t (id int PRIMARY KEY, first date, d date, dt datetime, ts timestamp NULL)", database=db)
    mariadb.write("INSERT INTO t VALUES (1, '2024-01-02', '2024-01-02', '2024-01-02', '2024-01-02 10:00')", database=db)
    mariadb.write(f"SET sql_mode = ''; INSERT INTO t (id, first, {column}) VALUES (2, '2024-01-03', '0000-00-00')", database=db)
    kinds = {"first": "date", "d": "date", "dt": "timestamp", "ts": "timestamp"}
    contract = loading.contract(Column("id", "integer", primary_key=True), *(Column(name, kind) for name, kind in kinds.items()))
    options: dict[str, object] = {"table": f"{db}.t"} if kind == "table" else {"query": "SELECT * FROM t"}
    with pytest.raises(Invalid) as caught:
        loading.load(source(), contract, options, mode=LoadMode.MERGE)
    assert f"column {column}" in str(caught.value.problems[0])
    mariadb.write("DELETE FROM t WHERE id = 2", database=db)
    [report] = loading.load(source(), contract, options, mode=LoadMode.MERGE)
    assert report.rows == 1


def test_one_moment_may_be_promised_in_two_types(mariadb: Any, db: str, source: Source, loading: Any) -> None:
    mariadb.write("CREATE TABLE t (v datetime); INSERT INTO t VALUES ('2024-07-01 12:00')", database=db)
    contract = loading.contract(
        Column("v_local", "timestamp", source_name="v"), Column("v", "timestamp", "timestamptz"), Column("w", "string", source_name="v")
    )
    loading.load(source(), contract, {"table": f"{db}.t", "timezone": "Europe/Brussels"})
    assert loading.rows(contract) == [(datetime(2024, 7, 1, 12), datetime(2024, 7, 1, 10, tzinfo=UTC), "2024-07-01 12:00:00")]  # noqa: DTZ001


@pytest.mark.parametrize("kind", ["table", "query"])
@pytest.mark.parametrize(
    ("made", "value", "physical"),
    [
        ("decimal(11,0)", "12345678901", "decimal(11,0)"),
        ("decimal(10,2) unsigned", "12345678.91", "decimal(10,2)"),
        ("decimal(38,20)", "-123456789012345678.12345678901234567890", "decimal(38,20)"),
    ],
)
def test_a_decimal_keeps_all_its_digits(
    mariadb: Any, db: str, source: Source, loading: Any, made: str, value: str, physical: str, kind: str
) -> None:
    mariadb.write(f"CREATE TABLE t (v {made}); INSERT INTO t VALUES ({value})", database=db)
    contract = loading.contract(Column("v", "number", physical))
    loading.load(source(), contract, {"table": f"{db}.t"} if kind == "table" else {"query": "SELECT v FROM t"})
    assert loading.rows(contract) == [(Decimal(value),)]


def test_bits_of_a_query_are_no_text(mariadb: Any, db: str, source: Source, loading: Any) -> None:
    mariadb.write("CREATE TABLE t (v bit(8)); INSERT INTO t VALUES (b'00110111')", database=db)
    contract = loading.contract(Column("v", "integer"))
    with pytest.raises(Invalid, match="gives bytes for v"):
        loading.load(source(), contract, {"query": "SELECT v FROM t"})
    loading.load(source(), contract, {"query": "SELECT CAST(v AS UNSIGNED) AS v FROM t"})
    assert loading.rows(contract) == [(55,)]


def test_what_is_sent_may_be_compressed(mariadb: Any, db: str, source: Source, loading: Any) -> None:
    mariadb.write("CREATE TABLE t (v varchar(9)); INSERT INTO t VALUES ('Liège')", database=db)
    contract = loading.contract(Column("v", "string"))
    loading.load(source(compress=True), contract, {"table": f"{db}.t"})
    assert loading.rows(contract) == [("Liège",)]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("ALTER TABLE t ADD COLUMN sex text", Kind.ADDED),
        ("ALTER TABLE t DROP COLUMN amount", Kind.REMOVED),
        ("ALTER TABLE t RENAME COLUMN amount TO montant", Kind.RENAMED),
        ("ALTER TABLE t MODIFY amount text", Kind.RETYPED),
        ("ALTER TABLE t ADD COLUMN sex enum('new', 'timeout')", Kind.ADDED),
        ("RENAME TABLE t TO `t 2026`", Kind.TABLE),
    ],
)
def test_a_table_that_drifts_waits_for_a_decision(mariadb: Any, db: str, source: Source, loading: Any, change: str, kind: Kind) -> None:
    mariadb.write("CREATE TABLE t (id mediumint, amount mediumint, word longtext); INSERT INTO t VALUES (1, 2, 'x')", database=db)
    mariadb.write("CREATE TABLE other (id int); CREATE TABLE t_2 (id int)", database=db)
    contract = loading.contract(Column("id", "integer"), Column("amount", "integer"), Column("said", "string"))
    options: dict[str, object] = {"table": f"{db}.t", "columns": {"said": "word"}}
    [found] = loading.drift(source(), contract, options, lambda: mariadb.write(change, database=db))
    assert found.kind is kind
    assert kind is not Kind.TABLE or found.is_ == f'{db}."t 2026"'


def test_a_table_that_is_gone_is_no_drift(mariadb: Any, db: str, source: Source, tmp_path: Path, loading: Any) -> None:
    mariadb.write("CREATE TABLE other (id int)", database=db)
    contract = loading.contract(Column("id", "integer"), Column("amount", "integer"))
    last, asked = Form((FormColumn("id", "int"), FormColumn("amount", "int"))), []
    demand = Demand(contract.dataset, contract, {"table": f"{db}.t"}, None, lambda _: False, tmp_path, tmp_path, run="run")
    demand = replace(demand, last_form=lambda: last, admits=lambda arrival: asked.append(arrival) or Admission.WAIT)
    with pytest.raises(NotFound, match="or the account may not know of it"):
        list(source().deliveries(demand))
    assert asked == []


def test_wall_clock_times_become_instants_of_their_zone(mariadb: Any, db: str, source: Source, loading: Any) -> None:
    mariadb.write(
        "CREATE TABLE t (id int, v datetime, w timestamp); INSERT INTO t VALUES (1, '2024-07-01 12:00', '2024-07-01 12:00')", database=db
    )
    contract = loading.contract(Column("id", "integer"), *(Column(n, "timestamp", "timestamptz") for n in "vw"))
    loading.load(source(), contract, {"table": f"{db}.t", "timezone": "Europe/Brussels"})
    assert loading.rows(contract) == [(1, datetime(2024, 7, 1, 10, tzinfo=UTC), datetime(2024, 7, 1, 12, tzinfo=UTC))]


def test_times_of_a_query_have_no_zone_to_choose(mariadb: Any, db: str, source: Source, loading: Any) -> None:
    mariadb.write("CREATE TABLE t (v datetime, w timestamp); INSERT INTO t VALUES ('2024-07-01 12:00', '2024-07-01 12:00')", database=db)
    contract = loading.contract(Column("v", "timestamp", "timestamptz"))
    with pytest.raises(Invalid, match="timezone"):
        loading.load(source(), contract, {"query": "SELECT v FROM t", "timezone": "Europe/Brussels"})


def test_odd_names_and_values_are_read(mariadb: Any, db: str, source: Source, loading: Any) -> None:
    mariadb.write('CREATE TABLE `or``der "by".x` (`select` int, `Nom de l\'élève` text, `a``b` text, `c\\\\d` text);', database=db)
    mariadb.write("INSERT INTO `or``der \"by\".x` VALUES (1, 'L''Été \\\\ \"x\"', '', 'a\nb')", database=db)
    name = f'{db}."or`der ""by"".x"'
    contract = loading.contract(
        Column("id", "integer", source_name="select"),
        *(Column(f"c{n}", "string", source_name=s) for n, s in enumerate(["Nom de l'élève", "a`b", "c\\\\d"])),
    )
    options = {"table": name, "filter": "`Nom de l'élève` = :v", "parameters": {"v": 'L\'Été \\ "x"'}}
    loading.load(source(), contract, options)
    assert loading.rows(contract) == [(1, 'L\'Été \\ "x"', "", "a\nb")]
    assert name in [t.name for t in source().tables()]


CHANGES = "CREATE TABLE t (id int PRIMARY KEY, v text, at {0}); INSERT INTO t VALUES (1, 'a', {1}), (2, 'b', {2}), (9, 'none', NULL)"


@pytest.mark.parametrize(
    ("kind", "values", "stops"),
    [
        ("datetime(6) NULL", ["'2024-01-01 10:00'", "'2024-01-02 10:00:00.000001'", "'2024-01-03'"], "2024-01-02 10:00:00.000001"),
        ("timestamp(6) NULL", ["'2024-01-01 10:00'", "'2024-01-02 10:00'", "'2024-01-03'"], "2024-01-02 10:00:00.000000+00:00"),
        ("date NULL", ["'2024-01-01'", "'2024-01-02'", "'2024-01-03'"], "2024-01-02"),
        ("bigint unsigned NULL", ["1", "9007199254740993", "9007199254740994"], "9007199254740993"),
    ],
)
def test_each_type_of_cursor_goes_on(mariadb: Any, db: str, source: Source, loading: Any, kind: str, values: list[str], stops: str) -> None:
    mariadb.write(CHANGES.format(kind, *values), database=db)
    contract, options = loading.contract(Column("id", "integer", required=True, primary_key=True)), {"table": f"{db}.t", "cursor": "at"}
    [report] = loading.load(source(), contract, options)
    assert [n.subject for n in report.notes] == ["cursor", "cursor", "columns"]
    assert loading.lake.cursor(contract.dataset) == stops
    assert loading.load(source(), contract, options) == []
    mariadb.write(f"INSERT INTO t VALUES (3, 'c', {values[2]})", database=db)
    assert [r.rows for r in loading.load(source(), contract, options)] == [1]
    assert [row[0] for row in loading.rows(contract)] == [1, 2, 3]


def test_rows_committed_late_are_found_with_an_overlap(mariadb: Any, db: str, source: Source, loading: Any) -> None:
    mariadb.write(CHANGES.format("datetime NULL", "'2024-01-01'", "'2024-01-02'"), database=db)
    options = {"table": f"{db}.t", "cursor": "at", "overlap": "2 days"}
    contract = loading.contract(Column("id", "integer", required=True, primary_key=True), Column("v", "string"))
    open_one = mariadb.session(db)
    assert open_one.stdin is not None
    assert open_one.stdout is not None
    open_one.stdin.write(b"SET autocommit = 0; INSERT INTO t VALUES (3, 'late', '2024-01-01 12:00'); SELECT 'held';\n")
    open_one.stdin.flush()
    assert open_one.stdout.readline() == b"held\n"
    assert [r.rows for r in loading.load(source(), contract, options)] == [2]
    open_one.communicate(b"COMMIT;\n")
    assert [r.rows for r in loading.load(source(), contract, options)] == [1]
    assert [r.rows for r in loading.load(source(), contract, options)] == [0]
    assert [row[0] for row in loading.rows(contract)] == [1, 2, 3]


def test_lag_keeps_a_load_behind_now(mariadb: Any, db: str, source: Source, loading: Any) -> None:
    mariadb.write(CHANGES.format("timestamp NULL", "'2024-01-01'", "UTC_TIMESTAMP() - INTERVAL 1 MINUTE"), database=db)
    contract = loading.contract(Column("id", "integer"))
    loading.load(source(), contract, {"table": f"{db}.t", "cursor": "at", "lag": "5 minutes"})
    assert loading.rows(contract) == [(1,)]


def test_a_whole_table_is_one_snapshot_while_others_write(mariadb: Any, db: str, source: Source, tmp_path: Path, loading: Any) -> None:
    """Each transaction moves 1 from one account to another; any torn read changes the sum."""
    mariadb.write(
        "CREATE TABLE t (id int PRIMARY KEY, n int, pad char(200)); INSERT INTO t SELECT seq, 100, 'x' FROM seq_1_to_60000", database=db
    )
    mover = mariadb.session(db)
    stop = threading.Event()

    def move() -> None:
        i = 1
        while not stop.is_set():
            mover.stdin.write(
                f"START TRANSACTION; UPDATE t SET n=n-1 WHERE id={i}; UPDATE t SET n=n+1 WHERE id={60001 - i}; COMMIT;\n".encode()
            )
            mover.stdin.flush()
            i = i % 29000 + 7

    thread = threading.Thread(target=move)
    thread.start()
    try:
        contract = loading.contract(Column("id", "integer"), Column("n", "integer"))
        for _ in range(3):
            demand = Demand(contract.dataset, contract, {"table": f"{db}.t"}, None, lambda _: False, tmp_path, tmp_path)
            [delivery] = source().deliveries(demand)
            assert isinstance(delivery.rows, Pushdown)
            with loading.lake.connection() as connection:
                select = delivery.rows.prepare(connection)
                assert connection.sql(f"SELECT count(*), sum(n) FROM ({select})").fetchone() == (60000, 6000000)
    finally:
        stop.set()
        thread.join()
        mover.communicate()


def refusal(connector: MySqlConnector, loading: Any, options: dict[str, object]) -> PolycephError:
    with pytest.raises(PolycephError) as caught:
        loading.load(connector, loading.contract(Column("id", "integer")), options)
    assert WORD not in f"{caught.value} {caught.value.__cause__!r}"
    return caught.value


def test_refusals_are_told_apart(mariadb: Any, db: str, source: Source, loading: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mariadb.write("CREATE TABLE schools (id int); CREATE VIEW closed AS SELECT 1 AS id", database=db)
    table: dict[str, object] = {"table": f"{db}.schools"}
    error = refusal(source(), loading, {"table": f"{db}.schols"})
    assert isinstance(error, NotFound)
    assert "schools" in str(error)
    assert isinstance(refusal(source(), loading, {"table": "mysql.user"}), NotFound | Denied)
    assert isinstance(refusal(source(), loading, {"query": "SELECT id FROM mysql.user"}), Denied)
    assert isinstance(refusal(source(), loading, {**table, "filter": "nix = 1"}), Invalid)
    assert isinstance(refusal(source(), loading, {"query": "DELETE FROM schools"}), Invalid)
    assert isinstance(refusal(source(), loading, {"query": "SELECT id FROM schools FOR UPDATE"}), Invalid)
    assert isinstance(refusal(source(port=1), loading, table), Unavailable)
    assert isinstance(refusal(source(database="nowhere"), loading, table), Misconfigured)
    assert isinstance(refusal(source(user="nobody"), loading, table), Misconfigured)
    monkeypatch.setenv("MYSQL_WORD", "very-wrong-word")
    error = refusal(source(), loading, table)
    assert isinstance(error, Misconfigured)
    assert "very-wrong-word" not in str(error)


def test_a_host_that_does_not_answer_is_unavailable_within_its_time(source: Source, loading: Any) -> None:
    began = time.monotonic()
    error = refusal(source(host="192.0.2.1", connect_timeout_s=1), loading, {"table": "a.b"})
    assert isinstance(error, Unavailable)
    assert time.monotonic() - began < 5


def test_an_authority_must_have_signed_the_certificate(mariadb: Any, db: str, source: Source, loading: Any, tmp_path: Path) -> None:
    mariadb.write("CREATE TABLE t (id int); INSERT INTO t VALUES (1)", database=db)
    contract, options = loading.contract(Column("id", "integer")), {"table": f"{db}.t"}
    assert [r.rows for r in loading.load(source(ssl_ca=str(mariadb.authority)), contract, options)] == [1]
    assert [r.rows for r in loading.load(source(ssl="required"), contract, options)] == [1]
    import importlib

    other = tmp_path / "other"
    other.mkdir()
    strange = importlib.import_module("mariadb_server")._certificate(other)[0]
    assert isinstance(refusal(source(ssl_ca=str(strange)), loading, options), Misconfigured)
    assert isinstance(refusal(source(ssl_ca="/nowhere.pem"), loading, options), Misconfigured)


def test_the_password_stands_in_no_statement_and_no_catalogue(mariadb: Any, db: str, source: Source, loading: Any, tmp_path: Path) -> None:
    mariadb.write("CREATE TABLE t (id int)", database=db)
    contract = loading.contract(Column("id", "integer"))
    demand = Demand(contract.dataset, contract, {"table": f"{db}.t"}, None, lambda _: False, tmp_path, tmp_path)
    [delivery] = source().deliveries(demand)
    assert isinstance(delivery.rows, Pushdown)
    assert delivery.mode is LoadMode.APPEND
    with loading.lake.connection() as connection:
        seen = [delivery.rows.prepare(connection), repr(delivery)]
        seen += [str(connection.execute(f"FROM {f}()").fetchall()) for f in ("duckdb_secrets", "duckdb_databases", "duckdb_variables")]
    assert not any(WORD in text or "reader's" in text for text in seen)


def test_a_server_that_breaks_off_loads_nothing(mariadb: Any, db: str, source: Source, loading: Any, tmp_path: Path) -> None:
    mariadb.write("CREATE TABLE t (id int, pad char(200)); INSERT INTO t SELECT seq, 'x' FROM seq_1_to_2000", database=db)
    contract = loading.contract(Column("id", "integer"))
    demand = Demand(
        contract.dataset, contract, {"query": "SELECT id + SLEEP(0.01) AS id FROM t"}, None, lambda _: False, tmp_path, tmp_path
    )
    [delivery] = source().deliveries(demand)
    assert isinstance(delivery.rows, Pushdown)

    def kill() -> None:
        time.sleep(1.5)
        for line in mariadb.write("SELECT id FROM information_schema.processlist WHERE user = 'reader'").split():
            mariadb.write(f"KILL {line}")

    from polyceph.core.model.commit import LakeCommit

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(Unavailable):
        loading.lake.load(delivery, contract, LakeCommit("anne", "load", "run-1", "c0ffee", {}))
    thread.join()
    assert loading.lake.cursor(contract.dataset) is None
    assert isinstance(duckdb.__version__, str)


def test_tables_and_samples_tell_what_the_catalogue_knows(mariadb: Any, db: str, source: Source) -> None:
    mariadb.write(EVERY, database=db)
    mariadb.write(
        "UPDATE every SET d10 = 0 WHERE d10 IS NULL; CREATE VIEW v AS SELECT 1 AS x;"
        "ALTER TABLE every COMMENT = 'Everything', MODIFY d10 decimal(10,2) NOT NULL DEFAULT 0 COMMENT 'Price'",
        database=db,
    )
    found = {t.name: t for t in source().tables()}
    assert found[f"{db}.every"].description == "Everything"
    assert f"{db}.v" in found
    sample = source().sample({"table": f"{db}.every"}, rows=1, workspace=Path())
    columns = {c.name: c for c in sample.columns}
    assert (columns["id"].primary_key, columns["id"].required, columns["id"].source_type) == (True, True, "bigint(20) unsigned")
    assert (columns["d10"].physical_type, columns["d10"].description, columns["d10"].required) == ("decimal(10,2)", "Price", True)
    assert columns["ts"].physical_type == "timestamptz"
    [row] = sample.rows.to_pylist()  # type: ignore[attr-defined]
    assert (row["id"], row["u8"], row["d10"]) == (9007199254740993, "😀é", Decimal("-1.25"))
