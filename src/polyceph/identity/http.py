"""The only way to a provider: its own hosts, over TLS (or on loopback), no redirect followed, small JSON answers alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, TypeGuard
from urllib.parse import urlsplit

import httpx

from polyceph.core.model.sentence import said
from polyceph.core.model.sign_in import Provider
from polyceph.errors import Misconfigured, Unavailable

_SECONDS = 5.0
_LARGEST = 512 * 1024


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class ProviderHttp:
    """Asks one provider. An address outside its hosts is refused, also when its own discovery document names it."""

    def __init__(self, provider: Provider, *, transport: httpx.BaseTransport | None = None) -> None:
        self._provider = provider
        issuer = urlsplit(provider.issuer)
        self._origin = (issuer.scheme, issuer.netloc)
        self._hosts = {issuer.netloc, *provider.hosts}
        self._client = httpx.Client(timeout=_SECONDS, follow_redirects=False, transport=transport, headers={"Accept": "application/json"})

    def is_own(self, address: object) -> TypeGuard[str]:
        """Tell whether an address is one of the provider's that may be asked."""
        if not isinstance(address, str):
            return False
        parts = urlsplit(address)
        is_plain = parts.scheme == "http" and self._origin[0] == "http" and is_loopback(parts.hostname or "")
        return (parts.scheme == "https" or is_plain) and parts.netloc in self._hosts

    def checked(self, address: object, what: str) -> str:
        """Return an address of the provider; raise `Misconfigured` when it may not be used."""
        if not self.is_own(address):
            raise Misconfigured(
                f"provider {self._provider.name} gives no {what} that may be used",
                hint=f"it must be https at {', '.join(sorted(self._hosts))}; name other hosts under hosts in federation.yaml",
            )
        return address

    def get(self, address: str, what: str, *, bearer: str | None = None) -> Mapping[str, Any]:
        """Return the JSON object at an address, asked for with an access token where there is one."""
        status, document = self._asked("GET", address, what, headers={"Authorization": f"Bearer {bearer}"} if bearer else {})
        if status != httpx.codes.OK:
            message = said(
                "{what} of provider {provider} cannot be read: HTTP {status}", what=what, provider=self._provider.name, status=status
            )
            raise Unavailable(message, hint=said("try again in a minute"))
        return document

    def post(
        self, address: str, form: Mapping[str, str], *, what: str, auth: tuple[str, str] | None = None
    ) -> tuple[int, Mapping[str, Any]]:
        """Send a form and return status and JSON object; nothing but a status of 200 is success."""
        return self._asked("POST", address, what, data=dict(form), auth=auth)

    def _asked(self, method: str, address: str, what: str, **more: Any) -> tuple[int, Mapping[str, Any]]:
        name = self._provider.name
        try:
            with self._client.stream(method, self.checked(address, what), **more) as answer:
                body = b""
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > _LARGEST:
                        raise Unavailable(said("{what} of provider {provider} is too large", what=what, provider=name))
                status = answer.status_code
        except httpx.HTTPError as error:
            message = said("provider {provider} does not answer ({reason})", provider=name, reason=type(error).__name__)
            raise Unavailable(message, hint=said("sessions go on; sign in again later")) from error
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            if status == httpx.codes.OK:
                raise Unavailable(said("{what} of provider {provider} is no JSON object", what=what, provider=name))
            document = {}
        return status, document
