"""The stand of the connector `files`: texts with a delimiter in a folder, which an SFTP server gives for what only a server shows."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import asyncssh

from stands.behaviours import Behaviour
from stands.delimited import write_text
from stands.proxy import HOST, free_port
from stands.stand import Row, Stand, Table, set_secret

USER, WORD = "reader", "an-sftp-pass-word"


class FilesStand(Stand):
    """A folder; each publication is one file, added rows come in another."""

    connector: ClassVar[str] = "files"
    server: ClassVar[str] = "a folder with CSV; SFTP (asyncssh) where it has to be a server"
    large_rows: ClassVar[int] = 1_000_000
    killed_rows: ClassVar[int] = 150_000
    can_hold_nul: ClassVar[bool] = True
    has_places: ClassVar[bool] = True
    not_applicable: ClassVar[Mapping[Behaviour, str]] = {}

    def start(self) -> Self:
        self.folder = self.tools.folder / "served"
        self.folder.mkdir()
        self.server_port, self.key = _serve(self.folder)
        set_secret("CONFORMANCE_SFTP_USER", USER)
        set_secret("CONFORMANCE_SFTP_WORD", WORD)
        return self

    def publish(self, table: Table) -> None:
        for old in self.folder.glob("*.csv"):
            if old.stem in (table.name, f"{table.name}_more"):
                old.unlink()
        write_text(self._file(table.name), table)

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        write_text(self._file(f"{table.name}_more"), replace(table, rows=rows))

    def move(self, table: Table, name: str) -> None:
        self._file(table.name).rename(self._file(name))

    def remove(self, name: str) -> None:
        self._file(name).unlink()

    def source(self, **changes: object) -> dict[str, object]:
        return {"folder": "served", **changes}

    def dataset(self, table: Table) -> dict[str, object]:
        return {"path": f"{table.name}*.csv"}

    def at_port(self, port: int) -> dict[str, object]:
        given: dict[str, object] = {"url": f"sftp://{HOST}:{port}/", "host_key": self.key, "timeout_s": 2}
        return {**given, "key_env": "CONFORMANCE_SFTP_USER", "secret_env": "CONFORMANCE_SFTP_WORD"}

    def port(self) -> int:
        return self.server_port

    def wrong_credentials(self) -> tuple[dict[str, object], str]:
        word = "no-such-pass-word"
        return {**self.at_port(self.server_port), "secret_env": set_secret("CONFORMANCE_SFTP_WRONG", word)}, word

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.csv"


def _serve(folder: Path) -> tuple[int, str]:
    """Serve a folder over SFTP in a thread that ends with the process; return port and host key."""
    key, port, is_ready = asyncssh.generate_private_key("ssh-ed25519"), free_port(), threading.Event()

    class Entrance(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, WORD)

    async def serve() -> None:
        def root(channel: Any) -> Any:
            return asyncssh.SFTPServer(channel, chroot=os.fsencode(folder))

        await asyncssh.listen(HOST, port, server_factory=Entrance, server_host_keys=[key], sftp_factory=root)
        is_ready.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    assert is_ready.wait(20)
    return port, key.export_public_key().decode().strip()
