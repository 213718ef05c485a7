"""What a query on the output database reads: its tables and columns, found in the SQL alone. Nothing is run here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from sqlglot import TokenType, exp, parse, tokenize
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.errors import Invalid
from polyceph.lake.reads import TableRead

_LITERAL = re.compile(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|(?<![\w.])\d[\d.]*(?:[eE][+-]?\d+)?", re.DOTALL)
_QUERIES = (TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.TABLE, TokenType.L_PAREN)
_CATALOGUES = ("pg_catalog", "information_schema")


def output_reads(sql: str, domain: str, columns: Mapping[str, Sequence[str]]) -> tuple[TableRead, ...]:
    """Return the output datasets that a query of PostgreSQL reads, sorted; tables without a schema are the domain's own.

    Args:
        sql: the query, with `%s` for parameters.
        domain: its schema is the one that is searched.
        columns: the columns of the domain's outputs, by table, as far as they are known.

    Returns:
        `columns` None where the query says `*` of a table whose columns are not known.

    Raises:
        Invalid: the SQL does not tell what it reads.
    """
    try:
        scopes = _scopes(sql, domain, columns)
    except (SqlglotError, RecursionError) as error:
        raise Invalid("what this query reads cannot be found out") from error
    found: dict[DatasetId, set[str] | None] = {}
    for scope in scopes:
        for name, source in scope.sources.items():
            if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier) and not _is_catalogue(source, columns):
                is_known = source.db == domain and source.name in columns
                _add(found, DatasetId(source.db, Zone.OUTPUT, source.name), _columns(scope, name) if is_known else None)
    return tuple(TableRead(dataset, None if names is None else tuple(sorted(names)), None) for dataset, names in sorted(found.items()))


def statement_digest(sql: str) -> str:
    """Return the SHA-256 of a statement without its literals, hexadecimal: a literal may be a person's number, which could be guessed."""
    return hashlib.sha256(" ".join(_LITERAL.sub("?", sql).split()).encode()).hexdigest()


def _scopes(sql: str, domain: str, columns: Mapping[str, Sequence[str]]) -> list[Scope]:
    tokens = tokenize(sql, dialect="postgres")
    # sqlglot logs the text of a statement it does not know, and there may be anything in it.
    if not tokens or tokens[0].token_type not in _QUERIES:
        raise Invalid("a query is a SELECT")
    statements = [one for one in parse(sql, dialect="postgres") if one is not None]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise Invalid("a query is one SELECT")
    schema: dict[str, object] = {domain: {table: dict.fromkeys(names, "text") for table, names in columns.items()}}
    return traverse_scope(qualify(statements[0], dialect="postgres", db=domain, schema=schema, validate_qualify_columns=False))


def _is_catalogue(table: exp.Table, columns: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether PostgreSQL finds this name in its own catalogue, which it searches before any other schema."""
    return table.db in _CATALOGUES or (table.name.startswith("pg_") and table.name not in columns)


def _add(found: dict[DatasetId, set[str] | None], dataset: DatasetId, names: set[str] | None) -> None:
    before = found.get(dataset, set())
    found[dataset] = None if before is None or names is None else before | names


def _columns(scope: Scope, source: str) -> set[str] | None:
    """Return the columns of one source that a scope refers to, None when it does not tell: a whole row, a column of an unknown table."""
    has_star = any(one.is_star for one in getattr(scope.expression, "selects", ()))
    if has_star or any(not column.table for column in scope.columns) or any(scope.find_all(exp.TableColumn)):
        return None
    return {column.name for column in scope.columns if column.table == source}
