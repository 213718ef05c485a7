"""Putting a finished staging table in the place of the served one, in one PostgreSQL transaction, with all that hangs on the old one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from polyceph.core.model.contract import Contract
from polyceph.errors import Conflict
from polyceph.lake.swap_indexes import indexes_of, make_indexes, name_indexes

LINEAGE = "polyceph: "
"""How the last line of a served table's comment begins; the rest is JSON."""
_LOCK_WAIT = "60s"

_DEPENDENTS = """
SELECT DISTINCT r.ev_class::regclass::text FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
WHERE d.refobjid = %s AND d.classid = 'pg_rewrite'::regclass AND r.ev_class <> d.refobjid ORDER BY 1
"""
_GRANTS = """
SELECT NULL::text, g.grantee::regrole::text, g.grantee = 0, g.privilege_type, g.is_grantable
FROM pg_class c, aclexplode(c.relacl) g WHERE c.oid = %(old)s AND g.grantee <> c.relowner
UNION ALL
SELECT a.attname, g.grantee::regrole::text, g.grantee = 0, g.privilege_type, g.is_grantable
FROM pg_attribute a, aclexplode(a.attacl) g WHERE a.attrelid = %(old)s AND NOT a.attisdropped
"""
_COMMENTS = """
SELECT a.attname, col_description(a.attrelid, a.attnum) FROM pg_attribute a
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND col_description(a.attrelid, a.attnum) IS NOT NULL
"""
_LOSSES = """
SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = %(old)s AND NOT tgisinternal
UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite WHERE ev_class = %(old)s
UNION ALL SELECT 'constraint ' || conname FROM pg_constraint WHERE conrelid = %(old)s AND contype IN ('c', 'f', 'x')
UNION ALL SELECT 'foreign key ' || conname || ' of ' || conrelid::regclass FROM pg_constraint
    WHERE confrelid = %(old)s AND conrelid <> %(old)s AND conparentid = 0
ORDER BY 1
"""
_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped"


@dataclass(frozen=True)
class _Old:
    """What hangs on the old table: its comment without lineage, column comments, grants as (column, role, privilege, grantable)."""

    comment: str
    descriptions: dict[str, str]
    grants: list[tuple[str | None, str | None, str, bool]]


def swap_table(session: psycopg.Connection[Any], *, schema: str, table: str, staging: str, lineage: str, contract: Contract | None) -> None:
    """Rename `staging` to `table` and drop the old one, in one transaction; keep grants, comments, column descriptions and indexes.

    Raises:
        Conflict: a swap would lose what hangs on the old table (a view, a trigger, a foreign key, row security), or its indexes cannot
            be made on the new rows.
    """
    place, fresh = sql.Identifier(schema, table), sql.Identifier(schema, staging)
    before = _oid(session, schema, table)
    indexes = indexes_of(session, before) if before is not None else ()
    if before is not None:
        _refuse_loss(session, before, f"{schema}.{table}")
    make_indexes(session, indexes, schema=schema, staging=staging)
    with session.transaction():
        session.execute("SELECT set_config('lock_timeout', %s, true)", [_LOCK_WAIT])
        old = _oid(session, schema, table)
        kept = _Old("", {}, [])
        if old is not None:
            session.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(place))
            _refuse_loss(session, old, f"{schema}.{table}")
            kept = _read_old(session, old)
        if indexes != (indexes_of(session, old) if old is not None else ()):
            raise Conflict(f"the indexes of {schema}.{table} changed meanwhile; the old rows stay", hint="run it again")
        if old is not None:
            _drop(session, place, f"{schema}.{table}")
        session.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(fresh, sql.Identifier(table)))
        name_indexes(session, indexes, schema=schema, table=table, staging=staging)
        _restore(session, (schema, table), kept, columns=_columns(session, schema, table), lineage=lineage, contract=contract)


def _drop(session: psycopg.Connection[Any], place: sql.Identifier, name: str) -> None:
    try:
        session.execute(sql.SQL("DROP TABLE {}").format(place))
    except psycopg.errors.DependentObjectsStillExist as error:
        detail = " ".join((error.diag.message_detail or "").split())[:300]
        raise Conflict(f"{name} was not replaced, something depends on it: {detail}", hint="drop what depends on it") from error


def _oid(session: psycopg.Connection[Any], schema: str, table: str) -> int | None:
    query = "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s"
    row = session.execute(query, [schema, table]).fetchone()
    return row[0] if row else None


def _columns(session: psycopg.Connection[Any], schema: str, table: str) -> set[str]:
    return {row[0] for row in session.execute(_COLUMNS, [_oid(session, schema, table)])}


def _refuse_loss(session: psycopg.Connection[Any], old: int, name: str) -> None:
    kind, secured = session.execute("SELECT relkind::text, relrowsecurity FROM pg_class WHERE oid = %s", [old]).fetchone() or ("r", False)
    views = [row[0] for row in session.execute(_DEPENDENTS, [old])]
    if kind != "r":
        raise Conflict(f"{name} exists and is not a table; it was not replaced", hint="drop it, or give the output another name")
    if views:
        raise Conflict(f"{name} was not replaced: {', '.join(views)} would be lost", hint="drop these views, or declare them as outputs")
    lost = ", ".join(row[0] for row in session.execute(_LOSSES, {"old": old}))
    if lost:
        raise Conflict(f"{name} was not replaced: {lost} would be lost", hint="drop what hangs on it, or give the output another name")
    if secured:
        raise Conflict(f"{name} was not replaced: its row security would be lost", hint="disable it, or serve the rows as another output")


def _read_old(session: psycopg.Connection[Any], old: int) -> _Old:
    row = session.execute("SELECT obj_description(%s, 'pg_class')", [old]).fetchone()
    lines = (row[0] or "").splitlines() if row else []
    comment = "\n".join(line for line in lines if not line.startswith(LINEAGE)).strip()
    grants = [
        (column, None if public else role, privilege, grantable)
        for column, role, public, privilege, grantable in session.execute(_GRANTS, {"old": old})
    ]
    return _Old(comment, dict(session.execute(_COMMENTS, [old]).fetchall()), grants)


def _restore(
    session: psycopg.Connection[Any], name: tuple[str, str], old: _Old, *, columns: set[str], lineage: str, contract: Contract | None
) -> None:
    place = sql.Identifier(*name)
    for column, role, privilege, grantable in old.grants:
        if column is None or column in columns:
            session.execute(_grant(place, column, role, privilege=privilege, option=" WITH GRANT OPTION" if grantable else ""))
    promised = {c.name: c.description for c in contract.columns if c.description} if contract else {}
    for column, text in {**old.descriptions, **promised}.items():
        if column in columns:
            session.execute(sql.SQL("COMMENT ON COLUMN {} IS {}").format(sql.Identifier(*name, column), sql.Literal(text)))
    comment = (contract.description.strip() if contract else "") or old.comment
    text = "\n".join(part for part in (comment, LINEAGE + lineage) if part)
    session.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(place, sql.Literal(text)))


def _grant(place: sql.Identifier, column: str | None, role: str | None, *, privilege: str, option: str) -> sql.Composed:
    # `role` is already quoted where it must be: it was read as a regrole. `privilege` is a word of PostgreSQL's own.
    part = sql.SQL(" ({})").format(sql.Identifier(column)) if column else sql.SQL("")
    return sql.SQL("GRANT {}{} ON {} TO {}{}").format(sql.SQL(privilege), part, place, sql.SQL(role or "PUBLIC"), sql.SQL(option))
