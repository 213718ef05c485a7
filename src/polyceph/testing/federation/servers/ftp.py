"""An FTP server of our own: one read-only account a source, shut in its folder `ftp/<source>`.

It follows RFC 959 with the machine-readable listings of RFC 3659 (MLSD, SIZE, MDTM in UTC) as the library pyftpdlib does them.
Files on the disk are seen at once.
"""

from __future__ import annotations

import asyncio
import logging
import threading

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

from polyceph.testing.federation.servers.addresses import HOST, Remembered, SourceAddress
from polyceph.testing.federation.servers.systems import Systems

KIND = "ftp"
_READ_ONLY = "elr"  # change folder, list, retrieve
_TURN_SECONDS = 0.5


class Ftp:
    """The FTP server, on a thread of its own: the library has its own loop."""

    def __init__(self, systems: Systems, remembered: Remembered) -> None:
        self._systems = systems
        self._remembered = remembered
        self._port = 0
        self._authorizer = DummyAuthorizer()
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Listen."""
        self._port = self._remembered.port(KIND)
        settings = {"authorizer": self._authorizer, "banner": "FTP of the synthetic federation", "timeout": 120, "use_gmt_times": True} | {
            "auth_failed_timeout": 1
        }
        logging.getLogger("pyftpdlib").setLevel(logging.WARNING)
        server = FTPServer((HOST, self._port), type("Handler", (FTPHandler,), settings), ioloop=IOLoop())
        self._thread = threading.Thread(target=self._serve, args=(server,), name=KIND, daemon=True)
        self._thread.start()

    async def sync(self) -> dict[str, SourceAddress]:
        """Give each source its account, and return the addresses."""
        names = self._systems.names(KIND)
        for gone in set(self._authorizer.user_table) - set(names):
            self._authorizer.remove_user(gone)
        return {name: self._account(name) for name in names}

    async def stop(self) -> None:
        """End all sessions."""
        self._ends.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 5.0)

    def _account(self, name: str) -> SourceAddress:
        password = self._remembered.word(f"{KIND} {name}")
        if not self._authorizer.has_user(name):
            self._authorizer.add_user(name, password, str(self._systems.root(KIND, name)), perm=_READ_ONLY)
        return SourceAddress(KIND, {"URL": f"ftp://{HOST}:{self._port}/", "USER": name, "PASSWORD": password})

    def _serve(self, server: FTPServer) -> None:
        while not self._ends.is_set():
            server.ioloop.loop(timeout=_TURN_SECONDS, blocking=False)
        server.close_all()
