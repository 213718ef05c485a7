"""The local account of an embedded platform: made at the first start, entered by a one-time link, then by a password."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from polyceph.core.model.decision import Decision
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.model.sentence import said
from polyceph.core.model.sign_in import LOCAL, LocalAccount
from polyceph.core.policies.passwords import password_is_good
from polyceph.core.ports import UnitOfWork
from polyceph.errors import Denied, Invalid

LINK_LASTS = timedelta(hours=1)
_FREE_FAILURES = 5
_LONGEST_BLOCK = timedelta(minutes=15)
_WRONG = Decision(False, "password", said("account or password is wrong"), hint=said("polyceph account reset prints a new one-time link"))


@dataclass(frozen=True)
class Attempt:
    """A password that is tried. `matches` compares it with what is kept, and takes as long when nothing is kept."""

    matches: Callable[[str | None], bool]
    now: datetime


def make_link(uow: UnitOfWork, link: bytes, *, now: datetime, actor: Actor, person: str | None = None) -> LocalAccount:
    """Make the local account when there is none, and give it a one-time link, by its hash; a former link and password count no more.

    `person` is the declared person as whom it acts; None leaves it as it is.
    """
    with uow:
        known = uow.lock_account(LOCAL)
        account = known or LocalAccount(LOCAL, now)
        account = replace(account, link=link, link_expires_at=now + LINK_LASTS, password=None, failures=0, blocked_until=None)
        account = account if person is None else replace(account, person=person)
        uow.keep_account(account)
        action = "account.reset" if known else "account.created"
        uow.record(Event(actor, "cli", action, "account", LOCAL, after={"person": account.person} if account.person else None))
        uow.commit()
    return account


def set_password(
    uow: UnitOfWork, link: bytes, password: str, hashed: Callable[[str], str], *, names: tuple[str, ...], now: datetime
) -> None:
    """Give the account a password by its one-time link, which is used up.

    Raises:
        Invalid: the password is not good enough; the link stays.
        Denied: the link is not the one, was used, or has expired; recorded.
    """
    good = password_is_good(password, names)
    if not good.allowed:
        raise Invalid(good.reason, hint=good.hint)
    with uow:
        account = uow.lock_account(LOCAL)
        if account is not None and account.link == link and account.link_expires_at is not None and now < account.link_expires_at:
            uow.keep_account(replace(account, password=hashed(password), link=None, link_expires_at=None, failures=0, blocked_until=None))
            uow.record(Event(Actor(ActorKind.PERSON, LOCAL), "web", "account.entered", "account", LOCAL))
            uow.commit()
            return
        reason = said("the one-time link is not valid: it was used, has expired, or another was made")
        _refuse(uow, Decision(False, "one-time link", reason))
        uow.commit()
    raise Denied(reason, hint=said("polyceph account reset prints a new one"))


def try_password(uow: UnitOfWork, attempt: Attempt) -> LocalAccount:
    """Return the account when the password is right. Each failure from the fifth on closes it for longer, up to a quarter of an hour.

    Raises:
        Denied: it is wrong, or the account is closed for a while; recorded. Both say the same of the password.
    """
    with uow:
        account = uow.lock_account(LOCAL)
        if account is not None and account.blocked_until is not None and attempt.now < account.blocked_until:
            seconds = int((account.blocked_until - attempt.now).total_seconds()) + 1
            hint = said("try again in {seconds} seconds", seconds=seconds)
            verdict = Decision(False, "throttle", said("too many wrong passwords"), hint=hint)
        elif attempt.matches(account.password if account else None) and account is not None:
            if account.failures:
                uow.keep_account(replace(account, failures=0, blocked_until=None))
                uow.record(Event(Actor(ActorKind.PERSON, LOCAL), "web", "account.entered", "account", LOCAL))
                uow.commit()
            return replace(account, failures=0, blocked_until=None)
        else:
            verdict = _WRONG
            if account is not None:
                uow.keep_account(_after_failure(account, attempt.now))
        _refuse(uow, verdict)
        uow.commit()
    raise Denied(verdict.reason, hint=verdict.hint)


def _after_failure(account: LocalAccount, now: datetime) -> LocalAccount:
    failures = account.failures + 1
    excess = failures - _FREE_FAILURES
    block = min(timedelta(seconds=2 ** min(excess, 20)), _LONGEST_BLOCK) if excess >= 0 else None
    return replace(account, failures=failures, blocked_until=now + block if block else None)


def _refuse(uow: UnitOfWork, why: Decision) -> None:
    actor = Actor(ActorKind.PERSON, "nobody")
    uow.record(Event(actor, "web", "session.refused", "session", LOCAL, allowed=False, policy=why.policy, reason=why.reason))
