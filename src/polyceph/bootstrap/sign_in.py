"""The ways in and out: at a provider, with the local account, and out again, here and there. What pages call; answers are plain facts."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pydantic import SecretStr

from polyceph.bootstrap.identity import Identity
from polyceph.core.model.access import Action, Principal, Question
from polyceph.core.model.decision import Decision
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.person import Person
from polyceph.core.model.sentence import said
from polyceph.core.model.sign_in import LOCAL, Claims, PendingSignIn, Session
from polyceph.core.policies.roles import roles_of
from polyceph.core.policies.sessions import end_reason, person_of, safe_target
from polyceph.core.usecases import accounts, sessions, sign_in
from polyceph.errors import Denied, NotFound, PolycephError, Problem
from polyceph.identity import passwords
from polyceph.identity.oidc import Answer, OidcClient
from polyceph.identity.secrets import digest, new_public_id, new_secret
from polyceph.identity.tokens import rule_of
from polyceph.logs import log

PENDING_LASTS = timedelta(minutes=10)
_LOGOUT_REMEMBERED = timedelta(minutes=15)


@dataclass(frozen=True)
class Choice:
    """One way to sign in that the page offers."""

    name: str
    title: Mapping[str, str]


@dataclass(frozen=True)
class SentAway:
    """Where the browser goes to sign in, and the secret that its cookie keeps meanwhile."""

    address: str
    browser: SecretStr


@dataclass(frozen=True)
class Returned:
    """What a browser brings back: parameters of the callback, and what its cookies hold."""

    state: str | None = None
    code: str | None = None
    issuer: str | None = None
    error: str | None = None
    browser: str | None = None
    cookie: str | None = None
    agent: str = ""


@dataclass(frozen=True)
class SignedIn:
    """A session that has begun: the secret for its cookie, how long it may last, and where to go."""

    cookie: SecretStr
    seconds: int
    target: str
    session: Session


@dataclass(eq=False)
class SignInDesk:
    """What the sign-in pages do."""

    identity: Identity

    def choices(self) -> Sequence[Choice]:
        """Return the providers that are declared."""
        return [Choice(one.name, one.title) for one in self.identity.federation().sign_in.providers.values()]

    def send_away(self, provider: str, *, target: str | None, language: str | None = None) -> SentAway:
        """Begin a sign-in at a provider.

        Raises:
            NotFound: no such provider is declared.
            Unavailable: the provider does not answer.
        """
        client = self.identity.client(provider)
        state, browser, verifier = new_secret(), new_secret(), secrets.token_urlsafe(48)
        nonce = secrets.token_urlsafe(32)
        address = client.authorization_address(state=state.text.get_secret_value(), nonce=nonce, verifier=verifier, language=language)
        now = self.identity.clock.now()
        pending = PendingSignIn(state.hash, browser.hash, provider, nonce, verifier, safe_target(target), now, now + PENDING_LASTS)
        self.identity.traffic.begin(pending, now)
        return SentAway(address, browser.text)

    def finish(self, provider: str, back: Returned) -> SignedIn:
        """Finish a sign-in with what came back from a provider.

        Raises:
            Denied: it must not count; recorded with the rule that it broke.
            Unavailable: the provider does not answer.
        """
        try:
            client = self.identity.client(provider)
            pending = self._pending(provider, back)
            claims = client.finish(pending, Answer(back.code, back.issuer, back.error))
        except Denied as error:
            self._record(provider, error)
            raise
        return self._opened(claims, pending.target, back)

    def try_password(self, password: str, *, target: str | None, cookie: str | None, agent: str = "") -> SignedIn:
        """Sign in with the local account's password.

        Raises:
            Denied: it is wrong, or too many were; recorded.
            NotFound: there is no local account here.
        """
        self._refuse_elsewhere()
        attempt = accounts.Attempt(lambda kept: passwords.matches(kept, password), self.identity.clock.now())
        account = accounts.try_password(self.identity.work(), attempt)
        return self._opened_locally(account.person, safe_target(target), Returned(cookie=cookie, agent=agent))

    def use_link(self, link: str, password: str, *, cookie: str | None, agent: str = "") -> SignedIn:
        """Give the local account its password by a one-time link, and sign in.

        Raises:
            Invalid: the password is not good enough; the link can be used again.
            Denied: the link is not valid; recorded.
        """
        self._refuse_elsewhere()
        work, now = self.identity.work(), self.identity.clock.now()
        names = (self.identity.federation().name, LOCAL)
        accounts.set_password(work, digest(link), password, passwords.hashed, names=names, now=now)
        account = self.identity.queries.account(LOCAL)
        for session in self.identity.queries.open_sessions(provider=LOCAL):
            sessions.end(self.identity.work(), [session], "another password was set", actor=Actor(ActorKind.PERSON, LOCAL), now=now)
        return self._opened_locally(account.person if account else None, "/", Returned(cookie=cookie, agent=agent))

    def link_is_open(self, link: str) -> bool:
        """Tell whether a one-time link can still be used."""
        account, now = self.identity.queries.account(LOCAL), self.identity.clock.now()
        if account is None or account.link is None or account.link_expires_at is None or not self.identity.has_local_account():
            return False
        return secrets.compare_digest(account.link, digest(link)) and now < account.link_expires_at

    def sign_out(self, cookie: str | None) -> str:
        """End the session of a cookie and return where the browser goes: to the provider, to sign out there too, or to our page."""
        session = self.identity.session_of(cookie)
        here = "/signed-out"
        if session is None or session.ended_at is not None:
            return here
        token = session.id_token
        sessions.end_own(self.identity.work(), session, now=self.identity.clock.now())
        self.identity.forget(session)
        try:
            there = None
            if session.provider != LOCAL:
                there = self.identity.client(session.provider).sign_out_address(token, back=f"{self.identity.address}{here}")
        except PolycephError as error:
            log.warning("signed out here alone: %s", error.message)
            there = None
        return there or here

    def hear_sign_out(self, provider: str, token: str | None) -> int:
        """End the sessions that a provider's logout token names; return how many.

        Raises:
            Denied: the token must not count; recorded.
        """
        client, now = self.identity.client(provider), self.identity.clock.now()
        try:
            claims = client.checks.logout_token(token)
            self._refuse_replay(client, str(claims["jti"]))
        except Denied as error:
            self._record(provider, error)
            raise
        found = self.identity.queries.open_sessions(provider=provider, subject=claims.get("sub"), provider_session=claims.get("sid"))
        for one in found:
            self.identity.forget(one)
        return sessions.end_at_provider(self.identity.work(), provider, found, now=now) if found else 0

    def sessions(self, who: Principal, *, of_everybody: bool = False) -> Sequence[Session]:
        """Return open sessions: one's own, or everybody's for who may end them (`session.end`)."""
        if of_everybody:
            verdict = self._may_end(who)
            if not verdict.allowed:
                raise Denied(verdict.reason, hint=verdict.hint)
        now = self.identity.clock.now()
        found = self.identity.queries.open_sessions(actor=None if of_everybody else who.actor.id)
        return [one for one in found if end_reason(one, now) is None]

    def end_session(self, who: Principal, public: str) -> bool:
        """End a session by its public id; return False when it had ended.

        Raises:
            NotFound: there is none.
            Denied: it is another's, and who asks may not end it; recorded.
        """
        session = self.identity.queries.session_named(public)
        if session is None:
            raise NotFound(said("there is no such session"), hint=said("it may have ended: load the list again"))
        done = sessions.end_of_another(self.identity.work(), session, self._may_end(who), who=who, now=self.identity.clock.now())
        self.identity.forget(session)
        return done

    def _may_end(self, who: Principal) -> Decision:
        return self.identity.decide(who, Question(Action.SESSION_END, self.identity.clock.now()))

    def _pending(self, provider: str, back: Returned) -> PendingSignIn:
        """Return the sign-in that this browser began with this provider; its state is used up, whoever brings it."""
        pending = self.identity.traffic.take(digest(back.state)) if back.state else None
        if pending is None:
            raise _refused(provider, "state", "no sign-in is under way that this answers: it was used, is old, or was never begun")
        if self.identity.clock.now() >= pending.expires_at:
            raise _refused(provider, "state", "the sign-in took too long")
        if not back.browser or not secrets.compare_digest(pending.browser, digest(back.browser)):
            raise _refused(provider, "browser", "another browser began this sign-in")
        if pending.provider != provider:
            raise _refused(provider, "mix-up", "the sign-in was begun with another provider")
        return pending

    def _opened(self, claims: Claims, target: str, back: Returned) -> SignedIn:
        federation = self.identity.federation()
        person = person_of(claims, federation.sign_in.providers[claims.provider], list(federation.people.values()))
        roles = roles_of(federation, person=person.id if person else None, groups=claims.groups, today=self.identity.today())
        return self._open(claims, person, target, back, has_roles=bool(roles))

    def _opened_locally(self, person: str | None, target: str, back: Returned) -> SignedIn:
        known = self.identity.federation().people.get(person) if person else None
        return self._open(Claims(LOCAL, LOCAL, name=LOCAL), known, target, back, has_roles=person is None)

    def _open(self, claims: Claims, person: Person | None, target: str, back: Returned, *, has_roles: bool) -> SignedIn:
        made, now, before = new_secret(), self.identity.clock.now(), self.identity.session_of(back.cookie)
        replaced = (before.id,) if before is not None and before.ended_at is None else ()
        opening = sign_in.Opening(made.hash, new_public_id(), now, self.identity.today(), back.agent, replaced, has_roles)
        limits = self.identity.federation().sign_in
        session = sign_in.open_session(self.identity.work(), claims, person, limits, opening)
        if before is not None:
            self.identity.forget(before)
        self._tidy()
        return SignedIn(made.text, limits.absolute_hours * 3600, target, session)

    def _tidy(self) -> None:
        try:
            sessions.tidy(self.identity.work(), self.identity.queries, now=self.identity.clock.now())
        except PolycephError as error:
            log.warning("sessions that are over are not tidied up: %s", error.message)  # she is signed in all the same

    def _refuse_replay(self, client: OidcClient, token: str) -> None:
        now = self.identity.clock.now()
        if not self.identity.traffic.is_first(digest(f"{client.provider.issuer} {token}"), now, now + _LOGOUT_REMEMBERED):
            raise _refused(client.provider.name, "replay", "the logout token was used before")

    def _record(self, provider: str, error: Denied) -> None:
        rule, reason = rule_of(error)
        sign_in.refuse_sign_in(self.identity.work(), provider, Decision(False, rule, reason))

    def _refuse_elsewhere(self) -> None:
        if not self.identity.has_local_account():
            raise NotFound(said("there is no local account here"), hint=said("sign in with a provider"))


def _refused(provider: str, rule: str, reason: str) -> Denied:
    message = said("the answer of {provider} is refused", provider=provider)
    return Denied(message, problems=(Problem(reason, rule=rule),), hint=said("begin again at the sign-in page"))
