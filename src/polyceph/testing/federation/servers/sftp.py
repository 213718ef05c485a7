"""An SFTP server of our own: one read-only account a source, shut in its folder `sftp/<source>`; no shell, no forwarding.

It speaks SSH 2 (RFC 4251–4254) and the SSH File Transfer Protocol, version 3 (draft-ietf-secsh-filexfer-02), by the library asyncssh.
Its host key is made at the first start and stays. Files on the disk are seen at once.
"""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path
from typing import Any

import asyncssh

from polyceph.errors import NotFound
from polyceph.testing.federation.servers.addresses import HOST, Remembered, SourceAddress
from polyceph.testing.federation.servers.systems import Systems, inside

KIND = "sftp"
_ALGORITHM = "ssh-ed25519"
_WRITES = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND | asyncssh.FXF_CREAT | asyncssh.FXF_TRUNC | asyncssh.FXF_EXCL


class Sftp:
    """The SFTP server."""

    def __init__(self, systems: Systems, remembered: Remembered) -> None:
        self._systems = systems
        self._remembered = remembered
        self._port = 0
        self._key = asyncssh.import_private_key(remembered.text(f"{KIND} host key", _new_key()))
        self._listener: asyncssh.SSHAcceptor | None = None

    async def start(self) -> None:
        """Listen."""
        self._port = self._remembered.port(KIND)
        systems, remembered = self._systems, self._remembered

        class Session(asyncssh.SSHServer):
            """One connection: a password for a source's account, nothing else."""

            def begin_auth(self, username: str) -> bool:  # noqa: ARG002
                return True

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                known = username in systems.names(KIND)
                return hmac.compare_digest(password.encode(), remembered.word(f"{KIND} {username if known else ''}").encode()) and known

        self._listener = await asyncssh.listen(
            HOST,
            self._port,
            server_factory=Session,
            server_host_keys=[self._key],
            sftp_factory=lambda channel: _ReadOnlyFolder(channel, systems.root(KIND, channel.get_extra_info("username"))),
            server_version="federation",
        )

    async def sync(self) -> dict[str, SourceAddress]:
        """Return the addresses; the folder itself is read anew at each request."""
        return {name: self._address(name) for name in self._systems.names(KIND)}

    async def stop(self) -> None:
        """End all sessions."""
        if self._listener is not None:
            self._listener.close()
            await self._listener.wait_closed()

    def _address(self, name: str) -> SourceAddress:
        environment = {
            "URL": f"sftp://{HOST}:{self._port}/",
            "USER": name,
            "PASSWORD": self._remembered.word(f"{KIND} {name}"),
            "HOST_KEY": self._key.export_public_key().decode().strip(),
        }
        return SourceAddress(KIND, environment)


def _refuse(self: object, *arguments: object) -> None:  # noqa: ARG001
    raise _refusal()


_CHANGE: Any = _refuse


class _ReadOnlyFolder(asyncssh.SFTPServer):
    """A source's folder as the root of everything. Whatever would change it, or leads out of it, is refused."""

    def __init__(self, channel: Any, root: Path) -> None:
        self._root = root.resolve()
        super().__init__(channel, chroot=os.fsencode(self._root))

    def map_path(self, path: bytes) -> bytes:
        """Return the real path; a link that leads out of the folder leads nowhere."""
        mapped: bytes = super().map_path(path)
        try:
            inside(self._root, os.path.relpath(os.fsdecode(mapped), self._root))
        except NotFound as error:
            raise asyncssh.SFTPNoSuchFile("No such file or directory") from error
        return mapped

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        """Open a file for reading."""
        if pflags & _WRITES:
            raise _refusal()
        if not stat.S_ISREG(os.stat(self.map_path(path)).st_mode):  # noqa: PTH116 -- bytes
            raise asyncssh.SFTPFailure("Not a file")
        return super().open(path, pflags, attrs)

    def open56(self, path: bytes, desired_access: int, flags: int, attrs: asyncssh.SFTPAttrs) -> object:  # noqa: ARG002
        """Refuse the opening of later protocol versions, which this server does not offer."""
        raise _refusal()

    setstat = lsetstat = fsetstat = remove = mkdir = rmdir = rename = posix_rename = symlink = link = readlink = write = _CHANGE


def _refusal() -> asyncssh.SFTPPermissionDenied:
    return asyncssh.SFTPPermissionDenied("This account may only read")


def _new_key() -> str:
    return asyncssh.generate_private_key(_ALGORITHM).export_private_key().decode()
