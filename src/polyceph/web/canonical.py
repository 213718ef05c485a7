"""The layer that serves a path in its one plain form and no other, so that every layer behind it decides about the path that is served.

`;x`, `//`, `%2f`, `..;/`, double encoding, NUL, a backslash: two parsers read them differently, and between two readings things slip
through. Nothing is rewritten: what is not plain is refused.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from polyceph.core.model.sentence import said
from polyceph.errors import Invalid

_PLAIN = "!$&'()*+,-.:=@_~"
"""Signs of a path segment (RFC 3986 pchar) that stand for themselves, beside letters and digits; `;` is left out."""
_SEGMENT = re.compile(rf"(?:[A-Za-z0-9{re.escape(_PLAIN)}]|%[0-9A-F]{{2}})+")
_NEVER = re.compile(r"[\x00-\x1f\x7f/\\%;]")
_LONGEST = 2048


def is_plain(raw: bytes) -> bool:
    """Tell whether a path as it came over the wire is in its one plain form; a single slash may end it."""
    try:
        path = raw.decode("ascii")
    except UnicodeDecodeError:
        return False
    if not path.startswith("/") or len(path) > _LONGEST:
        return False
    segments = path[1:].split("/")
    if segments[-1] == "":
        segments.pop()
    return all(_is_plain_segment(one) for one in segments)


def _is_plain_segment(segment: str) -> bool:
    if segment in (".", "..") or not _SEGMENT.fullmatch(segment):
        return False
    try:
        decoded = unquote_to_bytes(segment).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return decoded not in (".", "..") and not _NEVER.search(decoded) and _encoded(decoded, like=segment) == segment


def _encoded(decoded: str, *, like: str) -> str:
    """Return the plain form of a segment. Signs that may stand for themselves may be encoded too, but all of them in the same way."""
    plain = "".join(sign for sign in _PLAIN if sign in like)
    return quote(decoded, safe=plain)


class PlainPath:
    """Refuse what is not plain."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; raise `Invalid` when its path is not plain."""
        if scope["type"] != "lifespan" and not is_plain(scope.get("raw_path") or quote(scope["path"]).encode()):
            hint = said("follow the links of the pages, or type the address without signs in it")
            raise Invalid(said("the address is not written plainly"), hint=hint)
        await self._app(scope, receive, send)
