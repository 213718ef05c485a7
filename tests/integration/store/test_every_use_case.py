"""Completeness: every use case leaves exactly the events it should, when it succeeds, when it refuses and when it crashes on the way.

A use case that is not in the list fails the test, and so does an event that is missing or was not expected.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

sys.path.insert(0, str(Path(__file__).parent))
from journals import ANNE, opened

from polyceph.bootstrap.journal import PlatformJournal, Signer
from polyceph.core import usecases
from polyceph.core.model.access import FEDERATION, Action, Principal, Role, Standing
from polyceph.core.model.contract import Column
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.decision import Decision
from polyceph.core.model.dossier import Period
from polyceph.core.model.drift import Difference, Drift, Form, FormColumn, Kind, SaidSighting, Sighting, State
from polyceph.core.model.drift import as_body as drift_body
from polyceph.core.model.emergency import Opening
from polyceph.core.model.event import Actor, ActorKind, Event, EventFilter
from polyceph.core.model.federation import Federation
from polyceph.core.model.journal import Archive, Verification
from polyceph.core.model.person import Person
from polyceph.core.model.reading import READ, REFUSED, SERVED, Reading, SaidReading, as_body
from polyceph.core.model.service_identity import KnownService, SecretKind, ServiceIdentity, ServiceSecret
from polyceph.core.model.sign_in import Claims, Session, SignIn
from polyceph.core.policies.authorisation import decide
from polyceph.core.ports import RunOutcome, RunRequest, SeenRun, SnapshotRecord
from polyceph.core.usecases import (
    accounts,
    drift,
    emergencies,
    evidence,
    journal,
    platform_life,
    pseudonyms,
    refusals,
    runs,
    service_identities,
    sessions,
    sign_in,
)
from polyceph.core.usecases import federation as declared
from polyceph.core.usecases.dossier import DossierFacts, select
from polyceph.errors import Conflict, Denied, Invalid, NotFound, PolycephError, Problem
from polyceph.journal.keys import make_key
from polyceph.settings import PostgresAddress
from polyceph.store.connection import engine
from polyceph.store.identity_queries import PostgresIdentityQueries
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork

NOW = datetime.now(UTC)
KEY = b"k" * 32


@dataclass
class World:
    """A store with a federation of one domain applied, its journal open and sealed, and a run asked for."""

    store: Engine
    owner: Engine
    journal: PlatformJournal
    make: Callable[..., Federation]
    folder: Path
    work: PostgresUnitOfWork = field(init=False)

    def __post_init__(self) -> None:
        self.work = PostgresUnitOfWork(self.store)

    @property
    def queries(self) -> PostgresQueries:
        return PostgresQueries(self.store)

    @property
    def identity(self) -> PostgresIdentityQueries:
        return PostgresIdentityQueries(self.store)

    def as_owner(self) -> None:
        self.work = type(self.work)(self.owner)


@dataclass(frozen=True)
class Case:
    """What is done, the events it must leave, and the error it must end with."""

    act: Callable[[World], object]
    events: tuple[str, ...]
    error: type[PolycephError] | None = None


ASKED = RunRequest("q1", "education", ANNE, (DatasetId("education", Zone.RAW, "schools"),))
SNAPSHOT = SnapshotRecord("education", 1, NOW, "domain_education", "load", {"run": "r1"})
SCHOOLS = DatasetId("education", Zone.GOLD, "schools")
BODIES = [json.dumps(as_body(Reading(action, SCHOOLS, "dagster"))) for action in (READ, REFUSED, SERVED)]
SAID = [SaidReading(number, "domain_culture", NOW, body) for number, body in enumerate([*BODIES, '"nonsense"'])]
WRONG = Problem("owner is missing", file="domains/culture/domain.yaml", line=3, column=1, rule="owner")
INSTALLED = platform_life.Installation("demo", "1.0", "0002", {"POLYCEPH_ENVIRONMENT": "dev"})


RENAMED = Difference(Kind.RENAMED, "town", "Town", "Commune", stops=True)
SEEN = Sighting(ASKED.datasets[0], "s", "a.csv", "k1", "1.0.0", (RENAMED,), Form((FormColumn("Commune"),)), run="r1")
SIGHTED = SaidSighting(7, "domain_education", NOW, json.dumps(drift_body(SEEN)))
TASK = Drift(1, SEEN, State.WAITING, NOW)
"""The drift that the world has found."""


def question(world: World, number: int = 1) -> drift.Question:
    columns = (Column("town", "string", source_name="Town"),)
    education = world.make("education.raw.schools").domains["education"]
    contract = replace(next(one.contract for one in education.datasets.values() if one.contract), columns=columns)
    return drift.Question(replace(TASK, number=number), replace(education, contracts={contract.dataset: contract}), (7,))


PAT = Principal(Actor(ActorKind.PERSON, "pat"), Standing.ACTIVE, {FEDERATION: frozenset({Role.PLATFORM_ENGINEER})}, "pat")
LUC = Principal(Actor(ActorKind.PERSON, "luc"), Standing.ACTIVE, {"education": frozenset({Role.ENGINEER})}, "luc")
ANNES = Principal(Actor(ActorKind.PERSON, "root", "anne.dupont"), Standing.ACTIVE, {"education": frozenset({Role.OWNER})}, "anne.dupont")
OWNER, STRANGER = (drift.Deciding(who, decide, NOW) for who in (ANNES, LUC))
OPENING = Opening("education", "pat", 2, "the nightly load fails on a row")


def around(world: World, moment: datetime = NOW) -> emergencies.Circumstances:
    people = {name: Person(name, name.title(), f"{name}@example.org") for name in ("pat", "luc")}
    federation = replace(world.make("education.raw.schools"), people=people)
    return emergencies.Circumstances(federation, decide, moment, NOW.date(), "cli")


def open_emergency(world: World, who: Principal = PAT, **changes: Any) -> object:
    return emergencies.open_emergency(world.work, world.queries, replace(OPENING, **changes), who=who, around=around(world))


def close_emergency(world: World, who: Principal = PAT, number: int = 1, moment: datetime = NOW) -> object:
    return emergencies.close_emergency(world.work, world.queries, number, who=who, around=around(world, moment))


def unwritten(*_: object) -> None:
    raise Invalid("the declarations would be wrong")


def apply(world: World, *datasets: str, **changes: Any) -> object:
    return declared.apply_federation(world.work, world.queries, world.make(*datasets, **changes), actor=ANNE, commit="c2")


def apply_over_somebody(world: World) -> object:
    stale = replace(world.queries.last_declaration(), digest="stale")  # type: ignore[type-var]
    queries = PostgresQueries(world.store)
    queries.last_declaration = lambda: stale  # type: ignore[method-assign]
    return declared.apply_federation(world.work, queries, world.make("education.raw.schools", digest="d9"), actor=ANNE, commit="c2")


def rotate(world: World) -> object:
    new = Signer(make_key(world.folder / "new.key", world.journal.origin, "log"))
    return journal.rotate_key(world.work, world.journal.log, world.journal.signer(), new, actor=ANNE)


def rotate_unsealed(world: World) -> object:
    runs.finish_run(PostgresUnitOfWork(world.store), ASKED, RunOutcome("r1", "education", "SUCCESS", 1.0), actor=ANNE)
    world.journal.log.seal()
    return rotate(world)


def archive(world: World) -> object:
    world.as_owner()
    return journal.archive(world.work, world.journal.origin, Archive(1, KEY, "old.bundle", "0" * 64), actor=ANNE)


def review(world: World, days: int) -> object:
    return journal.review_period(world.work, world.journal.log, NOW, NOW + timedelta(days=days), actor=ANNE)


def dossier(world: World) -> object:
    found = select(DatasetId("education", Zone.RAW, "schools"), Period(NOW, NOW + timedelta(days=1)), DossierFacts([]))
    return journal.record_dossier(world.work, found, {"events": 0}, actor=ANNE)


def forget(world: World, identity: str) -> object:
    return pseudonyms.destroy_pseudonym(world.work, identity, secret=KEY, actor=ANNE, reason="article 17")


MARC = Principal(Actor(ActorKind.PERSON, "marc.leroy"), Standing.ACTIVE, person="marc.leroy")
PEOPLE = {name: Person(name, name, f"{name}@example.org") for name in ("anne.dupont", "marc.leroy")}
NO = Decision(False, "role", "it needs another role here")
YES = Decision(True, "role", "it is allowed")
CLAIMS = Claims("sso", "u1", "Anne", "anne.dupont@example.org")
SESSION = Session(b"s" * 32, "s1", "sso", "u1", "anne.dupont", NOW, NOW, NOW + timedelta(hours=1), timedelta(hours=1), "anne.dupont")
"""The session that the world has open."""
SERVICE = ServiceIdentity(
    "ci",
    "anne.dupont",
    {"education": frozenset({Role.ENGINEER})},
    frozenset({Action.RUN_VIEW}),
    NOW,
    "anne.dupont",
    NOW + timedelta(days=9),
)
"""The service identity that the world has, with one secret."""
SECRET = ServiceSecret(b"1" * 32, "ci", SecretKind.LASTING, "pcs_x", NOW, NOW + timedelta(days=9))
ASKING, REFUSED_ASKING = (service_identities.Asking(ANNE, "cli", NOW, verdict) for verdict in (YES, NO))
KNOWN_SERVICE = KnownService(SERVICE, (SECRET,))
FRESH = service_identities.Fresh(b"2" * 32, "pcs_y")
DECLARED = service_identities.Known(PEOPLE, {"education"})
LINK = b"l" * 32
"""The one-time link that the world's local account has."""


def open_session(world: World, person: Person | None, *, replaces: tuple[str, ...] = (), has_roles: bool = False) -> object:
    opening = sign_in.Opening(b"t" * 32, "t1", NOW, NOW.date(), "", replaces, has_roles)
    return sign_in.open_session(world.work, CLAIMS, person, SignIn(), opening)


def set_password(world: World, link: bytes, password: str) -> object:
    return accounts.set_password(world.work, link, password, lambda one: one, names=(), now=NOW)


def try_password(world: World, *, is_right: bool) -> object:
    return accounts.try_password(world.work, accounts.Attempt(lambda _: is_right, NOW))


def create(world: World, name: str = "bi", asking: service_identities.Asking = ASKING, **changes: Any) -> object:
    identity = replace(SERVICE, name=name, **changes)
    return service_identities.create(world.work, identity, FRESH, asking, DECLARED)


def rotate_secret(world: World, asking: service_identities.Asking = ASKING, **changes: Any) -> object:
    known = replace(KNOWN_SERVICE, identity=replace(SERVICE, **changes))
    change = service_identities.Rotation(FRESH, timedelta(hours=1), NOW + timedelta(days=5))
    return service_identities.rotate(world.work, known, change, asking)


class Launcher:
    """A launcher that knows one run which a schedule asked for, and one that has ended."""

    def updated_runs(self, since: datetime | None) -> tuple[SeenRun, ...]:
        return (SeenRun("r7", "education", NOW, {"dagster/schedule_name": "nightly"}),)

    def outcome(self, run: str) -> RunOutcome | None:
        return RunOutcome(run, "education", "SUCCESS", 1.0)


ADDED = ("federation.applied", "dataset.added", "dataset.removed")
CASES: dict[str, list[Case]] = {
    "drift.record_sightings": [
        Case(
            lambda w: drift.record_sightings(w.work, w.queries, [replace(SIGHTED, body=SIGHTED.body.replace("Commune", "Ville"))]),
            ("drift.found",),
        ),
        Case(lambda w: [drift.record_sightings(w.work, w.queries, [SIGHTED]) for _ in range(2)], ()),
        Case(
            lambda w: drift.record_sightings(w.work, w.queries, [replace(SIGHTED, body=SIGHTED.body.replace("Commune", "85073003328"))]),
            ("drift.found",),
        ),
        Case(
            lambda w: drift.record_sightings(w.work, w.queries, [replace(SIGHTED, role="domain_culture"), replace(SIGHTED, body="[]")]), ()
        ),
    ],
    "drift.accept": [
        Case(lambda w: drift.accept(w.work, question(w), lambda *_: None, by=OWNER), ("drift.accepted",)),
        Case(lambda w: drift.accept(w.work, question(w), lambda *_: None, by=STRANGER), ("drift.refused",), Denied),
        Case(lambda w: drift.accept(w.work, question(w), unwritten, by=OWNER), (), Invalid),
        Case(lambda w: drift.accept(w.work, question(w, 99), lambda *_: None, by=OWNER), (), Conflict),
    ],
    "drift.map_names": [
        Case(lambda w: drift.map_names(w.work, question(w), {}, lambda *_: None, by=OWNER), ("drift.mapped",)),
        Case(lambda w: drift.map_names(w.work, question(w), {"nobody": "x"}, lambda *_: None, by=OWNER), (), Invalid),
        Case(lambda w: drift.map_names(w.work, question(w), {}, lambda *_: None, by=STRANGER), ("drift.refused",), Denied),
    ],
    "drift.refuse": [
        Case(lambda w: drift.refuse(w.work, question(w), by=OWNER), ("drift.refused",)),
        Case(lambda w: drift.refuse(w.work, question(w), by=STRANGER), ("drift.refused",), Denied),
    ],
    "emergencies.open_emergency": [
        Case(lambda w: open_emergency(w, person="luc"), ("emergency.opened",)),
        Case(open_emergency, (), Conflict),
        Case(lambda w: open_emergency(w, LUC, person="luc"), ("emergency.refused",), Denied),
        Case(lambda w: open_emergency(w, domain="nobody"), (), Invalid),
        Case(lambda w: open_emergency(w, hours=5), (), Invalid),
    ],
    "emergencies.close_emergency": [
        Case(close_emergency, ("emergency.closed",)),
        Case(lambda w: close_emergency(w, LUC), ("emergency.refused",), Denied),
        Case(lambda w: close_emergency(w, number=99), (), NotFound),
        Case(lambda w: close_emergency(w, moment=NOW + timedelta(hours=2)), (), Conflict),
    ],
    "emergencies.expire_emergencies": [
        Case(lambda w: emergencies.expire_emergencies(w.work, w.queries, now=NOW + timedelta(hours=2)), ("emergency.expired",)),
        Case(lambda w: emergencies.expire_emergencies(w.work, w.queries, now=NOW + timedelta(minutes=119)), ()),
    ],
    "evidence.record_snapshots": [
        Case(lambda w: evidence.record_snapshots(w.work, [SNAPSHOT]), ("snapshot.committed",)),
        Case(lambda w: evidence.record_snapshots(w.work, []), ()),
        Case(lambda w: evidence.record_snapshots(w.work, [replace(SNAPSHOT, domain="nobody")]), (), NotFound),
    ],
    "evidence.record_readings": [
        Case(
            lambda w: evidence.record_readings(w.work, w.queries, SAID), ("dataset.read", "read.refused", "dataset.served", "dataset.read")
        ),
        Case(lambda w: [evidence.record_readings(w.work, w.queries, SAID[:1]) for _ in range(2)], ("dataset.read",)),
        Case(lambda w: evidence.record_readings(w.work, w.queries, []), ()),
    ],
    "federation.apply_federation": [
        Case(lambda w: apply(w, "education.raw.pupils", digest="d2"), ADDED),
        Case(lambda w: apply(w, "education.raw.schools"), ()),
        Case(
            lambda w: apply(w, "education.raw.schools", digest="d2", owner="eva.simon"),
            ("federation.applied", "owner.changed", "owner.changed"),
        ),
        Case(apply_over_somebody, (), Conflict),
    ],
    "refusals.refuse_declarations": [
        Case(
            lambda w: refusals.refuse_declarations(w.work, w.queries, refusals.Refusal("demo", "culture", (WRONG,), "c"), actor=ANNE),
            ("domain.refused",),
        ),
        Case(
            lambda w: refusals.refuse_declarations(w.work, w.queries, refusals.Refusal("demo", None, (WRONG,), "c"), actor=ANNE),
            ("federation.refused",),
        ),
    ],
    "runs.request_run": [
        Case(lambda w: runs.request_run(w.work, replace(ASKED, request="q2")), ("run.requested",)),
        Case(lambda w: runs.request_run(w.work, ASKED), ()),
        Case(lambda w: runs.request_run(w.work, replace(ASKED, request="q2", domain="nobody")), (), NotFound),
    ],
    "runs.refuse_run": [
        Case(lambda w: runs.refuse_run(w.work, "q2", ["nobody"], "domain 'nobody' is not declared", actor=ANNE), ("run.refused",))
    ],
    "runs.launch_run": [
        Case(lambda w: runs.launch_run(w.work, ASKED, "r1", actor=ANNE), ("run.launched",)),
        Case(lambda w: runs.launch_run(w.work, replace(ASKED, request="q9"), "r1", actor=ANNE), (), NotFound),
    ],
    "runs.finish_run": [
        Case(
            lambda w: runs.finish_run(w.work, ASKED, RunOutcome("r1", "education", "FAILURE", 2.0, error="boom"), actor=ANNE),
            ("run.finished",),
        ),
        Case(lambda w: runs.finish_run(w.work, ASKED, RunOutcome("r1", "education", "LOST", 2.0), actor=ANNE), (), Invalid),
    ],
    "runs.record_runs": [
        Case(lambda w: runs.record_runs(w.work, w.queries, Launcher(), since=None, now=NOW), ("run.requested", "run.finished")),  # type: ignore[arg-type]
    ],
    "journal.open_journal": [Case(lambda w: journal.open_journal(w.work, "other", "key", actor=ANNE), ())],
    "journal.rotate_key": [Case(rotate, ("journal_key.rotated",)), Case(rotate_unsealed, ("run.finished",), Invalid)],
    "journal.review_period": [Case(lambda w: review(w, 1), ("period.reviewed",)), Case(lambda w: review(w, -1), (), Invalid)],
    "journal.record_verification": [
        Case(lambda w: journal.record_verification(w.work, w.journal.origin, Verification(True, 1, 1), actor=ANNE), ("journal.verified",)),
        Case(
            lambda w: journal.record_verification(w.work, w.journal.origin, Verification(False, 0, 0, 7, "bad"), actor=ANNE),
            ("journal.verified",),
        ),
    ],
    "journal.record_reading": [
        Case(lambda w: journal.record_reading(w.work, w.journal.origin, EventFilter(), 3, actor=ANNE), ("journal.read",))
    ],
    "journal.record_export": [
        Case(lambda w: journal.record_export(w.work, w.journal.origin, {"events": 3}, actor=ANNE), ("journal.exported",))
    ],
    "journal.record_dossier": [Case(dossier, ("dossier.exported",))],
    "journal.record_refusal": [
        Case(lambda w: journal.record_refusal(w.work, w.journal.origin, "folder x", "it was altered"), ("head.refused",))
    ],
    "journal.archive": [
        Case(archive, ("journal.archived",)),
        Case(lambda w: journal.archive(w.work, w.journal.origin, Archive(1, KEY, "x", "0" * 64), actor=ANNE), (), PolycephError),
    ],
    "pseudonyms.pseudonym_of": [
        Case(
            lambda w: pseudonyms.pseudonym_of(w.work, "x", secret=KEY, fresh_key=KEY, actor=ANNE, purpose="a request"), ("pseudonym.made",)
        ),
    ],
    "pseudonyms.destroy_pseudonym": [
        Case(lambda w: forget(w, "known"), ("pseudonym.destroyed",)),
        Case(lambda w: forget(w, "unknown"), ()),
    ],
    "platform_life.start": [
        Case(lambda w: platform_life.start(w.work, w.queries, replace(INSTALLED, federation="new"), actor=ANNE), ("platform.started",)),
        Case(lambda w: platform_life.start(w.work, w.queries, INSTALLED, actor=ANNE), ("platform.started",)),
        Case(
            lambda w: platform_life.start(w.work, w.queries, replace(INSTALLED, release="1.1"), actor=ANNE),
            ("platform.started", "platform.upgraded"),
        ),
        Case(
            lambda w: platform_life.start(w.work, w.queries, replace(INSTALLED, settings={}), actor=ANNE),
            ("platform.started", "settings.changed"),
        ),
    ],
    "sign_in.open_session": [
        Case(lambda w: open_session(w, PEOPLE["anne.dupont"], replaces=("s1",)), ("session.ended", "session.opened")),
        Case(lambda w: open_session(w, None, has_roles=True), ("session.opened",)),
        Case(lambda w: open_session(w, None), ("session.refused",), Denied),
        Case(lambda w: open_session(w, replace(PEOPLE["anne.dupont"], left=NOW.date())), ("session.refused",), Denied),
    ],
    "sign_in.refuse_sign_in": [Case(lambda w: sign_in.refuse_sign_in(w.work, "sso", NO), ("session.refused",))],
    "sessions.end": [
        Case(lambda w: sessions.end(w.work, [SESSION], "test", actor=ANNE, now=NOW), ("session.ended",)),
        Case(lambda w: [sessions.end(w.work, [SESSION], "test", actor=ANNE, now=NOW) for _ in range(2)], ("session.ended",)),
    ],
    "sessions.tidy": [
        Case(lambda w: sessions.tidy(w.work, w.identity, now=NOW + timedelta(days=1)), ("session.ended",)),
        Case(
            lambda w: [sessions.tidy(w.work, w.identity, now=NOW + timedelta(days=days)) for days in (1, 92)],
            ("session.ended", "session.forgotten"),
        ),
        Case(lambda w: sessions.tidy(w.work, w.identity, now=NOW), ()),
    ],
    "sessions.end_own": [Case(lambda w: sessions.end_own(w.work, SESSION, now=NOW), ("session.ended",))],
    "sessions.end_of_another": [
        Case(lambda w: sessions.end_of_another(w.work, SESSION, YES, who=MARC, now=NOW), ("session.ended",)),
        Case(lambda w: sessions.end_of_another(w.work, SESSION, NO, who=MARC, now=NOW), ("session.refused",), Denied),
        Case(lambda w: sessions.end_of_another(w.work, replace(SESSION, actor="marc.leroy"), NO, who=MARC, now=NOW), ("session.ended",)),
    ],
    "sessions.end_at_provider": [Case(lambda w: sessions.end_at_provider(w.work, "sso", [SESSION], now=NOW), ("session.ended",))],
    "sessions.end_by_itself": [Case(lambda w: sessions.end_by_itself(w.work, SESSION, "idle", now=NOW), ("session.ended",))],
    "accounts.make_link": [
        Case(lambda w: accounts.make_link(w.work, b"m" * 32, now=NOW, actor=ANNE), ("account.reset",)),
    ],
    "accounts.set_password": [
        Case(lambda w: set_password(w, LINK, "four words far apart"), ("account.entered",)),
        Case(lambda w: set_password(w, b"x" * 32, "four words far apart"), ("session.refused",), Denied),
        Case(lambda w: set_password(w, LINK, "short"), (), Invalid),
    ],
    "accounts.try_password": [
        Case(lambda w: try_password(w, is_right=False), ("session.refused",), Denied),
        Case(lambda w: try_password(w, is_right=True), ()),
    ],
    "service_identities.create": [
        Case(create, ("identity.created",)),
        Case(lambda w: create(w, asking=REFUSED_ASKING), ("identity.refused",), Denied),
        Case(lambda w: create(w, owner="nobody"), (), Invalid),
        Case(lambda w: create(w, "ci"), (), Conflict),
    ],
    "service_identities.rotate": [
        Case(rotate_secret, ("identity.rotated",)),
        Case(lambda w: rotate_secret(w, REFUSED_ASKING), ("identity.refused",), Denied),
        Case(lambda w: rotate_secret(w, expires_at=NOW), (), Conflict),
        Case(lambda w: rotate_secret(w, provider="sso", client="x"), (), Conflict),
    ],
    "service_identities.revoke": [
        Case(lambda w: service_identities.revoke(w.work, "ci", ASKING, reason="leaked"), ("identity.revoked",)),
        Case(lambda w: service_identities.revoke(w.work, "ci", REFUSED_ASKING, reason="leaked"), ("identity.refused",), Denied),
        Case(lambda w: service_identities.revoke(w.work, "nothing", ASKING, reason="leaked"), ()),
    ],
    "service_identities.issue_token": [
        Case(lambda w: service_identities.issue_token(w.work, SERVICE, SECRET, FRESH, now=NOW), ("token.issued",))
    ],
    "service_identities.refuse_identity": [
        Case(lambda w: service_identities.refuse_identity(w.work, "ci", NO, door="web"), ("identity.refused",))
    ],
    "platform_life.stop": [Case(lambda w: platform_life.stop(w.work, "demo", actor=ANNE), ("platform.stopped",))],
}


@pytest.fixture
def world(store: Engine, store_owner: PostgresAddress, tmp_path: Path, make_federation: Callable[..., Federation]) -> Any:
    federation = make_federation("education.raw.schools")
    owner = engine(store_owner, pool_size=1)
    made = World(store, owner, opened(store, tmp_path, federation), make_federation, tmp_path)
    declared.apply_federation(made.work, made.queries, federation, actor=ANNE, commit="c1")
    runs.request_run(made.work, ASKED)
    platform_life.start(made.work, made.queries, INSTALLED, actor=ANNE)
    pseudonyms.pseudonym_of(made.work, "known", secret=KEY, fresh_key=KEY, actor=ANNE, purpose="a request")
    drift.record_sightings(made.work, made.queries, [SIGHTED])
    accounts.make_link(made.work, LINK, now=NOW, actor=ANNE)
    service_identities.create(made.work, SERVICE, service_identities.Fresh(SECRET.hash, SECRET.label), ASKING, DECLARED)
    with made.work as work:
        work.open_session(SESSION)
        work.record(Event(ANNE, "web", "session.opened", "session", SESSION.id))
        work.commit()
    open_emergency(made)
    made.journal.seal(at_once=True)
    yield made
    owner.dispose()


def use_cases() -> set[str]:
    """Return every public function of the use cases that is given a unit of work."""
    found = set()
    for info in pkgutil.iter_modules(usecases.__path__):
        module = importlib.import_module(f"polyceph.core.usecases.{info.name}")
        for name, one in inspect.getmembers(module, inspect.isfunction):
            if one.__module__ == module.__name__ and not name.startswith("_") and "uow" in inspect.signature(one).parameters:
                found.add(f"{info.name}.{name}")
    return found


def actions(world: World) -> list[str]:
    return [one.event.action for one in world.queries.events(EventFilter(limit=10_000))]


def test_every_use_case_is_listed() -> None:
    assert set(CASES) == use_cases()


@pytest.mark.parametrize(("name", "number"), [(name, number) for name, cases in CASES.items() for number in range(len(cases))])
def test_a_use_case_leaves_exactly_its_events(world: World, name: str, number: int) -> None:
    case, before = CASES[name][number], actions(world)
    if case.error is None:
        case.act(world)
    else:
        with pytest.raises(case.error):
            case.act(world)
    assert actions(world)[len(before) :] == list(case.events)
    assert actions(world)[: len(before)] == before


class Crashing(PostgresUnitOfWork):
    """A unit of work whose process dies just before the commit."""

    def commit(self) -> None:
        raise SystemExit("killed")


@pytest.mark.parametrize("name", [name for name, cases in CASES.items() if cases[0].events])
def test_a_use_case_that_crashes_leaves_nothing(world: World, name: str) -> None:
    before = actions(world), state(world)
    world.work = Crashing(world.store)
    with pytest.raises(SystemExit):
        CASES[name][0].act(world)
    assert (actions(world), state(world)) == before


def state(world: World) -> dict[str, int]:
    tables = (
        "declaration",
        "domain",
        "dataset",
        "run_request",
        "snapshot",
        "reading_seen",
        "journal_key",
        "journal_archive",
        "pseudonym",
        "drift",
        "session",
        "local_account",
        "service_identity",
        "service_secret",
        "emergency",
    )
    with world.store.begin() as connection:
        return {table: connection.exec_driver_sql(f"SELECT count(*) FROM polyceph.{table}").scalar_one() for table in tables}
