"""How a source is reached over HTTP: address, sign-in, pace, patience. Shared by all connectors that speak HTTP."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from polyceph.connectors.environment import FromEnvironment
from polyceph.sdk import Misconfigured, Options, SecretName

_TEXT = "or {env: NAME}"


class NoAuth(Options):
    """Open to everybody."""

    kind: Literal["none"] = "none"


class ApiKeyAuth(Options):
    """A key in a header or in the query."""

    kind: Literal["api_key"]
    key_env: SecretName = Field(description="variable with the key")
    header: str | None = Field(default="X-API-Key", description="header that carries it; null for none")
    query: str | None = Field(default=None, description="parameter of the query that carries it instead")
    prefix: str = Field(default="", description="text before the key in the header, e.g. 'Bearer '")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.header is None) == (self.query is None) and "header" in self.model_fields_set:
            raise ValueError("give header or query, not both")
        return self


class BasicAuth(Options):
    """User and password (RFC 7617)."""

    kind: Literal["basic"]
    user_env: SecretName = Field(description="variable with the user's name")
    password_env: SecretName = Field(description="variable with the password")


class OAuth2Auth(Options):
    """A token for client credentials (RFC 6749, 4.4), or for a refresh token (section 6) where one is named."""

    kind: Literal["oauth2"]
    token_url: str | FromEnvironment = Field(description=f"address of the token endpoint, {_TEXT}")
    client_id: str | FromEnvironment = Field(description=f"identifier of the client, {_TEXT}")
    client_secret_env: SecretName = Field(description="variable with the client's secret")
    scope: str | None = Field(default=None, description="scopes, separated by spaces")
    audience: str | None = Field(default=None, description="audience, where the provider asks for one")
    refresh_token_env: SecretName | None = Field(default=None, description="variable with a refresh token; then this grant is used")
    client_in: Literal["header", "body"] = Field(default="header", description="where the client shows its secret")


Auth = Annotated[NoAuth | ApiKeyAuth | BasicAuth | OAuth2Auth, Field(discriminator="kind")]


class WebSource(Options):
    """A service that is reached over HTTP. Only its own host, that of its tokens and those under `hosts` are ever contacted."""

    url: str | FromEnvironment = Field(description=f"address of the service, https://…, {_TEXT}")
    auth: Auth = Field(default=NoAuth(), description="how to sign in: kind is none, api_key, basic or oauth2")
    hosts: tuple[str, ...] = Field(default=(), description="other hosts to which the service may send: for downloads, for redirects")
    certificate: str | FromEnvironment | None = Field(
        default=None, description="file with certificate and key of the client (mutual TLS), PEM"
    )
    certificate_password_env: SecretName | None = Field(default=None, description="variable with the password of the client's key")
    authority: str | FromEnvironment | None = Field(default=None, description="file with the authority that signs the server, PEM")
    headers: dict[str, str] = Field(default={}, description="headers of every request; no secrets")
    requests_per_second: float = Field(default=10.0, gt=0, description="pace that is never exceeded")
    timeout_s: float = Field(default=60.0, gt=0, description="how long the service may be silent; an answer may take ten times as long")
    retries: int = Field(default=6, ge=0, le=20, description="further attempts after 429, 5xx, silence and broken connections")
    memory_limit_mb: int = Field(default=4096, ge=512, description="address space for converting the rows")
    time_limit_s: int = Field(default=900, ge=1, description="processor seconds for converting the rows")
    disk_limit_mb: int = Field(default=65_536, ge=1, description="size of the rows on disk")

    def address(self) -> str:
        """Return the address without a slash at its end; raise `Misconfigured` when it is none or holds a password."""
        return checked_address(self.url, "url").rstrip("/")


def text_of(value: str | FromEnvironment) -> str:
    """Return a value that may come from the environment; raise `Misconfigured` when it is not set there."""
    return value.value() if isinstance(value, FromEnvironment) else value


def checked_address(value: str | FromEnvironment, what: str) -> str:
    """Return an address of HTTP; raise `Misconfigured` when it is none, or holds a user or password."""
    text = text_of(value)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(f"{what} is no address of a web service", hint="write https://host/path")
    if parts.username or parts.password:
        raise Misconfigured(f"{what} holds a user or password", hint="leave user:password@ out and declare auth")
    return text
