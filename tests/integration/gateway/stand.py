"""Three domains with real code servers, an instance of Dagster, and the gateway in this process: what the tests of the gateway ask."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import yaml
from dagster import DagsterInstance
from dagster._grpc.client import DagsterGrpcClient

from polyceph.core.model.access import FEDERATION, Principal, Role, Standing
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.policies.authorisation import decide
from polyceph.gateway.app import Gateway, dagster_app
from polyceph.gateway.sight import Doors

OWN, OTHER, SHARED = "alpha", "beta", "shared"
DOMAINS = (OWN, OTHER, SHARED)
CANARY = "xcanaryx"
CODE = '''
"""Definitions of one domain: planted words tell where they come from."""
import dagster as dg

DOMAIN = "{domain}"
WORD = "{word}"
PARTS = dg.DynamicPartitionsDefinition(name=DOMAIN + WORD + "_parts")


class Settings(dg.Config):
    word: str = "none"


@dg.asset(key=[DOMAIN, "raw", "first"], description=WORD + " first", metadata={{"planted": WORD}}, tags={{"planted": WORD}})
def first(context: dg.AssetExecutionContext):
    context.log.info(WORD + " in the log")
    print(WORD + " in the output")
    return dg.MaterializeResult(metadata={{"planted": WORD}})


@dg.asset(key=[DOMAIN, "gold", WORD], deps=[first{upstream}], description=WORD)
def second(context: dg.AssetExecutionContext, config: Settings):
    context.log.info(WORD + config.word)


@dg.asset(key=[DOMAIN, "raw", "broken"], description=WORD)
def broken(context: dg.AssetExecutionContext):
    raise ValueError(WORD + " went wrong")


@dg.asset(key=[DOMAIN, "raw", "parted"], partitions_def=PARTS)
def parted(context: dg.AssetExecutionContext):
    return None


@dg.asset_check(asset=first, name=WORD + "_check")
def checked():
    return dg.AssetCheckResult(passed=True, metadata={{"planted": WORD}})


@dg.op(description=WORD)
def step(context):
    context.log.info(WORD)


@dg.job(name="job_" + WORD, description=WORD, tags={{"planted": WORD}})
def job():
    step()


static = dg.StaticPartitionsDefinition(["a", "b"])


@dg.job(name="parts_" + WORD, partitions_def=static, config=dg.static_partitioned_config(["a", "b"])(lambda key: {{}}))
def parts_job():
    step()


@dg.schedule(job=job, cron_schedule="0 0 1 1 *", name="schedule_" + WORD, description=WORD)
def schedule(context):
    return dg.SkipReason(WORD)


@dg.sensor(job=job, name="sensor_" + WORD, description=WORD)
def sensor(context):
    return dg.SkipReason(WORD)


class Place(dg.ConfigurableResource):
    word: str = WORD


defs = dg.Definitions(
    assets=[first, second, broken, parted], asset_checks=[checked], jobs=[job, parts_job], schedules=[schedule], sensors=[sensor],
    resources={{"place_" + WORD: Place()}},
)
'''


@dataclass
class Journal:
    """Keeps what is recorded; refuses when told to."""

    events: list[Event] = field(default_factory=list)
    refuses: bool = False

    def record(self, event: Event) -> None:
        if self.refuses:
            raise ConnectionError("the journal is away")
        self.events.append(event)


@dataclass
class Stand:
    """The gateway over real code servers."""

    app: Gateway
    instance: DagsterInstance
    journal: Journal
    workspace: Path
    runs: dict[str, dict[str, str]] = field(default_factory=dict)
    """By domain, by name of what ran: ids of runs and backfills that are there already."""

    def ask(self, who: Principal, method: str, path: str, **asked: Any) -> httpx.Response:
        return anyio.run(self.asked, who, method, path, asked)

    async def asked(self, who: Principal, method: str, path: str, asked: Mapping[str, Any]) -> httpx.Response:
        async with self.client(who) as client:
            return await client.request(method, path, **asked)

    def client(self, who: Principal) -> httpx.AsyncClient:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await self.app({**scope, "polyceph.principal": who, "polyceph.request": "r-1"}, receive, send)

        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://platform")

    def graphql(self, who: Principal, query: str, **variables: Any) -> dict[str, Any]:
        answer = self.ask(who, "POST", "/dagster/graphql", json={"query": query, "variables": variables})
        body: dict[str, Any] = answer.json()
        return {**body, "status": answer.status_code}


def word_of(domain: str) -> str:
    """Return the word that is planted in everything of a domain."""
    return CANARY if domain == OTHER else f"word{domain}"


def person(name: str, roles: Mapping[str, Role | None], standing: Standing = Standing.ACTIVE) -> Principal:
    held = {domain: frozenset({role}) for domain, role in roles.items() if role}
    return Principal(Actor(ActorKind.PERSON, name), standing, held, person=name, name=name)


ENGINEER = person("anna", {OWN: Role.ENGINEER})
OTHER_ENGINEER = person("bert", {OTHER: Role.ENGINEER})
PLATFORM = person("petra", {FEDERATION: Role.PLATFORM_ENGINEER})


@contextmanager
def standing(folder: Path) -> Iterator[Stand]:
    """Start the code servers and the gateway; everything ends with the context."""
    home = folder / "home"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_text(yaml.safe_dump({
        "telemetry": {"enabled": False}, "nux": {"enabled": False},
        "run_coordinator": {"module": "dagster.core.run_coordinator", "class": "QueuedRunCoordinator"},
        "compute_logs": {
            "module": "dagster.core.storage.local_compute_log_manager", "class": "LocalComputeLogManager",
            "config": {"base_dir": str(home / "logs")},
        },
    }))  # fmt: skip
    workspace = folder / "workspace.yaml"
    workspace.write_text(yaml.safe_dump({"load_from": [
        {"grpc_server": {"socket": str(_socket(folder, domain)), "location_name": domain}} for domain in DOMAINS
    ]}))  # fmt: skip
    with DagsterInstance.from_config(str(home)) as instance, ExitStack() as ended:
        # the tables are made by one process
        instance.get_runs_count(), instance.all_asset_keys(), instance.all_instigator_state()
        for domain in DOMAINS:
            ended.callback(_stop, _start(folder, domain, home))
        for domain in DOMAINS:
            _wait(_socket(folder, domain))
        journal = Journal()
        app = dagster_app(Doors(decide, lambda: datetime.now(UTC), journal.record), workspace, instance=instance)
        assert isinstance(app, Gateway)
        ended.callback(app.close)
        yield Stand(app, instance, journal, workspace)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    server.wait(30)


def _socket(folder: Path, domain: str) -> Path:
    return folder / f"{domain}.sock"


def _start(folder: Path, domain: str, home: Path) -> subprocess.Popen[bytes]:
    code = folder / f"{domain}.py"
    upstream = f', dg.AssetKey(["{OTHER}", "gold", "{CANARY}"])' if domain == OWN else ""
    code.write_text(CODE.format(domain=domain, word=word_of(domain), upstream=upstream))
    command = [sys.executable, "-m", "dagster", "api", "grpc", "--socket", str(_socket(folder, domain)), "--python-file", str(code),
               "--location-name", domain, "--log-level", "warning"]  # fmt: skip
    return subprocess.Popen(command, env={**os.environ, "DAGSTER_HOME": str(home)}, cwd=folder)


def _wait(socket: Path, seconds: float = 90.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            DagsterGrpcClient(socket=str(socket)).ping("")
        except Exception:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return
