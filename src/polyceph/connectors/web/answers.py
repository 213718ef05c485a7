"""What a service's answer means: good, later, or one of the six errors; and its body, read to the end or refused."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import IO

import httpx
import simplejson as json

from polyceph.connectors.web.patience import TokenRefusedError, TryAgainError, waited
from polyceph.sdk import Denied, Invalid, Misconfigured, NotFound

LARGEST_ANSWER = 256 << 20
"""Bytes of one answer that is held in memory; larger ones belong into a file."""
_LONGEST_TIMES = 10
"""An answer may take so many times the time-out in all: a service that drips a byte now and then would never be done."""
_LARGEST_REASON = 1 << 16
_SHOWN_REASON = 200


def judge(response: httpx.Response, shown: str, *, has_token: bool, redacted: Callable[[str], str]) -> None:
    """Return for a good answer.

    Raises:
        TryAgainError: it may be better the next time.
        TokenRefusedError: our access token is not taken.
        Denied, Misconfigured, NotFound, Invalid: it will not be better.
        Unavailable: the service asks for a longer pause than a run can give.
    """
    status = response.status_code
    if response.is_success:
        return
    if status == httpx.codes.UNAUTHORIZED and has_token:
        raise TokenRefusedError
    if status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT) or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise waited(shown, status, response.headers)
    if status == httpx.codes.UNAUTHORIZED:
        raise refused(shown)
    if status == httpx.codes.FORBIDDEN:
        raise Denied(f"the account of the source may not read {shown}", hint="ask its owner for the right to read")
    if status in (httpx.codes.NOT_FOUND, httpx.codes.GONE):
        raise NotFound(f"{shown} does not exist", hint="check url and path")
    reason = redacted(_reason(response))
    raise Invalid(f"{shown} answers with status {status}" + (f": {reason}" if reason else ""), hint="check path and parameters")


def refused(shown: str) -> Misconfigured:
    """Return the error of a sign-in that the service does not take."""
    return Misconfigured(f"{shown} does not accept our sign-in", hint="check auth and the variables it names")


def parts(response: httpx.Response, timeout_s: float) -> Iterator[bytes]:
    """Yield the body as it comes; raise `TryAgainError` when the whole takes too long. A broken body raises as httpx does."""
    end = time.monotonic() + _LONGEST_TIMES * timeout_s
    for part in response.iter_bytes():
        if time.monotonic() > end:
            raise TryAgainError("the answer comes too slowly")
        yield part


def whole(response: httpx.Response, shown: str, timeout_s: float) -> bytes:
    """Return the body; raise `Invalid` when it is too large to be held in memory."""
    found, size = [], 0
    for part in parts(response, timeout_s):
        size += len(part)
        if size > LARGEST_ANSWER:
            raise Invalid(f"an answer of {shown} is larger than {LARGEST_ANSWER >> 20} MB", hint="ask for smaller pages")
        found.append(part)
    return b"".join(found)


def written(response: httpx.Response, shown: str, sink: IO[bytes], *, limit: int) -> str:
    """Write the body into a file and return its SHA-256; raise `Invalid` when it is larger than `limit` bytes."""
    digest, size = hashlib.sha256(), 0
    for part in response.iter_bytes():
        size += len(part)
        if size > limit:
            raise Invalid(f"{shown} is larger than {limit >> 20} MB", hint="raise disk_limit_mb of the source")
        digest.update(part)
        sink.write(part)
    return digest.hexdigest()


def is_delimited(headers: httpx.Headers) -> bool:
    """Tell whether the end of the body can be told from a connection that broke (RFC 9112, 8)."""
    return "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").casefold()


def _reason(response: httpx.Response) -> str:
    """Return what the service says is wrong with the request (RFC 9457 and what is usual besides), nothing when it says nothing."""
    if "json" not in response.headers.get("content-type", ""):
        return ""
    body = b""
    try:
        for part in response.iter_bytes():
            body += part
            if len(body) > _LARGEST_REASON:
                return ""
        found = json.loads(body)
    except (httpx.HTTPError, ValueError):
        return ""
    inner = found.get("error") if isinstance(found, dict) else None
    for place in (found, inner):
        if isinstance(place, dict):
            for name in ("detail", "message", "error_description", "title"):
                if isinstance(place.get(name), str):
                    return str(place[name])[:_SHOWN_REASON]
    return inner[:_SHOWN_REASON] if isinstance(inner, str) else ""
