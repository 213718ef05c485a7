"""A small federation as a serving process sees it: three domains with lakes, runs, a drift, and one person for every role.

Real PostgreSQL, real lakes; who is who is told by a table of this file, since sign-in is another's to test: the cookie of a session
holds the name of one of `PEOPLE`.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from polyceph.bootstrap.declared import Usable, lake_address
from polyceph.bootstrap.identity import Identity
from polyceph.bootstrap.site import Site
from polyceph.core.model.access import FEDERATION, NOBODY, Principal, Role, Standing
from polyceph.core.model.classification import Classification, PersonalData
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.domain import Dataset, Domain, Serving, Source
from polyceph.core.model.drift import Difference, Form, FormColumn, Kind, Sighting
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.model.federation import Environment, Federation
from polyceph.core.model.person import Person
from polyceph.core.model.place import Place
from polyceph.core.model.sign_in import Session
from polyceph.core.ports import RunOutcome, RunRequest
from polyceph.core.usecases import runs
from polyceph.core.usecases.federation import apply_federation
from polyceph.lake.engine import install_extensions
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.lake.provision import provision_lake
from polyceph.portal.routes import LINKS, ROUTES
from polyceph.settings import PostgresAddress, Settings, WebSettings
from polyceph.store.connection import engine
from polyceph.store.migrate import migrate
from polyceph.store.queries import PostgresQueries
from polyceph.store.server import StoreAddresses, provision
from polyceph.store.unit_of_work import PostgresUnitOfWork
from polyceph.web.app import application
from polyceph.web.sign_in import PAGES as SIGN_IN_PAGES

CANARY = "zwartekanarie"
"""A word that stands in the title, description, columns, run errors and drift of domain `health` alone."""


def somebody(name: str, roles: Mapping[str, set[Role]], *, standing: Standing = Standing.ACTIVE) -> Principal:
    held = {domain: frozenset(some) for domain, some in roles.items()}
    return Principal(Actor(ActorKind.PERSON, name), standing, held, name, name.replace(".", " ").title(), session=f"session-of-{name}")


PEOPLE: Mapping[str, Principal] = {
    **{f"own.{role.name.lower()}": somebody(f"own.{role.name.lower()}", {"education": {role}}) for role in Role},
    **{f"all.{role.name.lower()}": somebody(f"all.{role.name.lower()}", {FEDERATION: {role}}) for role in Role},
    "nobody.much": somebody("nobody.much", {}),
    "expired": somebody("expired", {"education": {Role.OWNER}}, standing=Standing.EXPIRED),
    "claire.martin": somebody("claire.martin", {"education": {Role.OWNER}, "culture": {Role.CONSUMER}, FEDERATION: {Role.CONSUMER}}),
}


class Table(Identity):
    """Who is who, by the value of the cookie; everything else is as it is served."""

    def principal_of(self, cookie: str | None, bearer: str | None) -> Principal:
        return PEOPLE.get(cookie or bearer or "", NOBODY)


def _column(name: str, kind: str = "string", **more: object) -> Column:
    return Column(name, kind, description=f"{name.replace('_', ' ').capitalize()} as delivered", **more)  # type: ignore[arg-type]


_PERSON = (
    _column("national_number", personal_data=PersonalData.PERSONAL, required=True, primary_key=True),
    _column("family_name", personal_data=PersonalData.PERSONAL),
    _column("birth_date", "date", personal_data=PersonalData.PERSONAL),
    _column("support_need", personal_data=PersonalData.SPECIAL_CATEGORY),
    _column("school", required=True),
)
_SCHOOL = (_column("school", required=True, primary_key=True), _column("name"), _column("town"), _column("pupils", "integer"))


def _dataset(name: str, title: str, description: str, classification: Classification, columns: tuple[Column, ...], of: str = "") -> Dataset:
    domain, zone, short = name.split(".")
    one = DatasetId(domain, Zone(zone), short)
    place = Place(f"domains/{domain}/contracts/{zone}/{short}.odcs.yaml")
    # Whoever a contract names may see that dataset: nobody of PEOPLE answers for those that hold the canary.
    owner = "an.peeters" if domain == "health" else "claire.martin"
    contract = Contract(one, name, "1.2.0", "active", owner, "marc.leroy", classification, columns, place, "0" * 64, title, description)
    served = Serving(DatasetId(*_parts(of)), "postgres") if of else None
    return Dataset(one, owner, "marc.leroy", contract, place, served)


def _parts(text: str) -> tuple[str, Zone, str]:
    domain, zone, name = text.split(".")
    return domain, Zone(zone), name


_I, _C, _P, _S = Classification.INTERNAL, Classification.CONFIDENTIAL, Classification.PUBLIC, Classification.SECRET
_DATASETS = (
    _dataset("education.raw.pupils", "Pupils as the schools send them", "One row a pupil and delivery.", _C, _PERSON),
    _dataset("education.gold.schools", "Schools", "Every recognised school with its town and the number of pupils.", _P, _SCHOOL),
    _dataset(
        "education.gold.enrolments", "Enrolments by town and year", "Counts by town, year and level; nobody can be told.", _I, _SCHOOL
    ),
    _dataset("education.output.schools", "Schools for the map", "What the public map shows.", _P, _SCHOOL, "education.gold.schools"),
    _dataset(
        "culture.gold.museums", "Museums and collections", "Recognised museums, their collections and visitors by month.", _P, _SCHOOL
    ),
    _dataset("culture.raw.loans", "Loans of libraries", "Each loan, without the name of who borrows.", _I, _SCHOOL),
    _dataset(
        "health.gold.cases",
        f"Cases {CANARY}",
        f"What nobody outside may read: {CANARY}.",
        _S,
        (*_PERSON, _column(f"{CANARY}_column")),
    ),
)
_TITLES = {
    "education": {"en": "Education", "fr": "Enseignement", "nl": "Onderwijs", "de": "Unterricht"},
    "culture": {"en": "Culture", "fr": "Culture", "nl": "Cultuur", "de": "Kultur"},
    "health": {"en": "Health", "fr": "Santé", "nl": "Gezondheid", "de": "Gesundheit"},
}


def federation() -> Federation:
    """Return the federation as declared."""
    people = {
        name: Person(name, name.replace(".", " ").title(), f"{name}@example.org") for name in ("claire.martin", "marc.leroy", "an.peeters")
    }
    domains = {}
    for name, title in _TITLES.items():
        place = Place(f"domains/{name}/domain.yaml")
        own = {one.id: one for one in _DATASETS if one.id.domain == name}
        consumes = (DatasetId("education", Zone.GOLD, "schools"),) if name == "culture" else ()
        sources = {"registry": Source("registry", "postgres", {}, place)}
        domains[name] = Domain(
            name,
            title,
            "an.peeters" if name == "health" else "claire.martin",
            "marc.leroy",
            "an.peeters",
            "stewards",
            f"domains/{name}",
            place,
            sources,
            consumes,
            datasets=own,
        )
    places = {"dev": Environment("dev", "lakes")}
    title = {"en": "Federation of Rivers", "fr": "Fédération des Rivières", "nl": "Federatie van Rivieren", "de": "Föderation der Flüsse"}
    return Federation("rivers", title, ("fr", "nl", "de", "en"), places, {}, people, domains, Place("federation.yaml"), "d1")


@dataclass
class Planted:
    """The site, and its application."""

    site: Site
    app: ASGIApp
    federation: Federation
    addresses: StoreAddresses


@contextmanager
def planted_site(postgres: PostgresAddress, folder: Path, **web: object) -> Iterator[Planted]:
    """Make the platform's databases on a server of the test's own, plant, and serve."""
    made = federation()
    settings = Settings(federation=folder, home=folder / "state", web=WebSettings(**web))  # type: ignore[arg-type]
    addresses = provision(postgres, folder / "state" / "secrets", domains=made.domains)
    migrate(addresses.owner)
    store = engine(addresses.app, pool_size=8)
    try:
        site = Site(settings, store, addresses, secrets.token_bytes(32), load=lambda _: Usable(made, {}), identify=_table)
        _plant(postgres, site, made, folder)
        yield Planted(site, application(site, routes=[*SIGN_IN_PAGES, *ROUTES], mounts={}, links=LINKS), made, addresses)
    finally:
        store.dispose()


def _table(site: Site) -> Table:
    return Table(site.settings, site.engine, lambda: site.federation, site.address)


def _plant(postgres: PostgresAddress, site: Site, made: Federation, folder: Path) -> None:
    actor = Actor(ActorKind.PERSON, "claire.martin")
    apply_federation(PostgresUnitOfWork(site.engine), PostgresQueries(site.engine), made, actor=actor, commit="c0ffee")
    _plant_runs(site, actor)
    _plant_drift(site, "education.raw.pupils", "Commune")
    _plant_drift(site, "health.gold.cases", CANARY)
    _plant_served(site, actor)
    _plant_sessions(site)
    extensions = install_extensions(folder / "state" / "extensions")
    for domain in ("education", "culture", "health"):
        _plant_lake(postgres, site, domain, extensions)


def _plant_runs(site: Site, actor: Actor) -> None:
    for number, (domain, status, error) in enumerate(
        [
            ("education", "SUCCESS", None),
            ("education", "FAILURE", "DataError: 12 cells are not numbers"),
            ("education", "SUCCESS", None),
            ("culture", "SUCCESS", None),
            ("health", "FAILURE", f"KeyError: {CANARY}"),
        ]
    ):
        request = RunRequest(f"q{number}", domain, actor)
        runs.request_run(PostgresUnitOfWork(site.engine), request, run=f"r{number}")
        outcome = RunOutcome(f"r{number}", domain, status, 41.5 + number, 12, 0 if error is None else 2, error)
        runs.finish_run(PostgresUnitOfWork(site.engine), request, outcome, actor=actor)


def _plant_drift(site: Site, dataset: str, came: str) -> None:
    difference = Difference(Kind.RENAMED, "town", "Town", came, stops=True)
    sighting = Sighting(DatasetId(*_parts(dataset)), "registry", "a.csv", "k1", "1.2.0", (difference,), Form((FormColumn(came),)))
    with site.work() as work:
        work.find_drift(sighting, datetime.now(UTC))
        work.record(Event(Actor(ActorKind.SERVICE, "polyceph"), "lake", "drift.found", "dataset", dataset, sighting.dataset.domain))
        work.commit()


def _plant_served(site: Site, actor: Actor) -> None:
    with site.work() as work:
        after = {"rows": 2512, "columns": None, "where": "postgresql://reader@localhost:5432/polyceph_output/education.schools"}
        work.record(Event(actor, "postgres", "dataset.served", "dataset", "education.output.schools", "education", after=after))
        work.commit()


def _plant_sessions(site: Site) -> None:
    for number, name in enumerate(("claire.martin", "all.platform_engineer")):
        now = site.now()
        session = Session(
            bytes([number]) * 32,
            f"session-of-{name}",
            "local",
            name,
            name,
            now,
            now,
            now + timedelta(hours=8),
            timedelta(hours=1),
            person=name,
            name=name.replace(".", " ").title(),
            agent="Firefox 140 on Linux",
        )
        with site.work() as work:
            work.open_session(session)
            work.record(Event(Actor(ActorKind.PERSON, name), "web", "session.opened", "session", session.id))
            work.commit()


def _plant_lake(postgres: PostgresAddress, site: Site, domain: str, extensions: Path) -> None:
    address = lake_address(site.settings, site.federation, domain, site.addresses.lake(domain))
    admin = postgres.at(site.addresses.databases.lake)
    provision_lake(admin, address, {}, extensions=extensions)
    limits = EngineLimits(memory_mb=256, temporary=site.settings.state() / "temporary")
    commit = LakeCommit("claire.martin", "load", "r1", "c0ffee", {})
    with DomainLake(address, others=[], extensions=extensions, limits=limits) as lake:
        for one in site.federation.domains[domain].datasets:
            if one.zone is Zone.GOLD:
                for rows in (1200, 1450, 1430, 2512):
                    lake.replace(one, f"SELECT i AS pupils, 'x' AS school FROM range({rows}) t(i)", commit)


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """Serve an application on loopback in a thread, as a real server does; yield its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def renamed(who: str, **changes: object) -> Principal:
    """Return one of the people, changed."""
    return replace(PEOPLE[who], **changes)  # type: ignore[arg-type]
