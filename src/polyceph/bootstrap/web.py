"""The client of web services for what a domain's own code does. Loads httpx: import it where something runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from polyceph.connectors.web.client import WebClient
from polyceph.connectors.web.options import WebSource


def token_client(auth: Mapping[str, object]) -> WebClient:
    """Return a client whose only use is `token()`: signed in by OAuth 2.0, it reaches the host of its token endpoint alone."""
    given = {"url": auth["token_url"], "auth": {"kind": "oauth2", **auth}}
    return WebClient(WebSource.model_validate(given), base=Path())
