"""Drift as the platform sees it: tasks from the lakes' quarantine, decisions written into the declarations and told to the domains."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from polyceph.bootstrap.deciding import informed_decider
from polyceph.bootstrap.declared import SystemClock, usable_federation
from polyceph.bootstrap.platform import Platform, code_commit
from polyceph.bootstrap.rights import acting_principal
from polyceph.core.model.drift import Drift, Edit, State
from polyceph.core.model.event import Actor
from polyceph.core.model.federation import Federation
from polyceph.core.usecases import drift as usecases
from polyceph.core.usecases.federation import apply_federation
from polyceph.declarations.edits import edited_contract, edited_entry
from polyceph.errors import Conflict, Invalid, NotFound, Problem
from polyceph.lake.outbox import outbox_taken
from polyceph.lake.quarantine import waiting_sightings
from polyceph.store.unit_of_work import PostgresUnitOfWork

Decide = Callable[[PostgresUnitOfWork, usecases.Question, usecases.Write, usecases.Deciding], str]


def drifts(platform: Platform, *, every: bool) -> tuple[Drift, ...]:
    """Return the drifts that wait for a decision, or every one."""
    platform.record_drifts()
    return platform.queries().drifts(None if every else State.WAITING)


def drift(platform: Platform, number: int) -> Drift:
    """Return one drift; raise `NotFound` when there is none of this number."""
    platform.record_drifts()
    found = platform.queries().drift(number)
    if found is None:
        raise NotFound(f"there is no drift {number}", hint="polyceph drift list --all shows all of them")
    return found


def originals(platform: Platform, one: Drift) -> tuple[str, ...]:
    """Return where the bytes of the delivery that drifted are kept."""
    root = platform.lake(one.sighting.dataset.domain).own.data_path
    return tuple(f"{root.rstrip('/')}/{path}" for path in one.sighting.originals)


def accept(platform: Platform, number: int, person: str | None) -> str:
    """Let the contract promise what came; return the contract's version."""
    return _decide(platform, number, person, lambda work, asked, write, by: usecases.accept(work, asked, write, by=by))


def map_names(platform: Platform, number: int, person: str | None, names: Mapping[str, str]) -> str:
    """Keep the contract's promise under the source's new names; return the contract's version."""
    return _decide(platform, number, person, lambda work, asked, write, by: usecases.map_names(work, asked, names, write, by=by))


def refuse(platform: Platform, number: int, person: str | None) -> None:
    """Keep that what drifts is never loaded."""

    def decide(work: PostgresUnitOfWork, asked: usecases.Question, _: usecases.Write, by: usecases.Deciding) -> str:
        usecases.refuse(work, asked, by=by)
        return ""

    _decide(platform, number, person, decide)


def _decide(platform: Platform, number: int, person: str | None, decide: Decide) -> str:
    one = drift(platform, number)
    dataset, work = one.sighting.dataset, PostgresUnitOfWork(platform.engine)
    federation = _federation(platform, dataset.domain)
    who, now = acting_principal(platform, person, federation), SystemClock().now()
    by = usecases.Deciding(who, informed_decider(lambda: federation), now)
    with outbox_taken(platform.server.admin.at(platform.addresses.databases.lake)) as outbox:
        waiting = [said.id for said in waiting_sightings(outbox) if usecases.is_about(said, one)]
        question = usecases.Question(one, federation.domains[dataset.domain], waiting)
        version = decide(work, question, lambda edits, new: _write(platform, question, (edits, new), who.actor), by)
        if version:
            _apply(platform, dataset.domain, who.actor)  # what a decision had written when it was killed is applied by the next
        platform.record_drifts()  # tells the domain
    return version


def _federation(platform: Platform, name: str) -> Federation:
    """Return what is declared now, if of this domain it is right: a long-lived process may have read it before somebody edited it."""
    usable = usable_federation(platform.settings)
    if name not in usable.federation.domains:
        raise Invalid(f"the declarations of {name} are wrong, so nothing is decided", problems=usable.refused.get(name, ()))
    return usable.federation


def _write(platform: Platform, question: usecases.Question, what: tuple[tuple[Edit, ...], str], actor: Actor) -> None:
    """Write the edits and the new version, and apply the declarations; whatever fails, the files are as they were."""
    edits, version = what
    root, contract = platform.settings.federation.resolve(), question.contract
    promised = root / contract.place.file
    texts = {promised: edited_contract(promised.read_text(encoding="utf-8"), edits, version)}
    if any(one.in_entry for one in edits):
        place = question.domain.datasets[contract.dataset].produced_by
        if place is None:
            raise Conflict(f"no component loads {contract.dataset}", hint="declare it in an Ingest")
        texts[root / place.file] = edited_entry((root / place.file).read_text(encoding="utf-8"), contract.dataset.name, edits)
    with _replaced(texts):
        _apply(platform, question.domain.name, actor)


def _apply(platform: Platform, domain: str, actor: Actor) -> None:
    """Apply the declarations as they are now; nothing happens when they are applied already."""
    usable = usable_federation(platform.settings)
    if domain in usable.refused:
        problems: tuple[Problem, ...] = usable.refused[domain]
        raise Invalid(f"the declarations of {domain} would be wrong with this decision; they are as they were", problems=problems)
    commit = code_commit(platform.settings.federation)
    work = PostgresUnitOfWork(platform.engine)
    apply_federation(work, platform.queries(), usable.federation, actor=actor, commit=commit, left_out=usable.refused.keys())


@contextmanager
def _replaced(texts: Mapping[Path, str]) -> Iterator[None]:
    """Write files, each at once and whole; put all of them back when anything fails."""
    before = {path: path.read_bytes() for path in texts}
    try:
        for path, text in texts.items():
            _put(path, text.encode())
        yield
    except BaseException:
        for path, content in before.items():
            if path.read_bytes() != content:
                _put(path, content)
        raise


def _put(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        fresh.write_bytes(content)
        fresh.chmod(path.stat().st_mode)
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
