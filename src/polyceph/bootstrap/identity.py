"""Who is who: sessions and service identities become principals; signing in is in `sign_in`, changes of services in `services`."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import Engine

from polyceph.bootstrap.deciding import decider
from polyceph.bootstrap.declared import SystemClock
from polyceph.bootstrap.declared import today as day_of
from polyceph.core.model.access import FEDERATION, NOBODY, Principal, Role, Standing
from polyceph.core.model.decision import Decision
from polyceph.core.model.emergency import Emergency
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.federation import Federation
from polyceph.core.model.sentence import said
from polyceph.core.model.service_identity import ServiceIdentity, ServiceSecret
from polyceph.core.model.sign_in import LOCAL, Provider, Session
from polyceph.core.policies.authorisation import Decide
from polyceph.core.policies.emergencies import lasting
from polyceph.core.policies.roles import roles_of
from polyceph.core.policies.service_identities import secret_counts
from polyceph.core.policies.sessions import IDLE, LEFT, end_reason
from polyceph.core.ports import Clock
from polyceph.core.usecases import service_identities, sessions
from polyceph.errors import Denied, Misconfigured, NotFound, PolycephError, Problem
from polyceph.identity.http import is_loopback
from polyceph.identity.oidc import OidcClient
from polyceph.identity.secrets import ACCESS, LASTING, digest, is_token
from polyceph.identity.tokens import client_of, issuer_of, rule_of
from polyceph.logs import log
from polyceph.settings import Settings
from polyceph.store.identity_queries import PostgresIdentityQueries
from polyceph.store.identity_traffic import IdentityTraffic
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork

_KEPT_S = 1.0
"""How long a process may act on what it knew of a session: ending one counts everywhere after this, at the latest."""
_MOST_KEPT = 10_000
_TOUCHES = timedelta(minutes=1)
_REFUSALS_A_MINUTE = 30
_SHORTEST_SECRET = 16
_DEFAULT_SECRETS = ("changeme", "change-me", "secret", "password", "default", "example", "placeholder", "todo", "xxxx")


@dataclass(eq=False)
class Identity:
    """What a serving process knows of who is who; safe to use from many threads.

    `federation` returns the federation as applied last. `address` is the public address of the site, without a slash at its end.
    """

    settings: Settings
    engine: Engine
    federation: Callable[[], Federation]
    address: str
    clock: Clock = field(default_factory=SystemClock)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    decide: Decide = field(default_factory=decider, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)
    _kept: OrderedDict[bytes, tuple[float, Any]] = field(default_factory=OrderedDict, repr=False)
    _clients: dict[str, OidcClient] = field(default_factory=dict, repr=False)
    _refusals: dict[str, tuple[float, int]] = field(default_factory=dict, repr=False)

    @property
    def queries(self) -> PostgresIdentityQueries:
        """Return what the store can be asked."""
        return PostgresIdentityQueries(self.engine)

    @property
    def traffic(self) -> IdentityTraffic:
        """Return the short-lived facts of sign-in."""
        return IdentityTraffic(self.engine)

    def work(self) -> PostgresUnitOfWork:
        """Return a unit of work."""
        return PostgresUnitOfWork(self.engine)

    def today(self) -> date:
        """Return the federation's day."""
        return day_of(self.settings)

    def principal_of(self, cookie: str | None, bearer: str | None) -> Principal:
        """Return who a session's cookie or a bearer token stands for; `NOBODY` for neither, both, or what nobody knows.

        Raises:
            Unavailable: the store does not answer.
        """
        if (cookie is None) == (bearer is None):
            return NOBODY
        return self._of_cookie(cookie) if cookie is not None else self._of_bearer(str(bearer))

    def session_of(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie, ended or not."""
        return self.queries.session(digest(cookie)) if cookie else None

    def forget(self, session: Session) -> None:
        """Let this process ask the store about a session at its next request."""
        with self._lock:
            self._kept.pop(session.key, None)

    def client(self, name: str) -> OidcClient:
        """Return a declared provider as a client of it; what it has fetched is kept while its declaration stays.

        Raises:
            NotFound: no such provider is declared.
            Misconfigured: its secret is not set, a default, or short. Other providers go on.
        """
        provider = self.federation().sign_in.providers.get(name)
        if provider is None:
            raise NotFound(said("there is no provider {name!r} to sign in with", name=name), hint=said("begin at the sign-in page"))
        with self._lock:
            known = self._clients.get(name)
            if known is None or known.provider != provider:
                redirect = f"{self.address}/sign-in/callback/{provider.name}"
                known = OidcClient(provider, provider_secret(provider, self.environment), redirect, self.clock.now)
                self._clients[name] = known
            return known

    def has_local_account(self) -> bool:
        """Tell whether the local account may be used: no provider is declared, and the site is on this machine alone."""
        return not self.federation().sign_in.providers and is_this_machine_alone(self.settings, self.address)

    def _of_cookie(self, cookie: str) -> Principal:
        key, now = digest(cookie), self.clock.now()
        session: Session | None = self._remembered(key, lambda: self.queries.session(key))
        if session is None:
            return NOBODY
        roles = self.roles(session)
        reason = end_reason(session, now) or self._lost(session, roles)
        if reason is not None:
            return self._ended(session, reason, now)
        if now - session.touched_at >= _TOUCHES:
            self.traffic.touch_session(key, now)
            self.forget(session)
        actor = Actor(ActorKind.PERSON, session.actor)
        found = Principal(actor, Standing.ACTIVE, roles, session.person, session.name, session=session.id, language=session.language)
        return replace(found, emergencies=lasting(self._emergencies(), session.person, now)) if session.person else found

    def _emergencies(self) -> tuple[Emergency, ...]:
        found: tuple[Emergency, ...] = self._remembered(b"emergencies", lambda: PostgresQueries(self.engine).emergencies(is_open=True))
        return found

    def roles(self, session: Session) -> Mapping[str, frozenset[Role]]:
        """Return the roles of who has a session, by the declarations of now and the groups that her provider named."""
        federation = self.federation()
        if session.provider == LOCAL and session.person is None:
            return local_roles(federation)
        return roles_of(federation, person=session.person, groups=session.groups, today=self.today())

    def _lost(self, session: Session, roles: Mapping[str, frozenset[Role]]) -> str | None:
        """Return why somebody whose session has not ended is not let in any more, None while she is."""
        if session.provider == LOCAL:
            return None if self.has_local_account() else "the local account is closed"
        if session.provider not in self.federation().sign_in.providers:
            return "the provider is declared no more"
        person = self.federation().people.get(session.person) if session.person else None
        if session.person is not None and (person is None or not person.is_living(self.today())):
            return LEFT
        return None if roles or person is not None else "no group has a role any more"

    def _ended(self, session: Session, reason: str, now: datetime) -> Principal:
        if session.ended_at is None:
            sessions.end_by_itself(self.work(), session, reason, now=now)
            self.forget(session)
        standing = Standing.LEFT if reason == LEFT else Standing.EXPIRED
        log.debug("a session counts no more: %s", reason if reason != IDLE else "idle")
        return Principal(Actor(ActorKind.PERSON, session.actor), standing, name=session.name, language=session.language)

    def _of_bearer(self, token: str) -> Principal:
        if token.startswith((LASTING, ACCESS)):
            return self._of_token(token)
        try:
            return self._of_access_token(token)
        except Denied as error:
            rule, reason = rule_of(error)
            self.refuse_service("unknown", Decision(False, rule, reason))
            return NOBODY

    def _of_token(self, token: str) -> Principal:
        found = self.service_of_token(token)
        return found if isinstance(found, Principal) else self._service(found[0], found[1])

    def service_of_token(self, token: str) -> tuple[ServiceIdentity, ServiceSecret] | Principal:
        """Return the service identity that comes with a token of ours, or the principal of one that is refused, which is recorded."""
        if not is_token(token):
            self.refuse_service("unknown", Decision(False, "form", "the token is cut off or mistyped"))
            return NOBODY
        hash_ = digest(token)
        known: tuple[ServiceIdentity, ServiceSecret] | None = self._remembered(hash_, lambda: self.queries.service_of_secret(hash_))
        if known is None:
            self.refuse_service("unknown", Decision(False, "unknown token", "nobody has this token"))
            return NOBODY
        identity, secret = known
        verdict = self._service_counts(identity, secret)
        if not verdict.allowed:
            self.refuse_service(identity.name, verdict)
            return Principal(Actor(ActorKind.SERVICE, identity.name), _STANDING.get(verdict.policy, Standing.EXPIRED), name=identity.name)
        return identity, secret

    def _of_access_token(self, token: str) -> Principal:
        issuer = issuer_of(token)
        accepting = {one.issuer: name for name, one in self.federation().sign_in.providers.items() if one.audience}
        if issuer not in accepting:
            problem = Problem("no provider that may send tokens of services issued it", rule="issuer")
            raise Denied(said("the token is refused"), problems=(problem,))
        client = self.client(accepting[issuer])
        claims = client.checks.access_token(token)
        identity = self.queries.service_of_client(client.provider.name, str(client_of(claims)))
        if identity is None:
            reason = f"no service identity is declared for this client of {client.provider.name}"
            raise Denied(said("the token is refused"), problems=(Problem(reason, rule="client"),))
        verdict = self._service_counts(identity, None)
        if not verdict.allowed:
            self.refuse_service(identity.name, verdict)
            return Principal(Actor(ActorKind.SERVICE, identity.name), _STANDING.get(verdict.policy, Standing.EXPIRED), name=identity.name)
        return self._service(identity, None)

    def _service_counts(self, identity: ServiceIdentity, secret: ServiceSecret | None) -> Decision:
        owner = self.federation().people.get(identity.owner)
        return secret_counts(identity, secret, owner, now=self.clock.now(), today=self.today())

    def _service(self, identity: ServiceIdentity, secret: ServiceSecret | None) -> Principal:
        now = self.clock.now()
        last = secret.last_used_at if secret is not None else identity.last_used_at
        if last is None or now - last >= _TOUCHES:
            self.traffic.touch_service(identity.name, secret.hash if secret else None, now)
        actor = Actor(ActorKind.SERVICE, identity.name)
        known = self.federation().domains.keys() | {FEDERATION}
        roles = {domain: held for domain, held in identity.roles.items() if domain in known}
        return Principal(actor, Standing.ACTIVE, roles, name=identity.name, scopes=identity.scopes)

    def refuse_service(self, name: str, why: Decision) -> None:
        """Record that what came as a service identity was refused; of a flood a share is recorded, with how many it stands for."""
        moment = time.monotonic()
        with self._lock:
            since, count = self._refusals.get(name, (moment, 0))
            since, count = (moment, 0) if moment - since > 60 else (since, count)
            self._refusals[name] = (since, count + 1)
        if count >= _REFUSALS_A_MINUTE and count % 1000:
            return
        try:
            times = 1000 if count >= _REFUSALS_A_MINUTE else 1
            service_identities.refuse_identity(self.work(), name, why, door="web", times=times)
        except PolycephError as error:
            # The refusal stands whether or not it can be told.
            log.warning("a refusal could not be recorded: %s", error.message)

    def _remembered(self, key: bytes, ask: Callable[[], Any]) -> Any:
        moment = time.monotonic()
        with self._lock:
            at, known = self._kept.get(key, (0.0, None))
            if at and moment - at < _KEPT_S:
                return known
        found = ask()
        with self._lock:
            self._kept[key] = (moment, found)
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return found


_STANDING: Mapping[str, Standing] = {"left": Standing.LEFT}


def local_roles(federation: Federation) -> Mapping[str, frozenset[Role]]:
    """Return what the local account may do: look after the platform and, on this machine of hers, work in every domain."""
    own = dict.fromkeys(federation.domains, frozenset({Role.ENGINEER}))
    return {FEDERATION: frozenset({Role.PLATFORM_ENGINEER}), **own}


def provider_secret(provider: Provider, environment: Mapping[str, str]) -> SecretStr:
    """Return the secret by which the platform proves itself to a provider.

    Raises:
        Misconfigured: its variable is not set, or holds what nobody should use.
    """
    variable = provider.client_secret_env
    value = environment.get(variable, "")
    hint = f"set {variable} to the client secret that provider {provider.name} gave"
    if not value:
        raise Misconfigured(f"provider {provider.name} has no secret: {variable} is not set", hint=hint)
    if len(value) < _SHORTEST_SECRET or len(set(value)) < 6 or any(word in value.lower() for word in _DEFAULT_SECRETS):
        raise Misconfigured(f"the secret in {variable} is a default or shorter than {_SHORTEST_SECRET} characters", hint=hint)
    return SecretStr(value)


def public_address(settings: Settings) -> str:
    """Return the address under which people reach the site, without a slash at its end."""
    web = settings.web
    host = f"[{web.host}]" if ":" in web.host else web.host
    return web.address or f"http://{host}:{web.port}"


def is_this_machine_alone(settings: Settings, address: str) -> bool:
    """Tell whether a site is reached from this machine alone: it listens on loopback, and no proxy gives it another address."""
    return is_loopback(settings.web.host) and is_loopback(urlsplit(address).hostname or "")


def check_sign_in(federation: Federation, settings: Settings, address: str, environment: Mapping[str, str]) -> None:
    """Refuse to serve with sign-in that cannot be safe; called before anything listens.

    Raises:
        Misconfigured: the site can be reached from elsewhere and no provider is declared; a secret is unset, a default or short.
            All of it is told.
    """
    found: list[Problem] = []
    for provider in federation.sign_in.providers.values():
        try:
            provider_secret(provider, environment)
        except Misconfigured as error:
            found.append(Problem(error.message, hint=error.hint))
    if not federation.sign_in.providers and not is_this_machine_alone(settings, address):
        hint = "declare a provider under sign_in in federation.yaml, or serve at 127.0.0.1"
        found.append(Problem(f"nobody could sign in at {address}: the local account is for this machine alone", hint=hint))
    if not is_loopback(settings.web.host) and not address.startswith("https://"):
        hint = "set POLYCEPH_WEB__ADDRESS to the https address under which a proxy serves it"
        found.append(Problem(f"it listens at {settings.web.host} and no public address is set", hint=hint))
    if found:
        raise Misconfigured("sign-in is not safe", problems=found, hint="see docs/how-to/sign-in.md")
