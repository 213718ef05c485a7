"""Mapping between rows of sign-in and service identities and their nouns, one pair of functions a noun."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from polyceph.core.model.access import Action, Role
from polyceph.core.model.service_identity import SecretKind, ServiceIdentity, ServiceSecret
from polyceph.core.model.sign_in import LocalAccount, PendingSignIn, Session

Values = dict[str, Any]


def session_values(one: Session) -> Values:
    """Return the row of a session."""
    return {**vars(one), "groups": sorted(one.groups)}


def session(row: Row[Any]) -> Session:
    """Return the session of a row."""
    values = row._asdict()
    return Session(**{**values, "groups": frozenset(values["groups"])})


def pending(row: Row[Any]) -> PendingSignIn:
    """Return the sign-in under way of a row."""
    return PendingSignIn(**row._asdict())


def account(row: Row[Any]) -> LocalAccount:
    """Return the local account of a row."""
    return LocalAccount(**row._asdict())


def service_values(one: ServiceIdentity) -> Values:
    """Return the row of a service identity."""
    roles = {domain: sorted(role.value for role in held) for domain, held in one.roles.items()}
    return {**vars(one), "roles": roles, "scopes": sorted(scope.value for scope in one.scopes)}


def service(row: Row[Any]) -> ServiceIdentity:
    """Return the service identity of a row."""
    names = ServiceIdentity.__dataclass_fields__
    values = {name: value for name, value in row._asdict().items() if name in names}
    roles = {domain: frozenset(map(Role, held)) for domain, held in values["roles"].items()}
    # A scope that this release does not know allows nothing.
    scopes = frozenset(Action(scope) for scope in values["scopes"] if scope in set(Action))
    return ServiceIdentity(**{**values, "roles": roles, "scopes": scopes})


def secret_values(one: ServiceSecret) -> Values:
    """Return the row of a secret."""
    return {**vars(one), "kind": one.kind.value}


def secret(row: Row[Any]) -> ServiceSecret:
    """Return the secret of a row."""
    values = row._asdict()
    return ServiceSecret(**{**values, "kind": SecretKind(values["kind"])})
