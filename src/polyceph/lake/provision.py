"""Making a lake: its catalogue, zones, stamp trigger, the limits of its readers, the outbox. Run by the platform's role, may run again."""

# ruff: noqa: S608 -- identifiers go through `quote`, values are parameters or `literal`s where DuckDB takes none

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from psycopg import sql

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.errors import Invalid, Misconfigured, Unavailable
from polyceph.lake.attach import attach_lake, create_postgres_secret, create_storage_secret, folder_path, without_secret
from polyceph.lake.engine import literal, open_engine, quote
from polyceph.lake.locks import catalogue_session
from polyceph.lake.outbox import make_outbox
from polyceph.lake.quarantine import make_quarantine
from polyceph.settings import LakeAddress, PostgresAddress

ZONES = (Zone.RAW, Zone.BRONZE, Zone.SILVER, Zone.GOLD)
"""The zones that are schemas of a lake; outputs are served outside it."""
INTERNAL = "_polyceph"
"""The schema of polyceph's own table `load`: one row per committed load, kept in the catalogue instead of in files."""

PARQUET = {"compression": "zstd", "compression_level": "1", "version": "2"}
"""How Parquet is written, by DuckLake and by loads. Measured on 3 million rows of 20 columns: a third of the bytes of DuckLake's default
(snappy, version 1) in 8 % less processor time; zstd in version 1 takes half as many bytes again and 25 % more time."""

_COMMIT = LakeCommit(author="polyceph", message="Provision the lake", run="provision", code="", door="provision")
_LOAD_TABLE = """
CREATE TABLE IF NOT EXISTS {lake}._polyceph.load (
    dataset VARCHAR, key VARCHAR, cursor VARCHAR, rows BIGINT, bytes BIGINT, sha256 VARCHAR[], originals VARCHAR[], origin VARCHAR,
    run VARCHAR, loaded_at TIMESTAMPTZ, contract VARCHAR, notes VARCHAR)
"""
_REJECT_TABLE = """
CREATE TABLE IF NOT EXISTS {lake}._polyceph.reject (
    dataset VARCHAR, load VARCHAR, origin VARCHAR, "row" BIGINT, place VARCHAR, "column" VARCHAR, value VARCHAR, rule VARCHAR,
    rejected_at TIMESTAMPTZ)
"""
_READABLE_WHOLE = ("ducklake_snapshot", "ducklake_schema", "ducklake_metadata")
"""Numbers, zones and settings: a reader sees them whole."""
_HIDDEN_WHOLE = ("ducklake_files_scheduled_for_deletion",)
"""A reader never asks for it. These and the former have no row security: DuckLake fills some by COPY, which row security forbids."""
_ROW_SECURITY = (
    "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
    "DROP POLICY IF EXISTS polyceph_owner ON {table}",
    "CREATE POLICY polyceph_owner ON {table} TO {owner} USING (true) WITH CHECK (true)",
    "DROP POLICY IF EXISTS polyceph_reader ON {table}",
)
_INLINE_LOADS = 1_000


def provision_lake(admin: PostgresAddress, lake: LakeAddress, consumers: Mapping[str, Sequence[DatasetId]], *, extensions: Path) -> None:
    """Make or bring up to date one domain's lake.

    Args:
        admin: a role that owns the lake database and may create schemas and roles; it will own the catalogue's tables, so that the
            domain's role can neither remove the stamp nor change one.
        lake: the address as the domain's role enters it.
        consumers: for each role of another domain, the datasets of this lake it may read. Nothing else is visible to it.
        extensions: what `install_extensions` returned.

    Raises:
        Invalid: a consumer's dataset does not belong to this lake.
        Misconfigured: the domain's role does not exist.
        Unavailable: PostgreSQL does not answer.
    """
    _refuse_foreign(lake, consumers)
    as_admin = lake.model_copy(update={"catalogue": admin})
    with catalogue_session(as_admin) as session, session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"polyceph.provision/{lake.metadata_schema}"])
        _create_reader(session, lake)
        make_outbox(session, lake.catalogue.user)
        make_quarantine(session, lake.catalogue.user)
    _prepare_folder(lake)
    with open_engine(extensions=extensions, memory_mb=256, threads=1) as engine:
        _initialise(engine, as_admin)
        with catalogue_session(as_admin) as session, session.transaction():
            session.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"polyceph.provision/{lake.metadata_schema}"])
            _secure(session, lake)
            _declare(session, lake, consumers)
        attach_lake(engine, as_admin, read_only=False, commit=_COMMIT)
        _create_zones(engine, lake)
    with catalogue_session(as_admin) as session:
        _grant_inlined(session, lake)


def reader_role(lake: LakeAddress) -> str:
    """Return the role whose members read this lake within their limits."""
    return f"{lake.metadata_schema}_reader"


def _refuse_foreign(lake: LakeAddress, consumers: Mapping[str, Sequence[DatasetId]]) -> None:
    wrong = sorted({str(d) for datasets in consumers.values() for d in datasets if d.domain != lake.domain or d.zone not in ZONES})
    if wrong:
        raise Invalid(f"these datasets are not in the lake of {lake.domain}: {', '.join(wrong)}")


def _prepare_folder(lake: LakeAddress) -> None:
    if "://" not in lake.data_path:
        Path(lake.data_path).mkdir(parents=True, exist_ok=True)


def _create_reader(session: psycopg.Connection[Any], lake: LakeAddress) -> None:
    known = {row[0] for row in session.execute("SELECT rolname FROM pg_roles")}
    owner, reader = lake.catalogue.user, reader_role(lake)
    if owner not in known:  # made here its password would stand in a statement, and so in the server's log
        raise Misconfigured(f"the role {owner} of {lake.domain} does not exist", hint="provision the server first (polyceph up)")
    if reader not in known:
        session.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(reader)))
    database = sql.Identifier(lake.catalogue.database)
    session.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}, {}").format(database, sql.Identifier(owner), sql.Identifier(reader)))


def _initialise(engine: duckdb.DuckDBPyConnection, lake: LakeAddress) -> None:
    create_postgres_secret(engine, "provision", lake.catalogue)
    create_storage_secret(engine, lake)
    options = f"METADATA_SCHEMA {literal(lake.metadata_schema)}, META_SECRET 'provision', DATA_PATH {literal(folder_path(lake))}"
    try:
        engine.execute(f"ATTACH 'ducklake:postgres:' AS made ({options}, OVERRIDE_DATA_PATH true)")
        engine.execute("DETACH made")
    except duckdb.Error as error:
        why = without_secret(error, lake.catalogue)
        raise Unavailable(f"the lake of {lake.domain} cannot be made at {lake.catalogue.shown()}: {why}") from None


def _secure(session: psycopg.Connection[Any], lake: LakeAddress) -> None:
    names = {
        "schema": sql.Identifier(lake.metadata_schema),
        "owner": sql.Identifier(lake.catalogue.user),
        "reader": sql.Identifier(reader_role(lake)),
    }
    text = files("polyceph.lake").joinpath("catalogue.sql").read_text(encoding="utf-8")
    session.execute(sql.SQL(text).format(**names))
    for table, columns in _tables(session, lake.metadata_schema).items():
        _secure_table(session, {**names, "table": sql.Identifier(lake.metadata_schema, table)}, table, columns)


def _tables(session: psycopg.Connection[Any], schema: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s AND table_name LIKE 'ducklake\\_%%'"
    for table, column in session.execute(query, [schema]):
        if not str(table).startswith("ducklake_inlined_data_") or table == "ducklake_inlined_data_tables":
            found.setdefault(str(table), set()).add(str(column))
    return found


def _secure_table(session: psycopg.Connection[Any], names: Mapping[str, sql.Composable], table: str, columns: set[str]) -> None:
    rights = "SELECT, INSERT, DELETE" if table == "ducklake_snapshot_changes" else "SELECT, INSERT, UPDATE, DELETE"
    statements = [f"GRANT {rights} ON {{table}} TO {{owner}}"]
    if table not in _HIDDEN_WHOLE:
        statements.append("GRANT SELECT ON {table} TO {reader}")
    if table not in (*_READABLE_WHOLE, *_HIDDEN_WHOLE):
        statements += _ROW_SECURITY
        visible = _visible_rows(table, columns)
        if visible:  # without a policy a reader sees no row: views, macros and stamps are not for him
            statements.append(f"CREATE POLICY polyceph_reader ON {{table}} FOR SELECT TO {{reader}} USING ({visible})")
    for statement in statements:
        session.execute(sql.SQL(statement).format(**names))


def _visible_rows(table: str, columns: set[str]) -> str | None:
    mine = "(SELECT {schema}.polyceph_visible())"
    if "table_id" in columns:
        return f"table_id IN {mine}"
    if table == "ducklake_tag":
        return f"object_id IN {mine}"
    if table == "ducklake_name_mapping":
        return f"mapping_id IN (SELECT m.mapping_id FROM {{schema}}.ducklake_column_mapping m WHERE m.table_id IN {mine})"
    if table == "ducklake_sort_expression":
        return f"sort_id IN (SELECT i.sort_id FROM {{schema}}.ducklake_sort_info i WHERE i.table_id IN {mine})"
    return None


def _grant_inlined(session: psycopg.Connection[Any], lake: LakeAddress) -> None:
    query = """SELECT tablename FROM pg_tables
               WHERE schemaname = %s AND tableowner = current_user AND tablename LIKE 'ducklake\\_inlined\\_data\\_%%'"""
    for (table,) in session.execute(query, [lake.metadata_schema]).fetchall():
        if table != "ducklake_inlined_data_tables":
            names = sql.Identifier(lake.metadata_schema, table), sql.Identifier(lake.catalogue.user)
            session.execute(sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(*names))


def _declare(session: psycopg.Connection[Any], lake: LakeAddress, consumers: Mapping[str, Sequence[DatasetId]]) -> None:
    table = sql.Identifier(lake.metadata_schema, "polyceph_declared")
    rows = [(role, d.zone.value, d.name) for role, datasets in consumers.items() for d in sorted(set(datasets))]
    session.execute(sql.SQL("DELETE FROM {}").format(table))
    with session.cursor() as cursor:
        cursor.executemany(sql.SQL("INSERT INTO {} (role, zone, name) VALUES (%s, %s, %s)").format(table), rows)
    group = reader_role(lake)
    query = """SELECT m.rolname FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
               WHERE g.rolname = %s AND NOT m.rolsuper"""
    members = {row[0] for row in session.execute(query, [group])}
    wanted = {role for role, datasets in consumers.items() if datasets}
    for role in sorted(members - wanted):
        session.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(group), sql.Identifier(role)))
    for role in sorted(wanted - members):
        session.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(role)))


def _create_zones(engine: duckdb.DuckDBPyConnection, lake: LakeAddress) -> None:
    name = quote(lake.domain)
    engine.execute("BEGIN")
    for schema in (*(zone.value for zone in ZONES), INTERNAL):
        engine.execute(f"CREATE SCHEMA IF NOT EXISTS {name}.{quote(schema)}")
    engine.execute(_LOAD_TABLE.format(lake=name))
    engine.execute(_REJECT_TABLE.format(lake=name))
    engine.execute("COMMIT")
    for option, value in PARQUET.items():
        engine.execute(f"CALL {name}.set_option('parquet_{option}', {literal(value)})")
    # Consumers and outside engines read files; they would miss rows kept in the catalogue.
    engine.execute(f"CALL {name}.set_option('data_inlining_row_limit', 0)")
    engine.execute(
        f"CALL {name}.set_option('data_inlining_row_limit', {_INLINE_LOADS}, schema => {literal(INTERNAL)}, table_name => 'load')"
    )
