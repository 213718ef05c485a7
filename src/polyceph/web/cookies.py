"""Names and attributes of our cookies.

Over https every name begins with `__Host-`: the browser then keeps it for this host alone, whole path, secure. A browser refuses that
name over plain http, which exists on loopback alone: there the name has no prefix and the cookie is `HttpOnly` and `SameSite` all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from starlette.responses import Response


@dataclass(frozen=True)
class Cookies:
    """How cookies are written here."""

    is_https: bool

    def name(self, purpose: str) -> str:
        """Return the name of the cookie for a purpose, such as `session`."""
        return f"__Host-polyceph-{purpose}" if self.is_https else f"polyceph-{purpose}"

    def put(
        self, response: Response, purpose: str, value: str, *, seconds: int | None = None, same_site: Literal["lax", "strict"] = "lax"
    ) -> None:
        """Set a cookie that no script reads; without `seconds` it ends with the browser."""
        response.set_cookie(self.name(purpose), value, max_age=seconds, path="/", secure=self.is_https, httponly=True, samesite=same_site)

    def drop(self, response: Response, purpose: str) -> None:
        """Remove a cookie."""
        response.delete_cookie(self.name(purpose), path="/", secure=self.is_https, httponly=True, samesite="lax")
