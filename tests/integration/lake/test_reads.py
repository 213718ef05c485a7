"""Which datasets and columns a SELECT reads: every shape people write, on own and on another domain's lake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.errors import Invalid, NotFound
from polyceph.lake.lake import DomainLake
from polyceph.lake.reads import datasets_named, parsed, tables_read

if TYPE_CHECKING:
    from conftest import World

LIST = DatasetId("meuse", Zone.GOLD, "list")
ALL = {"id", "name", "kind", "amount", "place"}


@pytest.fixture(scope="module")
def reader(world: World, lake: DomainLake) -> DomainLake:
    """The lake of sambre beside that of meuse, of which it may read `gold.list`."""
    commit = LakeCommit("anne", "Made for the test", "r", "c")
    rows = "SELECT range AS id, 'n' || range AS name, range % 3 AS kind, range * 2 AS amount, {'town': 'x'} AS place FROM range(100)"
    lake.replace(LIST, rows, commit)
    world.provision("meuse", {"domain_sambre": [LIST]})
    own = world.lake("sambre", others=("meuse",))
    own.replace(DatasetId("sambre", Zone.SILVER, "own"), "SELECT range AS id, 'x' AS label FROM range(10)", commit)
    own.replace(DatasetId("sambre", Zone.GOLD, "list"), "SELECT 1 AS id, 2 AS secret", commit)
    with own.connection(commit) as connection:
        connection.execute("CREATE VIEW sambre.gold.first AS SELECT id, name FROM meuse.gold.list WHERE kind = 0")
        connection.execute("CREATE MACRO sambre.gold.some(n) AS TABLE SELECT label FROM sambre.silver.own LIMIT n")
    return own


def read(lake: DomainLake, sql: str) -> dict[str, set[str] | None]:
    with lake.connection() as connection:
        found = tables_read(connection, parsed(connection, sql))
    return {str(one.dataset): None if one.columns is None else set(one.columns) for one in found}


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT * FROM meuse.gold.list", ALL),
        ("FROM meuse.gold.list", ALL),
        ("SELECT * EXCLUDE (name, place) FROM MEUSE.Gold.LIST", ALL - {"name", "place"}),
        ("SELECT name FROM meuse.gold.list", {"name"}),
        ('SELECT "name" AS n FROM "meuse"."gold"."list" AS l', {"name"}),
        ("SELECT place.town FROM meuse.gold.list", {"place"}),
        ("SELECT COLUMNS('^(id|kind)$') FROM meuse.gold.list", {"id", "kind"}),
        ("SELECT l FROM meuse.gold.list l", ALL),
        # answered from statistics or not at all: the answer tells of the data all the same
        ("SELECT count(*) FROM meuse.gold.list", set()),
        ("SELECT min(amount), max(id) FROM meuse.gold.list", {"amount", "id"}),
        ("SELECT id FROM meuse.gold.list WHERE name = 'nobody'", {"id", "name"}),
        ("SELECT id FROM meuse.gold.list WHERE amount >= 0", {"id", "amount"}),
        ("SELECT count(*) FROM meuse.gold.list WHERE kind = 1", {"kind"}),
        ("SELECT id FROM meuse.gold.list LIMIT 0", {"id"}),
        ("SELECT name FROM meuse.gold.list WHERE kind = 1 AND amount > 5 ORDER BY id", {"name", "kind", "amount", "id"}),
        ("SELECT id, row_number() OVER (ORDER BY amount) FROM meuse.gold.list QUALIFY row_number() OVER () = 1", {"id", "amount"}),
        ("SELECT kind, count(*) FROM meuse.gold.list GROUP BY ALL HAVING sum(amount) > 3", {"kind", "amount"}),
        ("SELECT 1 WHERE EXISTS (SELECT 1 FROM meuse.gold.list WHERE id = 5)", {"id"}),
        ("SELECT (SELECT max(name) FROM meuse.gold.list)", {"name"}),
        ("WITH x AS (SELECT id, amount FROM meuse.gold.list) SELECT sum(amount) FROM x", {"id", "amount"}),
        ("SELECT id FROM meuse.gold.list AT (VERSION => {now})", {"id"}),
        ("SELECT id FROM ducklake_table_insertions('meuse', 'gold', 'list', 0, {now})", {"id"}),
        ("SELECT sum(id) FROM query_table('meuse.gold.list')", ALL),
        ("PIVOT (SELECT kind, id FROM meuse.gold.list) ON kind IN (0, 1) USING count(id)", {"kind", "id"}),
        ("SELECT id FROM meuse.gold.list WHERE name = ? LIMIT ?", {"id", "name"}),
        ("SELECT ? || name FROM meuse.gold.list WHERE id IN ($some) AND regexp_matches(name, ?)", {"id", "name"}),
    ],
)
def test_the_columns_of_one_dataset(reader: DomainLake, lake: DomainLake, sql: str, columns: set[str]) -> None:
    if "$some" in sql:
        sql = sql.replace("?", "$other")
    sql = sql.replace("{now}", str(lake.newest_snapshot()))
    assert read(reader, sql) == {"meuse.gold.list": columns}


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (
            "SELECT o.label, l.name FROM sambre.silver.own o JOIN meuse.gold.list l USING (id)",
            {"sambre.silver.own": {"id", "label"}, "meuse.gold.list": {"id", "name"}},
        ),
        (
            "SELECT name FROM meuse.gold.list UNION ALL SELECT label FROM sambre.silver.own",
            {"sambre.silver.own": {"label"}, "meuse.gold.list": {"name"}},
        ),
        (
            "SELECT name FROM meuse.gold.list WHERE id IN (SELECT id FROM sambre.silver.own)",
            {"sambre.silver.own": {"id"}, "meuse.gold.list": {"name", "id"}},
        ),
        # two domains call a dataset by the same name
        (
            "SELECT a.secret, b.name FROM sambre.gold.list a, meuse.gold.list b",
            {"sambre.gold.list": {"secret"}, "meuse.gold.list": {"name"}},
        ),
        (
            "WITH list AS (SELECT label FROM sambre.silver.own) SELECT * FROM list",
            {"sambre.silver.own": {"label"}},
        ),
        (
            "SELECT count(*) FROM meuse.gold.list a, meuse.gold.list b WHERE a.id = b.amount",
            {"meuse.gold.list": {"id", "amount"}},
        ),
        # a view is a dataset, and what is behind it is read
        ("SELECT name FROM sambre.gold.first", {"sambre.gold.first": None, "meuse.gold.list": {"id", "name", "kind"}}),
        ("SELECT * FROM sambre.gold.some(3)", {"sambre.silver.own": {"label"}}),
        # what polyceph keeps for itself, and what is no table, is no dataset
        ("SELECT * FROM sambre._polyceph.load", {}),
        ("DESCRIBE meuse.gold.list", {}),
        ("SELECT ? + 1", {}),
        ("SELECT * FROM range(3)", {}),
    ],
)
def test_the_datasets_of_a_query(reader: DomainLake, sql: str, found: dict[str, set[str] | None]) -> None:
    assert read(reader, sql) == found


def test_the_snapshot_that_is_read_is_known(reader: DomainLake, lake: DomainLake, commit: LakeCommit) -> None:
    before = lake.newest_snapshot()
    after = lake.replace(LIST, "SELECT range AS id, 'x' AS name, 1 AS kind, 2 AS amount, {'town': 'x'} AS place FROM range(5)", commit)
    with reader.connection() as connection:
        select = parsed(connection, f"SELECT l.id FROM meuse.gold.list l JOIN meuse.gold.list o AT (VERSION => {before}) USING (id)")
        assert [one.snapshot for one in tables_read(connection, select)] == [before, after.snapshot]


def test_what_a_statement_names_is_known_before_it_can_be_bound(reader: DomainLake) -> None:
    with reader.connection() as connection:
        select = parsed(connection, "SELECT * FROM nobody.gold.x JOIN (SELECT 1 FROM meuse.raw.y WHERE a = ?) ON true JOIN z ON true")
    assert {str(one) for one in datasets_named(select)} == {"nobody.gold.x", "meuse.raw.y"}


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT 1; SELECT * FROM meuse.gold.list", "one SELECT"),
        ("PIVOT meuse.gold.list ON kind USING count(*)", "one SELECT"),
        ("EXPLAIN ANALYZE SELECT * FROM meuse.gold.list", "one SELECT"),
        ("COPY meuse.gold.list TO 'x.csv'", "one SELECT"),
        ("", "one SELECT"),
        ("SELEC 1", "cannot be read"),
        ("SELECT nothing FROM meuse.gold.list", "does not fit the lakes"),
        ("SELECT * FROM __ducklake_metadata_meuse.lake_meuse.ducklake_table", "cannot be found out"),
    ],
)
def test_a_query_that_does_not_tell_what_it_reads_is_refused(reader: DomainLake, sql: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read(reader, sql)


def test_a_dataset_that_is_not_there_is_named(reader: DomainLake) -> None:
    with pytest.raises(NotFound, match=r"no lake has meuse\.gold\.nope"):
        read(reader, "SELECT * FROM meuse.gold.nope")
