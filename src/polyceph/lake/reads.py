"""What a SELECT reads: the datasets and columns that DuckDB itself finds when it binds the statement. Nothing is run here.

DuckDB's plan before it is optimised is taken. The optimised one leaves away what statistics answer (`count(*)`, `min`, a condition that
holds for no row or for all), and an answer from statistics tells of the data as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.errors import Invalid, NotFound

_ALONE = "read datasets of the lake alone, as domain.zone.name, and join the rest to the rows that come back"
_NULL = {"class": "CONSTANT", "type": "VALUE_CONSTANT", "value": {"type": {"id": "NULL", "type_info": None}, "is_null": True}}
_NOT_FOUND_OUT = ("not implemented", "internal")
"""Kinds of error by which DuckDB says that it cannot show a plan; all others are mistakes in the statement."""


@dataclass(frozen=True)
class Select:
    """One SELECT as DuckDB parses it."""

    text: str
    tree: Mapping[str, Any]


@dataclass(frozen=True)
class TableRead:
    """A dataset that a SELECT reads, at a snapshot of its lake; `columns` None: those of a view, which are not known."""

    dataset: DatasetId
    columns: tuple[str, ...] | None
    snapshot: int | None


def parsed(connection: duckdb.DuckDBPyConnection, sql: str) -> Select:
    """Return a statement that is one SELECT; parameters stand for values of any type.

    Raises:
        Invalid: it is no statement, several, or another one.
    """
    try:
        kinds = [statement.type for statement in connection.extract_statements(sql)]
    except duckdb.Error as error:
        raise Invalid(f"the query cannot be read: {_first_line(str(error))}") from error
    if kinds != [duckdb.StatementType.SELECT]:
        hint = "a PIVOT must name its values: ON column IN (...)" if len(kinds) > 1 else None
        raise Invalid(f"a query is one SELECT, and this is {len(kinds)} statements or another one", hint=hint)
    tree = _asked(connection, "json_serialize_sql", sql)
    if tree["error"]:
        raise Invalid(f"the query cannot be read: {_first_line(tree['error_message'])}", hint=_ALONE)
    changed = _without_parameters(tree)
    if changed == tree:
        return Select(sql, tree)
    row = connection.execute("SELECT json_deserialize_sql(?)", [json.dumps(changed)]).fetchall()[0]
    return Select(str(row[0]), changed)


def datasets_named(select: Select) -> frozenset[DatasetId]:
    """Return what the SELECT itself names as domain.zone.name, whether it exists or not; DESCRIBE reads no rows and names nothing."""
    return frozenset(_named(select.tree))


def tables_read(connection: duckdb.DuckDBPyConnection, select: Select) -> tuple[TableRead, ...]:
    """Return every dataset the SELECT reads, sorted, with the columns it refers to: in conditions and joins too, all where it says `*`.

    Views, CTEs and macros are looked through; a view that is named stands beside the tables behind it.

    Raises:
        NotFound: a dataset it names is not in its lake.
        Invalid: it does not fit the lakes, or DuckDB cannot tell what it reads.
    """
    plan = _asked(connection, "json_serialize_plan", select.text)
    if plan["error"]:
        raise _refusal(plan, datasets_named(select))
    columns: dict[tuple[DatasetId, int | None], dict[str, None]] = {}
    for scan in _scans(plan):
        found = columns.setdefault((_dataset(scan), scan["function_data"]["snapshot"]["snapshot_id"]), {})
        found.update(dict.fromkeys(_columns(scan)))
    tables = {dataset for dataset, _ in columns}
    known = {str(dataset).casefold() for dataset in tables}
    views = [TableRead(one, None, None) for one in datasets_named(select) if str(one).casefold() not in known]
    reads = [TableRead(dataset, tuple(names), snapshot) for (dataset, snapshot), names in columns.items()]
    return tuple(sorted([*reads, *views], key=lambda one: (one.dataset, one.snapshot or 0)))


def _asked(connection: duckdb.DuckDBPyConnection, function: str, sql: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(connection.execute(f"SELECT {function}(?)", [sql]).fetchall()[0][0])
    return answer


def _without_parameters(node: Any) -> Any:
    """Return a tree with NULL for every parameter: DuckDB cannot show the plan of a statement whose parameters have no value."""
    if isinstance(node, Mapping):
        if node.get("class") == "PARAMETER":
            return {**_NULL, "alias": node.get("alias", ""), "query_location": node.get("query_location")}
        return {key: _without_parameters(value) for key, value in node.items()}
    return [_without_parameters(one) for one in node] if isinstance(node, list) else node


def _named(node: Any) -> Iterator[DatasetId]:
    if isinstance(node, Mapping) and node.get("type") != "SHOW_REF":
        zone = str(node.get("schema_name", "")).casefold()
        if node.get("type") == "BASE_TABLE" and node.get("catalog_name") and zone in set(Zone):
            yield DatasetId(str(node["catalog_name"]).casefold(), Zone(zone), str(node["table_name"]))
        for value in node.values():
            yield from _named(value)
    elif isinstance(node, list):
        for one in node:
            yield from _named(one)


def _scans(node: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the scans of tables in a zone; what polyceph keeps in a lake for itself is no dataset."""
    if isinstance(node, Mapping):
        if node.get("name") == "ducklake_scan" and node["function_data"]["schema_name"] in set(Zone):
            yield node
        for value in node.values():
            yield from _scans(value)
    elif isinstance(node, list):
        for one in node:
            yield from _scans(one)


def _dataset(scan: Mapping[str, Any]) -> DatasetId:
    found = scan["function_data"]
    return DatasetId(found["catalog_name"], Zone(found["schema_name"]), found["table_name"])


def _columns(scan: Mapping[str, Any]) -> Iterator[str]:
    names: Sequence[str] = scan["names"]
    # A greater index is one of DuckDB's own columns: the row's number, or none at all for count(*).
    return (names[one["index"]] for one in scan["column_indexes"] if one["index"] < len(names))


def _refusal(plan: Mapping[str, Any], named: frozenset[DatasetId]) -> Invalid | NotFound:
    if plan.get("error_type") in _NOT_FOUND_OUT:
        return Invalid(f"what this query reads cannot be found out: {_first_line(plan['error_message'])}", hint=_ALONE)
    missing = [one for one in sorted(named) if plan.get("error_subtype") == "MISSING_ENTRY" and plan.get("name") == one.name]
    if missing:
        names = ", ".join(map(str, missing))
        return NotFound(f"no lake has {names}", hint="has its pipeline run, and polyceph up since it was declared in consumes?")
    return Invalid(f"the query does not fit the lakes: {_first_line(plan['error_message'])}")


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[0][:300]
