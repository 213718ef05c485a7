"""The connector `denodo` over Arrow Flight SQL, through the real ADBC driver, against a Flight SQL server of our own (flight_server.py).

No Denodo was available. Values, errors and the wire are real; what Denodo does differently from DuckDB is not tested here.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from time import monotonic as time_of
from typing import Any

import pytest

from polyceph.connectors.denodo import DenodoConnector
from polyceph.errors import Denied, Invalid, Misconfigured, NotFound, PolycephError, Unavailable
from polyceph.sdk import Column


def _module(name: str) -> Any:
    found = importlib.util.spec_from_file_location(f"{name}_of_tests", Path(__file__).with_name(f"{name}.py"))
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


FLIGHT = _module("flight_server")
VIEW = '"Vues d\'école"."Élèves"'
COLUMNS = [
    Column("id", "integer", required=True, primary_key=True),
    Column("name", "string", source_name='Nom "x" %s?'),
    Column("price", "number", "decimal(38,12)"),
    Column("ratio", "number"),
    Column("single", "number"),
    Column("at", "timestamp"),
    Column("wall", "timestamp", "timestamptz"),
    Column("seen", "timestamp", "timestamptz"),
    Column("d", "date"),
    Column("t", "time"),
    Column("ok", "boolean"),
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("FLIGHT_PASSWORD", FLIGHT.PASSWORD)
    with FLIGHT.decoy() as (place, came), FLIGHT.FlightServer(place) as server:
        server.data.execute('CREATE SCHEMA "Vues d\'école"')
        server.data.execute(
            f'CREATE TABLE {VIEW} (id BIGINT, "Nom ""x"" %s?" TEXT, price DECIMAL(38,12), ratio DOUBLE, single FLOAT, "at" TIMESTAMP,'
            " wall TIMESTAMP, seen TIMESTAMPTZ, d DATE, t TIME, ok BOOLEAN)"
        )
        yield server
        assert came == [], "the driver went where the server sent it"


def source(server: Any, **other: object) -> DenodoConnector:
    given = {"host": "127.0.0.1", "port": server.port, "database": "education", "user": FLIGHT.USER, "password_env": "FLIGHT_PASSWORD"}
    options = {**given, "protocol": "flight_sql", "tls": False, **other}
    return DenodoConnector(DenodoConnector.source_options.model_validate(options), base=Path())


def fill(server: Any, *rows: tuple[object, ...]) -> None:
    server.data.executemany(f"INSERT INTO {VIEW} VALUES ({', '.join('?' * 11)})", [list(row) for row in rows])


FIRST = (
    9007199254740993,
    'L\'Été 漢字 🙂 ; -- \\ "x"',
    Decimal("12345678901234567890123456.123456789012"),
    0.1,
    0.1,
    datetime.fromisoformat("2024-07-01 12:00:00.123456"),
    datetime.fromisoformat("2024-07-01 12:00:00"),
    datetime(2024, 7, 1, 10, 0, 0, 1, tzinfo=UTC),
    date(2024, 2, 29),
    time(23, 59, 59, 999999),
    True,
)


@pytest.mark.parametrize("options", [{"table": VIEW}, {"query": f"SELECT * FROM {VIEW}"}])
def test_values_come_as_promised(server: Any, loading: Any, options: dict[str, object]) -> None:
    fill(server, FIRST, (9007199254740994, *[None] * 10))
    contract = loading.contract(*COLUMNS)
    [report] = loading.load(source(server), contract, {**options, "timezone": "Europe/Brussels"})
    expected = (*FIRST[:6], datetime(2024, 7, 1, 10, tzinfo=UTC), *FIRST[7:])
    assert loading.rows(contract) == [expected, (9007199254740994, *[None] * 10)]
    assert [n.subject for n in report.notes] == ["snapshot"]
    assert server.credentials.databases == {"education"}


def refusal(connector: DenodoConnector, loading: Any, **options: object) -> PolycephError:
    with pytest.raises(PolycephError) as caught:
        loading.load(connector, loading.contract(COLUMNS[0]), options)
    return caught.value


def numbers(server: Any, first: int, last: int) -> None:
    times = "TIMESTAMP '2024-01-01' + n * INTERVAL 1 MINUTE, NULL, TIMESTAMPTZ '2024-01-01 00:00:00+00' + n * INTERVAL 1 MINUTE"
    rest = f"{times}, DATE '2024-01-01' + n::INT // 100, NULL, NULL"
    server.data.execute(f"INSERT INTO {VIEW} SELECT n, 'x' || n, NULL, NULL, NULL, {rest} FROM range({first}, {last + 1}) r(n)")


@pytest.mark.parametrize("values", ["literals", "bound"])
@pytest.mark.parametrize(("cursor", "overlap"), [("id", 10), ("at", "10 minutes"), ("seen", "10 minutes"), ("d", "2 days")])
def test_a_cursor_with_overlap_loses_and_doubles_nothing(server: Any, loading: Any, cursor: str, overlap: object, values: str) -> None:
    connector, contract = source(server, values=values), loading.contract(COLUMNS[0], COLUMNS[1])
    options = {"table": VIEW, "cursor": cursor, "overlap": overlap}
    numbers(server, 1, 12_000)
    server.data.execute(f"DELETE FROM {VIEW} WHERE id = 11995")
    assert [r.rows for r in loading.load(connector, contract, options)] == [11_999]
    numbers(server, 11_995, 11_995)  # comes late
    numbers(server, 12_001, 12_300)
    assert [r.rows for r in loading.load(connector, contract, options)] == [301]
    assert [r.rows for r in loading.load(connector, contract, options)] == [0]
    assert loading.rows(contract) == [(n, f"x{n}") for n in range(1, 12_301)]


INJECTION = "x' OR 1 = 1 --"


@pytest.mark.parametrize("values", ["literals", "bound"])
def test_values_of_a_filter_stay_values(server: Any, loading: Any, values: str) -> None:
    numbers(server, 1, 20)
    server.data.execute(f"""INSERT INTO {VIEW} (id, "Nom ""x"" %s?") VALUES (21, ?)""", [INJECTION])
    contract = loading.contract(COLUMNS[0])
    names = '"Nom ""x"" %s?" = :name AND id - :less > :least AND id < :most AND :yes'
    parameters = {"name": INJECTION, "less": -5, "least": -0.5, "most": 1e300, "yes": True}
    options = {"table": VIEW, "filter": names, "parameters": parameters}
    assert [r.rows for r in loading.load(source(server, values=values), contract, options)] == [1]
    assert loading.rows(contract) == [(21,)]
    asked = [(text, given) for text, given in server.statements if "Nom" in text]
    assert asked
    assert (server.prepared > 0) == (values == "bound")
    for text, given in asked:
        assert (INJECTION in given, INJECTION in text, "x'' OR 1 = 1 --" in text) == ((values == "bound"), False, values == "literals")


@pytest.mark.parametrize("text", ["a\\' OR 1 = 1 --", "a\nb", "a\x00b"])
def test_a_text_that_vql_may_read_otherwise_is_refused_as_a_literal_and_taken_as_a_parameter(server: Any, loading: Any, text: str) -> None:
    options = {"table": VIEW, "filter": '"Nom ""x"" %s?" = :name', "parameters": {"name": text}}
    error = refusal(source(server), loading, **options)
    assert isinstance(error, Invalid)
    assert "values: bound" in str(error.hint)
    if "\x00" not in text:
        fill(server, (1, text, *[None] * 9), (2, "other", *[None] * 9))
        assert [r.rows for r in loading.load(source(server, values="bound"), loading.contract(COLUMNS[0]), options)] == [1]


def test_a_server_without_parameters_is_told(server: Any, loading: Any) -> None:
    server.takes_parameters = False
    error = refusal(source(server, values="bound"), loading, table=VIEW)
    assert isinstance(error, Misconfigured)
    assert "values: literals" in str(error.hint)


@pytest.mark.parametrize("options", [{"table": VIEW}, {"query": f"SELECT id FROM {VIEW} WHERE 1 = 0"}])
def test_nothing_is_loaded_from_an_empty_view(server: Any, loading: Any, options: dict[str, object]) -> None:
    contract = loading.contract(COLUMNS[0])
    assert [r.rows for r in loading.load(source(server), contract, options)] == [0]
    assert loading.rows(contract) == []


def test_views_and_their_columns_are_told(server: Any) -> None:
    fill(server, FIRST)
    connector = source(server)
    [found] = connector.tables()
    assert (found.name, found.options, found.description) == ('"Vues d\'école".Élèves', {"table": '"Vues d\'école".Élèves'}, "A view")
    sample = connector.sample(found.options, rows=1, workspace=Path())
    told = [(c.source_type, c.logical_type, c.physical_type) for c in sample.columns]
    assert told == [
        ("long", "integer", None),
        ("text", "string", None),
        ("decimal", "number", None),
        ("double", "number", None),
        ("float", "number", None),
        ("timestamp", "timestamp", None),
        ("timestamp", "timestamp", None),
        ("timestamptz", "timestamp", "timestamptz"),
        ("localdate", "date", None),
        ("time", "time", None),
        ("boolean", "boolean", None),
    ]
    [row] = sample.rows.to_pylist()
    assert (row["id"], row['Nom "x" %s?'], row["d"], row["ok"], row["seen"]) == (FIRST[0], FIRST[1], FIRST[8], True, FIRST[7])


def test_refusals_are_told_apart(server: Any, loading: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    connector = source(server)
    server.data.execute('CREATE TABLE "Vues d\'école"."Fermé" (id BIGINT)')
    assert isinstance(refusal(connector, loading, table='"Vues d\'école".Eleves'), NotFound)
    assert isinstance(refusal(connector, loading, query="SELECT nothing FROM nowhere"), Invalid)
    for query in ("DELETE FROM x", "CREATE VIEW x AS SELECT 1", "ALTER VIEW x LAYOUT ()", "SELECT 1 AS id; DROP VIEW x"):
        assert isinstance(refusal(connector, loading, query=query), Invalid)
    context = refusal(connector, loading, query="SELECT id FROM x CONTEXT ('i18n' = 'us_pst')")
    assert "no CONTEXT clause" in str(context)
    assert all(text.startswith("SELECT") for text, _ in server.statements)
    assert isinstance(refusal(connector, loading, table='"Vues d\'école"."Fermé"'), Denied)
    assert isinstance(refusal(source(server, port=1), loading, table=VIEW), Unavailable)
    assert isinstance(refusal(source(server, database="école"), loading, table=VIEW), Misconfigured)
    monkeypatch.setenv("FLIGHT_PASSWORD", "very-wrong-word")
    error = refusal(connector, loading, table=VIEW)
    assert isinstance(error, Misconfigured)
    told = f"{error!r} {error} {error.hint} {error.problems} {error.__cause__!r} {caplog.text}"
    for secret in ("very-wrong-word", FLIGHT.b64("very-wrong-word"), FLIGHT.PASSWORD):
        assert secret not in told


@pytest.mark.parametrize(
    "wrong",
    [{"sslmode": "require"}, {"protocol": "postgresql"}, {"ca_file": "ca.pem"}, {"values": "bound", "protocol": "postgresql", "tls": True}],
)
def test_options_of_the_other_protocol_are_refused(server: Any, wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"protocol|tls"):
        source(server, **wrong)


def test_each_protocol_has_its_port() -> None:
    given = {"host": "h", "database": "d", "user": "u", "password_env": "FLIGHT_PASSWORD"}
    model = DenodoConnector.source_options
    assert [model.model_validate({**given, **way}).model_dump()["port"] for way in ({}, {"protocol": "flight_sql"})] == [9996, 9994]


@pytest.fixture
def wire(server: Any) -> Iterator[Any]:
    opened = []

    def open_wire(**how: Any) -> Any:
        opened.append(FLIGHT.Wire(server.port, **how))
        return opened[-1]

    yield open_wire
    for one in opened:
        one.close()


@pytest.mark.parametrize("ends", ["cut", "silent"])
@pytest.mark.parametrize("after", [0, 1_000_000])
def test_a_connection_that_is_lost_loads_nothing_and_is_made_good_by_the_next(
    server: Any, loading: Any, wire: Any, ends: str, after: int
) -> None:
    numbers(server, 1, 200_000)
    contract, options = loading.contract(COLUMNS[0], COLUMNS[1]), {"table": VIEW}
    broken = source(server, port=wire(after=after, ends=ends).port, answer_timeout_s=2, connect_timeout_s=2)
    started = time_of()
    with pytest.raises(Unavailable) as caught:
        loading.load(broken, contract, options, run="run-1")
    assert time_of() - started < 15
    if ends == "silent":
        assert "stopped answering" in str(caught.value) or "DEADLINE" in str(caught.value).upper()
    assert [r.rows for r in loading.load(source(server), contract, options, run="run-1")] == [200_000]
    assert len(loading.rows(contract)) == 200_000


def test_a_batch_beyond_the_limit_is_told(server: Any, loading: Any) -> None:
    server.data.execute('CREATE TABLE "Vues d\'école".t AS SELECT n AS id, repeat(chr(120), 2000000) AS name FROM range(50) r(n)')
    with pytest.raises(Unavailable, match="record batch that is too large"):
        loading.load(source(server), loading.contract(COLUMNS[0], Column("name", "string")), {"table": '"Vues d\'école".t'})


def test_a_word_that_is_no_clause_is_taken(server: Any, loading: Any) -> None:
    query = """SELECT "context"(id) AS id, 'CONTEXT (' AS name FROM (SELECT 1::BIGINT AS id)"""
    server.data.execute("CREATE MACRO context(x) AS x")
    assert [r.rows for r in loading.load(source(server), loading.contract(COLUMNS[0]), {"query": query})] == [1]


def test_encryption_is_checked_against_the_authority(server: Any, loading: Any, tmp_path: Path) -> None:
    key, certificate = FLIGHT.certificate()
    (tmp_path / "ca.pem").write_bytes(certificate)
    with FLIGHT.decoy() as (place, _), FLIGHT.FlightServer(place, (certificate, key)) as encrypted:
        encrypted.data.execute('CREATE SCHEMA "Vues d\'école"')
        encrypted.data.execute(f"CREATE TABLE {VIEW} AS SELECT 1::BIGINT AS id")
        contract = loading.contract(COLUMNS[0])
        good = {"tls": True, "ca_file": str(tmp_path / "ca.pem"), "host": "localhost"}
        assert [r.rows for r in loading.load(source(encrypted, **good), contract, {"table": VIEW})] == [1]
        for wrong in ({**good, "ca_file": None}, {**good, "ca_file": str(tmp_path / "none.pem")}):
            assert isinstance(refusal(source(encrypted, **wrong), loading, table=VIEW), Misconfigured)
        assert isinstance(refusal(source(server, **good), loading, table=VIEW), (Misconfigured, Unavailable))


@pytest.mark.slow
def test_a_million_rows_take_the_memory_of_a_tenth(server: Any, loading: Any) -> None:
    whole = _module("test_whole_loads")
    server.data.execute('CREATE TABLE "Vues d\'école".t (id BIGINT, pad TEXT)')
    given = {"host": "127.0.0.1", "port": server.port, "database": "education", "user": FLIGHT.USER, "password_env": "FLIGHT_PASSWORD"}
    options, found = {"table": '"Vues d\'école".t'}, []
    for first, last, run in ((1, 100_000, "small"), (100_001, 1_000_000, "large")):
        server.data.execute(f'INSERT INTO "Vues d\'école".t SELECT n, repeat(chr(120), 100) FROM range({first}, {last + 1}) r(n)')
        words = whole.given(loading, "denodo", {**given, "protocol": "flight_sql", "tls": False}, options, run)
        found.append(whole.finish(whole.start(words)))
    assert [one["rows"] for one in found] == [[100_000], [1_000_000]]
    assert found[1]["memory_mb"] < found[0]["memory_mb"] + 120, found
