"""A site whose store does not answer, and layers around small applications: what a layer does by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from polyceph.bootstrap.site import Site
from polyceph.core.model.access import NOBODY, Principal
from polyceph.settings import Databases, PostgresAddress, Settings, WebSettings
from polyceph.store.connection import engine
from polyceph.store.server import StoreAddresses

Ask = Callable[..., httpx.Response]


@pytest.fixture
def make_site(tmp_path: Path) -> Callable[..., Site]:
    """Return a function that makes a site on a PostgreSQL server that nobody started; `principals` are told by cookie or token."""
    nowhere = PostgresAddress(host="127.0.0.1", port=1, database="polyceph", user="nobody", password=SecretStr("x"))
    addresses = StoreAddresses(nowhere, nowhere, nowhere, Databases(), {})

    def make(principals: Mapping[str, Principal] | None = None, **web: Any) -> Site:
        settings = Settings(federation=tmp_path, home=tmp_path / "state", web=WebSettings(**web))
        site = Site(settings, engine(nowhere), addresses, b"k" * 32)
        site.principal_of = lambda cookie, bearer: (principals or {}).get(cookie or bearer or "", NOBODY)  # type: ignore[method-assign]
        return site

    return make


@pytest.fixture
def ask() -> Ask:
    """Return a function that sends one request to an application and returns the answer."""

    def send(app: ASGIApp, path: str = "/", *, method: str = "GET", base: str = "http://localhost:3000", **more: Any) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=("192.0.2.7", 1234))
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                return await client.request(method, path, **more)

        return asyncio.run(go())

    return send


@pytest.fixture
def knock() -> Callable[..., list[Message]]:
    """Return a function that opens a websocket and returns what the application sent."""

    def open_socket(app: ASGIApp, path: str = "/", headers: Mapping[str, str] | None = None) -> list[Message]:
        sent: list[Message] = []
        scope: Scope = {
            "type": "websocket",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(k.lower().encode(), v.encode()) for k, v in {"host": "localhost:3000", **(headers or {})}.items()],
            "client": ("192.0.2.7", 1234),
            "subprotocols": [],
        }

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]
        return sent

    return open_socket


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer both kinds of connections."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"server", b"x")]})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def inner() -> ASGIApp:
    """Return an application that answers everything."""
    return hello
