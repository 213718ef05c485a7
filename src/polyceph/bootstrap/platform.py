"""The platform on this machine: its server provisioned, its store migrated, its declarations applied, its lakes made."""

from __future__ import annotations

import getpass
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from psycopg.sql import SQL, Identifier
from pydantic import SecretStr
from sqlalchemy import Engine

from polyceph.bootstrap.declared import SystemClock, lake_address, usable_federation
from polyceph.bootstrap.identity import check_sign_in, public_address
from polyceph.bootstrap.journal import KEY_FILE, PlatformJournal
from polyceph.bootstrap.lakes import limited_lake
from polyceph.bootstrap.processes import named_environment, passed_environment, serving_environment, storage_environment
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.federation import Federation
from polyceph.core.ports import RunLauncher, RunOutcome, RunRequest
from polyceph.core.usecases import drift, emergencies, evidence, platform_life, runs
from polyceph.core.usecases import federation as federation_usecases
from polyceph.core.usecases.refusals import Refusal, refuse_declarations
from polyceph.errors import Invalid, NotFound, PolycephError
from polyceph.lake.engine import install_extensions
from polyceph.lake.lake import DomainLake
from polyceph.lake.outbox import outbox_taken, settle, waiting
from polyceph.lake.provision import provision_lake
from polyceph.lake.quarantine import settle_sightings, waiting_sightings
from polyceph.logs import log
from polyceph.settings import PostgresAddress, Settings
from polyceph.store.connection import connect, engine
from polyceph.store.journal import PostgresJournal
from polyceph.store.migrate import migrate, newest_revision
from polyceph.store.queries import PostgresQueries
from polyceph.store.secrets import domain_environment, role_passwords
from polyceph.store.server import Server, StoreAddresses, domain_role, joined_server, known_addresses, provision, running_server
from polyceph.store.unit_of_work import PostgresUnitOfWork


@dataclass(eq=False)
class Platform:
    """A provisioned platform. `left_out` says, by domain, why its declarations cannot be used.

    A domain that is left out keeps what it had: `kept` holds what those applied before consumed then.
    """

    settings: Settings
    federation: Federation
    left_out: Mapping[str, str]
    kept: Mapping[str, tuple[DatasetId, ...]]
    server: Server
    addresses: StoreAddresses
    engine: Engine
    journal: PlatformJournal
    runs_seen: datetime | None = None
    """Up to which change of a run this process has recorded runs."""

    @property
    def dagster(self) -> PostgresAddress:
        """Return the address of Dagster's own storage."""
        return self.addresses.dagster

    def close(self) -> None:
        """Record what is not recorded yet and the stop, seal the journal, let go of the store; stop an embedded server, whatever fails."""
        steps = (
            self.record_snapshots,
            self.record_readings,
            self.record_drifts,
            self.record_emergencies,
            self._record_stop,
            lambda: self.journal.seal(at_once=True),
        )
        try:
            for step in steps:
                try:
                    step()
                except PolycephError as error:
                    log.warning("not recorded before the stop: %s", error.message)
        finally:
            self.engine.dispose()
            self.server.stop()

    def _record_stop(self) -> None:
        platform_life.stop(PostgresUnitOfWork(self.engine), self.federation.name, actor=this_actor())

    def provision_lakes(self) -> None:
        """Make every domain's lake and let each domain read exactly what it declares to consume, or declared when it is left out."""
        extensions = install_extensions(self.settings.state() / "extensions")
        admin = self.server.admin.at(self.addresses.databases.lake)
        for name in sorted(self.federation.domains.keys() | self.kept.keys()):
            consumers = {domain_role(other): wanted for other, wanted in self._consumers_of(name).items()}
            lake = lake_address(self.settings, self.federation, name, self.addresses.lake(name))
            provision_lake(admin, lake, consumers, extensions=extensions)

    def _consumers_of(self, name: str) -> dict[str, list[DatasetId]]:
        consumed = {**self.kept, **{one.name: one.consumes for one in self.federation.domains.values()}}
        return {d: [c for c in wanted if c.domain == name and c.zone != Zone.OUTPUT] for d, wanted in consumed.items() if d != name}

    def lake(self, domain: str) -> DomainLake:
        """Return a domain's lake, entered as the domain."""
        address = lake_address(self.settings, self.federation, domain, self.addresses.lake(domain))
        return limited_lake(self.settings, address, others=[], spills_to="_platform")

    def domain_environment(self, domain: str) -> dict[str, str]:
        """Return the environment of a domain's processes: its own role, what its sources name, its secrets; nothing of the platform's."""
        role = self.addresses.lake(domain)
        own = domain_environment(self.settings.state() / "secrets", domain, passphrase=self.settings.keyring.passphrase)
        return {
            **passed_environment(),
            **named_environment(self.federation.domains[domain]),
            **{name: value.get_secret_value() for name, value in own.items()},
            **storage_environment(),
            **self.server_environment(),
            "POLYCEPH_FEDERATION": str(self.settings.federation.resolve()),
            "POLYCEPH_HOME": str(self.settings.state()),
            **({"POLYCEPH_TODAY": self.settings.today.isoformat()} if self.settings.today else {}),
            "POLYCEPH_DOMAIN__NAME": domain,
            "POLYCEPH_DOMAIN__HOST": role.host,
            "POLYCEPH_DOMAIN__PORT": str(role.port),
            "POLYCEPH_DOMAIN__USER": role.user,
            "POLYCEPH_DOMAIN__PASSWORD": role.password.get_secret_value(),
            "POLYCEPH_DOMAIN__CODE": code_commit(self.settings.federation / self.federation.domains[domain].folder),
        }

    def serving_environment(self, port: int) -> dict[str, str]:
        """Return the environment of the process that serves people, at this port."""
        return {
            **serving_environment(self.federation),
            "POLYCEPH_FEDERATION": str(self.settings.federation.resolve()),
            "POLYCEPH_HOME": str(self.settings.state()),
            "POLYCEPH_WEB__PORT": str(port),
            **({"POLYCEPH_TODAY": self.settings.today.isoformat()} if self.settings.today else {}),
        }

    def server_environment(self) -> dict[str, str]:
        """Return how every process that enters the platform's server does so over TLS; empty where the address does not say."""
        return self.server.admin.tls_environment()

    def queries(self) -> PostgresQueries:
        """Return what the store can be asked."""
        return PostgresQueries(self.engine)

    def role_password(self, role: str) -> SecretStr:
        """Return the password of a role on the platform's server, made when it is new."""
        return role_passwords(self.settings.state() / "secrets", [role])[role]

    def served(self, dataset: DatasetId) -> Mapping[str, object] | None:
        """Return rows and address of an output as it is served now, None when it is not."""
        files = sorted((self.settings.state() / "outputs" / dataset.domain).glob(f"{dataset.name}.*.json"))
        if files:
            facts = json.loads(files[0].read_text(encoding="utf-8"))
            return {"rows": facts["rows"], "address": str(files[0].with_suffix(""))}
        address = self.addresses.output(dataset.domain)
        with connect(address) as session:
            if session.execute("SELECT to_regclass(%s)", [f'"{dataset.domain}"."{dataset.name}"']).fetchone() == (None,):
                return None
            count = session.execute(SQL("SELECT count(*) FROM {}").format(Identifier(dataset.domain, dataset.name))).fetchone()
        return {"rows": count[0] if count else 0, "address": f"{address.shown()}/{dataset.domain}.{dataset.name}"}

    def request_run(self, domain: str, datasets: tuple[DatasetId, ...]) -> str:
        """Keep who asks for a run and return the id of the request."""
        request = RunRequest(uuid4().hex, domain, this_actor(), datasets)
        runs.request_run(PostgresUnitOfWork(self.engine), request)
        return request.request

    def refuse_run(self, asked: Sequence[str], error: PolycephError) -> None:
        """Keep that a run was asked for and refused, and why."""
        runs.refuse_run(PostgresUnitOfWork(self.engine), uuid4().hex, asked, error.message, actor=this_actor())

    def launch_run(self, request: str, run: str) -> None:
        """Keep which run answers a request."""
        runs.launch_run(PostgresUnitOfWork(self.engine), self._requested(request), run, actor=this_actor())

    def finish_run(self, request: str, outcome: RunOutcome) -> None:
        """Keep how a requested run ended."""
        runs.finish_run(PostgresUnitOfWork(self.engine), self._requested(request), outcome, actor=this_actor())

    def _requested(self, request: str) -> RunRequest:
        record = self.queries().requested_run(request)
        if record is None:
            raise NotFound(f"nobody made request {request}", hint="record the request first")
        return record.request

    def record_runs(self, launcher: RunLauncher) -> None:
        """Record runs that were asked for elsewhere (schedules, Dagster's pages) and how open ones ended, since the last call."""
        now = SystemClock().now()
        self.runs_seen = runs.record_runs(PostgresUnitOfWork(self.engine), self.queries(), launcher, since=self.runs_seen, now=now)

    def record_snapshots(self) -> int:
        """Record the changes of all lakes that the journal does not hold yet; return how many there were."""
        last = PostgresQueries(self.engine).last_snapshots()
        found = 0
        for name in sorted(self.addresses.domains):
            new = self.lake(name).snapshots(last.get(name, -1))
            found += evidence.record_snapshots(PostgresUnitOfWork(self.engine), new)
        return found

    def record_readings(self) -> int:
        """Record the readings that wait in the outbox; return how many there were. Runs are recorded before: they tell who asked."""
        found = 0
        with outbox_taken(self.server.admin.at(self.addresses.databases.lake)) as outbox:
            while said := waiting(outbox):
                found += evidence.record_readings(PostgresUnitOfWork(self.engine), self.queries(), said)
                settle(outbox, said)
        return found

    def record_drifts(self) -> int:
        """Make tasks of the deliveries that wait in the lakes' quarantine and tell it what was decided; return how many tasks are new."""
        with outbox_taken(self.server.admin.at(self.addresses.databases.lake)) as outbox:
            done = drift.record_sightings(PostgresUnitOfWork(self.engine), self.queries(), waiting_sightings(outbox))
            for state, numbers in (*done.decided.items(), ("unreadable", done.unreadable)):
                settle_sightings(outbox, numbers, str(state))
        return done.found

    def record_emergencies(self) -> int:
        """Record the end of emergency access whose time is over; return how many."""
        work, now = PostgresUnitOfWork(self.engine), SystemClock().now()
        return emergencies.expire_emergencies(work, self.queries(), now=now)


def open_platform(settings: Settings) -> Platform:
    """Start or reach PostgreSQL, bring it up to date, apply the declarations and record those that were refused.

    Raises:
        Invalid: the federation's own declarations are wrong (a broken domain is left out instead).
        Misconfigured: sign-in cannot be safe as it is declared and set; nothing is started.
        Unavailable: PostgreSQL does not answer.
    """
    try:
        usable = usable_federation(settings)
    except Invalid as error:
        _record_refusal(settings, error)
        raise
    found = usable.federation
    check_sign_in(found, settings, public_address(settings), os.environ)
    state = settings.state()
    state.mkdir(parents=True, exist_ok=True)
    server = _entered(running_server(settings))
    try:
        addresses = provision(server.admin, state / "secrets", domains=found.domains)
        migrate(addresses.owner)
        store = engine(addresses.app)
        queries, commit = PostgresQueries(store), code_commit(settings.federation)
        kept = federation_usecases.applied_consumption(queries.last_declaration(), usable.left_out)
        if kept:
            addresses = provision(server.admin, state / "secrets", domains=found.domains.keys() | kept.keys())
        journal = PlatformJournal(settings, found, store, PostgresJournal(store))
        work, actor = PostgresUnitOfWork(store), this_actor()
        journal.open(actor)
        platform_life.start(work, queries, _installation(settings, found.name), actor=actor)
        for name, problems in usable.refused.items():
            refuse_declarations(work, queries, Refusal(found.name, name, problems, commit), actor=actor)
        federation_usecases.apply_federation(work, queries, found, actor=actor, commit=commit, left_out=usable.refused.keys())
    except BaseException:
        server.stop()
        raise
    return Platform(settings, found, usable.left_out, kept, server, addresses, store, journal)


def _record_refusal(settings: Settings, error: Invalid) -> None:
    """Record that the federation as a whole was refused, when there is a store to record it in; the refusal itself stands anyway."""
    secrets = settings.state() / "secrets"
    if not (secrets / KEY_FILE).exists():
        return
    try:
        server = _entered(running_server(settings))
        try:
            store = engine(known_addresses(server.admin, secrets).app)
            queries = PostgresQueries(store)
            last = queries.last_declaration()
            if last is not None and error.problems:
                refusal = Refusal(str(last.content["federation"]), None, error.problems, code_commit(settings.federation))
                refuse_declarations(PostgresUnitOfWork(store), queries, refusal, actor=this_actor())
            store.dispose()
        finally:
            server.stop()
    except PolycephError as failed:
        log.warning("the refusal could not be recorded: %s", failed.message)


def _installation(settings: Settings, federation: str) -> platform_life.Installation:
    return platform_life.Installation(federation, version("polyceph"), newest_revision(), settings.shown())


def join_platform(settings: Settings) -> Platform:
    """Return the platform that already runs on this machine, without changing or starting anything.

    Raises:
        Invalid: the federation's own declarations are wrong.
        Unavailable: it does not run.
    """
    usable = usable_federation(settings)
    server = _entered(joined_server(settings))
    addresses = known_addresses(server.admin, settings.state() / "secrets", domains=usable.federation.domains)
    store = engine(addresses.app)
    kept = federation_usecases.applied_consumption(PostgresQueries(store).last_declaration(), usable.left_out)
    if kept:
        everybody = usable.federation.domains.keys() | kept.keys()
        addresses = known_addresses(server.admin, settings.state() / "secrets", domains=everybody)
    journal = PlatformJournal(settings, usable.federation, store, PostgresJournal(store))
    return Platform(settings, usable.federation, usable.left_out, kept, server, addresses, store, journal)


def _entered(server: Server) -> Server:
    """Let this process enter the server as its address says: DuckDB takes TLS from the environment alone."""
    os.environ.update(server.admin.tls_environment())
    return server


def this_actor() -> Actor:
    """Return the person at the keyboard, as the operating system knows her: whoever may run commands holds the platform's secrets."""
    return Actor(ActorKind.PERSON, getpass.getuser())


def code_commit(folder: Path) -> str:
    """Return the git commit of a folder, with `+changes` when files differ from it, `uncommitted` outside git."""
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return "uncommitted"
    return head + ("+changes" if _git(folder, "status", "--porcelain", "--", ".") else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
