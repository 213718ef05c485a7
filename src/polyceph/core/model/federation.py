"""The federation: the whole organisation with many heads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from polyceph.core.model.access import RoleGrant
from polyceph.core.model.domain import Domain
from polyceph.core.model.holders import Holders, holders_of
from polyceph.core.model.person import Person
from polyceph.core.model.place import Place
from polyceph.core.model.sign_in import SignIn
from polyceph.errors import Problem


@dataclass(frozen=True)
class Environment:
    """One environment of the federation; `storage` is the root of all lakes: a folder, `s3://…` or `az://…`."""

    name: str
    storage: str


@dataclass(frozen=True)
class Channel:
    """A way to reach people (`ntfy`, `teams`, `email`); `target_env` names the variable that holds its address."""

    name: str
    kind: str
    target_env: str


@dataclass(frozen=True)
class HeadPlace:
    """A place outside the database that gets signed heads of the journal: `kind` is folder, git or mail, `target` a path or address."""

    kind: str
    target: str
    every_hours: int = 24
    """Least time between two mails."""


@dataclass(frozen=True)
class Federation:
    """Everything declared in one federation folder, checked."""

    name: str
    title: Mapping[str, str]
    languages: tuple[str, ...]
    environments: Mapping[str, Environment]
    channels: Mapping[str, Channel]
    people: Mapping[str, Person]
    domains: Mapping[str, Domain]
    place: Place
    digest: str = ""
    """SHA-256 over the bytes of every declaration, hexadecimal."""
    links: Mapping[str, str] = field(default_factory=dict)
    heads_kept_in: tuple[HeadPlace, ...] = ()
    roles: tuple[RoleGrant, ...] = ()
    """Roles that federation.yaml gives, of the federation and of domains; those that domains give are theirs."""
    sign_in: SignIn = field(default_factory=SignIn)
    warnings: tuple[Problem, ...] = ()
    """What does not stop the federation and still wants somebody's attention, sorted by file and line."""

    @cached_property
    def holders(self) -> Holders:
        """Return who holds which role by declaration; turned round once, for doors ask at every request."""
        return holders_of(self.roles, self.domains.values())
