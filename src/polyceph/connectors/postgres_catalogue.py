"""What a PostgreSQL database offers before there is a contract: its tables, their columns, the first rows."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from polyceph.connectors.postgres_options import PostgresDataset
from polyceph.connectors.postgres_server import Connection, from_sql, where_sql
from polyceph.connectors.sql.names import quoted_part
from polyceph.connectors.sql.relation import Relation
from polyceph.sdk import SourceColumn, SourceTable

_LOGICAL = {
    "smallint": ("integer", None),
    "integer": ("integer", None),
    "bigint": ("integer", None),
    "oid": ("integer", None),
    "real": ("number", None),
    "double precision": ("number", None),
    "boolean": ("boolean", None),
    "date": ("date", None),
    "time without time zone": ("time", None),
    "timestamp without time zone": ("timestamp", None),
    "timestamp with time zone": ("timestamp", "timestamptz"),
    "json": ("object", None),
    "jsonb": ("object", None),
}


def list_tables(connection: Connection) -> Iterator[SourceTable]:
    """Yield tables and views of all schemas that the role may read, by name."""
    rows = connection.execute(
        "SELECT n.nspname, c.relname, CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END, obj_description(c.oid, 'pg_class'),"
        " c.relkind"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND n.nspname !~ '^pg_'"
        " AND n.nspname <> 'information_schema' AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')"
        " ORDER BY 1, 2"
    ).fetchall()
    for schema, table, estimate, comment, kind in rows:
        name = ".".join(map(quoted_part, (str(schema), str(table))))
        counted = int(str(estimate)) if estimate is not None and kind in ("r", "m") else None
        yield SourceTable(name, {"table": name}, str(comment or ""), counted)


def columns_of(connection: Connection, relation: Relation) -> tuple[SourceColumn, ...]:
    """Return the columns as the server describes them; of a query their types alone."""
    if relation.query:
        return tuple(SourceColumn(name, kind, *_logical(kind)) for name, kind in relation.columns.items())
    rows = connection.execute(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, coalesce(a.attnum = ANY(i.indkey), false),"
        " col_description(a.attrelid, a.attnum) FROM pg_attribute a"
        " LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary"
        " WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        (relation.oid,),
    ).fetchall()
    return tuple(
        SourceColumn(str(name), str(shown), *_logical(relation.columns[str(name)]), bool(required), bool(key), str(comment or ""))
        for name, shown, required, key, comment in rows
    )


def comment_of(connection: Connection, relation: Relation) -> str:
    """Return the comment of a table, empty when it has none."""
    row = connection.execute("SELECT obj_description(%s, 'pg_class')", (relation.oid,)).fetchone() if relation.oid else None
    return str(row[0]) if row and row[0] else ""


def sample_rows(connection: Connection, relation: Relation, dataset: PostgresDataset, *, rows: int) -> list[tuple[object, ...]]:
    """Return the first rows, each value as the text that the server writes."""
    fields = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in relation.columns)
    statement = sql.SQL("SELECT {} FROM {}{} LIMIT {}").format(fields, from_sql(relation), where_sql(dataset), sql.Literal(rows))
    return connection.execute(statement).fetchall()


def _logical(kind: str) -> tuple[str | None, str | None]:
    if kind.startswith("numeric("):
        return "number", kind.replace("numeric", "decimal")
    if kind.endswith("[]"):
        return "array", None
    return _LOGICAL.get(kind, ("string" if kind != "numeric" else "number", None))
