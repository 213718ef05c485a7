"""Addresses that a service gives for more of the same: the next page, the changes since. They are followed on its own host only."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from polyceph.connectors.web.client import WebClient
from polyceph.sdk import Denied


def own_link(client: WebClient, link: str, *, below: str | None = None) -> str:
    """Return a link as an absolute address, relative ones below the address `below` (the source's own when left out).

    Raises:
        Denied: it leads to another scheme, host or port than the source's: our sign-in would go along.
    """
    there = urljoin(below or f"{client.base_url}/", link)
    if _origin(there) != _origin(client.base_url):
        host = urlsplit(there).hostname or "nowhere"
        raise Denied(
            f"the service sends to {host} for the next part, which is not the source's own host",
            hint=f"only {urlsplit(client.base_url).netloc} is asked; if the service is known by another name, declare that one as url",
        )
    return there


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").casefold(), port
