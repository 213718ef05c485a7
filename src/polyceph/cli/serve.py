"""The process that serves all that people reach: pages, sign-in, and Dagster behind them. `polyceph up` starts it; it is no command.

It has a second way in: a socket in a folder of the platform's own account, over which the platform itself asks Dagster. Code of the
domains runs under the same account and can reach that socket, so whoever comes in there must hold its key.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from polyceph.bootstrap.identity import check_sign_in
from polyceph.bootstrap.site import Site, open_site
from polyceph.core.model.access import FEDERATION, Principal, Role, Standing
from polyceph.core.model.classification import Classification
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.model.federation import Federation
from polyceph.errors import PolycephError
from polyceph.gateway.app import dagster_app
from polyceph.gateway.routes import PREFIX
from polyceph.gateway.sight import Doors
from polyceph.orchestrate.code_clients import KeyedWorkspace
from polyceph.orchestrate.code_keys import PLATFORM_HEADER, platform_key
from polyceph.portal.routes import LINKS, ROUTES
from polyceph.settings import load_settings
from polyceph.web.app import application
from polyceph.web.scope import PRINCIPAL
from polyceph.web.service_tokens import token
from polyceph.web.sign_in import PAGES

_GRACE_S = 5
_KEY_HEADER = PLATFORM_HEADER.encode()
_PLATFORM = Actor(ActorKind.SERVICE, "platform")
_MAY_RUN = frozenset({Role.ENGINEER})


class PrivateDoor:
    """Let the platform itself reach Dagster: who comes in here with the key acts as the platform, as an engineer of every domain."""

    def __init__(self, app: ASGIApp, site: Site, key: str) -> None:
        self._app = app
        self._site = site
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; without the key it is refused."""
        if scope["type"] != "http" or not hmac.compare_digest(dict(scope["headers"]).get(_KEY_HEADER, b""), self._key):
            await _refuse(scope, receive, send)
            return
        roles = {FEDERATION: frozenset({Role.PLATFORM_ENGINEER}), **dict.fromkeys(self._site.federation.domains, _MAY_RUN)}
        scope[PRINCIPAL] = Principal(_PLATFORM, Standing.ACTIVE, roles)
        await self._app(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await PlainTextResponse("this socket is the platform's own\n", 403)(scope, receive, send)
    elif scope["type"] == "websocket":
        await WebSocketClose(1008)(scope, receive, send)


class _Server(uvicorn.Server):
    """A server that leaves signals alone: several of them end together."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to who started this."""
        yield


def main() -> None:
    """Serve until a signal comes."""
    arguments = argparse.ArgumentParser(prog="python -m polyceph.cli.serve", description=__doc__)
    arguments.add_argument("--workspace", type=Path, required=True, help="the file that names the code servers")
    arguments.add_argument("--socket", type=Path, required=True, help="where the platform itself comes in")
    given = arguments.parse_args()
    try:
        serve(given.workspace, given.socket)
    except PolycephError as error:
        sys.exit(str(error))


def serve(workspace: Path, socket: Path) -> None:
    """Serve the site of the environment's settings.

    Raises:
        Misconfigured: sign-in is not safe, or Dagster has something that is not classified.
        Unavailable: the store does not answer.
    """
    site = open_site(load_settings())
    try:
        check_sign_in(site.federation, site.settings, site.address, os.environ)
        doors = Doors(site.decide, site.now, lambda event: record(site, event), classifications(site))
        dagster = dagster_app(doors, KeyedWorkspace(workspace))
        public = application(site, routes=[*PAGES, token, *ROUTES], mounts={PREFIX: dagster}, links=LINKS)
        socket.unlink(missing_ok=True)
        asyncio.run(_serve(site, public, PrivateDoor(dagster, site, platform_key(socket)), socket))
    finally:
        site.close()


def classifications(site: Site) -> Callable[[str], Classification | None]:
    """Return what says how a dataset of the declarations as they are now is classified, None when it is not declared or nobody did."""
    held: list[tuple[Federation, Mapping[str, Classification]]] = []

    def classification_of(dataset: str) -> Classification | None:
        federation = site.federation
        if not held or held[0][0] is not federation:
            declared = (one for domain in federation.domains.values() for one in domain.datasets.values())
            known = {str(one.id): found for one in declared if one.contract and (found := one.contract.classification)}
            held[:] = [(federation, known)]
        return held[0][1].get(dataset)

    return classification_of


def record(site: Site, event: Event) -> None:
    """Commit one event into the journal."""
    with site.work() as work:
        work.record(event)
        work.commit()


async def _serve(site: Site, public: ASGIApp, private: ASGIApp, socket: Path) -> None:
    web, common = site.settings.web, {"log_level": "warning", "lifespan": "off", "server_header": False, "access_log": False}
    common |= {"timeout_graceful_shutdown": _GRACE_S, "proxy_headers": False}
    servers = [
        _Server(uvicorn.Config(private, uds=str(socket), **common)),  # type: ignore[arg-type]
        _Server(uvicorn.Config(public, host=web.host, port=web.port, **common)),  # type: ignore[arg-type]
    ]
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await asyncio.gather(*(server.serve() for server in servers))


if __name__ == "__main__":
    main()
