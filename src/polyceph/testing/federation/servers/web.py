"""The HTTP server in which all APIs are served: `http://127.0.0.1:PORT/<source>/…`, and the control address `/-/…`.

What each API answers is in the module of its kind; here are the source a request is for, and the limits that several kinds share.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Router
from starlette.types import Receive, Scope, Send

from polyceph.errors import Invalid, NotFound
from polyceph.testing.federation.servers.addresses import HOST, Remembered, SourceAddress
from polyceph.testing.federation.servers.rows import Rows
from polyceph.testing.federation.servers.systems import Systems, inside
from polyceph.testing.federation.servers.tokens import Client, Tokens

KIND = "web"
_START_SECONDS = 10.0


@dataclass
class Pace:
    """How often a source may be asked: a bucket of tokens, and a fault at each so-manieth request."""

    tokens: float = -1.0
    filled: float = 0.0
    requests: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_seconds(self, per_second: float, now: float) -> float:
        """Take a request's token and return 0, or return how long to wait for one. A second's worth may be saved up."""
        with self.lock:
            self.tokens = per_second if self.tokens < 0 else min(per_second, self.tokens + (now - self.filled) * per_second)
            self.filled = now
            if self.tokens < 1:
                return (1 - self.tokens) / per_second
            self.tokens -= 1
            return 0.0

    def is_faulty(self, every: int) -> bool:
        """Count a request, and tell whether it is one that fails."""
        with self.lock:
            self.requests += 1
            return every > 0 and self.requests % every == 0


@dataclass(frozen=True)
class Source:
    """One served source: its folder, its address, who may enter."""

    kind: str
    name: str
    root: Path
    url: str
    client: Client
    tokens: Tokens
    rows: Rows
    pace: Pace
    state: Path
    """The file in which an API may keep what it knows of the source."""

    def service(self) -> Mapping[str, Any]:
        """Return `service.json` as it is on the disk now; empty when there is none."""
        return self.document("service.json") if (self.root / "service.json").exists() else {}

    def document(self, name: str) -> Mapping[str, Any]:
        """Return a JSON document of the folder; raise `NotFound` when there is none."""
        content = json.loads(inside(self.root, name).read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise Invalid(f"{name} of {self.name} is no JSON object")
        return content

    @classmethod
    def of(cls, request: Request) -> Source:
        """Return the source that a request is for."""
        found = request.scope["source"]
        assert isinstance(found, Source)  # noqa: S101 -- set by Web
        return found


class Api(Protocol):
    """What the module of a kind of API offers."""

    def routes(self) -> list[BaseRoute]:
        """Return what is answered below a source's address."""

    def environment(self, source: Source) -> dict[str, str]:
        """Return how a source is entered, by suffix."""

    def error(self, request: Request, error: NotFound | Invalid) -> Response:
        """Return how the API says that something is not there (404) or was asked wrongly (400)."""


class Web:
    """The HTTP server. `extra` answers paths of its own, by their first part."""

    def __init__(self, systems: Systems, remembered: Remembered, apis: Mapping[str, Api]) -> None:
        self._systems = systems
        self._remembered = remembered
        self._apis = apis
        self._routers = {kind: Router(api.routes(), redirect_slashes=False) for kind, api in apis.items()}
        self._sources: dict[str, Source] = {}
        self._rows = Rows()
        self._port = 0
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.extra: dict[str, Callable[[Request], Awaitable[Response]]] = {}

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"http://{HOST}:{self._port}"

    async def start(self) -> None:
        """Listen."""
        self._port = self._remembered.port(KIND)
        quiet = {"log_level": "warning", "access_log": False, "server_header": False}
        only = {"interface": "asgi3", "lifespan": "off", "ws": "none", "proxy_headers": False}
        config = uvicorn.Config(self._answer, host=HOST, port=self._port, **quiet, **only)  # type: ignore[arg-type]
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve())
        end = time.monotonic() + _START_SECONDS
        while not self._server.started and not self._task.done() and time.monotonic() < end:  # noqa: ASYNC110 -- it says so in a flag
            await asyncio.sleep(0.01)
        if self._task.done():
            self._task.result()

    async def sync(self) -> dict[str, SourceAddress]:
        """Find the sources anew and return their addresses; their files are read at each request."""
        names = [(kind, name) for kind in self._apis for name in self._systems.names(kind)]
        self._sources = {name: self._sources.get(name) or self._source(kind, name) for kind, name in names}
        return {name: SourceAddress(one.kind, self._apis[one.kind].environment(one)) for name, one in self._sources.items()}

    async def stop(self) -> None:
        """End all connections."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = self._server.force_exit = True
            await asyncio.wait([self._task], timeout=5.0)

    def _source(self, kind: str, name: str) -> Source:
        client = Client(name, self._remembered.word(f"{kind} {name}"))
        tokens = Tokens(self._remembered.word("tokens"))
        root = self._systems.root(kind, name)
        state = self._systems.running() / kind / f"{name}.json"
        return Source(kind, name, root, f"{self.url}/{name}", client, tokens, self._rows, Pace(), state)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        first = scope["path"].lstrip("/").partition("/")[0]
        if first in self.extra:
            response = await self.extra[first](Request(scope, receive))
            await response(scope, receive, send)
            return
        source = self._sources.get(first)
        if source is None:
            await JSONResponse({"message": "nothing is served here"}, 404)(scope, receive, send)
            return
        inner = dict(scope, root_path=f"{scope.get('root_path', '')}/{first}", source=source)
        try:
            await self._routers[source.kind](inner, receive, send)
        except (NotFound, Invalid) as error:
            await self._apis[source.kind].error(Request(inner, receive), error)(inner, receive, send)


class _Server(uvicorn.Server):
    """A server that leaves the signals to the process it is part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def guarded(check: Callable[[Request], Response | None], answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """Return an endpoint that answers only when `check` has no refusal."""

    def endpoint(request: Request) -> Response:
        refused = check(request)
        return answer(request) if refused is None else refused

    return endpoint


async def read_body(request: Request, most: int = 1 << 20) -> bytes:
    """Return the body of a request; raise `Invalid` when it has more bytes than `most`."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise Invalid(f"the body is larger than {most} bytes")
    return body


async def read_json(request: Request, most: int = 1 << 20) -> dict[str, Any]:
    """Return the JSON object that was posted; raise `Invalid` when it is none."""
    try:
        found = json.loads(await read_body(request, most) or b"{}")
    except ValueError as error:
        raise Invalid("the body is no JSON") from error
    if not isinstance(found, dict):
        raise Invalid("the body is no JSON object")
    return found


def whole_number(text: str | None, default: int, name: str) -> int:
    """Return a parameter that is a whole number, not negative; raise `Invalid` for any other text."""
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 12:
        raise Invalid(f"{name} must be a whole number, not {text[:40]!r}")
    return int(text)
