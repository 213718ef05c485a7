"""The programs of MariaDB, where their data lies and as whom they run. Under root that is another account: mariadbd wants one."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from polyceph.errors import Misconfigured, Unavailable
from polyceph.testing.federation.servers.addresses import HOST, Remembered, write
from polyceph.testing.federation.servers.children import Account

PACKAGES = "mariadb-server-core mariadb-client-core"
ADMIN = "federation_admin"

_ELSEWHERE = Path("/var/lib/polyceph")
_PREFIX, _NOTE = "polyceph-mariadb-", "stands-for"
_ACCOUNTS = ("mysql", "nobody")
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
_ENVIRONMENT = {"PATH": _PATH, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_SMALL = (
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=24M",
    "--innodb-log-file-size=16M",
    "--innodb-log-buffer-size=2M",
    "--key-buffer-size=1M",
    "--aria-pagecache-buffer-size=1M",
    "--max-connections=40",
)
# The data is a copy of files that lie beside it: what a power cut loses is loaded again.
_UNSAFE = ("--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-doublewrite=OFF", "--skip-log-bin")


@dataclass(frozen=True)
class Programs:
    """The three programs that are needed."""

    server: str
    client: str
    installer: str

    @classmethod
    def find(cls) -> Programs | None:
        """Return the programs, None when one of them is not on this machine."""
        found = [shutil.which(name, path=_PATH) for name in ("mariadbd", "mariadb", "mariadb-install-db")]
        return cls(*(name for name in found if name)) if all(found) else None


@dataclass(frozen=True)
class Home:
    """Where a server keeps its data, and the account it runs as."""

    folder: Path
    account: Account

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def loaded(self) -> Path:
        """The file that says which state of the folder of systems the databases hold."""
        return self.folder / "loaded.json"

    @classmethod
    def prepare(cls, wanted: Path, remembered: Remembered) -> Home:
        """Return `wanted`, made if need be; another folder when the account cannot enter that one (below a closed place)."""
        account = _account()
        wanted.mkdir(mode=0o755, parents=True, exist_ok=True)
        if not _can_enter(account, wanted):
            known = Path(remembered.known("mariadb home") or "")
            is_there = known.is_absolute() and known.exists()
            wanted = known if is_there else Path(remembered.replace("mariadb home", str(_elsewhere(wanted, account))))
        home = cls(wanted, account)
        _give(wanted, account)
        return home

    def command(self, programs: Programs, port: int) -> list[str]:
        """Return the command that runs the server."""
        places = (f"--datadir={self.data}", f"--socket={self.folder / 'socket'}", f"--pid-file={self.folder / 'pid'}")
        address = (f"--port={port}", f"--bind-address={HOST}", "--skip-name-resolve", "--local-infile=ON", "--skip-symbolic-links")
        texts = ("--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin", "--default-time-zone=+00:00")
        return [programs.server, "--no-defaults", *places, *address, *texts, *_SMALL, *_UNSAFE]

    def initialise(self, programs: Programs, password: str) -> None:
        """Make an empty server whose only account is `ADMIN`, from 127.0.0.1, with the password."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.loaded.unlink(missing_ok=True)
        accounts = self.folder / "accounts.sql"
        # Names and hexadecimal passwords of our own making: nothing here comes from outside.
        drop = "FLUSH PRIVILEGES;\nDROP USER IF EXISTS root@localhost, root@127.0.0.1;\n"
        write(
            accounts,
            f"{drop}CREATE USER {ADMIN}@'{HOST}' IDENTIFIED BY '{password}';\nGRANT ALL ON *.* TO {ADMIN}@'{HOST}' WITH GRANT OPTION;\n",
        )
        _give(accounts, self.account)
        command = [programs.installer, "--no-defaults", f"--datadir={self.data}", f"--extra-file={accounts}", "--skip-test-db"]
        command += ["--auth-root-authentication-method=normal", "--skip-name-resolve", *_SMALL, *_UNSAFE]
        try:
            done = subprocess.run(command, capture_output=True, check=False, env=_ENVIRONMENT, cwd=self.folder, **self.account.arguments())  # type: ignore[call-overload]
        finally:
            accounts.unlink()
        if done.returncode:
            words = (done.stderr or done.stdout).decode(errors="replace").strip()[-2000:]
            raise Unavailable(f"MariaDB could not make {self.data}", hint=words)

    @staticmethod
    def environment() -> dict[str, str]:
        """Return the environment of the programs."""
        return dict(_ENVIRONMENT)


def _account() -> Account:
    if os.geteuid() != 0:
        return Account()
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise Misconfigured(f"none of the accounts {', '.join(_ACCOUNTS)} exists", hint="run as an ordinary user, or add one of them")


def _can_enter(account: Account, folder: Path) -> bool:
    if account.uid is None:
        return True
    command = ["/bin/sh", "-c", 'test -x "$0"', str(folder)]
    return subprocess.run(command, check=False, cwd="/", **account.arguments()).returncode == 0  # type: ignore[call-overload, no-any-return]


def _elsewhere(wanted: Path, account: Account) -> Path:
    """Make a folder in an open place for `wanted`, and remove those whose folder of systems is gone or has just lost them."""
    temporary = Path(tempfile.gettempdir())
    parent = temporary if wanted.is_relative_to(temporary) else _ELSEWHERE
    parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    for left in parent.glob(f"{_PREFIX}*"):
        note = left / _NOTE
        if left.lstat().st_uid != account.uid or not note.is_file():
            continue
        known = Path(note.read_text())
        if known == wanted or not known.exists():
            shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    (made / _NOTE).write_text(str(wanted))
    return made


def _give(path: Path, account: Account) -> None:
    if account.uid is not None:
        os.chown(path, account.uid, account.gid if account.gid is not None else -1)
