"""What a provider says of itself (OpenID Connect Discovery 1.0) and its keys (RFC 7517): fetched, checked, kept, fetched anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from polyceph.core.model.sentence import said
from polyceph.core.model.sign_in import Provider
from polyceph.errors import Misconfigured, PolycephError, Unavailable
from polyceph.identity.http import ProviderHttp
from polyceph.logs import log

Key = RSAKey | ECKey | OKPKey
_KINDS: Mapping[str, type[Key]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
"""Symmetric keys are not among them: a provider that publishes one publishes its secret."""
_FRESH = timedelta(hours=1)
_BETWEEN = timedelta(seconds=30)
"""Least time between two fetches for an unknown key: a flood of foreign tokens does not become a flood at the provider."""
_SMALLEST_RSA = 2048


@dataclass(frozen=True)
class Metadata:
    """What we use of a discovery document; every address is checked."""

    issuer: str
    authorize: str
    token: str
    keys: str
    end_session: str | None
    userinfo: str | None
    """Where claims are that its ID tokens leave out; None where there is no such place, or it may not be asked."""
    says_issuer: bool
    """Whether its answers name the issuer (RFC 9207): then one that does not is refused."""
    takes_basic: bool


@dataclass(frozen=True)
class PublishedKey:
    """One signing key of a provider; `algorithm` is None when the provider does not bind it to one."""

    id: str | None
    key: Key
    algorithm: str | None


class ProviderDirectory:
    """Knows a provider's addresses and keys. What was fetched once goes on being used while the provider is down."""

    def __init__(self, provider: Provider, http: ProviderHttp, clock: Callable[[], datetime]) -> None:
        self._provider, self._http, self._clock = provider, http, clock
        self._lock = Lock()
        self._metadata: Metadata | None = None
        self._metadata_at: datetime | None = None
        self._keys: tuple[PublishedKey, ...] = ()
        self._keys_at: datetime | None = None

    def metadata(self) -> Metadata:
        """Return what the provider says of itself.

        Raises:
            Unavailable: it does not answer and never did.
            Misconfigured: it is another issuer than declared, or names addresses that may not be used.
        """
        with self._lock:
            if self._metadata is not None and not self._is_old(self._metadata_at):
                return self._metadata
            try:
                self._metadata = self._fetched_metadata()
            except Unavailable:
                if self._metadata is None:
                    raise
                log.warning("provider %s does not answer: its addresses of before are used", self._provider.name)
            self._metadata_at = self._clock()
            return self._metadata

    def keys(self, wanted: str | None) -> tuple[PublishedKey, ...]:
        """Return the keys of an id, all when None; they are fetched anew when they are old, or none has this id (rotation)."""
        address = self.metadata().keys
        with self._lock:
            found = self._named(wanted)
            if self._is_old(self._keys_at) or (not found and self._may_ask_again()):
                self._fetch_keys(address)
                found = self._named(wanted)
            return found

    def _named(self, wanted: str | None) -> tuple[PublishedKey, ...]:
        return tuple(one for one in self._keys if wanted is None or one.id == wanted)

    def _is_old(self, at: datetime | None) -> bool:
        return at is None or self._clock() - at > _FRESH

    def _may_ask_again(self) -> bool:
        return self._keys_at is None or self._clock() - self._keys_at >= _BETWEEN

    def _fetch_keys(self, address: str) -> None:
        try:
            document = self._http.get(address, said("list of keys"))
        except PolycephError:
            if not self._keys:
                raise
            log.warning("provider %s does not give its keys: those of before are used", self._provider.name)
        else:
            entries = document.get("keys")
            self._keys = tuple(key for one in (entries if isinstance(entries, list) else []) if (key := _published(one)) is not None)
        self._keys_at = self._clock()

    def _fetched_metadata(self) -> Metadata:
        issuer, http = self._provider.issuer, self._http
        document = http.get(issuer.rstrip("/") + "/.well-known/openid-configuration", said("discovery document"))
        if document.get("issuer") != issuer:
            raise Misconfigured(
                f"provider {self._provider.name} says that it is another issuer than {issuer}",
                hint="write the issuer in federation.yaml exactly as its discovery document does",
            )
        end = document.get("end_session_endpoint")
        methods = document.get("token_endpoint_auth_methods_supported")
        return Metadata(
            issuer=issuer,
            authorize=http.checked(document.get("authorization_endpoint"), "authorization_endpoint"),
            token=http.checked(document.get("token_endpoint"), "token_endpoint"),
            keys=http.checked(document.get("jwks_uri"), "jwks_uri"),
            end_session=http.checked(end, "end_session_endpoint") if end else None,
            userinfo=userinfo if http.is_own(userinfo := document.get("userinfo_endpoint")) else None,
            says_issuer=document.get("authorization_response_iss_parameter_supported") is True,
            takes_basic=not isinstance(methods, list) or "client_secret_basic" in methods or "client_secret_post" not in methods,
        )


def _published(entry: Any) -> PublishedKey | None:
    """Return a key that may verify signatures; None for one that is symmetric, meant for something else, too short, or not readable."""
    kind = _KINDS.get(str(entry.get("kty"))) if isinstance(entry, dict) else None
    if kind is None or entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
        return None
    public = {name: value for name, value in entry.items() if name not in ("d", "p", "q", "dp", "dq", "qi", "oth", "x5u", "use", "key_ops")}
    try:
        key = kind.import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAKey) and key.public_key.key_size < _SMALLEST_RSA:
        return None
    name, algorithm = entry.get("kid"), entry.get("alg")
    return PublishedKey(name if isinstance(name, str) else None, key, algorithm if isinstance(algorithm, str) else None)
