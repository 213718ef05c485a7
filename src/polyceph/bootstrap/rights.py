"""Who may do what, as the platform is installed: the table with the federation's own policies, roles as declared, emergency access."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from polyceph.bootstrap.deciding import decider, informed_decider
from polyceph.bootstrap.declared import SystemClock, today
from polyceph.bootstrap.platform import Platform, join_platform, this_actor
from polyceph.core.model.access import Action, Principal, Question, Standing
from polyceph.core.model.decision import Decision
from polyceph.core.model.emergency import Emergency, EmergencyState, Opening
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.federation import Federation
from polyceph.core.policies.emergencies import lasting, to_be_told
from polyceph.core.policies.nearest import did_you_mean
from polyceph.core.policies.roles import roles_of
from polyceph.core.usecases import emergencies
from polyceph.errors import NotFound, PolycephError
from polyceph.settings import Settings
from polyceph.store.unit_of_work import PostgresUnitOfWork


@dataclass(frozen=True)
class Wanted:
    """What is to be explained: whether this person, in these groups, may do this in that domain or with that dataset."""

    person: str | None
    action: str
    domain: str | None = None
    dataset: str | None = None
    groups: Collection[str] = ()


def explain(settings: Settings, federation: Federation, wanted: Wanted) -> tuple[Principal, Decision]:
    """Return who asks, with her roles as declared, and what is decided; emergency access and grants are left aside.

    Raises:
        NotFound: the action, the domain, the dataset or the person is unknown.
    """
    actions = tuple(action.value for action in Action)
    if wanted.action not in actions:
        raise _unknown("action", wanted.action, actions)
    domain = wanted.domain if wanted.dataset is None else wanted.dataset.partition(".")[0]
    if domain is not None and domain not in federation.domains:
        raise _unknown("domain", domain, federation.domains)
    if wanted.person is not None and wanted.person not in federation.people:
        raise _unknown("person", wanted.person, federation.people)
    if wanted.dataset is not None and wanted.dataset not in (known := {str(one) for one in federation.domains[str(domain)].datasets}):
        raise _unknown("dataset", wanted.dataset, known)
    who = principal(settings, federation, wanted.person, groups=wanted.groups)
    question = Question(Action(wanted.action), SystemClock().now(), domain, wanted.dataset)
    return who, informed_decider(lambda: federation)(who, question)


def principal(settings: Settings, federation: Federation, person: str | None, *, groups: Collection[str] = ()) -> Principal:
    """Return somebody as she is declared: her roles, and whether she is still there. None is somebody known by her groups alone."""
    day = today(settings)
    roles = roles_of(federation, person=person, groups=groups, today=day)
    known = federation.people.get(person) if person is not None else None
    has_left = known is not None and not known.is_living(day)
    actor = Actor(ActorKind.PERSON, person or "somebody")
    return Principal(actor, Standing.LEFT if has_left else Standing.ACTIVE, roles, person, known.name if known else "")


def acting_principal(platform: Platform, person: str | None, federation: Federation | None = None) -> Principal:
    """Return who acts at this keyboard, for herself or, with `person`, for whom she types; `federation` is newer than the platform's."""
    me = this_actor()
    name = person or me.id
    declared = principal(platform.settings, federation or platform.federation, name)
    actor = me if name == me.id else Actor(me.kind, me.id, name)
    found = lasting(platform.queries().emergencies(is_open=True), name, SystemClock().now())
    return Principal(actor, declared.standing, declared.roles, name, declared.name, emergencies=found)


def open_emergency(platform: Platform, asked: Opening, person: str | None) -> tuple[Emergency, tuple[str, ...]]:
    """Open emergency access; return it and who must be told of it."""
    who, around = acting_principal(platform, person), _around(platform)
    found = emergencies.open_emergency(PostgresUnitOfWork(platform.engine), platform.queries(), asked, who=who, around=around)
    return found, to_be_told(platform.federation, asked.domain, besides=asked.person)


def close_emergency(platform: Platform, number: int, person: str | None) -> Emergency:
    """End emergency access before its time."""
    who, around = acting_principal(platform, person), _around(platform)
    return emergencies.close_emergency(PostgresUnitOfWork(platform.engine), platform.queries(), number, who=who, around=around)


def listed_emergencies(platform: Platform, *, every: bool) -> tuple[Emergency, ...]:
    """Return the emergency access that lasts, or every one there was."""
    platform.record_emergencies()
    return platform.queries().emergencies(is_open=not every)


def lasting_emergencies(settings: Settings) -> tuple[Emergency, ...]:
    """Return the emergency access that lasts; nothing while the store cannot be asked, which what runs tells besides."""
    now = SystemClock().now()
    try:
        found = join_platform(settings).queries().emergencies(is_open=True)
    except PolycephError:
        return ()
    return tuple(one for one in found if one.state(now) is EmergencyState.OPEN)


def _around(platform: Platform) -> emergencies.Circumstances:
    now = SystemClock().now()
    return emergencies.Circumstances(platform.federation, decider(), now, today(platform.settings), "cli")


def _unknown(what: str, value: str, known: Collection[str]) -> NotFound:
    hint = did_you_mean(value, known) or f"known are: {', '.join(sorted(known)[:30]) or 'none'}"
    return NotFound(f"there is no {what} {value!r}", hint=hint)
