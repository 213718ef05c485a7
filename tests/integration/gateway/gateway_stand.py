"""Three domains with real code servers, an instance of Dagster, and the gateway in this process: what the tests of the gateway ask."""

from __future__ import annotations

import json
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
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from polyceph.core.model.access import FEDERATION, Principal, Role, Standing
from polyceph.core.model.event import Actor, ActorKind, Event
from polyceph.core.policies.authorisation import decide
from polyceph.gateway.app import Gateway, dagster_app
from polyceph.gateway.sight import Doors

OWN, OTHER, SHARED = "alpha", "beta", "shared"
DOMAINS = (OWN, OTHER, SHARED)
CANARY = "xcanaryx"
HIDDEN_NAME = "xhiddenx"
CODE = '''
"""Definitions of one domain: planted words tell where they come from."""
import dagster as dg

DOMAIN = "{domain}"
WORD = "{word}"
NAME = "{name}"
PARTS = dg.DynamicPartitionsDefinition(name=DOMAIN + NAME + "_parts")


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


@dg.asset_check(asset=first, name=NAME + "_check")
def checked():
    return dg.AssetCheckResult(passed=True, metadata={{"planted": WORD}})


@dg.op(description=WORD)
def step(context):
    context.log.info(WORD)
    yield dg.Output(None)


@dg.job(name="job_" + NAME, description=WORD, tags={{"planted": WORD}})
def job():
    step()


static = dg.StaticPartitionsDefinition(["a", "b"])


@dg.job(name="parts_" + NAME, partitions_def=static, config=dg.static_partitioned_config(["a", "b"])(lambda key: {{}}))
def parts_job():
    step()


@dg.schedule(job=job, cron_schedule="0 0 1 1 *", name="schedule_" + NAME, description=WORD)
def schedule(context):
    return dg.SkipReason(WORD)


@dg.sensor(job=job, name="sensor_" + NAME, description=WORD)
def sensor(context):
    return dg.SkipReason(WORD)


class Place(dg.ConfigurableResource):
    word: str = WORD


defs = dg.Definitions(
    assets=[first, second, broken, parted], asset_checks=[checked], jobs=[job, parts_job], schedules=[schedule], sensors=[sensor],
    resources={{"place_" + NAME: Place()}}, executor=dg.in_process_executor,
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
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

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

    def repository_id(self, domain: str) -> str:
        """Return the id that Dagster gives the repository of a domain."""
        entry = self.app.context.get_current_workspace().code_location_entries[domain]
        assert entry.code_location
        return str(entry.code_location.get_repository("__repository__").get_compound_id().to_string())

    def log_path(self, domain: str) -> str:
        """Return the path under `/logs` of what a step of a domain's run wrote."""
        run = self.runs[domain]["made"]
        events = self.instance.all_logs(run)
        keys = [one.dagster_event.logs_captured_data.file_key for one in events
                if one.dagster_event and one.dagster_event.event_type_value == "LOGS_CAPTURED"]  # fmt: skip
        return f"{run}/compute_logs/{keys[0]}/out"

    def subscribed(self, who: Principal, request: Mapping[str, Any], seconds: float = 10.0) -> dict[str, Any]:
        """Return the first message that answers a request over the websocket, or how the door closed."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await self.app({**scope, "polyceph.principal": who, "polyceph.request": "r-1"}, receive, send)

        client = TestClient(app)
        try:
            with client.websocket_connect("/dagster/graphql", subprotocols=["graphql-ws"]) as socket:
                socket.send_json({"type": "connection_init"})
                assert socket.receive_json()["type"] == "connection_ack"
                socket.send_json({"id": "1", "type": "start", "payload": dict(request)})
                if "locationStateChangeEvents" in str(request.get("query")):
                    socket.send_json({"id": "2", "type": "start", "payload": {"query": "subscription{nothing}"}})
                return dict(socket.receive_json())
        except WebSocketDisconnect as ended:
            return {"type": "closed", "code": ended.code}

    def said(self, who: Principal, message: str) -> str:
        """Return what comes back for any text over the websocket: an error, the end, or silence that the next request breaks."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await self.app({**scope, "polyceph.principal": who, "polyceph.request": "r-1"}, receive, send)

        try:
            with TestClient(app).websocket_connect("/dagster/graphql", subprotocols=["graphql-ws"]) as socket:
                socket.send_text(message)
                socket.send_json({"type": "connection_init"})
                return {"connection_ack": "silence"}.get(kind := str(socket.receive_json()["type"]), kind)
        except WebSocketDisconnect:
            return "close"


def word_of(domain: str) -> str:
    """Return the word that is planted in everything of a domain."""
    return CANARY if domain == OTHER else f"word{domain}"


def name_of(domain: str) -> str:
    """Return the word in the names of jobs, schedules and such of a domain: who asks for them by name hears the name again."""
    return HIDDEN_NAME if domain == OTHER else f"name{domain}"


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


@contextmanager
def standing_at(folder: Path) -> Iterator[Stand]:
    """Open another gateway over a stand that stands already in a folder: for looking at it by hand."""
    with DagsterInstance.from_config(str(folder / "home")) as instance:
        journal = Journal()
        app = dagster_app(Doors(decide, lambda: datetime.now(UTC), journal.record), folder / "workspace.yaml", instance=instance)
        assert isinstance(app, Gateway)
        try:
            yield Stand(app, instance, journal, folder / "workspace.yaml", json.loads((folder / "runs.json").read_text()))
        finally:
            app.close()


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(5)
    except subprocess.TimeoutExpired:  # it waits for a run that it started
        server.kill()
        server.wait(30)


def _socket(folder: Path, domain: str) -> Path:
    return folder / f"{domain}.sock"


def _start(folder: Path, domain: str, home: Path) -> subprocess.Popen[bytes]:
    code = folder / f"{domain}.py"
    upstream = f', dg.AssetKey(["{OTHER}", "gold", "{CANARY}"])' if domain == OWN else ""
    code.write_text(CODE.format(domain=domain, word=word_of(domain), name=name_of(domain), upstream=upstream))
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
