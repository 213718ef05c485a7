"""Service identities as pages and commands handle them: made, listed, rotated, revoked; and tokens for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import SecretStr

from polyceph.bootstrap.identity import Identity
from polyceph.core.model.access import FEDERATION, Action, Principal, Question, Role
from polyceph.core.model.decision import Decision
from polyceph.core.model.event import Actor
from polyceph.core.model.sentence import said
from polyceph.core.model.service_identity import KnownService, SecretKind, ServiceIdentity
from polyceph.core.usecases import service_identities
from polyceph.core.usecases.service_identities import Asking, Fresh, Known, Rotation
from polyceph.errors import Denied, NotFound
from polyceph.identity.secrets import ACCESS, LASTING, MadeSecret, new_token


@dataclass(frozen=True)
class Wish:
    """A service identity that somebody wants."""

    name: str
    owner: str
    roles: Mapping[str, frozenset[Role]]
    scopes: frozenset[Action]
    days: int
    provider: str | None = None
    client: str | None = None


@dataclass(frozen=True)
class Issued:
    """A short access token, and for how many seconds it counts."""

    token: SecretStr
    seconds: int
    scopes: tuple[str, ...]


@dataclass(eq=False)
class ServiceDesk:
    """What pages, commands and the token endpoint do about service identities.

    `who` is the principal who asks at a page; None is whoever types at the machine: she has the keys of the store anyway.
    """

    identity: Identity

    def create(self, wish: Wish, *, who: Principal | None, typist: Actor | None = None) -> SecretStr | None:
        """Create a service identity and return its token, to be shown once; None when it comes with tokens of a provider.

        Raises:
            Denied: who asks may not, in one of the domains; recorded.
            Invalid: it lacks an owner, role or scope, lasts too long, or would have what only people may.
            NotFound: the provider is not declared, or sends no tokens of services.
        """
        now = self.identity.clock.now()
        if wish.provider is not None:
            self._refuse_provider(wish.provider)
        asking = self._asking(who, typist, Action.IDENTITY_CREATE, wish.roles)
        made = new_token(LASTING) if wish.provider is None else None
        identity = ServiceIdentity(
            wish.name,
            wish.owner,
            wish.roles,
            wish.scopes,
            now,
            asking.actor.id,
            now + timedelta(days=wish.days),
            wish.provider,
            wish.client,
        )
        federation = self.identity.federation()
        known = Known(federation.people, federation.domains)
        service_identities.create(self.identity.work(), identity, _fresh(made) if made else None, asking, known)
        return made.text if made else None

    def list(self, who: Principal | None) -> Sequence[KnownService]:
        """Return the service identities that somebody may know of: those of domains where she may create or revoke them, and her own."""
        return [one for one in self.identity.queries.services() if who is None or self._may_see(who, one.identity)]

    def rotate(self, name: str, *, overlap: timedelta, days: int, who: Principal | None, typist: Actor | None = None) -> SecretStr:
        """Give a service identity another token, shown once; the former counts for `overlap` longer."""
        known = self._known(name)
        asking = self._asking(who, typist, Action.IDENTITY_CREATE, known.identity.roles)
        made = new_token(LASTING)
        ends = self.identity.clock.now() + timedelta(days=days)
        service_identities.rotate(self.identity.work(), known, Rotation(_fresh(made), overlap, ends), asking)
        return made.text

    def revoke(self, name: str, *, reason: str, who: Principal | None, typist: Actor | None = None) -> bool:
        """End a service identity and all its tokens; return False when it had ended. They stop within a second, everywhere."""
        known = self._known(name)
        asking = self._asking(who, typist, Action.IDENTITY_REVOKE, known.identity.roles, owner=known.identity.owner)
        return service_identities.revoke(self.identity.work(), name, asking, reason=reason)

    def issue(self, client: str, secret: str) -> Issued:
        """Return a short access token for a service identity that proves itself by its token (RFC 6749, 4.4).

        Raises:
            Denied: name and token do not belong together, or count no more; recorded.
        """
        found = self.identity.service_of_token(secret)
        if isinstance(found, Principal):
            raise Denied(said("the client is refused"), hint=said("the token is wrong, was revoked or has expired"))
        identity, kept = found
        if identity.name != client or kept.kind is not SecretKind.LASTING:
            self.identity.refuse_service(identity.name, Decision(False, "client", "the token is another client's, or a short one"))
            raise Denied(said("the client is refused"), hint=said("client_id is the identity's name, client_secret its token"))
        made, now = new_token(ACCESS), self.identity.clock.now()
        short = service_identities.issue_token(self.identity.work(), identity, kept, _fresh(made), now=now)
        scopes = tuple(sorted(one.value for one in identity.scopes))
        return Issued(made.text, int((short.expires_at - now).total_seconds()), scopes)

    def _may_see(self, who: Principal, identity: ServiceIdentity) -> bool:
        if who.person is not None and who.person == identity.owner:
            return True
        return any(self._decided(who, action, identity.roles).allowed for action in (Action.IDENTITY_CREATE, Action.IDENTITY_REVOKE))

    def _asking(
        self, who: Principal | None, typist: Actor | None, action: Action, roles: Mapping[str, frozenset[Role]], *, owner: str | None = None
    ) -> Asking:
        now = self.identity.clock.now()
        if who is None:
            if typist is None:
                raise Denied(said("nobody asks for this"), hint=said("sign in"))
            return Asking(typist, "cli", now, Decision(True, "machine", "whoever types at the machine administers it"))
        verdict = self._decided(who, action, roles)
        if owner is not None and who.person == owner:
            verdict = Decision(True, "owner", "its owner may end it")
        return Asking(who.actor, "web", now, verdict)

    def _decided(self, who: Principal, action: Action, roles: Mapping[str, frozenset[Role]]) -> Decision:
        """Return the first refusal among the domains in which the identity has a role; without any, the federation's verdict."""
        now: datetime = self.identity.clock.now()
        domains = [None if domain == FEDERATION else domain for domain in roles] or [None]
        verdicts = [self.identity.decide(who, Question(action, now, domain=domain)) for domain in domains]
        return next((one for one in verdicts if not one.allowed), verdicts[0])

    def _known(self, name: str) -> KnownService:
        known = self.identity.queries.service(name)
        if known is None:
            raise NotFound(said("there is no service identity {name!r}", name=name), hint=said("polyceph identity list shows them"))
        return known

    def _refuse_provider(self, name: str) -> None:
        provider = self.identity.federation().sign_in.providers.get(name)
        if provider is None or provider.audience is None:
            hint = said("declare it under sign_in in federation.yaml, with audience: what its access tokens are made for")
            raise NotFound(said("no provider {name!r} sends tokens of services", name=name), hint=hint)


def _fresh(made: MadeSecret) -> Fresh:
    return Fresh(made.hash, made.label)
