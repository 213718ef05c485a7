"""One OpenID Connect provider as a client of it: the authorization code flow with PKCE, and signing out there."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
from pydantic import SecretStr

from polyceph.core.model.sign_in import Claims, PendingSignIn, Provider
from polyceph.identity.directory import ProviderDirectory
from polyceph.identity.http import ProviderHttp
from polyceph.identity.refusals import refused
from polyceph.identity.tokens import TokenChecks

_LANGUAGES = ("fr", "nl", "de", "en")
_MOST_GROUPS = 1000
_LONGEST_CODE = 4096


@dataclass(frozen=True)
class Answer:
    """What a browser brings back from a provider: the parameters of the callback, unchecked."""

    code: str | None = None
    issuer: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class OidcClient:
    """A provider as the platform meets it; `redirect` is the exact address to which it sends people back."""

    provider: Provider
    secret: SecretStr
    redirect: str
    clock: Callable[[], datetime]
    http: ProviderHttp = field(init=False)
    directory: ProviderDirectory = field(init=False)
    checks: TokenChecks = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "http", ProviderHttp(self.provider))
        object.__setattr__(self, "directory", ProviderDirectory(self.provider, self.http, self.clock))
        object.__setattr__(self, "checks", TokenChecks(self.provider, self.directory, self.clock))

    def authorization_address(self, *, state: str, nonce: str, verifier: str, language: str | None = None) -> str:
        """Return where a browser goes to sign in (RFC 6749 4.1.1, RFC 7636).

        Raises:
            Unavailable: the provider does not answer.
        """
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": self.redirect,
            "scope": " ".join(self.provider.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **({"ui_locales": language} if language else {}),
        }
        return _with_query(self.directory.metadata().authorize, asked)

    def finish(self, pending: PendingSignIn, answer: Answer) -> Claims:
        """Return what the provider says of who came back, checked.

        Raises:
            Denied: the answer must not count; its problem names the rule.
            Unavailable: the provider does not answer.
        """
        name, metadata = self.provider.name, self.directory.metadata()
        says_issuer = answer.issuer is not None or metadata.says_issuer
        if says_issuer and answer.issuer != metadata.issuer:
            # Another provider's answer, sent here to make us give its code away (RFC 9207).
            raise refused(name, "mix-up", "the answer is of another provider than was asked")
        if answer.error is not None or not answer.code or len(answer.code) > _LONGEST_CODE:
            raise refused(name, "provider", "the provider did not let her in, or the answer has no code")
        tokens = self._exchanged(answer.code, pending.verifier)
        claims = self.checks.id_token(
            tokens.get("id_token"), nonce=pending.nonce, not_before=pending.started_at, access_token=tokens.get("access_token")
        )
        return self._claims(self._completed(claims, tokens.get("access_token")), str(tokens["id_token"]))

    def sign_out_address(self, id_token: str | None, *, back: str) -> str | None:
        """Return where a browser goes to sign out at the provider too; None when the provider has no such place."""
        address = self.directory.metadata().end_session
        if address is None:
            return None
        asked = {"client_id": self.provider.client_id, "post_logout_redirect_uri": back}
        return _with_query(address, {**asked, **({"id_token_hint": id_token} if id_token else {})})

    def _exchanged(self, code: str, verifier: str) -> Mapping[str, Any]:
        metadata, client, secret = self.directory.metadata(), self.provider.client_id, self.secret.get_secret_value()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect, "code_verifier": verifier}
        auth = (quote_plus(client), quote_plus(secret)) if metadata.takes_basic else None
        own = {} if metadata.takes_basic else {"client_id": client, "client_secret": secret}
        status, tokens = self.http.post(metadata.token, {**form, **own}, what="token", auth=auth)
        if status != httpx.codes.OK:
            raise refused(self.provider.name, "code", f"the provider does not exchange the code (HTTP {status})")
        if str(tokens.get("token_type", "")).lower() != "bearer" or not isinstance(tokens.get("id_token"), str):
            raise refused(self.provider.name, "form", "the provider's answer holds no ID token")
        return tokens

    def _completed(self, claims: Mapping[str, Any], access_token: object) -> Mapping[str, Any]:
        """Return the claims with those that the provider leaves out of its ID token; what the signed token says always counts."""
        provider, address = self.provider, self.directory.metadata().userinfo
        wanted = (provider.person_claim, provider.groups_claim.partition(".")[0])
        if address is None or not isinstance(access_token, str) or all(one in claims for one in wanted):
            return claims
        more = self.http.get(address, "userinfo", bearer=access_token)
        if more.get("sub") != claims["sub"]:
            # OpenID Connect Core 1.0, 5.3.2: an access token of somebody else was put in.
            raise refused(provider.name, "subject", "what the provider says besides is about somebody else")
        # An address and whether it is verified go together: that of one place says nothing about that of the other.
        kept = {name: value for name, value in more.items() if name != "email_verified" or "email" not in claims}
        return {**kept, **claims}

    def _claims(self, claims: Mapping[str, Any], id_token: str) -> Claims:
        provider = self.provider
        name, session = claims.get("name"), claims.get("sid")
        return Claims(
            provider=provider.name,
            subject=str(claims["sub"]),
            name=name[:200] if isinstance(name, str) else "",
            person_value=self._person_value(claims),
            groups=self._groups(claims),
            language=_language(claims),
            session=session if isinstance(session, str) else None,
            id_token=id_token,
        )

    def _person_value(self, claims: Mapping[str, Any]) -> str | None:
        """Return the claim that tells who she is. An address counts only when the provider has verified it: else anybody could claim it."""
        claim = self.provider.person_claim
        value = claims.get(claim)
        if not isinstance(value, str) or (claim == "email" and claims.get("email_verified") is not True):
            return None
        return value

    def _groups(self, claims: Mapping[str, Any]) -> frozenset[str]:
        claim = self.provider.groups_claim
        elsewhere = claims.get("_claim_names")
        if isinstance(elsewhere, dict) and claim in elsewhere:
            # Entra ID leaves groups out when there are more than 200: rights must not silently shrink.
            raise refused(
                self.provider.name, "groups", "she has more groups than the provider sends: assign groups to the application there"
            )
        value: object = claims
        for part in claim.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        listed = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        return frozenset(one for one in listed[:_MOST_GROUPS] if isinstance(one, str))


def _language(claims: Mapping[str, Any]) -> str | None:
    said = claims.get("locale")
    short = said[:2].lower() if isinstance(said, str) else ""
    return short if short in _LANGUAGES else None


def _with_query(address: str, parameters: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(parameters)}"
