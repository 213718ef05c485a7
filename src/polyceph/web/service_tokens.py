"""The token endpoint for service identities: OAuth 2.0 client credentials (RFC 6749, 4.4). Errors are those of the standard."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_plus

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from polyceph.bootstrap.services import ServiceDesk
from polyceph.errors import Denied
from polyceph.web.pages import Open, page
from polyceph.web.sign_in import desk_of

_FIELDS = 20
_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}


@page("/oauth2/token", action=Open.ANYBODY, methods=("POST",), has_token=False)
async def token(request: Request) -> Response:
    """Give a short access token to a service identity that sends its name and its token."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return _error("invalid_request", "send a form (application/x-www-form-urlencoded)")
    form = await request.form(max_files=0, max_fields=_FIELDS)
    if any(len(form.getlist(name)) > 1 for name in form):
        return _error("invalid_request", "a parameter stands twice")
    if form.get("grant_type") != "client_credentials":
        return _error("unsupported_grant_type", "grant_type is client_credentials")
    client, secret = _credentials(request, form)
    if not client or not secret:
        return _error("invalid_client", "send client_id and client_secret, as HTTP Basic or in the form", status=401)
    try:
        issued = await run_in_threadpool(ServiceDesk(desk_of(request).identity).issue, client, secret)
    except Denied as error:
        return _error("invalid_client", error.hint or error.message, status=401)
    asked = str(form.get("scope") or "").split()
    if set(asked) - set(issued.scopes):
        return _error("invalid_scope", f"this identity has {' '.join(issued.scopes)}")
    body = {"access_token": issued.token.get_secret_value(), "token_type": "Bearer", "expires_in": issued.seconds}
    return JSONResponse({**body, "scope": " ".join(issued.scopes)}, headers=_NO_STORE)


def _credentials(request: Request, form: FormData) -> tuple[str, str]:
    """Return name and token, from one place: who sends both says two things at once."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    said = [str(form.get(name) or "") for name in ("client_id", "client_secret")]
    if kind.lower() != "basic":
        return said[0], said[1]
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return ("", "") if said[1] else (unquote_plus(name), unquote_plus(secret))


def _error(code: str, why: str, *, status: int = 400) -> Response:
    headers = {**_NO_STORE, **({"www-authenticate": 'Basic realm="polyceph"'} if status == 401 else {})}
    return JSONResponse({"error": code, "error_description": why}, status, headers=headers)
