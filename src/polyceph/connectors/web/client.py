"""An HTTP client for one source: signs in, keeps its pace, tries again, follows declared redirects only, says plainly what went wrong."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import httpx
import simplejson as json
import stamina

from polyceph.connectors.web.egress import Egress, transport
from polyceph.connectors.web.options import ApiKeyAuth, BasicAuth, OAuth2Auth, WebSource, checked_address, text_of
from polyceph.connectors.web.tokens import TokenClient
from polyceph.sdk import Denied, Invalid, Misconfigured, NotFound, Unavailable, secret

_LONGEST_PAUSE_S = 30.0
_REDIRECTS = 5
_BLOCK = 1 << 16
LARGEST_ANSWER = 256 << 20
"""Bytes of one answer that is held in memory; larger ones belong into a file."""


class _TryAgainError(Exception):
    """An answer that may be better the next time; `wait_s` is what the service asks for."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Call:
    """One request: where to (an address, or a path below the source's), with which parameters, body and headers."""

    url: str
    params: Mapping[str, Any] | None = None
    method: str = "GET"
    headers: Mapping[str, str] | None = None
    json: Any = None
    content: bytes | None = None
    is_open: bool = False
    """The address carries its own permission (a pre-signed download): our sign-in is not sent."""


class WebClient:
    """Talks to one source; used in one thread, closed at the end."""

    def __init__(self, source: WebSource, *, base: Path) -> None:
        self._source = source
        self.base_url = source.address()
        token_url = [checked_address(source.auth.token_url, "token_url")] if isinstance(source.auth, OAuth2Auth) else []
        own = [urlsplit(url).hostname or "" for url in (self.base_url, *token_url)]
        self.egress = Egress([*own, *source.hosts])
        self._http = httpx.Client(
            transport=transport(self.egress, verify=_context(source, base)),
            timeout=httpx.Timeout(source.timeout_s, connect=min(10.0, source.timeout_s)),
            headers={"User-Agent": "polyceph", "Accept-Encoding": "gzip, deflate", **source.headers},
            trust_env=False,
        )
        self._tokens = TokenClient(source.auth, self._post_form) if isinstance(source.auth, OAuth2Auth) else None
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def json(self, call: Call) -> tuple[Any, httpx.Headers]:
        """Return the JSON document of an answer, and its headers; numbers with a fraction come as `Decimal`.

        Raises:
            Denied, Misconfigured: the service refuses us.
            NotFound: it does not know the address.
            Invalid: the answer is no JSON, or larger than 256 MB.
            Unavailable: it does not answer in spite of every attempt.
        """
        body, headers = self.read(call)
        try:
            return json.loads(body, use_decimal=True), headers
        except ValueError as error:
            raise Invalid(f"{self.shown(call)} answers with something that is no JSON", hint="check the address") from error

    def read(self, call: Call) -> tuple[bytes, httpx.Headers]:
        """Return the whole answer; raises like `json`."""
        with self._answered(call) as response:
            parts, size = [], 0
            for part in response.iter_bytes(_BLOCK):
                size += len(part)
                if size > LARGEST_ANSWER:
                    raise Invalid(f"an answer of {self.shown(call)} is larger than {LARGEST_ANSWER >> 20} MB", hint="ask for smaller pages")
                parts.append(part)
            return b"".join(parts), response.headers

    def fetch(self, call: Call, target: Path, *, limit: int) -> str:
        """Write an answer of at most `limit` bytes into a file and return its SHA-256; raises like `json`."""
        with self._answered(call) as response, target.open("wb") as sink:
            digest, size = hashlib.sha256(), 0
            for part in response.iter_bytes(_BLOCK):
                size += len(part)
                if size > limit:
                    raise Invalid(f"{self.shown(call)} is larger than {limit >> 20} MB", hint="raise disk_limit_mb of the source")
                digest.update(part)
                sink.write(part)
        return digest.hexdigest()

    def shown(self, call: Call) -> str:
        """Return a call as messages show it: without its query, which may hold a key."""
        parts = urlsplit(self._absolute(call.url))
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    def _absolute(self, url: str) -> str:
        return url if "://" in url else f"{self.base_url}/{url.lstrip('/')}"

    @contextmanager
    def _answered(self, call: Call) -> Iterator[httpx.Response]:
        """Give a good answer, whose body is not read yet. A body that breaks off is tried again by asking anew."""
        response = self._ask(call)
        try:
            yield response
        except httpx.TransportError as error:
            raise Unavailable(f"{self.shown(call)} broke off: {type(error).__name__}", hint="nothing was loaded; run it again") from error
        finally:
            response.close()

    def _ask(self, call: Call) -> httpx.Response:
        attempts = self._source.retries + 1
        paused = stamina.retry_context(on=_TryAgainError, attempts=attempts, timeout=None, wait_initial=0.2, wait_max=_LONGEST_PAUSE_S)
        try:
            for attempt in paused:
                with attempt:
                    return self._once(call)
        except _TryAgainError as error:
            raise Unavailable(f"{self.shown(call)} does not answer: {error}", hint="check address and network, or try later") from error
        raise AssertionError("stamina either returns or raises")

    def _once(self, call: Call) -> httpx.Response:
        url = self._absolute(call.url)
        params: Mapping[str, Any] | None = call.params
        is_ours = not call.is_open
        for _ in range(_REDIRECTS + 1):
            self.egress.check(url)
            response = self._send(call, url, params, is_ours=is_ours)
            if not response.has_redirect_location:
                self._judge(call, response)
                return response
            response.close()
            there = urljoin(url, response.headers["location"])
            # Our sign-in is for the host it was given for; RFC 9110, 15.4 leaves it to us.
            is_ours = is_ours and urlsplit(there)[:2] == urlsplit(url)[:2]
            url, params = there, None
        raise Unavailable(f"{self.shown(call)} redirects in a circle")

    def _send(self, call: Call, url: str, params: Mapping[str, Any] | None, *, is_ours: bool) -> httpx.Response:
        self._keep_pace()
        headers, query, auth = dict(call.headers or {}), dict(params or {}), None
        if is_ours:
            auth = self._sign(headers, query)
        request = self._http.build_request(call.method, url, params=query or None, headers=headers, json=call.json, content=call.content)
        try:
            return self._http.send(request, stream=True, auth=auth, follow_redirects=False)
        except httpx.TransportError as error:
            raise _TryAgainError(type(error).__name__) from error

    def _sign(self, headers: dict[str, str], query: dict[str, Any]) -> httpx.BasicAuth | None:
        auth = self._source.auth
        if isinstance(auth, BasicAuth):
            return httpx.BasicAuth(secret(auth.user_env).get_secret_value(), secret(auth.password_env).get_secret_value())
        if isinstance(auth, ApiKeyAuth):
            key = secret(auth.key_env).get_secret_value()
            if auth.query is not None:
                query[auth.query] = key
            else:
                headers[auth.header or "X-API-Key"] = auth.prefix + key
        if self._tokens is not None:
            headers["Authorization"] = f"Bearer {self._tokens.token().get_secret_value()}"
        return None

    def _judge(self, call: Call, response: httpx.Response) -> None:
        """Return for a good answer; raise what a bad one means."""
        status = response.status_code
        if response.is_success:
            return
        response.close()
        if status == httpx.codes.UNAUTHORIZED and self._tokens is not None and not call.is_open:
            self._tokens.forget()
            raise _TryAgainError("status 401")
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            wait = min(_LONGEST_PAUSE_S, _retry_after(response.headers))
            time.sleep(wait)
            raise _TryAgainError(f"status {status}", wait)
        if status == httpx.codes.UNAUTHORIZED:
            raise Misconfigured(f"{self.shown(call)} does not accept our sign-in", hint="check auth and the variables it names")
        if status == httpx.codes.FORBIDDEN:
            raise Denied(f"the account of the source may not read {self.shown(call)}", hint="ask its owner for the right to read")
        if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
            raise NotFound(f"{self.shown(call)} does not exist", hint="check url and path")
        raise Invalid(f"{self.shown(call)} answers with status {status}", hint="check path and parameters")

    def _post_form(self, url: str, form: Mapping[str, str], client: tuple[str, str] | None) -> httpx.Response:
        self.egress.check(url)
        for attempt in stamina.retry_context(on=httpx.TransportError, attempts=self._source.retries + 1, timeout=None, wait_initial=0.2):
            with attempt:
                return self._http.post(url, data=dict(form), auth=client or httpx.USE_CLIENT_DEFAULT, follow_redirects=False)
        raise AssertionError("stamina either returns or raises")

    def _keep_pace(self) -> None:
        now = time.monotonic()
        if now < self._next:
            time.sleep(self._next - now)
        self._next = max(now, self._next) + 1.0 / self._source.requests_per_second


def _retry_after(headers: httpx.Headers) -> float:
    """Return the seconds that Retry-After asks for (RFC 9110, 10.2.3), 0 when it does not."""
    value = headers.get("retry-after", "")
    if value.isdecimal():
        return float(value)
    try:
        moment: datetime = parsedate_to_datetime(value)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def _context(source: WebSource, base: Path) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(base / text_of(source.authority)) if source.authority else None)
        if source.certificate:
            context.load_cert_chain(base / text_of(source.certificate))
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            "certificate or authority of the source cannot be read", hint="name PEM files that this domain may read"
        ) from error
    return context
