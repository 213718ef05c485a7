"""Loading deliveries into raw: exactly once, whole or not at all, as the contract promises."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Column, Contract
from polyceph.core.source_ports import Delivery, LoadMode, Note, Original, Pushdown
from polyceph.errors import Conflict, Invalid
from polyceph.lake.lake import DomainLake

Build = Callable[..., Contract]


def rows(**columns: list[object]) -> pa.Table:
    return pa.table(columns)


def held(lake: DomainLake, contract: Contract) -> list[dict[str, object]]:
    found: list[dict[str, object]] = lake.query(f"SELECT * FROM meuse.raw.{contract.dataset.name} ORDER BY id").to_pylist()
    return found


def test_a_delivery_becomes_rows_with_key_origin_and_row_number(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract()
    report = lake.load(Delivery("k1", rows(id=[1, 2], name=["a", None], _row=[2, 3]), origin="pupils.csv"), promise, commit)
    assert (report.is_new, report.rows, report.origin) == (True, 2, "pupils.csv")
    assert held(lake, promise) == [
        {"id": 1, "name": "a", "_load": "k1", "_origin": "pupils.csv", "_row": 2, "_change": None},
        {"id": 2, "name": None, "_load": "k1", "_origin": "pupils.csv", "_row": 3, "_change": None},
    ]


def test_the_same_key_again_changes_nothing(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract()
    first = lake.load(Delivery("k1", rows(id=[1], name=["a"])), promise, commit)
    again = lake.load(Delivery("k1", rows(id=[2], name=["b"])), promise, commit)
    assert (again.is_new, again.rows, again.snapshot) == (False, 0, first.snapshot)
    assert [row["id"] for row in held(lake, promise)] == [1]


def test_cursor_and_register_commit_with_the_rows(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract()
    assert lake.cursor(promise.dataset) is None
    note = Note("delimiter", "found", ";")
    lake.load(Delivery("k1", rows(id=[1], name=["a"]), cursor="2026-01", origin="a.csv", notes=(note,)), promise, commit)
    report = lake.load(Delivery("k2", rows(id=[2], name=["b"]), cursor="2026-02"), promise, commit)
    assert lake.cursor(promise.dataset) == "2026-02"
    assert lake.is_loaded(promise.dataset, "k1")
    assert not lake.is_loaded(promise.dataset, "k3")
    kept = lake.query("SELECT * FROM meuse._polyceph.load WHERE dataset = ? ORDER BY key", [str(promise.dataset)]).to_pylist()
    assert [(k["key"], k["cursor"], k["rows"], k["run"], k["contract"]) for k in kept] == [
        ("k1", "2026-01", 1, "run-1", "1.0.0"),
        ("k2", "2026-02", 1, "run-1", "1.0.0"),
    ]
    assert '"delimiter"' in kept[0]["notes"]
    stamp = lake.snapshots(report.snapshot - 1)[0]
    assert (stamp.author, stamp.message, stamp.extra["run"], stamp.extra["code"]) == ("anne.dupont", "Monthly load", "run-1", "c0ffee")


def test_files_carry_the_hash_of_their_bytes_in_their_name(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract()
    lake.load(Delivery("k1", rows(id=[1], name=["a"])), promise, commit)
    files = list(Path(lake.own.data_path).glob(f"raw/{promise.dataset.name}/*.parquet"))
    digests = lake.query("SELECT sha256 FROM meuse._polyceph.load WHERE dataset = ?", [str(promise.dataset)]).to_pylist()[0]["sha256"]
    assert [hashlib.sha256(file.read_bytes()).hexdigest() for file in files] == digests
    assert all(file.name.startswith(digests[0]) for file in files)


def test_every_type_of_the_contract_arrives_as_promised(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract(
        Column("id", "integer"),
        Column("price", "number", "decimal(10,2)"),
        Column("ratio", "number"),
        Column("born", "date"),
        Column("seen", "timestamp"),
        Column("at", "timestamp", "timestamptz"),
        Column("tags", "array"),
        Column("is_open", "boolean"),
        Column("label", "string", source_name="Libellé"),
    )
    delivered = rows(
        id=["1"], price=["12.50"], ratio=[1], born=["2020-02-29"], seen=["2020-01-01 10:00:00"], at=["2020-01-01 10:00:00+02"],
        tags=['["a"]'], is_open=["true"], Libellé=[5],
    )  # fmt: skip
    lake.load(Delivery("k1", delivered), promise, commit)
    (row,) = held(lake, promise)
    assert row["price"] == Decimal("12.50")
    assert row["born"] == date(2020, 2, 29)
    assert str(row["seen"]) == "2020-01-01 10:00:00"
    assert str(row["at"]) == "2020-01-01 08:00:00+00:00"
    assert (row["id"], row["ratio"], row["tags"], row["is_open"], row["label"]) == (1, 1.0, '["a"]', True, "5")


@pytest.mark.parametrize(
    ("delivered", "said"),
    [
        (rows(id=[1, None, None], name=["a", "b", "c"], _row=[2, 3, 9]), "column id, rows 3, 9: the column is required and 2 values are"),
        (rows(id=[1, 1, 2], name=["a", "b", "c"], _row=[2, 3, 4]), "column id, rows 2, 3: the column is unique and 1 value is repeated"),
        (rows(id=["1", "x", "3.7"], name=["a", "b", "c"], _row=[2, 3, 4]), "column id, rows 3, 4: 2 values cannot become BIGINT"),
        (rows(id=[1.5, 2.0, 3.0], name=["a", "b", "c"], _row=[2, 3, 4]), "column id, row 2: 1 value cannot become BIGINT"),
        (rows(id=[1]), "the delivery has no column name"),
        (rows(id=[1], name=["a"], extra=["x"]), "the delivery has a column extra that the contract does not promise"),
        (rows(id=[[1]], name=["a"]), "the delivered type BIGINT[] cannot become the promised BIGINT"),
    ],
)
def test_content_that_contradicts_the_contract_is_refused(
    lake: DomainLake, contract: Build, commit: LakeCommit, delivered: pa.Table, said: str
) -> None:
    promise = contract()
    lake.load(Delivery("good", rows(id=[1], name=["a"])), promise, commit)
    with pytest.raises(Invalid) as refused:
        lake.load(Delivery("bad", delivered, origin="bad.csv"), promise, commit)
    assert said in str(refused.value)
    assert "nothing was loaded" in str(refused.value)
    assert [row["_load"] for row in held(lake, promise)] == ["good"]
    assert not lake.is_loaded(promise.dataset, "bad")
    assert list(Path(lake.own.data_path).glob("_staging/*")) == []


def test_all_problems_come_at_once_and_name_no_value(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract(Column("id", "integer"), Column("born", "date"), Column("name", "string"))
    delivered = rows(id=["Jeanne"], born=["hier"], name=["x"], _row=[7])
    with pytest.raises(Invalid) as refused:
        lake.load(Delivery("bad", delivered), promise, commit)
    assert [p.place for p in refused.value.problems] == ["column id, row 7", "column born, row 7"]
    assert "Jeanne" not in str(refused.value)


def test_repeated_primary_keys_of_several_columns_are_refused(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract(Column("id", "integer", primary_key=True), Column("year", "integer", primary_key=True))
    lake.load(Delivery("good", rows(id=[1, 1], year=[2024, 2025])), promise, commit)
    with pytest.raises(Invalid, match="column id, year, rows 5, 6: the column is unique and 1 value is repeated"):
        lake.load(Delivery("bad", rows(id=[1, 1], year=[2026, 2026], _row=[5, 6])), promise, commit)


@pytest.mark.parametrize("values", [[5, 5, 10**17], [-3, -3, 4], ["a", "a", "b"]])
def test_repetitions_are_found_in_spread_negative_and_text_keys(
    lake: DomainLake, contract: Build, commit: LakeCommit, values: list[object]
) -> None:
    kind = "string" if isinstance(values[0], str) else "integer"
    with pytest.raises(Invalid, match="1 value is repeated"):
        lake.load(Delivery("bad", rows(id=values)), contract(Column("id", kind, unique=True)), commit)


def test_a_new_optional_column_grows_the_table(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract()
    lake.load(Delivery("k1", rows(id=[1], name=["a"])), promise, commit)
    grown = contract(*promise.columns, Column("level", "integer"), name=promise.dataset.name, version="1.1.0")
    lake.load(Delivery("k2", rows(id=[2], name=["b"], level=[6])), grown, commit)
    assert [(row["id"], row["level"]) for row in held(lake, grown)] == [(1, None), (2, 6)]


@pytest.mark.parametrize("mode", [LoadMode.APPEND, LoadMode.DIFF])
def test_a_column_that_is_promised_no_more_stays_for_the_rows_that_have_it(
    lake: DomainLake, contract: Build, commit: LakeCommit, mode: LoadMode
) -> None:
    promise = contract(Column("id", "integer", required=True, primary_key=True), Column("name", "string", required=True))
    lake.load(Delivery("k1", rows(id=[1], name=["a"]), mode=mode), promise, commit)
    smaller = contract(promise.columns[0], name=promise.dataset.name, version="2.0.0")
    lake.load(Delivery("k2", rows(id=[1, 2]), mode=mode), smaller, commit)
    names = [row["name"] or "" for row in held(lake, smaller)]
    assert sorted(names) == (["", "", "a"] if mode is LoadMode.APPEND else ["", "a"])


def test_a_column_that_becomes_a_text_keeps_every_value(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract(Column("id", "integer", required=True), Column("amount", "number", "decimal(10,2)"), Column("on", "date"))
    given = {"amount": pa.array([Decimal("2.50"), None]), "on": pa.array([date(2026, 1, 31), None])}
    lake.load(Delivery("k1", pa.table({"id": [1, 2], **given})), promise, commit)
    columns = (Column("id", "string", required=True), Column("amount", "string"), Column("on", "string"))
    texts = contract(*columns, name=promise.dataset.name, version="2.0.0")
    lake.load(Delivery("k2", rows(id=["x"], amount=["two"], on=["soon"])), texts, commit)
    found = sorted((row["id"], row["amount"], row["on"]) for row in held(lake, texts))
    assert found == [("1", "2.50", "2026-01-31"), ("2", None, None), ("x", "two", "soon")]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ((Column("id", "integer", required=True), Column("name", "integer")), "the column is loaded as VARCHAR and now promised as BIGINT"),
        ((Column("id", "integer", required=True), Column("name", "string", required=True)), "the column is now required"),
        (
            (Column("id", "integer", required=True), Column("name", "string"), Column("x", "date", required=True)),
            "the column is new and required",
        ),
    ],
)
def test_any_other_change_of_the_contract_is_refused(
    lake: DomainLake, contract: Build, commit: LakeCommit, columns: tuple[Column, ...], said: str
) -> None:
    promise = contract()
    lake.load(Delivery("k1", rows(id=[1], name=["a"])), promise, commit)
    changed = contract(*columns, name=promise.dataset.name, version="2.0.0")
    delivered = {column.name: pa.array([None]) for column in columns}
    with pytest.raises(Invalid) as refused:
        lake.load(Delivery("k2", pa.table(delivered)), changed, commit)
    assert said in str(refused.value)


def test_a_delivery_without_rows_still_moves_the_cursor(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract()
    nothing = pa.schema([("id", pa.int64()), ("name", pa.string())]).empty_table()
    report = lake.load(Delivery("k1", nothing, cursor="c1"), promise, commit)
    assert (report.is_new, report.rows, lake.cursor(promise.dataset)) == (True, 0, "c1")
    assert held(lake, promise) == []


def test_a_connector_that_fails_half_way_loads_nothing_and_is_heard(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"id": [1], "name": ["a"]})
        raise Conflict("the source went away")

    promise = contract()
    schema = pa.schema([("id", pa.int64()), ("name", pa.string())])
    with pytest.raises(Conflict, match="the source went away"):
        lake.load(Delivery("k1", pa.RecordBatchReader.from_batches(schema, batches())), promise, commit)
    assert not lake.is_loaded(promise.dataset, "k1")
    assert lake.load(Delivery("k1", rows(id=[1], name=["a"])), promise, commit).is_new


def test_a_pushdown_is_run_where_the_data_is(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract()
    select = "SELECT range::INTEGER AS id, 'x' || range AS name FROM range(200000)"
    report = lake.load(Delivery("k1", Pushdown(lambda _: select), origin="public.pupils"), promise, commit)
    assert report.rows == 200_000
    assert lake.query(f"SELECT count(DISTINCT id) AS n FROM meuse.raw.{promise.dataset.name}").to_pylist() == [{"n": 200_000}]


def test_a_pushdown_whose_cast_fails_names_the_column_alone(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    select = "SELECT CAST(word AS BIGINT) AS id, 'n' AS name FROM (SELECT 'Jeanne' AS word FROM range(3))"
    with pytest.raises(Invalid) as refused:
        lake.load(Delivery("k1", Pushdown(lambda _: select)), contract(), commit)
    assert "Jeanne" not in str(refused.value)


def test_originals_are_kept_once_under_their_hash(lake: DomainLake, contract: Build, commit: LakeCommit, tmp_path: Path) -> None:
    promise = contract()
    file = tmp_path / "pupils.csv"
    file.write_bytes(b"id;name\n1;a\n")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    original = Original(file, "pupils.csv", digest)
    for key in ("k1", "k2"):
        lake.load(Delivery(key, rows(id=[1], name=["a"]), originals=(original,)), promise, commit)
    kept = Path(lake.own.data_path) / "_originals" / digest[:2] / digest
    assert kept.read_bytes() == file.read_bytes()
    assert [path.name for path in kept.parent.iterdir()] == [digest]


def test_an_original_that_changed_while_it_was_read_is_refused(
    lake: DomainLake, contract: Build, commit: LakeCommit, tmp_path: Path
) -> None:
    file = tmp_path / "pupils.csv"
    file.write_bytes(b"other")
    with pytest.raises(Invalid, match="changed while it was read"):
        lake.load(Delivery("k1", rows(id=[1], name=["a"]), originals=(Original(file, "pupils.csv", "ab" * 32),)), contract(), commit)


def test_the_catalogue_refuses_a_second_commit_of_a_load_even_without_the_lock(
    lake: DomainLake, contract: Build, commit: LakeCommit
) -> None:
    promise = contract()
    lake.load(Delivery("k1", rows(id=[1], name=["a"])), promise, commit)
    extra = f'{{"load": {{"dataset": "{promise.dataset}", "key": "k1"}}}}'
    with lake.connection() as connection:
        connection.execute("BEGIN")
        connection.execute(f"INSERT INTO meuse.raw.{promise.dataset.name} SELECT * FROM meuse.raw.{promise.dataset.name}")
        connection.execute("CALL meuse.set_commit_message('me', 'again', extra_info => ?)", [extra])
        with pytest.raises(Exception, match="this load is already in the lake"):
            connection.execute("COMMIT")
    assert len(held(lake, promise)) == 1


def test_a_lost_lock_stops_the_commit(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract()

    def prepare(_: object) -> str:
        with psycopg.connect(lake.own.catalogue.url(), autocommit=True) as session:
            query = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            assert session.execute(query).fetchall() == [(True,)]
        return "SELECT 1::BIGINT AS id, 'a' AS name"

    with pytest.raises(Conflict, match="lost"):
        lake.load(Delivery("k1", Pushdown(prepare)), promise, commit)
    assert not lake.is_loaded(promise.dataset, "k1")


def test_a_unique_text_of_digits_is_counted_as_text(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract(Column("id", "string", unique=True))
    lake.load(Delivery("k1", rows(id=["1000", "1001", "01001"])), promise, commit)
    with pytest.raises(Invalid, match="unique") as caught:
        lake.load(Delivery("k2", rows(id=["1002", "1003", "1002"])), promise, commit)
    assert "1002" not in str(caught.value)
    assert [row["id"] for row in held(lake, promise)] == ["01001", "1000", "1001"]


def test_refused_values_stand_in_no_message(lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    promise = contract(Column("id", "integer", required=True), Column("born", "date"))
    with pytest.raises(Invalid) as caught:
        lake.load(Delivery("k1", rows(id=["7", "Jean Dupont"], born=["2020-01-01", "1999-99-99"], _row=[2, 3])), promise, commit)
    assert "row 3" in str(caught.value)
    assert not [word for word in ("Dupont", "1999") if word in str(caught.value)]


def test_a_dataset_of_another_domain_is_refused(world: object, lake: DomainLake, contract: Build, commit: LakeCommit) -> None:
    with world.lake("sambre") as other, pytest.raises(Invalid, match="a domain writes its own lake only"):  # type: ignore[attr-defined]
        other.load(Delivery("k1", rows(id=[1], name=["a"])), contract(), commit)
