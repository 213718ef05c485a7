"""The one process of all servers: starts them, says when they are ready, follows the folder, stops them."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from polyceph.errors import Conflict, PolycephError
from polyceph.testing.federation.servers import ckan, explore, graph, odata, rest, soap
from polyceph.testing.federation.servers.addresses import Remembered, Running, SourceAddress
from polyceph.testing.federation.servers.ftp import Ftp
from polyceph.testing.federation.servers.mariadb import MariaDb
from polyceph.testing.federation.servers.receivers import CHANNELS, NTFY, TEAMS, Receivers
from polyceph.testing.federation.servers.s3 import S3
from polyceph.testing.federation.servers.sftp import Sftp
from polyceph.testing.federation.servers.systems import Systems
from polyceph.testing.federation.servers.tokens import bearer, equal
from polyceph.testing.federation.servers.web import Api, Web

_LOCK_SECONDS = 20.0
"""How long a start waits for the programs of a killed one to go away."""
_WATCH_SECONDS = 0.5
CONTROL = "-"
"""The first part of the control address: no source is called so."""


class Server(Protocol):
    """What each kind of server does."""

    async def start(self) -> None:
        """Listen; called from the main thread."""

    async def sync(self) -> dict[str, SourceAddress]:
        """Follow what changed in the folder, and return the addresses of the sources."""

    async def stop(self) -> None:
        """End everything that was started."""


class Servers:
    """All servers of a folder of systems."""

    def __init__(self, systems: Systems, *, held: int) -> None:
        self._systems = systems
        self._running = Running(systems.running())
        self._remembered = Remembered(self._running.folder / "remembered.json")
        self._receivers = Receivers(systems.received(), self._remembered)
        self._web = Web(systems, self._remembered, _apis())
        self._web.extra |= {TEAMS: self._receivers.teams, NTFY: self._receivers.ntfy, CONTROL: self._control}
        self._programs = (S3(systems, self._remembered, held=held), MariaDb(systems, self._remembered, held=held))
        self._servers: tuple[Server, ...] = (
            *self._programs,
            Ftp(systems, self._remembered),
            Sftp(systems, self._remembered),
            self._web,
            self._receivers,
        )
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Start all of them at once, then publish the addresses."""
        await asyncio.gather(*(server.start() for server in self._servers))
        await self.sync()

    async def sync(self) -> dict[str, SourceAddress]:
        """Follow the folder and publish the addresses anew."""
        async with self._turn:
            found = {
                name: SourceAddress("share", {"FOLDER": str(self._systems.root("share", name))}) for name in self._systems.names("share")
            }
            for addresses in await asyncio.gather(*(server.sync() for server in self._servers)):
                found |= addresses
            control = {"URL": f"{self._web.url}/{CONTROL}", "TOKEN": self._remembered.word(CONTROL), "PID": str(os.getpid())}
            found |= self._receivers.addresses(self._web.url)
            self._running.publish(found | {"control": SourceAddress("control", control)})
            return found

    def check(self) -> None:
        """Raise `Unavailable` when a program that was started has ended by itself."""
        for program in self._programs:
            program.check()

    async def stop(self) -> None:
        """Take the addresses away and stop all servers."""
        self._running.addresses.unlink(missing_ok=True)
        await asyncio.gather(*(server.stop() for server in self._servers), return_exceptions=True)

    async def _control(self, request: Request) -> Response:
        """Answer `POST /-/sync`: follow the folder, then say which sources there are; and `GET /-/received/<channel>`."""
        if not equal(bearer(request) or "", self._remembered.word(CONTROL)):
            return JSONResponse({"message": "the token is in addresses.json"}, 401, {"WWW-Authenticate": "Bearer"})
        path = request.url.path.removeprefix(f"/{CONTROL}/")
        if (request.method, path) == ("POST", "sync"):
            return JSONResponse({"sources": sorted(await self.sync())})
        channel = path.removeprefix("received/")
        if request.method == "GET" and channel in CHANNELS:
            return JSONResponse(await asyncio.to_thread(self._receivers.kept[channel].messages))
        return JSONResponse({"message": "nothing is served here"}, 404)


def _apis() -> dict[str, Api]:
    return {
        ckan.KIND: ckan.Ckan(),
        explore.KIND: explore.Explore(),
        graph.KIND: graph.Graph(),
        odata.KIND: odata.OData(),
        rest.KIND: rest.Rest(),
        soap.KIND: soap.Soap(),
    }


def run(folder: Path, *, parent: int | None = None) -> None:
    """Serve a folder until SIGTERM or SIGINT, or until the parent process is gone. SIGHUP: follow what changed in the folder.

    Raises:
        Conflict: other servers hold the folder.
        Unavailable: a server program does not start, or has ended by itself.
        Invalid: what the folder holds does not fit together.
    """
    systems = Systems(folder.resolve())
    running = Running(systems.running())
    running.make()
    held = _lock(running.folder / "lock")
    running.addresses.unlink(missing_ok=True)
    asyncio.run(_serve(systems, held, parent or os.getppid()))


async def _serve(systems: Systems, held: int, parent: int) -> None:
    ends, again = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number, event in ((signal.SIGTERM, ends), (signal.SIGINT, ends), (signal.SIGHUP, again)):
        loop.add_signal_handler(number, event.set)
    servers = Servers(systems, held=held)
    tasks = [asyncio.create_task(one) for one in (_run(servers, again), _watch(servers, parent), ends.wait())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await servers.stop()


async def _run(servers: Servers, again: asyncio.Event) -> None:
    """Start the servers, then follow the folder whenever that is asked for."""
    await servers.start()
    while await again.wait():
        again.clear()
        try:
            await servers.sync()
        except PolycephError as error:  # the servers stay up; the log says why the folder was not followed
            print(f"the folder was not followed: {error}", file=sys.stderr, flush=True)  # noqa: T201


async def _watch(servers: Servers, parent: int) -> None:
    """Return when the parent is gone: a child that loses it is given to another process. Raise `Unavailable` when a program has ended."""
    while os.getppid() == parent:  # nothing tells of it, it must be asked
        servers.check()
        await asyncio.sleep(_WATCH_SECONDS)


def _lock(path: Path) -> int:
    """Return a lock that this process and every program it starts hold together: it is free when the last of them has ended."""
    held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return held
        if time.monotonic() > end:
            raise Conflict(f"other servers hold {path.parent}", hint="stop them, or give another folder")
        time.sleep(0.1)
