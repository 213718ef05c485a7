"""The layer that serves our own names alone, and takes changes and websockets only from our own pages.

A browser sends its cookies with what any page asks for: `Origin` and `Sec-Fetch-Site` tell which page that was. A client without cookies
(a script with a token) sends neither and is not a browser.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from polyceph.core.model.sentence import said
from polyceph.errors import Denied, Invalid
from polyceph.settings import WebSettings
from polyceph.web.scope import header, headers

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Names:
    """Under which `Host` the platform is served and which `Origin` its own pages have, both in lower case.

    Without a public address any port of a loopback name will do: whoever reaches it is on this machine or came through a tunnel.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    is_loopback: bool

    def serves(self, host: str) -> bool:
        """Tell whether a `Host` header is one of ours."""
        return host.lower() in self.hosts or (self.is_loopback and _without_port(host.lower()) in _LOOPBACK)

    def is_own(self, origin: str, host: str) -> bool:
        """Tell whether an `Origin` header is that of our own pages."""
        known = origin.lower() in self.origins
        return known or (self.is_loopback and self.serves(host) and origin.lower() == f"http://{host.lower()}")


def names_of(settings: WebSettings) -> Names:
    """Return the names of the settings: the public address and further hosts, or loopback."""
    if settings.address is None:
        return Names(frozenset(one.lower() for one in settings.hosts), frozenset(), is_loopback=True)
    address = urlsplit(settings.address)
    hosts = frozenset({address.netloc.lower(), *(one.lower() for one in settings.hosts)})
    return Names(hosts, frozenset(f"{address.scheme}://{one}" for one in hosts), is_loopback=False)


class OwnOrigin:
    """Refuse foreign hosts; refuse changes and websockets that another site's page asks for."""

    def __init__(self, app: ASGIApp, *, names: Names) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; raise `Invalid` for a foreign host, `Denied` for a foreign page."""
        if scope["type"] != "lifespan":
            host = _only(headers(scope, b"host"))
            if host is None or not self._names.serves(host):
                raise Invalid(
                    said("this is not the address of the platform"), hint=said("open it under the address that your organisation gave you")
                )
            if scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS:
                self._refuse_foreign(scope, host)
        await self._app(scope, receive, send)

    def _refuse_foreign(self, scope: Scope, host: str) -> None:
        origins = headers(scope, b"origin")
        if origins:
            is_own = len(origins) == 1 and self._names.is_own(origins[0], host)
        elif (site := header(scope, b"sec-fetch-site")) is not None:
            is_own = site == "same-origin"
        else:
            is_own = header(scope, b"cookie") is None and (scope["type"] == "http" or header(scope, b"authorization") is not None)
        if not is_own:
            raise Denied(said("another site's page asked for this"), hint=said("open the page here and try again"))


def _only(values: Iterable[str]) -> str | None:
    found = list(values)
    return found[0] if len(found) == 1 else None


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() else host
