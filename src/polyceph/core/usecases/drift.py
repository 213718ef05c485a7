"""Drift of sources: a task for the data owner of each, and the decision: accept it, map it, refuse it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from polyceph.core.model.access import Action, Principal
from polyceph.core.model.access import Question as Request
from polyceph.core.model.contract import Contract
from polyceph.core.model.domain import Domain
from polyceph.core.model.drift import Drift, Edit, SaidSighting, Sighting, State, from_body
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.policies.authorisation import Decide
from polyceph.core.policies.contract_versions import TABLE, accepting, mapping, next_version, unmapped
from polyceph.core.ports import Queries, UnitOfWork
from polyceph.errors import Conflict, Denied, Invalid, NotFound

_ROLE = "domain_"
Write = Callable[[tuple[Edit, ...], str], None]
"""Writes edits and the new version into the declarations and applies them; when it raises, nothing is changed."""


@dataclass(frozen=True)
class Settlement:
    """What the outbox is to be told: numbers of deliveries by what was decided about them; `unreadable` ones say nothing."""

    decided: Mapping[State, Sequence[int]] = field(default_factory=dict)
    unreadable: Sequence[int] = ()
    found: int = 0


@dataclass(frozen=True)
class Question:
    """What is decided: a drift of a dataset, with the declarations of its domain as they are now and the deliveries that wait for it."""

    drift: Drift
    domain: Domain
    covers: Sequence[int]

    @property
    def contract(self) -> Contract:
        """Return the contract as it is now; raise `NotFound` when the dataset has none any more."""
        dataset = self.drift.sighting.dataset
        if dataset not in self.domain.contracts:
            raise NotFound(f"{dataset} has no contract any more", hint="polyceph drift refuse what waits for it")
        return self.domain.contracts[dataset]


@dataclass(frozen=True)
class Deciding:
    """Who decides, what tells whether she may, and when."""

    who: Principal
    decide: Decide
    now: datetime

    @property
    def actor(self) -> Actor:
        """Return who it is, for the journal."""
        return self.who.actor


def record_sightings(uow: UnitOfWork, queries: Queries, said: Sequence[SaidSighting]) -> Settlement:
    """Make one task per change of a dataset of the deliveries that wait in the outbox; return what the outbox does not know yet.

    A decision that was recorded and never told, because the process ended between, is told now.
    """
    known = queries.drifts() if said else ()
    decided = {number: one.state for one in known if one.state is not State.WAITING for number in one.covers}
    waiting = {(one.sighting.dataset, one.sighting.digest) for one in known if one.state is State.WAITING}
    told: dict[State, list[int]] = {}
    unreadable: list[int] = []
    found = 0
    for one in said:
        sighting = _understood(one)
        if one.id in decided:
            told.setdefault(decided[one.id], []).append(one.id)
        elif sighting is None:
            unreadable.append(one.id)
        elif (sighting.dataset, sighting.digest) not in waiting:
            found += _find(uow, one, sighting)
            waiting.add((sighting.dataset, sighting.digest))
    return Settlement(told, unreadable, found)


def accept(uow: UnitOfWork, question: Question, write: Write, *, by: Deciding) -> str:
    """Let the contract promise what came: write its new version, keep the decision, return the version.

    Raises:
        Denied: she may not decide about the dataset; that is recorded.
        Conflict: somebody has decided already.
    """
    _must_decide(uow, question, by)
    return _write(uow, question, accepting(question.contract, question.drift.sighting), write, (State.ACCEPTED, by.actor))


def map_names(uow: UnitOfWork, question: Question, names: Mapping[str, str], write: Write, *, by: Deciding) -> str:
    """Keep the contract's promise and find its columns under other names; return the version. `names`: contract's column → the source's.

    Raises:
        Denied: she may not decide about the dataset; that is recorded.
        Invalid: a name is not known, or something is left that no mapping settles.
        Conflict: somebody has decided already.
    """
    _must_decide(uow, question, by)
    sighting = question.drift.sighting
    _refuse_unknown(question.contract, sighting, names)
    if left := unmapped(sighting, names):
        raise Invalid(
            f"drift {question.drift.number} is not settled by a mapping: {'; '.join(map(str, left))}",
            hint="name the source's column with --column CONTRACT=SOURCE, or accept or refuse it",
        )
    return _write(uow, question, mapping(sighting, names), write, (State.MAPPED, by.actor))


def refuse(uow: UnitOfWork, question: Question, *, by: Deciding) -> None:
    """Keep that what drifts is not to be loaded, ever: the source has to deliver anew.

    Raises:
        Denied: she may not decide about the dataset; that is recorded.
        Conflict: somebody has decided already.
    """
    _must_decide(uow, question, by)
    _decide(uow, question, (State.REFUSED, by.actor))


def is_about(said: SaidSighting, drift: Drift) -> bool:
    """Tell whether a delivery that waits is one that a drift is about."""
    one = _understood(said)
    return one is not None and (one.dataset, one.digest) == (drift.sighting.dataset, drift.sighting.digest)


def _understood(one: SaidSighting) -> Sighting | None:
    """Return what a domain said of its own dataset; None for anything else, which anybody's code may have written."""
    try:
        sighting = from_body(one.body)
    except Invalid:
        return None
    return sighting if one.role == f"{_ROLE}{sighting.dataset.domain}" else None


def _find(uow: UnitOfWork, one: SaidSighting, sighting: Sighting) -> bool:
    with uow:
        number = uow.find_drift(sighting, one.at)
        if number is not None:
            actor = Actor(ActorKind.SERVICE, f"domain:{sighting.dataset.domain}")
            event = _event(sighting, "drift.found", actor, {"number": number, "origin": sighting.origin})
            _record(uow, replace(event, correlation={"run": sighting.run} if sighting.run else {}), sighting)
        uow.commit()
    return number is not None


def _must_decide(uow: UnitOfWork, question: Question, by: Deciding) -> None:
    drift = question.drift
    if drift.state is not State.WAITING:
        raise Conflict(f"drift {drift.number} is {drift.state} by {drift.decided_by}", hint=f"polyceph drift show {drift.number}")
    dataset = drift.sighting.dataset
    decision = by.decide(by.who, Request(Action.DRIFT_DECIDE, by.now, dataset.domain, str(dataset)))
    if decision.allowed:
        return
    with uow:
        event = _event(drift.sighting, "drift.refused", by.actor, {"number": drift.number})
        _record(uow, replace(event, allowed=False, policy=decision.policy, reason=decision.reason), drift.sighting)
        uow.commit()
    raise Denied(decision.reason, hint=decision.hint)


def _write(uow: UnitOfWork, question: Question, edits: tuple[Edit, ...], write: Write, decided: tuple[State, Actor]) -> str:
    contract, before = question.contract, question.drift.sighting.contract
    wanted = tuple(one for one in edits if not _is_done(contract, one))
    # Written before, and the process ended before the decision was kept: it is not written twice.
    version = contract.version if contract.version != before and not wanted else next_version(contract.version, edits)
    if version != contract.version:
        write(wanted, version)
    _decide(uow, question, decided, versions={"before": before, "after": version})
    return version


def _is_done(contract: Contract, edit: Edit) -> bool:
    column = next((one for one in contract.columns if one.name == edit.column), None)
    if edit.in_entry:
        return False
    if edit.action == "add":
        return any(edit.column in (one.name, one.source_name) for one in contract.columns)
    if edit.action == "remove":
        return column is None
    values = {"physicalName": "source_name", "logicalType": "logical_type", "physicalType": "physical_type", "required": "required"}
    return column is not None and getattr(column, values[edit.key]) == edit.value


def _decide(uow: UnitOfWork, question: Question, decided: tuple[State, Actor], versions: Mapping[str, object] | None = None) -> None:
    state, actor = decided
    drift = question.drift
    with uow:
        uow.decide_drift(drift.number, state, by=actor.on_behalf_of or actor.id, covers=question.covers)
        after = {"number": drift.number, **({"versions": versions} if versions else {})}
        _record(uow, _event(drift.sighting, _EVENTS[state], actor, after), drift.sighting)
        uow.commit()


_EVENTS = {State.ACCEPTED: "drift.accepted", State.MAPPED: "drift.mapped", State.REFUSED: "drift.refused"}


def _event(sighting: Sighting, action: str, actor: Actor, after: Mapping[str, object]) -> Event:
    told = [{"kind": one.kind.value, "column": one.column, "was": one.was, "is": one.is_} for one in sighting.differences if one.stops]
    return Event(
        actor=actor,
        door="ingest" if action == "drift.found" else "cli",
        action=action,
        subject_kind="dataset",
        subject_id=str(sighting.dataset),
        domain=sighting.dataset.domain,
        subject_version=sighting.contract,
        after={**after, "differences": told},
    )


def _record(uow: UnitOfWork, event: Event, sighting: Sighting) -> None:
    """Record an event; what the source named is left out where the journal may not hold it."""
    try:
        uow.record(event)
    except Invalid:
        kept = {key: value for key, value in (event.after or {}).items() if key not in ("origin", "differences")}
        uow.record(replace(event, after={**kept, "digest": sighting.digest}))


def _refuse_unknown(contract: Contract, sighting: Sighting, names: Mapping[str, str]) -> None:
    promised, there = {one.name for one in contract.columns}, {one.name for one in sighting.form.columns}
    columns = {column: name for column, name in names.items() if column != TABLE}
    wrong = sorted(set(columns) - promised) + sorted(set(columns.values()) - there)
    if wrong:
        hint = f"the contract promises {_few(promised)}; the source has {_few(there)}"
        raise Invalid(f"column {wrong[0]!r} is not known", hint=hint)


def _few(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)[:30])
