"""The world around the demo: writes the systems of its administrations, fills their databases, starts their servers.

What a domain needs to enter its systems goes into its secrets file, as an administrator would write it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier
from pydantic import SecretStr

from polyceph.bootstrap.platform import Platform
from polyceph.bootstrap.processes import passed_environment
from polyceph.errors import Misconfigured
from polyceph.orchestrate.demo.place import SYSTEMS
from polyceph.orchestrate.supervisor import Service, Supervisor
from polyceph.settings import PostgresAddress
from polyceph.store.private_file import write_private
from polyceph.testing.federation import generate
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth, reached, read

SERVICE = "systems"
"""The process that serves what is not a database of the platform's own server: FTP, SFTP, S3, MariaDB, APIs, mail."""
_READY_S = 60.0
_BLOCK = 1 << 20


def prepare_systems(platform: Platform, supervisor: Supervisor, scenario: Scenario) -> Truth:
    """Bring the systems to the scenario's month, serve them, tell each domain how to enter its own, and return what was planted."""
    folder = platform.settings.federation.resolve() / SYSTEMS
    truth = _written(folder, scenario)
    environment: dict[str, dict[str, str]] = defaultdict(dict)
    for path in sorted((folder / "share").glob("*")):
        environment[path.name]["FOLDER"] = str(path)
    for path in sorted((folder / "postgres").glob("*")):
        environment[path.name] = _database(platform, path)
    for name, values in _served(platform, supervisor, folder).items():
        environment[name] = dict(values)
    for domain in platform.federation.domains:
        lines = [f"{n.upper()}_{k}={v}\n" for n, values in environment.items() if n.startswith(f"{domain}_") for k, v in values.items()]
        write_private(platform.settings.state() / "secrets" / f"{domain}.env", "".join(lines))
    return truth


def _written(folder: Path, scenario: Scenario) -> Truth:
    """Write the systems unless the same generator has written this very scenario."""
    stamp = folder / "running" / "generator"
    version = _digest(*sorted(Path(generate.__file__).parent.rglob("*.py")))
    if reached(folder) == scenario and stamp.exists() and stamp.read_text() == version:
        return read(folder)
    made = generate.generate(folder, scenario)
    stamp.parent.mkdir(mode=0o700, exist_ok=True)
    stamp.write_text(version)
    return made.truth


def _database(platform: Platform, folder: Path) -> dict[str, str]:
    """Fill a database that stands for an administration's own operational system; return how that administration enters it."""
    address = _owned_database(platform.server.admin, folder.name, platform.role_password(folder.name))
    tables = sorted(folder.glob("*.csv"))
    version = _digest(folder / "schema.sql", *tables)
    with psycopg.connect(**address.arguments()) as session:
        if _stamp(session) != version:
            session.execute("DROP SCHEMA public CASCADE")
            session.execute("CREATE SCHEMA public")
            session.execute((folder / "schema.sql").read_bytes())
            for table in _parents_first(session, tables):
                _copy(session, table)
            session.execute("CREATE TABLE demo_stamp (version text)")
            session.execute("INSERT INTO demo_stamp VALUES (%s)", [version])
    return {
        "HOST": address.host,
        "PORT": str(address.port),
        "DATABASE": address.database,
        "USER": address.user,
        "PASSWORD": address.password.get_secret_value(),
    }


def _owned_database(admin: PostgresAddress, name: str, password: SecretStr) -> PostgresAddress:
    """Make a role and a database of the same name that nobody else may enter."""
    with psycopg.connect(**admin.arguments(), autocommit=True) as session:
        if not session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone():
            session.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(name)))
        verifier = session.pgconn.encrypt_password(password.get_secret_value().encode(), name.encode(), b"scram-sha-256")
        session.execute(SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(name), verifier.decode()))
        if not session.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            session.execute(SQL("CREATE DATABASE {} OWNER {}").format(Identifier(name), Identifier(name)))
            session.execute(SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(Identifier(name)))
    own = admin.at(name)
    with psycopg.connect(**own.arguments(), autocommit=True) as session:
        session.execute(SQL("ALTER SCHEMA public OWNER TO {}").format(Identifier(name)))
    return own.as_role(name, password)


def _stamp(session: psycopg.Connection) -> str | None:
    there = session.execute("SELECT to_regclass('demo_stamp') IS NOT NULL").fetchone()
    row = session.execute("SELECT version FROM demo_stamp").fetchone() if there and there[0] else None
    return str(row[0]) if row else None


def _parents_first(session: psycopg.Connection, tables: list[Path]) -> list[Path]:
    """Return tables in the order in which the DDL made them: it makes parents before children."""
    rows = session.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY oid")
    order = [row[0] for row in rows]
    return sorted(tables, key=lambda path: order.index(path.stem))


def _copy(session: psycopg.Connection, table: Path) -> None:
    statement = SQL("COPY {} FROM STDIN (FORMAT csv)").format(Identifier(table.stem))
    with session.cursor() as cursor, cursor.copy(statement) as copy, table.open("rb") as rows:
        while block := rows.read(_BLOCK):
            copy.write(block)


def _served(platform: Platform, supervisor: Supervisor, folder: Path) -> Mapping[str, Mapping[str, str]]:
    """Start the servers and return, by source, how its administration enters it; raise `Misconfigured` when one cannot be served here."""
    addresses = folder / "running" / "addresses.json"
    started = addresses.stat().st_mtime_ns if addresses.exists() else 0
    command = (sys.executable, "-m", "polyceph.testing.federation.servers", "--folder", str(folder))
    log = platform.settings.state() / "logs" / f"{SERVICE}.log"
    supervisor.start(
        Service(SERVICE, command, passed_environment(), log, folder, lambda: addresses.exists() and addresses.stat().st_mtime_ns > started)
    )
    supervisor.wait_ready(SERVICE, seconds=_READY_S)
    served = json.loads(addresses.read_text(encoding="utf-8"))
    missing = {name: one["missing"] for name, one in served.items() if one.get("missing")}
    if missing:
        raise Misconfigured(
            f"{', '.join(sorted(missing))} cannot be served: {'; '.join(sorted(set(missing.values())))}",
            hint="install it and start the demo again; what was generated is kept",
        )
    return {name: one["environment"] for name, one in served.items()}


def _digest(*paths: Path) -> str:
    whole = hashlib.sha256()
    for path in paths:
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()
