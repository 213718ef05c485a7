"""An HTTP client for one source: signs in, keeps its pace, tries again, follows declared redirects only, says plainly what went wrong."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
import simplejson as json

from polyceph.connectors.web.answers import is_delimited, judge, refused, whole, written
from polyceph.connectors.web.egress import Egress, transport
from polyceph.connectors.web.options import OAuth2Auth, WebSource, checked_address, text_of
from polyceph.connectors.web.patience import Pace, TokenRefusedError, TryAgainError, attempts, broken
from polyceph.connectors.web.signing import KeyTransport, Signer, silence
from polyceph.sdk import Denied, Invalid, Misconfigured, SecretStr, Unavailable, secret

_REDIRECTS = 5
_SEE_OTHER = (httpx.codes.MOVED_PERMANENTLY, httpx.codes.FOUND, httpx.codes.SEE_OTHER)
Taken = TypeVar("Taken")


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
    is_answer: Callable[[httpx.Headers, int], bool] | None = None
    """Tells that an answer with a status of failure is one all the same, to be read: a fault of SOAP comes with status 500."""


class WebClient:
    """Talks to one source; used in one thread, closed at the end. Our sign-in goes to the source's own origin and nowhere else."""

    def __init__(self, source: WebSource, *, base: Path) -> None:
        silence()
        self._source = source
        self.base_url = source.address()
        token_url = [checked_address(source.auth.token_url, "token_url")] if isinstance(source.auth, OAuth2Auth) else []
        own = [urlsplit(url).hostname or "" for url in (self.base_url, *token_url)]
        self.egress = Egress([*own, *source.hosts])
        self._http = httpx.Client(
            transport=KeyTransport(transport(self.egress, verify=_context(source, base))),
            timeout=httpx.Timeout(source.timeout_s, connect=min(10.0, source.timeout_s)),
            headers={"User-Agent": "polyceph", "Accept-Encoding": "gzip, deflate", **source.headers},
            trust_env=False,
        )
        self._signer = Signer(source.auth, self._post_form, self.base_url)
        self._pace = Pace(source.requests_per_second)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def token(self) -> SecretStr:
        """Return an access token of the source's OAuth 2.0, the kept one until shortly before it ends.

        Raises:
            Misconfigured: the source signs in otherwise, a secret is not set, or the provider does not accept the client.
            Unavailable: the provider does not answer.
        """
        tokens = self._signer.tokens
        if tokens is None:
            raise Misconfigured("the source does not sign in with OAuth 2.0", hint="declare auth: {kind: oauth2, …}")
        try:
            for attempt in attempts(self._source.retries):
                with attempt:
                    try:
                        return tokens.token()
                    except httpx.TransportError as error:
                        raise broken(error, "the token endpoint") from error
        except TryAgainError as error:
            raise Unavailable(f"the token endpoint does not answer: {error}", hint="check token_url and network, or try later") from error
        raise AssertionError("stamina either returns or raises")

    def json(self, call: Call) -> tuple[Any, httpx.Headers]:
        """Return the JSON document of an answer, and its headers; numbers with a fraction come as `Decimal`.

        Raises:
            Denied, Misconfigured: the service refuses us.
            NotFound: it does not know the address.
            Invalid: the answer is no JSON, or larger than 256 MB.
            Unavailable: it does not answer in spite of every attempt.
        """
        return self._patiently(call, lambda response: (self._document(call, response), response.headers))

    def read(self, call: Call) -> tuple[bytes, httpx.Headers]:
        """Return the whole answer; raises like `json`."""
        return self._patiently(call, lambda response: (whole(response, self.shown(call), self._source.timeout_s), response.headers))

    def fetch(self, call: Call, target: Path, *, limit: int) -> str:
        """Write an answer of at most `limit` bytes into a file and return its SHA-256; raises like `json`."""
        return self.store(call, target, limit=limit)[0]

    def store(self, call: Call, target: Path, *, limit: int) -> tuple[str, httpx.Headers]:
        """Write an answer into a file; return its SHA-256 and the answer's headers. A body that breaks off is written anew."""

        def take(response: httpx.Response) -> tuple[str, httpx.Headers]:
            with target.open("wb") as sink:
                return written(response, self.shown(call), sink, limit=limit), response.headers

        return self._patiently(call, take)

    def shown(self, call: Call) -> str:
        """Return a call as messages show it: without its query, which may hold a key."""
        try:
            parts = urlsplit(self.absolute(call.url))
        except ValueError:
            return "what is no address"
        return self._signer.redacted(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")

    def absolute(self, url: str) -> str:
        """Return an address as it is asked for; it may hold a secret, so `shown` is for messages."""
        return url if "://" in url else f"{self.base_url}/{url.lstrip('/')}"

    def _document(self, call: Call, response: httpx.Response) -> Any:
        body = whole(response, self.shown(call), self._source.timeout_s)
        try:
            return json.loads(body, use_decimal=True)
        except ValueError as error:
            if not is_delimited(response.headers):
                raise TryAgainError("the answer breaks off") from error
            raise Invalid(f"{self.shown(call)} answers with something that is no JSON", hint="check the address") from error

    def _patiently(self, call: Call, take: Callable[[httpx.Response], Taken]) -> Taken:
        """Ask, and read the answer; ask anew when either fails in a way that may pass."""
        try:
            for attempt in attempts(self._source.retries):
                with attempt:
                    return self._with_fresh_token(call, take)
        except TryAgainError as error:
            raise Unavailable(
                f"{self.shown(call)} does not answer: {error}", hint="nothing was loaded; check address and network, or try later"
            ) from error
        raise AssertionError("stamina either returns or raises")

    def _with_fresh_token(self, call: Call, take: Callable[[httpx.Response], Taken]) -> Taken:
        """Ask; when the access token is refused, once more with a new one."""
        try:
            return self._once(call, take)
        except TokenRefusedError:
            if self._signer.tokens is not None:
                self._signer.tokens.forget()
        try:
            return self._once(call, take)
        except TokenRefusedError as error:
            raise refused(self.shown(call)) from error

    def _once(self, call: Call, take: Callable[[httpx.Response], Taken]) -> Taken:
        try:
            with self._answered(call) as response:
                return take(response)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise broken(error, self.shown(call)) from error

    @contextmanager
    def _answered(self, call: Call) -> Iterator[httpx.Response]:
        """Give a good answer, whose body is not read yet, behind all redirects."""
        is_ours = not call.is_open
        for _ in range(_REDIRECTS + 1):
            url = self.absolute(call.url)
            self.egress.check(url)
            # Our sign-in is for the origin it was given for; RFC 9110, 15.4 leaves it to us.
            is_ours = is_ours and self._signer.is_home(url)
            response = self._send(call, url, is_ours=is_ours)
            try:
                if not response.has_redirect_location:
                    has_token = is_ours and self._signer.tokens is not None
                    if call.is_answer is None or not call.is_answer(response.headers, response.status_code):
                        judge(response, self.shown(call), has_token=has_token, redacted=self._signer.redacted)
                    yield response
                    return
                call = _redirected(call, response, url)
            finally:
                response.close()
        raise Unavailable(f"{self.shown(call)} redirects in a circle")

    def _send(self, call: Call, url: str, *, is_ours: bool) -> httpx.Response:
        try:
            address = self._signer.without_key(httpx.URL(url))
        except httpx.InvalidURL as error:
            raise Invalid("the source sends to an address that is none", hint="check path and paging") from error
        if call.params:
            address = address.copy_merge_params(call.params)
        headers = httpx.Headers(dict(call.headers or {}), encoding="utf-8")  # an action of SOAP may be called "Élèves"
        request = self._http.build_request(call.method, address, headers=headers, json=call.json, content=call.content)
        if is_ours:
            self._signer.sign(request)
        self._pace.keep()
        return self._http.send(request, stream=True, follow_redirects=False)

    def _post_form(self, url: str, form: Mapping[str, str], client: tuple[str, str] | None) -> httpx.Response:
        """Post to the token endpoint; inside the attempts of the request that needs the token."""
        self.egress.check(url)
        self._pace.keep()
        return self._http.post(url, data=dict(form), auth=client or httpx.USE_CLIENT_DEFAULT, follow_redirects=False)


def _redirected(call: Call, response: httpx.Response, url: str) -> Call:
    """Return the call behind a redirect: a form that was posted is answered elsewhere with a GET (RFC 9110, 15.4.2 to 15.4.4)."""
    try:
        there = urljoin(url, response.headers["location"])
    except ValueError as error:
        raise Denied("the source redirects to what is no address", hint="check url and path") from error
    moved = replace(call, url=there, params=None)
    is_get = response.status_code == httpx.codes.SEE_OTHER or (response.status_code in _SEE_OTHER and call.method == "POST")
    return replace(moved, method="GET", json=None, content=None) if is_get else moved


def _context(source: WebSource, base: Path) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(base / text_of(source.authority)) if source.authority else None)
        if source.certificate:
            # Without a word OpenSSL would ask for one on the terminal and wait.
            word = secret(source.certificate_password_env).get_secret_value() if source.certificate_password_env else ""
            context.load_cert_chain(base / text_of(source.certificate), password=word)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(
            "certificate or authority of the source cannot be read", hint="name PEM files that this domain may read"
        ) from error
    return context
