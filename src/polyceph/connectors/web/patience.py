"""When to ask again and how long to wait before: pace, pauses that grow, Retry-After. Decides nothing about what an answer means."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import stamina

from polyceph.sdk import Misconfigured, Unavailable

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 30.0
_ABOUT_US = re.compile(r"ALERT_(.*CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)")
"""Alerts of TLS (RFC 8446, 6.2) by which a server says what it thinks of our certificate, as OpenSSL calls them."""
LONGEST_WAIT_S = 600.0
"""A service that asks for more than this is not waited for: the run ends and says when to come again."""


class TryAgainError(Exception):
    """An answer that may be better the next time; `wait_s` is what the service asks for."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class TokenRefusedError(Exception):
    """The service does not take our access token: a new one may help, once."""


def attempts(retries: int) -> Iterator[stamina.Attempt]:
    """Yield the attempts at one request: the pauses between them grow, unless the service says how long it wants."""
    yield from stamina.retry_context(
        on=_pause, attempts=retries + 1, timeout=None, wait_initial=_FIRST_PAUSE_S, wait_max=_LONGEST_PAUSE_S, wait_jitter=0.2
    )


def _pause(error: Exception) -> bool | float:
    if not isinstance(error, TryAgainError):
        return False
    return error.wait_s if error.wait_s > 0 else True


def retry_after(headers: httpx.Headers) -> float:
    """Return the seconds that Retry-After asks for, as a number or as a moment (RFC 9110, 10.2.3), 0 when it does not."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # The service's own clock decides where it tells it: ours may differ by minutes.
    try:
        now = parsedate_to_datetime(headers.get("date", ""))
    except (TypeError, ValueError):
        now = datetime.now(UTC)
    return max(0.0, float((moment - now).total_seconds()))


def waited(shown: str, status: int, headers: httpx.Headers) -> TryAgainError:
    """Return the error of a busy service; raise `Unavailable` when it asks for a longer wait than a run can give."""
    wait = retry_after(headers)
    if wait > LONGEST_WAIT_S:
        raise Unavailable(f"{shown} answers with status {status} and asks for a pause of {wait:.0f} s", hint="run it again after that")
    return TryAgainError(f"status {status}", wait)


def broken(error: httpx.HTTPError, shown: str) -> TryAgainError:
    """Return the error of a connection that broke; raise `Misconfigured` when the two sides do not accept each other's certificates."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise Misconfigured(
                f"the certificate of {shown} is not accepted: {cause.verify_message}",
                hint="name the authority that signs it with authority",
            ) from error
        if isinstance(cause, ssl.SSLError) and _ABOUT_US.search(cause.reason or ""):
            raise Misconfigured(f"{shown} does not accept our certificate", hint="check certificate of the source") from error
        cause = cause.__cause__ or cause.__context__
    return TryAgainError(type(error).__name__)


class Pace:
    """Keeps requests apart, so that no second has more than were declared."""

    def __init__(self, requests_per_second: float) -> None:
        self._apart = 1.0 / requests_per_second
        self._next = 0.0

    def keep(self) -> None:
        """Wait until the next request may go."""
        while (wait := self._next - time.monotonic()) > 0:
            time.sleep(wait)
        self._next = time.monotonic() + self._apart
