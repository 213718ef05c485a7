"""Reads `sign_in` of federation.yaml: providers, and how long sessions last."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from polyceph.core.model.decision import Decision
from polyceph.core.model.sign_in import LOCAL, Provider, SignIn
from polyceph.core.policies.naming import name_is_allowed
from polyceph.declarations.findings import Findings
from polyceph.declarations.forms import ProviderForm, SignInForm
from polyceph.declarations.positions import Document

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?")


def read_sign_in(document: Document, findings: Findings) -> SignIn:
    """Return how people sign in; what is wrong goes to the findings. What has a wrong shape, told already, is left out."""
    declared = document.get("sign_in")
    section: Mapping[str, Any] = declared if isinstance(declared, dict) else {}
    entries = section.get("providers")
    found: dict[str, Provider] = {}
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        if isinstance(entry, dict):
            _check(document, str(name), entry, findings=findings)
            found[str(name)] = _provider(str(name), entry)
    _check_issuers(document, found, findings)
    limits = {key: section.get(key) for key in ("idle_minutes", "absolute_hours")}
    defaults = {key: SignInForm.model_fields[key].default for key in limits}
    known = {key: value if isinstance(value, int) else defaults[key] for key, value in limits.items()}
    return SignIn(found, known["idle_minutes"], known["absolute_hours"])


def _check(document: Document, name: str, entry: Mapping[str, Any], *, findings: Findings) -> None:
    where = ("sign_in", "providers", name)
    findings.refuse(name_is_allowed(name, "provider"), document.key_place(*where), value=name)
    if name == LOCAL:
        hint = "call it after what it is, for example entra or keycloak"
        findings.error(f"{LOCAL!r} is the name of the account of this machine", document.key_place(*where), value=name, hint=hint)
    issuer = entry.get("issuer")
    if isinstance(issuer, str):
        findings.refuse(_issuer_is_safe(issuer), document.place(*where, "issuer"), value=issuer)
    scopes = entry.get("scopes")
    if isinstance(scopes, list) and "openid" not in scopes:
        hint = "add openid: without it the provider does not say who signed in"
        findings.error(f"scopes of provider {name} lack openid", document.place(*where, "scopes"), hint=hint)
    for number, host in enumerate(entry["hosts"] if isinstance(entry.get("hosts"), list) else ()):
        if isinstance(host, str) and not _HOST.fullmatch(host):
            place = document.place(*where, "hosts", number)
            findings.error(f"host {host!r} is no host", place, value=host, hint="write the host alone, for example keys.example.org")


def _issuer_is_safe(issuer: str) -> Decision:
    parts = urlsplit(issuer)
    hint = "copy the issuer of the provider's discovery document, for example https://sso.example.org/realms/wallonia"
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment or parts.username:
        return Decision(False, "sign-in", f"issuer {issuer!r} is no address of a provider", hint=hint)
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        return Decision(False, "sign-in", f"issuer {issuer!r} is not https: whoever is on the way could sign in as anybody", hint=hint)
    return Decision(True, "sign-in", "the issuer is an address over TLS")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _check_issuers(document: Document, providers: Mapping[str, Provider], findings: Findings) -> None:
    """Refuse two providers of one issuer: it would be a matter of chance which of the two a token is held against."""
    first: dict[str, str] = {}
    for name, one in providers.items():
        known = first.setdefault(one.issuer, name)
        if known != name and one.issuer:
            message = f"providers {known} and {name} have the same issuer"
            findings.error(message, document.place("sign_in", "providers", name, "issuer"), value=one.issuer, hint="declare it once")


def _provider(name: str, entry: Mapping[str, Any]) -> Provider:
    def text(key: str) -> str:
        default = ProviderForm.model_fields[key].default
        value = entry.get(key, default)
        return value if isinstance(value, str) else ""

    def listed(key: str) -> tuple[str, ...]:
        value = entry.get(key)
        default = ProviderForm.model_fields[key].get_default(call_default_factory=True)
        return tuple(str(one) for one in (value if isinstance(value, list) else default))

    title = entry.get("title")
    return Provider(
        name=name,
        issuer=text("issuer"),
        client_id=text("client_id"),
        client_secret_env=text("client_secret_env"),
        title={str(key): str(value) for key, value in title.items()} if isinstance(title, dict) else {},
        scopes=listed("scopes"),
        groups_claim=text("groups_claim"),
        person_claim=text("person_claim"),
        algorithms=listed("algorithms"),
        audience=text("audience") or None,
        hosts=listed("hosts"),
    )
