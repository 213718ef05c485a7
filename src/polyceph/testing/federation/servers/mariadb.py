"""A real MariaDB server for the folders `mariadb/<source>`: a database a source, and an account that only reads it.

Documentation followed: the MariaDB knowledge base on `mariadb-install-db`, `LOAD DATA LOCAL INFILE` and `CREATE USER`. The database
is filled from `schema.sql` and one CSV a table (no header, an empty field is NULL), at the start and at a sync after a change.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
from pathlib import Path

from polyceph.errors import Invalid, Unavailable
from polyceph.testing.federation.servers.addresses import HOST, Remembered, SourceAddress, write
from polyceph.testing.federation.servers.children import Child, Program
from polyceph.testing.federation.servers.mariadb_program import ADMIN, PACKAGES, Home, Programs
from polyceph.testing.federation.servers.systems import Systems, digest, files

KIND = "mariadb"
_READY_SECONDS = 20.0
_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}")
_AS_TEXT = "NULLIF({0}, '')"
_CONVERSIONS = {
    "tinyint": "CASE {0} WHEN '' THEN NULL WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE {0} END",
    "bit": "CASE {0} WHEN '' THEN NULL WHEN 'true' THEN 1 WHEN 'false' THEN 0 ELSE {0} END",
    "datetime": "NULLIF(TRIM(TRAILING 'Z' FROM REPLACE({0}, 'T', ' ')), '')",
    "timestamp": "NULLIF(TRIM(TRAILING 'Z' FROM REPLACE({0}, 'T', ' ')), '')",
}
"""How text of a CSV becomes a value where MariaDB does not read it as PostgreSQL does."""


class MariaDb:
    """The MariaDB server and its databases."""

    def __init__(self, systems: Systems, remembered: Remembered, *, held: int) -> None:
        self._systems = systems
        self._remembered = remembered
        self._held = held
        self._programs = Programs.find()
        self._port = 0
        self._home: Home | None = None
        self._child: Child | None = None
        self._is_up = False

    async def start(self) -> None:
        """Start the server when there is a source for it, and wait until it answers."""
        if self._programs is None or not self._systems.names(KIND):
            return
        self._port = self._remembered.port(KIND)
        home = self._home = Home.prepare(self._systems.running() / KIND, self._remembered)
        if not home.data.exists():
            await asyncio.to_thread(home.initialise, self._programs, self._password(ADMIN))
        try:
            await self._launch(home, self._programs)
        except Unavailable:
            # Data that another version wrote, or that was damaged: it is only a copy.
            await asyncio.to_thread(home.initialise, self._programs, self._password(ADMIN))
            await self._launch(home, self._programs)
        self._is_up = True

    async def sync(self) -> dict[str, SourceAddress]:
        """Load what changed, and return the addresses."""
        names = self._systems.names(KIND)
        if self._programs is None:
            missing = f"mariadbd is not installed: apt-get install {PACKAGES}"
            return {name: SourceAddress(KIND, {}, missing) for name in names}
        if names and self._child is None:
            await self.start()
        if self._home is not None:
            await asyncio.to_thread(self._load, names, self._home.loaded)
        return {name: self._address(name) for name in names}

    def check(self) -> None:
        """Raise `Unavailable` when the program has ended by itself."""
        if self._child is not None and self._is_up:
            self._child.check()

    async def stop(self) -> None:
        """Stop the server."""
        if self._child is not None:
            await asyncio.to_thread(self._child.stop)

    async def _launch(self, home: Home, programs: Programs) -> None:
        command = home.command(programs, self._port)
        log = self._systems.running() / "mariadb.log"
        self._child = Child(Program(command, home.folder, log, home.environment(), self._held, home.account))
        await asyncio.to_thread(self._wait, self._child)

    def _wait(self, child: Child) -> None:
        end = time.monotonic() + _READY_SECONDS
        while time.monotonic() < end:
            child.check()
            if self._client(["--execute=SELECT 1"]).returncode == 0:
                return
            time.sleep(0.05)
        child.stop()
        raise Unavailable("the MariaDB server does not answer", hint=child.last_words())

    def _password(self, account: str) -> str:
        return self._remembered.word(f"{KIND} {account}")

    def _address(self, name: str) -> SourceAddress:
        environment = {"HOST": HOST, "PORT": str(self._port), "DATABASE": name, "USER": name, "PASSWORD": self._password(name)}
        return SourceAddress(KIND, environment)

    def _load(self, names: list[str], memory: Path) -> None:
        known: dict[str, dict[str, str]] = json.loads(memory.read_text()) if memory.exists() else {}
        current = {name: {key: digest(path) for key, path in files(self._systems.root(KIND, name))} for name in names}
        for name in known.keys() - current.keys():
            self._execute(f"DROP DATABASE IF EXISTS `{_checked(name)}`; DROP USER IF EXISTS `{_checked(name)}`@'{HOST}';")
        for name, found in current.items():
            if known.get(name) != found:
                self._fill(_checked(name))
        if known != current:
            write(memory, json.dumps(current))

    def _fill(self, name: str) -> None:
        """Make the database anew. Keys are not checked on the way: a planted orphan must be let in."""
        root = self._systems.root(KIND, name)
        self._execute(f"DROP DATABASE IF EXISTS `{name}`; CREATE DATABASE `{name}`; USE `{name}`; {(root / 'schema.sql').read_text()}")
        for path in sorted(root.glob("*.csv")):
            self._copy(name, _checked(path.stem), path)
        account, password = f"`{name}`@'{HOST}'", self._password(name)
        make = f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{password}';"
        self._execute(f"{make} GRANT SELECT, SHOW VIEW ON `{name}`.* TO {account};")

    def _copy(self, name: str, table: str, path: Path) -> None:
        # Both names are checked, and this client has no parameters.
        where = f"table_schema = '{name}' AND table_name = '{table}' ORDER BY ordinal_position"
        listing = self._execute(f"SELECT column_name, data_type FROM information_schema.columns WHERE {where};")  # noqa: S608
        columns = [tuple(line.split("\t")) for line in listing.splitlines()]
        if not columns:
            raise Invalid(f"schema.sql of {name} makes no table {table}", hint=f"it is needed for {path.name}")
        taken = ", ".join(f"@v{at}" for at in range(len(columns)))
        made = ", ".join(f"`{column}` = {_CONVERSIONS.get(kind, _AS_TEXT).format(f'@v{at}')}" for at, (column, kind) in enumerate(columns))
        form = "FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\n'"
        source = str(path).replace("\\", "\\\\").replace("'", "''")
        load = f"LOAD DATA LOCAL INFILE '{source}' INTO TABLE `{name}`.`{table}` CHARACTER SET utf8mb4 {form} ({taken}) SET {made};"
        warnings = self._execute(f"SET foreign_key_checks = 0; {load} SHOW WARNINGS LIMIT 3;")
        if warnings:
            raise Invalid(f"{path.name} of {name} does not fit its table", hint=warnings.strip())

    def _execute(self, sql: str) -> str:
        done = self._client([], sql)
        if done.returncode:
            raise Unavailable("MariaDB refused a statement", hint=done.stderr.decode(errors="replace").strip()[-2000:])
        return done.stdout.decode()

    def _client(self, arguments: list[str], sql: str = "") -> subprocess.CompletedProcess[bytes]:
        assert self._programs is not None  # noqa: S101 -- for the type checker
        command = [self._programs.client, "--no-defaults", f"--host={HOST}", f"--port={self._port}", "--protocol=TCP", f"--user={ADMIN}"]
        command += ["--batch", "--skip-column-names", "--raw", "--local-infile=1", "--default-character-set=utf8mb4", *arguments]
        environment = Home.environment() | {"MYSQL_PWD": self._password(ADMIN)}
        return subprocess.run(command, input=sql.encode(), capture_output=True, check=False, env=environment)


def _checked(name: str) -> str:
    """Return a name that may stand in a statement; a folder may be called anything."""
    if not _NAME.fullmatch(name):
        raise Invalid(f"{name!r} cannot be the name of a database or table", hint="use lower-case letters, digits and _")
    return name
