"""How a request shows who asks, and how that stays out of everything that is written down: addresses, errors, logs."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, urlsplit

import httpx
from pydantic import SecretStr

from polyceph.connectors.web.options import ApiKeyAuth, Auth, BasicAuth, OAuth2Auth
from polyceph.connectors.web.tokens import Post, TokenClient
from polyceph.sdk import secret

_KEY = "polyceph.query_key"
_REMOVED = "…"
_SHORTEST_SECRET = 4
"""Shorter ones would take innocent letters out of a message."""


class KeyTransport(httpx.BaseTransport):
    """Adds the key of the query on the way out only: the request that httpx knows, logs and puts into its errors is without it."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, with the key that its extensions hold."""
        pair: tuple[str, SecretStr] | None = request.extensions.get(_KEY)
        if pair is None:
            return self._inner.handle_request(request)
        name, key = pair
        added = f"{quote(name, safe='')}={quote(key.get_secret_value(), safe='')}".encode()
        query = b"&".join(part for part in (request.url.query, added) if part)
        extensions = {name: value for name, value in request.extensions.items() if name != _KEY}
        url = request.url.copy_with(query=query)
        return self._inner.handle_request(
            httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=extensions)
        )

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


class Signer:
    """Signs requests to the source's own origin; nobody else gets to see the sign-in."""

    def __init__(self, auth: Auth, post: Post, origin: str) -> None:
        self._auth = auth
        self._origin = origin_of(origin)
        self._kept: dict[str, SecretStr] = {}
        self.tokens = TokenClient(auth, post) if isinstance(auth, OAuth2Auth) else None

    def is_home(self, url: str) -> bool:
        """Tell whether an address has the source's scheme, host and port (RFC 6454)."""
        return origin_of(url) == self._origin

    def without_key(self, url: httpx.URL) -> httpx.URL:
        """Return an address without the key that the service has put into it: a link to the next page often repeats it."""
        name = self._auth.query if isinstance(self._auth, ApiKeyAuth) else None
        if name is None or not url.query:
            return url
        kept = [part for part in url.query.split(b"&") if httpx.QueryParams(part.decode("ascii")).get(name) is None]
        return url.copy_with(query=b"&".join(kept) or None)

    def sign(self, request: httpx.Request) -> None:
        """Put the sign-in into a request; raise `Misconfigured` when a secret is not set or the provider refuses."""
        auth = self._auth
        if isinstance(auth, BasicAuth):
            request.headers["Authorization"] = f"Basic {self._basic(auth)}"
        if isinstance(auth, ApiKeyAuth):
            key = self._word(auth.key_env)
            if auth.query is not None:
                request.extensions = {**request.extensions, _KEY: (auth.query, key)}
            else:
                request.headers[auth.header or "X-API-Key"] = auth.prefix + key.get_secret_value()
        if self.tokens is not None:
            request.headers["Authorization"] = f"Bearer {self.tokens.token().get_secret_value()}"

    def redacted(self, text: str) -> str:
        """Return a text without the source's secrets, in whichever form of an address or header they stand there."""
        for word in self._secrets():
            for form in dict.fromkeys((word, quote(word, safe=""), quote(word), quote_plus(word))):
                if len(word) >= _SHORTEST_SECRET:
                    text = text.replace(form, _REMOVED)
        return text

    def _word(self, name: str) -> SecretStr:
        """Return a secret, looked up once for a load: it may lie in a vault, and a load makes thousands of requests."""
        if name not in self._kept:
            self._kept[name] = secret(name)
        return self._kept[name]

    def _basic(self, auth: BasicAuth) -> str:
        pair = f"{self._word(auth.user_env).get_secret_value()}:{self._word(auth.password_env).get_secret_value()}"
        return base64.b64encode(pair.encode()).decode()

    def _secrets(self) -> Iterator[str]:
        auth = self._auth
        if isinstance(auth, ApiKeyAuth):
            yield self._word(auth.key_env).get_secret_value()
        if isinstance(auth, BasicAuth):
            yield from (self._basic(auth), self._word(auth.password_env).get_secret_value())
        if self.tokens is not None:
            yield from self.tokens.secrets()


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address (RFC 6454); raise `ValueError` when the port is none."""
    parts = urlsplit(url)
    return parts.scheme.casefold(), (parts.hostname or "").casefold().rstrip("."), parts.port or (443 if parts.scheme == "https" else 80)


def silence() -> None:
    """Keep addresses out of the logs: httpx writes each with its query at INFO, where cursors, names and signatures stand."""
    for name in ("httpx", "httpcore"):
        logger = logging.getLogger(name)
        if logger.getEffectiveLevel() < logging.WARNING:
            logger.setLevel(logging.WARNING)
