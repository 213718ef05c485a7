"""OAuth2 client credentials and bearer tokens, API keys and basic authentication, as the servers of APIs check them.

Documentation followed: RFC 6749 (4.4 client credentials, 5.2 errors), RFC 6750 (bearer tokens) and RFC 7617 (basic authentication).
A token is signed and not stored: whose it is and until when stands in it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


@dataclass(frozen=True)
class Client:
    """Who may enter a source: a client id (or user) and its secret (password, API key)."""

    id: str
    secret: str = field(repr=False)

    def is_(self, given: tuple[str, str] | None) -> bool:
        """Tell whether an id and a secret are this client's."""
        return given is not None and equal(given[0], self.id) and equal(given[1], self.secret)


@dataclass(frozen=True)
class Tokens:
    """Issues and checks tokens of one key. Times are seconds since 1970."""

    key: str = field(repr=False)

    def issue(self, subject: str, until: float) -> str:
        """Return a token for a subject that is good until a moment."""
        content = f"{subject}:{int(until)}:{secrets.token_hex(6)}"
        return base64.urlsafe_b64encode(f"{content}:{self.sign(content)}".encode()).decode().rstrip("=")

    def refusal(self, token: str, subject: str, now: float) -> str | None:
        """Return why a token is not good for a subject now, None when it is."""
        try:
            text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        except (binascii.Error, ValueError):
            return "The access token is malformed"
        content, _, signature = text.rpartition(":")
        if not equal(signature, self.sign(content)):
            return "The access token is not of this server"
        whose, until, _ = content.rsplit(":", 2)
        if whose != subject:
            return "The access token is for another service"
        return "The access token expired" if now >= int(until) else None

    def sign(self, content: str) -> str:
        """Return the signature of a text."""
        return hmac.digest(self.key.encode(), content.encode(), "sha256").hex()


def equal(given: str, known: str) -> bool:
    """Compare two secrets in the same time whatever they are."""
    return hmac.compare_digest(given.encode(), known.encode())


def basic(request: Request) -> tuple[str, str] | None:
    """Return user and password of a request, None when it has none that can be read."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (user, password) if colon else None


def bearer(request: Request) -> str | None:
    """Return the bearer token of a request, None when it has none."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" and value.strip() else None


def form(request: Request, body: bytes) -> dict[str, str]:
    """Return the fields of a posted form; empty when it is no form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return {}
    return {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}


def granted(client: Client, fields: Mapping[str, str], request: Request) -> Response | None:
    """Return the refusal of a token request, None when the client may have a token (RFC 6749, 5.2)."""
    given = basic(request)
    if given is not None:
        given = (unquote_plus(given[0]), unquote_plus(given[1]))
    elif "client_id" in fields and "client_secret" in fields:
        given = (fields["client_id"], fields["client_secret"])
    if not fields.get("grant_type"):
        return _refused(400, "invalid_request", "grant_type is missing")
    if not client.is_(given):
        return _refused(401, "invalid_client", "Client authentication failed")
    if fields["grant_type"] != "client_credentials":
        return _refused(400, "unsupported_grant_type", "Only client_credentials is offered")
    return None


def token_answer(token: str, seconds: int, **more: object) -> Response:
    """Return the answer that hands out a token."""
    content = {"token_type": "Bearer", "expires_in": seconds, **more, "access_token": token}
    return JSONResponse(content, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _refused(status: int, error: str, description: str) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"WWW-Authenticate": 'Basic realm="token"'} if status == 401 else {})
    return JSONResponse({"error": error, "error_description": description}, status, headers)
