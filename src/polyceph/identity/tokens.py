"""Checks tokens of providers: ID tokens (OpenID Connect Core 1.0, 3.1.3.7), logout tokens, access tokens (RFC 9068, RFC 8725).

Nothing in a token's header chooses how it is checked: the algorithm must be one that is declared for the provider, the key one that the
provider publishes. Addresses and keys that a header brings along are refused, not followed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from polyceph.core.model.sign_in import Provider
from polyceph.errors import Denied
from polyceph.identity.directory import ProviderDirectory
from polyceph.identity.refusals import refused

SKEW_SECONDS = 60
_LARGEST = 32 * 1024
_LONGEST_ID = 255
_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_OLDEST_LOGOUT_SECONDS = 300
_FOREIGN_HEADERS = ("jku", "jwk", "x5u", "crit", "b64", "zip", "enc")
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
GOOD_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""What may be declared: signatures by a key that only the provider has. Neither `none` nor `HS…` ever."""


@dataclass(frozen=True)
class TokenChecks:
    """Checks the tokens of one provider."""

    provider: Provider
    directory: ProviderDirectory
    clock: Callable[[], datetime]

    def id_token(self, token: object, *, nonce: str, not_before: datetime, access_token: object = None) -> Mapping[str, Any]:
        """Return the claims of an ID token that answers the sign-in with this nonce, begun at `not_before`; raise `Denied` otherwise."""
        header, claims = self._signed(token, kinds=("JWT",))
        self._refuse(not self._is_audience(claims.get("aud"), self.provider.client_id), "audience", "the token is made for somebody else")
        azp = claims.get("azp")
        self._refuse(azp is not None and azp != self.provider.client_id, "authorized party", "the token was given to another client")
        self._times(claims)
        self._refuse(claims["iat"] < not_before.timestamp() - SKEW_SECONDS, "issued at", "the token is older than this sign-in")
        said = claims.get("nonce")
        is_same = isinstance(said, str) and hmac.compare_digest(said.encode(), nonce.encode())
        self._refuse(not is_same, "nonce", "the token answers another sign-in")
        self._refuse("events" in claims, "kind", "the token is a logout token")
        self._subject(claims)
        if isinstance(claims.get("at_hash"), str) and isinstance(access_token, str):
            is_bound = hmac.compare_digest(claims["at_hash"].encode(), _half_hash(access_token, str(header["alg"])).encode())
            self._refuse(not is_bound, "access token hash", "the access token is not the one of this ID token")
        return claims

    def logout_token(self, token: object) -> Mapping[str, Any]:
        """Return the claims of a logout token (OpenID Connect Back-Channel Logout 1.0, 2.6); raise `Denied` otherwise."""
        _, claims = self._signed(token, kinds=("JWT", "LOGOUT+JWT"))
        self._refuse(not self._is_audience(claims.get("aud"), self.provider.client_id), "audience", "the token is made for somebody else")
        self._times(claims, needs_end=False)
        self._refuse(self.clock().timestamp() - claims["iat"] > _OLDEST_LOGOUT_SECONDS, "issued at", "the logout token is old")
        events = claims.get("events")
        is_logout = isinstance(events, dict) and isinstance(events.get(_LOGOUT_EVENT), dict)
        self._refuse(not is_logout, "kind", "the token is no logout token")
        self._refuse("nonce" in claims, "nonce", "a logout token has no nonce: this is another token")
        self._refuse(not _is_id(claims.get("jti")), "token id", "the logout token has no id")
        self._refuse(not _is_id(claims.get("sub")) and not _is_id(claims.get("sid")), "subject", "the logout token names nobody")
        return claims

    def access_token(self, token: object) -> Mapping[str, Any]:
        """Return the claims of a service's access token that is made for our audience; raise `Denied` otherwise."""
        audience = self.provider.audience
        self._refuse(audience is None, "audience", "access tokens of this provider are not accepted")
        _, claims = self._signed(token, kinds=("JWT", "AT+JWT"))
        self._refuse(
            not self._is_audience(claims.get("aud"), str(audience), alone=False), "audience", "the token is made for somebody else"
        )
        self._times(claims)
        self._refuse("nonce" in claims or "events" in claims or "at_hash" in claims, "kind", "the token is no access token")
        client = client_of(claims)
        self._refuse(not client, "client", "the token names no client")
        return claims

    def _signed(self, token: object, *, kinds: tuple[str, ...]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        header = self._header(token)
        kind = header.get("typ", kinds[0])
        is_kind = isinstance(kind, str) and kind.upper().removeprefix("APPLICATION/") in kinds
        self._refuse(not is_kind, "kind", "the token is of another kind")
        claims = self._verified(str(token), header)
        self._refuse(claims.get("iss") != self.provider.issuer, "issuer", "the token is of another issuer")
        return header, claims

    def _header(self, token: object) -> Mapping[str, Any]:
        is_text = isinstance(token, str) and token.isascii() and len(token) <= _LARGEST
        parts = token.split(".") if isinstance(token, str) and is_text else []
        self._refuse(len(parts) != 3 or not all(parts), "form", "the token is not signed, or is cut off")
        try:
            header = json.loads(base64.b64decode(parts[0] + "=" * (-len(parts[0]) % 4), altchars=b"-_", validate=True))
        except (ValueError, binascii.Error, RecursionError):
            header = None
        if not isinstance(header, dict):
            raise refused(self.provider.name, "form", "the header of the token cannot be read")
        self._refuse(header.get("alg") not in self.provider.algorithms, "algorithm", "the token is signed otherwise than is declared")
        foreign = [name for name in _FOREIGN_HEADERS if name in header]
        self._refuse(bool(foreign), "header", f"the token brings {', '.join(foreign)} along")
        self._refuse(not isinstance(header.get("kid", ""), str), "key", "the key of the token has no readable id")
        return header

    def _verified(self, token: str, header: Mapping[str, Any]) -> Mapping[str, Any]:
        algorithm = str(header["alg"])
        keys = self.directory.keys(header.get("kid"))
        fitting = [one.key for one in keys if one.algorithm in (None, algorithm) and _fits(one.key, algorithm)]
        self._refuse(not fitting, "key", "the provider publishes no such key")
        self._refuse(len(fitting) > 1 and "kid" not in header, "key", "the token does not say which of several keys signed it")
        for key in fitting:
            try:
                return jwt.decode(token, key, algorithms=[algorithm]).claims
            except (JoseError, ValueError, TypeError, RecursionError):
                continue
        raise refused(self.provider.name, "signature", "the signature of the token is not the provider's")

    def _is_audience(self, said: object, wanted: str, *, alone: bool = True) -> bool:
        """Tell whether a token is made for us; an ID token for nobody else, since we know no other client to trust."""
        listed = [said] if isinstance(said, str) else said
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            return False
        return set(listed) == {wanted} if alone else wanted in listed

    def _times(self, claims: Mapping[str, Any], *, needs_end: bool = True) -> None:
        now = self.clock().timestamp()
        for name in ("exp", "iat", "nbf"):
            is_number = isinstance(claims.get(name), int | float) and not isinstance(claims.get(name), bool)
            needed = name == "iat" or (name == "exp" and needs_end)
            self._refuse(not is_number and (needed or name in claims), "times", f"the token has no readable {name}")
        self._refuse(claims.get("exp", now) < now - SKEW_SECONDS, "expiry", "the token has expired")
        self._refuse(claims["iat"] > now + SKEW_SECONDS, "issued at", "the token is from the future")
        self._refuse(claims.get("nbf", now) > now + SKEW_SECONDS, "not before", "the token is not valid yet")

    def _subject(self, claims: Mapping[str, Any]) -> None:
        self._refuse(not _is_id(claims.get("sub")), "subject", "the token names nobody")

    def _refuse(self, is_wrong: bool, rule: str, reason: str) -> None:
        if is_wrong:
            raise refused(self.provider.name, rule, reason)


def client_of(claims: Mapping[str, Any]) -> str | None:
    """Return which client an access token was given to: `client_id` (RFC 9068), `azp` (Keycloak, Entra ID 2), `appid` (Entra ID 1)."""
    named = [claims[name] for name in ("client_id", "azp", "appid") if name in claims]
    return named[0] if named and _is_id(named[0]) and len(set(map(str, named))) == 1 else None


def issuer_of(token: str) -> str | None:
    """Return the issuer that a token names, unchecked, to find whose checks apply; None when it cannot be read."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError, RecursionError):
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None


def rule_of(error: Denied) -> tuple[str, str]:
    """Return which rule a refused token broke, and how."""
    problem = error.problems[0] if error.problems else None
    return (problem.rule or "token", problem.message) if problem else ("sign-in", error.message)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_ID


def _fits(key: Any, algorithm: str) -> bool:
    if algorithm in _CURVES:
        return bool(key.key_type == "EC" and key.curve_name == _CURVES[algorithm])
    return bool(key.key_type == ("OKP" if algorithm == "EdDSA" else "RSA"))


def _half_hash(token: str, algorithm: str) -> str:
    digest = hashlib.new(f"sha{algorithm[-3:]}" if algorithm[-3:].isdigit() else "sha512", token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
