"""The demo: a federation of four domains on generated sources, run once for real, shown and verified."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier
from pydantic import SecretStr

from polyceph.bootstrap.platform import Platform
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.event import EventFilter
from polyceph.core.ports import RunOutcome
from polyceph.errors import NotFound
from polyceph.orchestrate.services import Running
from polyceph.settings import PostgresAddress
from polyceph.store.private_file import write_private
from polyceph.testing.demo_sources import DemoSources, generate

_REGISTER = "demo_register"
_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class DemoResult:
    """What the demo did. `seconds` is the time of the pipelines alone; `start_seconds` what came before them."""

    domains: tuple[str, ...]
    datasets: int
    rows_by_zone: Mapping[str, int]
    datasets_by_zone: Mapping[str, int]
    checks: Mapping[str, int]
    outputs: Mapping[str, Mapping[str, object]]
    events: int
    address: str
    start_seconds: float
    seconds: float
    peak_mb: int
    wrong: tuple[str, ...] = field(default=())


def place_federation(folder: Path) -> None:
    """Copy the example federation into `folder`; files of an earlier demo are brought up to date, its state is kept."""
    shutil.copytree(
        examples() / "federation", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".polyceph", "__pycache__", "target", "logs")
    )


def examples() -> Path:
    """Return the folder of the example federations: beside the sources, or inside an installed wheel."""
    here = Path(__file__).resolve()
    for found in (here.parents[3] / "examples", here.parents[1] / "_examples"):
        if (found / "federation").is_dir():
            return found
    raise NotFound("the example federations are not installed", hint="run the demo from a checkout of polyceph, or reinstall the package")


def prepare_sources(platform: Platform, *, seed: int, scale: int) -> DemoSources:
    """Generate the demo's sources: files, and an operational database on the platform's server that only education may enter."""
    folder = platform.settings.federation.resolve()
    secrets = platform.settings.state() / "secrets"
    register = _register(platform.server.admin, platform.role_password(_REGISTER))
    made = generate(folder, register, seed=seed, scale=scale)
    values = {
        "HOST": register.host,
        "PORT": str(register.port),
        "DATABASE": register.database,
        "USER": register.user,
        "PASSWORD": register.password.get_secret_value(),
    }
    text = "".join(f"EDUCATION_REGISTER_{name}={value}\n" for name, value in values.items())
    write_private(secrets / "education.env", text)
    return made


def _register(admin: PostgresAddress, password: SecretStr) -> PostgresAddress:
    """Make the role and database that stand for an administration's own operational system."""
    with psycopg.connect(**admin.arguments(), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [_REGISTER]).fetchone():
            connection.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(_REGISTER)))
        verifier = connection.pgconn.encrypt_password(password.get_secret_value().encode(), _REGISTER.encode(), b"scram-sha-256")
        connection.execute(SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(_REGISTER), verifier.decode()))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_REGISTER]).fetchone():
            connection.execute(SQL("CREATE DATABASE {} OWNER {}").format(Identifier(_REGISTER), Identifier(_REGISTER)))
            connection.execute(SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(Identifier(_REGISTER)))
    return admin.at(_REGISTER).as_role(_REGISTER, password)


def measured(running: Running, outcomes: Sequence[RunOutcome], made: DemoSources, *, began: float, ran: float) -> DemoResult:
    """Return what the demo did, verified against the lakes, the outputs and the journal. Times are of `time.monotonic`."""
    ended = time.monotonic()
    platform = running.platform
    datasets = [d for domain in platform.federation.domains.values() for d in domain.datasets]
    rows, wrong = _rows(platform, datasets)
    outputs = _outputs(platform, datasets, wrong)
    wrong.extend(_differences(made, rows))
    events = len(platform.queries().events(EventFilter(limit=1_000_000)))
    _verify(running, outcomes, wrong)
    return DemoResult(
        domains=tuple(sorted(platform.federation.domains)),
        datasets=len(datasets),
        rows_by_zone={z: sum(n for d, n in rows.items() if d.zone == z) for z in Zone if z != Zone.OUTPUT},
        datasets_by_zone={z: sum(d.zone == z for d in datasets) for z in Zone},
        checks={"passed": sum(o.checks_passed for o in outcomes), "failed": sum(o.checks_failed for o in outcomes)},
        outputs=outputs,
        events=events,
        address=running.address,
        start_seconds=round(ran - began, 1),
        seconds=round(ended - ran, 1),
        peak_mb=running.supervisor.peak_bytes // _MEBIBYTE,
        wrong=tuple(wrong),
    )


def _rows(platform: Platform, datasets: Sequence[DatasetId]) -> tuple[dict[DatasetId, int], list[str]]:
    rows: dict[DatasetId, int] = {}
    wrong: list[str] = []
    for name in platform.federation.domains:
        lake = platform.lake(name)
        for dataset in (d for d in datasets if d.domain == name and d.zone != Zone.OUTPUT):
            try:
                rows[dataset] = lake.facts(dataset).rows or 0
            except NotFound:
                wrong.append(f"{dataset} is declared and not in the lake")
                continue
            if not rows[dataset]:
                wrong.append(f"{dataset} is empty")
        wrong.extend(f"snapshot {s.snapshot} of {name} does not say who made it" for s in lake.snapshots(0) if not s.author)
    return rows, wrong


def _differences(made: DemoSources, rows: Mapping[DatasetId, int]) -> list[str]:
    """Return where the current rows of education differ from what was generated: nothing may be lost or doubled on the way."""
    found = {table: rows.get(DatasetId("education", Zone.BRONZE, table)) for table in made.rows}
    return [f"education.bronze.{t} holds {found[t]} rows, generated were {n}" for t, n in made.rows.items() if found[t] != n]


def _outputs(platform: Platform, datasets: Sequence[DatasetId], wrong: list[str]) -> dict[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = {}
    for dataset in (d for d in datasets if d.zone == Zone.OUTPUT):
        served = platform.served(dataset)
        if served is None or not served["rows"]:
            wrong.append(f"{dataset} is not served")
        else:
            found[str(dataset)] = served
    return found


def _verify(running: Running, outcomes: Sequence[RunOutcome], wrong: list[str]) -> None:
    wrong.extend(f"{o.domain} ended with {o.status}: {o.error or 'no reason given'}" for o in outcomes if o.status != "SUCCESS")
    wrong.extend(f"{o.domain}: {o.checks_failed} checks failed" for o in outcomes if o.checks_failed)
    wrong.extend(f"{domain} does not run: {reason}" for domain, reason in running.left_out.items())
    missing = running.platform.federation.domains.keys() - {o.domain for o in outcomes}
    wrong.extend(f"{domain} was not run" for domain in sorted(missing))
    if not running.platform.queries().events(EventFilter(action="snapshot.committed", limit=1)):
        wrong.append("the journal holds no snapshot")
