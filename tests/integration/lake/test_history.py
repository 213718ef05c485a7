"""How a lake's tables grew, told by the catalogue alone, against what DuckDB counts."""

from __future__ import annotations

import secrets

import psycopg
import pytest

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.lake.history import row_counts, table_states
from polyceph.lake.lake import DomainLake


@pytest.fixture
def dataset() -> DatasetId:
    return DatasetId("meuse", Zone.GOLD, f"towns_{secrets.token_hex(3)}")


@pytest.fixture
def session(lake: DomainLake) -> psycopg.Connection:
    return psycopg.connect(lake.own.catalogue.url(), autocommit=True)


def counted(lake: DomainLake, dataset: DatasetId) -> int:
    table = lake.query(f"SELECT count(*) AS n FROM {dataset.domain}.{dataset.zone}.{dataset.name}")
    return int(table.to_pylist()[0]["n"])


def test_each_change_of_a_table_is_a_count(lake: DomainLake, session: psycopg.Connection, commit: LakeCommit, dataset: DatasetId) -> None:
    expected = []
    for rows in (1200, 1450, 0, 2512):
        lake.replace(dataset, f"SELECT i AS town FROM range({rows}) t(i)", commit)
        expected.append(counted(lake, dataset))
    counts = row_counts(session, lake.own, dataset)
    assert [one.rows for one in counts][-4:] == expected == [1200, 1450, 0, 2512]
    assert [one.at for one in counts] == sorted(one.at for one in counts)
    state = table_states(session, lake.own)[dataset]
    assert (state.rows, state.changed_at) == (2512, counts[-1].at)
    assert state.bytes == lake.facts(dataset).bytes


def test_rows_that_are_deleted_are_counted_out(
    lake: DomainLake, session: psycopg.Connection, commit: LakeCommit, dataset: DatasetId
) -> None:
    lake.replace(dataset, "SELECT i AS town FROM range(1000) t(i)", commit)
    name = f"{dataset.domain}.{dataset.zone}.{dataset.name}"
    expected = [1000]
    for statement in (
        f"DELETE FROM {name} WHERE town < 100",
        f"INSERT INTO {name} SELECT * FROM range(5)",
        f"DELETE FROM {name} WHERE town % 2 = 0",
    ):
        with lake.connection(commit) as connection:
            connection.execute(statement)
        expected.append(counted(lake, dataset))
    counts = row_counts(session, lake.own, dataset)
    # The second deletion rewrote the file of the first: DuckLake no longer tells how many rows there were between them.
    assert expected == [1000, 900, 905, 452]
    assert [one.rows for one in counts] == [1000, 452]
    assert table_states(session, lake.own)[dataset].changed_at == counts[-1].at
    assert table_states(session, lake.own)[dataset].rows == expected[-1]


def test_only_the_last_counts_are_given_when_fewer_are_wanted(
    lake: DomainLake, session: psycopg.Connection, commit: LakeCommit, dataset: DatasetId
) -> None:
    for rows in (1, 2, 3, 4):
        lake.replace(dataset, f"SELECT i AS town FROM range({rows}) t(i)", commit)
    assert [one.rows for one in row_counts(session, lake.own, dataset, most=2)] == [3, 4]


def test_a_dataset_that_the_lake_never_had_has_no_history(lake: DomainLake, session: psycopg.Connection, dataset: DatasetId) -> None:
    assert row_counts(session, lake.own, dataset) == ()
    assert dataset not in table_states(session, lake.own)
