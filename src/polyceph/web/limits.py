"""The layers that keep one client from taking everything: how often it may ask, and how much it may send."""

from __future__ import annotations

import time
from ipaddress import ip_address, ip_network

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from polyceph.core.model.sentence import said
from polyceph.errors import Invalid
from polyceph.settings import WebSettings
from polyceph.web.scope import headers, principal_in

_SIGN_IN = ("/sign-in", "/oauth2")
_LONGEST = 64


class TooMany(Invalid):
    """Somebody asked too often; `seconds` is how long to wait."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(said("too many requests in a short time"), hint=said("wait {seconds} s and try again", seconds=seconds))


class TooLarge(Invalid):
    """Somebody sent more than is taken here."""


class Rates:
    """Counts of the last minute, in this process: by address where nobody is known yet, by person or service elsewhere."""

    def __init__(self, settings: WebSettings) -> None:
        self._proxies = tuple(ip_network(one) for one in settings.proxies)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._sign_in = RateLimitItemPerMinute(settings.sign_ins_per_minute, namespace="sign-in")
        self._requests = RateLimitItemPerMinute(settings.requests_per_minute, namespace="requests")

    def count_sign_in(self, address: str) -> None:
        """Count one attempt to sign in from an address; raise `TooMany` when there were too many."""
        self._count(self._sign_in, address)

    def count_request(self, who: str) -> None:
        """Count one request of somebody; raise `TooMany` when there were too many."""
        self._count(self._requests, who)

    def address(self, scope: Scope) -> str:
        """Return whose address a connection comes from: behind our own proxies, the last one that is none of them."""
        client = scope.get("client")
        if client is None:
            return "address:local"
        chain = [part.strip() for line in headers(scope, b"x-forwarded-for") for part in line.split(",")]
        address = client[0]
        while chain and self._is_proxy(address):
            address = chain.pop()
        return f"address:{address[:_LONGEST]}"

    def _is_proxy(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._proxies)

    def _count(self, item: RateLimitItemPerMinute, key: str) -> None:
        if not self._limiter.hit(item, key):
            until = self._limiter.get_window_stats(item, key).reset_time
            raise TooMany(max(1, round(until - time.time())))


class SignInRate:
    """Count what is sent to the doors of sign-in, by address, before anything looks at it. Opening the page is free."""

    def __init__(self, app: ASGIApp, *, rates: Rates) -> None:
        self._app = app
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; raise `TooMany` instead when its address tried too often."""
        if scope["type"] == "http" and _is_attempt(scope):
            self._rates.count_sign_in(self._rates.address(scope))
        await self._app(scope, receive, send)


class RequestRate:
    """Count requests by principal, by address where she is nobody. Stands behind the layer that knows her."""

    def __init__(self, app: ASGIApp, *, rates: Rates) -> None:
        self._app = app
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; raise `TooMany` instead when too many came."""
        if scope["type"] != "lifespan" and not scope["path"].startswith("/static/"):
            who = principal_in(scope)
            is_known = who.session is not None or who.roles
            self._rates.count_request(f"{who.actor.kind}:{who.actor.id}" if is_known else self._rates.address(scope))
        await self._app(scope, receive, send)


class BodyLimit:
    """Refuse bodies above a size, by what they say of themselves and by what really comes."""

    def __init__(self, app: ASGIApp, *, most_bytes: int) -> None:
        self._app = app
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; raise `TooLarge` when its body is above the limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._most:
            raise self._error()
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._most:
                raise self._error()
            return message

        await self._app(scope, limited, send)

    def _error(self) -> TooLarge:
        return TooLarge(said("what was sent is too large"), hint=said("at most {size} KiB are taken here", size=self._most // 1024))


def _is_attempt(scope: Scope) -> bool:
    path = scope["path"]
    at_door = any(path == door or path.startswith(f"{door}/") for door in _SIGN_IN)
    return at_door and (scope["method"] == "POST" or path.count("/") > 1)
