"""Where an embedded server keeps its things: data, password, socket, log, and the port it had last time."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
from pathlib import Path

from polyceph.errors import Misconfigured
from polyceph.store.private_file import read_private, write_private
from polyceph.store.programs import Account

ELSEWHERE = Path("/var/lib/polyceph")
"""Where root's servers go when the server's account cannot enter the state folder (below /root, for one)."""

_SOCKET_PATH_BYTES = 107
"""What `sockaddr_un` holds on Linux, without the closing zero (unix(7))."""


class ServerPlace:
    """The folder of one server and, when it lies in a closed place, the open folder that stands in for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._memory = folder / "server.json"

    def home(self) -> Path:
        """Return the folder that holds the data: `folder` itself unless `prepare` chose another."""
        return Path(str(self._remembered().get("home", self.folder)))

    def known_data(self) -> Path:
        """Return the data folder, made or not."""
        return self.home() / "data"

    def password(self) -> Path:
        """Return the file of the superuser's password, beside the data folder."""
        return self.home() / "password"

    def remembered_port(self) -> int | None:
        """Return the port of the last start."""
        port = self._remembered().get("port")
        return port if isinstance(port, int) else None

    def remember(self, port: int) -> None:
        """Keep the port for the next start."""
        self._write({"port": port})

    def prepare(self, account: Account) -> Path:
        """Return the home, made if need be, in a place the account can enter. No mode of a folder that was there is changed."""
        home = self.home()
        if home != self.folder and not home.exists():
            raise Misconfigured(
                f"{self._memory} says that the data is in {home}, which does not exist",
                hint=f"restore {home} from a backup, or remove {self._memory} to begin anew",
            )
        if not account.can_enter(home):
            if (home / "data").exists():
                raise Misconfigured(
                    f"the server's account {account.name} cannot enter {home}, where its data is",
                    hint=f"let it through {home} and the folders above it (chmod o+x), or move it and name its place in {self._memory}",
                )
            home = _elsewhere(self.folder)
            self._write({"home": str(home)})
        return home

    def socket(self, account: Account) -> Path:
        """Return an empty folder for the socket, mode 0700, owned by the account, short enough for a socket's name.

        Call it when no server runs: what a killed one left would stop the next, should its number belong to another process by now.
        """
        folder = self.home() / "socket"
        remembered = self._remembered().get("socket")
        if len(os.fsencode(folder / ".s.PGSQL.65535")) > _SOCKET_PATH_BYTES:
            if isinstance(remembered, str):
                # Only what is surely ours: the name comes from our own memory, the owner is checked.
                _remove_socket_folder(Path(remembered), account)
            folder = Path(tempfile.mkdtemp(prefix="polyceph-", dir="/tmp"))
            self._write({"socket": str(folder)})
        folder.mkdir(mode=0o700, exist_ok=True)
        for left in folder.glob(".s.PGSQL.*"):
            left.unlink()
        if not account.is_current:
            os.chown(folder, account.uid, account.gid)
        return folder

    def _remembered(self) -> dict[str, object]:
        if not self._memory.exists():
            return {}
        try:
            found = json.loads(read_private(self._memory))
        except json.JSONDecodeError as error:
            raise Misconfigured(
                f"{self._memory} is not JSON: {error}", hint="remove it; the server then looks for its data beside it"
            ) from error
        return found if isinstance(found, dict) else {}

    def _write(self, change: dict[str, object]) -> None:
        write_private(self._memory, json.dumps(self._remembered() | change, indent=1))


def _elsewhere(folder: Path) -> Path:
    temporary = Path(tempfile.gettempdir())
    parent = temporary if folder.is_relative_to(temporary) else ELSEWHERE
    parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"polyceph-{folder.parent.parent.name[:20]}-", dir=parent))
    made.chmod(0o711)
    return made


def _remove_socket_folder(folder: Path, account: Account) -> None:
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid and folder.name.startswith("polyceph-"):
        shutil.rmtree(folder, ignore_errors=True)
