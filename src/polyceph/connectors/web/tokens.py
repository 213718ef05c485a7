"""Access tokens of OAuth 2.0: asked for with client credentials or a refresh token, kept until shortly before they end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import httpx
from pydantic import SecretStr

from polyceph.connectors.web.options import OAuth2Auth, checked_address, text_of
from polyceph.connectors.web.patience import waited
from polyceph.sdk import Denied, Misconfigured, Unavailable, secret

_EARLY_S = 30.0
_SHORTEST_S = 5.0
Post = Callable[[str, Mapping[str, str], tuple[str, str] | None], httpx.Response]
"""Posts a form to an address, with user and password of RFC 7617 or without."""


@dataclass
class TokenClient:
    """Gives a valid access token; asks for a new one when the old is about to end or was refused (RFC 6749, 4.4 and 6)."""

    auth: OAuth2Auth
    post: Post
    _token: SecretStr | None = None
    _ends: float = 0.0
    _refresh: SecretStr | None = field(default=None)

    def token(self) -> SecretStr:
        """Return an access token.

        Raises:
            Misconfigured: a secret is not set, or the provider does not accept the client.
            Unavailable: the provider does not answer as RFC 6749 says.
            TryAgainError: it is busy.
        """
        if self._token is None or time.monotonic() >= self._ends:
            self._fetch()
        if self._token is None:
            raise Unavailable("the token endpoint gave no token")
        return self._token

    def secrets(self) -> Iterator[str]:
        """Yield the words that must not be written down."""
        yield secret(self.auth.client_secret_env).get_secret_value()
        yield from (word.get_secret_value() for word in (self._token, self._refresh) if word is not None)
        if self.auth.refresh_token_env:
            yield secret(self.auth.refresh_token_env).get_secret_value()

    def forget(self) -> None:
        """Drop the token: the service has refused it."""
        self._token = None

    def _fetch(self) -> None:
        url, client = checked_address(self.auth.token_url, "token_url"), text_of(self.auth.client_id)
        word = secret(self.auth.client_secret_env).get_secret_value()
        form = self._form()
        if self.auth.client_in == "body":
            form |= {"client_id": client, "client_secret": word}
        response = self.post(url, form, (client, word) if self.auth.client_in == "header" else None)
        self._keep(response)

    def _form(self) -> dict[str, str]:
        refresh = self._refresh or (secret(self.auth.refresh_token_env) if self.auth.refresh_token_env else None)
        form = (
            {"grant_type": "refresh_token", "refresh_token": refresh.get_secret_value()}
            if refresh
            else {"grant_type": "client_credentials"}
        )
        more = {"scope": self.auth.scope, "audience": self.auth.audience}
        return form | {name: value for name, value in more.items() if value}

    def _keep(self, response: httpx.Response) -> None:
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise waited("the token endpoint", response.status_code, response.headers)
        if response.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise Misconfigured(f"the token endpoint refuses the client: {_error_code(response)}", hint="check client_id, secret and scope")
        try:
            answer = response.json()
            token, lives = str(answer["access_token"]), float(answer.get("expires_in", 300))
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"the token endpoint answers {response.status_code} and gives no token") from error
        if str(answer.get("token_type", "bearer")).casefold() != "bearer":
            raise Denied("the token endpoint gives a token of a kind that is not supported", hint="only bearer tokens are (RFC 6750)")
        self._token = SecretStr(token)
        self._refresh = (
            SecretStr(str(answer["refresh_token"])) if self.auth.refresh_token_env and answer.get("refresh_token") else self._refresh
        )
        self._ends = time.monotonic() + max(_SHORTEST_S, lives - _EARLY_S)


def _error_code(response: httpx.Response) -> str:
    """Return the code of RFC 6749, 5.2; the description may repeat what was sent."""
    try:
        return str(response.json()["error"])[:60]
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code}"
