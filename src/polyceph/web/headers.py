"""The layer that adds security headers to every answer. A mounted app that sends its own content policy keeps it, made stricter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = "content-security-policy"
_OWN = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'"
_ALWAYS = {
    "x-content-type-options": "nosniff",
    # same-origin and not no-referrer: that one makes browsers send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_SELF = ("'self'",)
_YEAR = "max-age=31536000; includeSubDomains"


class SecurityHeaders:
    """Add the headers; `form_targets` returns other origins that a form may lead to, such as an identity provider at sign-out."""

    def __init__(self, app: ASGIApp, *, is_https: bool, form_targets: Callable[[], Sequence[str]] = tuple) -> None:
        self._app = app
        self._is_https = is_https
        self._form_targets = form_targets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""

        async def answer(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message.setdefault("headers", [])
                self._secure(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, answer if scope["type"] != "lifespan" else send)

    def _secure(self, headers: MutableHeaders) -> None:
        policy = headers.get(_POLICY, _OWN).rstrip("; ")
        headers[_POLICY] = f"{policy}; frame-ancestors 'none'; form-action {' '.join(chain(_SELF, self._form_targets()))}"
        for name, value in _ALWAYS.items():
            headers[name] = value
        headers.setdefault("cache-control", "no-store")
        if self._is_https:
            headers["strict-transport-security"] = _YEAR
        if "server" in headers:
            del headers["server"]
