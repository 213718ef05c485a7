"""Proof that a form was ours: a token bound to the session and to this browser, checked at every change that a page asks for."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from starlette.requests import HTTPConnection

from polyceph.core.model.sentence import said
from polyceph.errors import Denied
from polyceph.web.cookies import Cookies
from polyceph.web.principal import cookie_in
from polyceph.web.scope import principal_of, site_of

FIELD = "form_token"
PURPOSE = "form"
_BYTES = 24


def browser_mark(request: HTTPConnection, cookies: Cookies) -> str:
    """Return the random mark of this browser, made anew when it has none; whoever renders a form sets it as a cookie."""
    known = cookie_in(request.scope, cookies.name(PURPOSE))
    made: str = request.scope.setdefault("polyceph.browser_mark", known or secrets.token_urlsafe(_BYTES))
    return made


def token(request: HTTPConnection, cookies: Cookies) -> str:
    """Return the token that a form of this page carries: an HMAC-SHA256 over session and browser."""
    return _sign(site_of(request).form_key, principal_of(request).session, browser_mark(request, cookies))


def check(request: HTTPConnection, given: object, cookies: Cookies) -> None:
    """Raise `Denied` when a form does not carry the token of this session and browser."""
    mark = cookie_in(request.scope, cookies.name(PURPOSE)) or ""
    good = _sign(site_of(request).form_key, principal_of(request).session, mark)
    if not mark or not isinstance(given, str) or not hmac.compare_digest(good.encode(), given.encode()):
        raise Denied(said("this form is not valid any more"), hint=said("go back, load the page again and send the form once more"))


def _sign(key: bytes, session: str | None, mark: str) -> str:
    said = f"form\n{session or ''}\n{mark}"
    return hmac.new(key, said.encode(), hashlib.sha256).hexdigest()
