"""The connector `mysql`: a table or a query of a MySQL or MariaDB database, whole or from where the last load stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import duckdb
from sqlglot import exp

from polyceph.connectors.mysql_dialect import ZERO_DATE, MySqlDialect, is_bytes, is_wall, type_name
from polyceph.connectors.mysql_options import MySqlDataset, MySqlSource
from polyceph.connectors.mysql_session import attach, explained, query
from polyceph.connectors.sql.database import DatabaseConnector
from polyceph.connectors.sql.dialect import Statement
from polyceph.connectors.sql.options import ServerAddress
from polyceph.connectors.sql.reading import Reading, rows_of
from polyceph.connectors.sql.walls import instant
from polyceph.connectors.types import duckdb_type
from polyceph.connectors.validation import validated
from polyceph.sdk import Column, Invalid, Options, Pushdown

_TEXTUAL = ("string", "array", "object")


class MySqlConnector(DatabaseConnector):
    """Reads MySQL and MariaDB through DuckDB's mysql extension: one statement a load, so InnoDB shows one snapshot of the table.

    The servers do not tell an ordinary account of transactions that are still open: what they commit below a bound that has been
    read is only found with `overlap`, or avoided with a `lag` that is longer than a transaction.
    """

    source_options: ClassVar[type[Options]] = MySqlSource
    dataset_options: ClassVar[type[Options]] = MySqlDataset
    summary: ClassVar[str] = "Tables and queries of a MySQL or MariaDB database, whole or incrementally by a cursor column."
    name: ClassVar[str] = "mysql"

    def dialect(self) -> MySqlDialect:
        """Return MySQL's SQL, and how its server is entered."""
        return MySqlDialect(self._source().transport(self._base))

    def rows(self, address: ServerAddress, reading: Reading) -> Pushdown:
        """Return the pushdown; each `prepare` attaches the server under a name of its own."""
        _refuse_zone_of_query(reading)
        _refuse_bits_of_query(reading)
        dialect = self.dialect()
        careful = _pushdown(replace(dialect, is_careful=True), address, reading)
        return replace(_pushdown(dialect, address, reading), careful=careful) if dialect.dates(reading) else careful

    def type_word(self, source_type: str) -> str:
        """Return a type without its length and values."""
        return type_name(source_type)

    def _source(self) -> MySqlSource:
        return validated(MySqlSource, self._options, "source of connector mysql")


def _pushdown(dialect: MySqlDialect, address: ServerAddress, reading: Reading) -> Pushdown:
    dates = dialect.dates(reading)
    statement = rows_of(dialect, reading, *([dialect.zero_date(dates.values())] if dates else []))

    def prepare(connection: Any) -> str:
        try:
            alias = attach(connection, address, dialect.transport)
        except duckdb.Error as error:
            raise explained(error, address) from None
        return _select(reading, statement, alias, guard=next(iter(dates), None)).sql(dialect="duckdb")

    return Pushdown(prepare)


def _refuse_zone_of_query(reading: Reading) -> None:
    """Refuse a time zone where it cannot be told which times have one: a query's DATETIME and TIMESTAMP look alike."""
    types = reading.relation.columns
    found = [source for column, source in reading.columns if types[source] == "TIMESTAMP" and duckdb_type(column) == "TIMESTAMPTZ"]
    if reading.dataset.timezone and found:
        raise Invalid(
            f"timezone does not say which times of a query it is for ({', '.join(found)})",
            hint="read the table with a filter, or let the query answer in UTC, by CONVERT_TZ, and leave timezone out",
        )


def _refuse_bits_of_query(reading: Reading) -> None:
    """Refuse bytes of a query that are promised as anything but text: of bits the server tells nothing else."""
    types = reading.relation.columns
    found = [source for column, source in reading.columns if types[source] == "BLOB" and column.logical_type not in _TEXTUAL]
    if found:
        raise Invalid(f"the query gives bytes for {', '.join(found)}", hint="write CAST(… AS UNSIGNED) or CAST(… AS CHAR) in the query")


def _select(reading: Reading, statement: Statement, alias: str, *, guard: int | None) -> exp.Select:
    """Return the SELECT over the server's answer; where the server tells of a zero date, the column at `guard` breaks it off."""
    fields = [_field(column, source, at, reading, is_guard=at == guard) for at, (column, source) in enumerate(reading.columns)]
    return exp.select(*fields).from_(query(alias, statement))


def _field(column: Column, source: str, at: int, reading: Reading, *, is_guard: bool) -> exp.Expr:
    value: exp.Expr = exp.column(f"c{at}", quoted=True)
    source_type = reading.relation.columns[source]
    if is_guard:
        own = "DATE" if source_type.casefold() == "date" else "TIMESTAMP"
        told = exp.cast(exp.column(ZERO_DATE, quoted=True), exp.DataType.build(own, dialect="duckdb"))
        value = exp.func("coalesce", told, value)
    elif is_wall(source_type) and duckdb_type(column) == "TIMESTAMPTZ" and reading.dataset.timezone:
        wall = exp.TryCast(this=value.copy(), to=exp.DataType.build("TIMESTAMP", dialect="duckdb"))
        found = instant(wall, zone=reading.dataset.timezone, ambiguous=reading.dataset.ambiguous)
        value = exp.func("coalesce", found, value)  # a zero date stays what it is, so that the lake refuses it
    elif is_bytes(source_type):
        value = exp.Anonymous(this="decode", expressions=[value])
    elif source_type.startswith(("binary", "varbinary", "blob", "tinyblob", "mediumblob", "longblob")):
        value = exp.cast(value, exp.DataType.build("VARCHAR", dialect="duckdb"))
    return exp.alias_(value, column.name, quoted=True)
