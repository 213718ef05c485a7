"""What happened in every domain of the stand before the tests ask: runs with logs and errors, backfills, ticks, states."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from dagster import DagsterRunStatus
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.scheduler.instigation import InstigatorType, TickData, TickStatus
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._daemon.types import DaemonHeartbeat
from dagster._grpc.types import ExecuteRunArgs
from dagster_shared.error import SerializableErrorInfo
from gateway_stand import DOMAINS, Stand, name_of, person, word_of

from polyceph.core.model.access import FEDERATION, Principal, Role

LAUNCH = """mutation L($p:ExecutionParams!){launchRun(executionParams:$p){__typename ... on LaunchRunSuccess{run{runId}}
  ... on UnauthorizedError{message} ... on PythonError{message}}}"""
BACKFILL = """mutation B($p:LaunchBackfillParams!){launchPartitionBackfill(backfillParams:$p){__typename
  ... on LaunchBackfillSuccess{backfillId} ... on UnauthorizedError{message} ... on PythonError{message}}}"""
_SECONDS = 180.0
_POOLS = "pool_"


def launch_params(domain: str, *, job: str | None = None, assets: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """Return the parameters of a launch in a domain: of its job, or of some of its raw assets."""
    selector: dict[str, Any] = {
        "repositoryLocationName": domain,
        "repositoryName": "__repository__",
        "pipelineName": job or ("__ASSET_JOB" if assets else f"job_{name_of(domain)}"),
    }
    if assets:
        selector["assetSelection"] = [{"path": [domain, "raw", name]} for name in assets]
    return {"selector": selector, **({"runConfigData": {}} | more)}


def engineer_of(domain: str) -> Principal:
    return person(f"engineer of {domain}", {domain: Role.ENGINEER})


def plant(stand: Stand) -> None:
    """Make something of everything in every domain."""
    for domain in DOMAINS:
        stand.runs[domain] = _of_domain(stand, domain)
    for domain in DOMAINS:
        _ticks(stand, domain)
        stand.instance.add_dynamic_partitions(f"{domain}{name_of(domain)}_parts", [name_of(domain), word_of(domain)])
        stand.instance.event_log_storage.set_concurrency_slots(_POOLS + name_of(domain), 1)
    errors = [SerializableErrorInfo(f"{word_of(domain)} is in a bad state", [f"at {word_of(domain)}"], "ValueError") for domain in DOMAINS]
    stand.instance.add_daemon_heartbeat(DaemonHeartbeat(time.time(), "SCHEDULER", "one", errors))
    _wait(stand)


def _of_domain(stand: Stand, domain: str) -> dict[str, str]:
    who, word = engineer_of(domain), word_of(domain)
    tags = {"executionMetadata": {"tags": [{"key": f"tag_{word}", "value": word}]}}
    waits = _launched(stand, who, launch_params(domain, **tags))
    made = _launched(stand, who, launch_params(domain, assets=("first", "broken"), **tags))
    again = _launched(stand, who, launch_params(domain, assets=("first",), **tags))
    selector = {"partitionSetName": f"parts_{name_of(domain)}_partition_set", "repositorySelector": {
        "repositoryLocationName": domain, "repositoryName": "__repository__"}}  # fmt: skip
    asked = {"selector": selector, "partitionNames": ["a"], "title": word, "description": word, "tags": [{"key": word, "value": word}]}
    config = {"ops": {f"{domain}__gold__{word}": {"config": {"word": word}}}}
    configured = launch_params(domain, runConfigData=config)
    configured["selector"] |= {"pipelineName": "__ASSET_JOB", "assetSelection": [{"path": [domain, "gold", word]}]}
    kept = _launched(stand, who, configured)
    answer = stand.graphql(who, BACKFILL, p=asked)["data"]["launchPartitionBackfill"]
    _executed(stand, made)
    return {"waits": waits, "made": made, "again": again, "configured": kept, "backfill": answer["backfillId"]}


def _executed(stand: Stand, name: str) -> None:
    """Execute a run in a process of its own, as launchers for clusters do: a code server that forks may hang in its child."""
    run = stand.instance.get_run_by_id(name)
    assert run
    assert run.job_code_origin
    starting = DagsterEvent(DagsterEventType.PIPELINE_STARTING.value, run.job_name, message="starting")
    stand.instance.report_dagster_event(starting, run.run_id)
    asked = ExecuteRunArgs(job_origin=run.job_code_origin, run_id=run.run_id, instance_ref=stand.instance.get_ref())
    command = [sys.executable, "-m", "dagster", *asked.get_command_args()[1:]]
    stand.processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))


def _launched(stand: Stand, who: Principal, params: Mapping[str, Any]) -> str:
    answer = stand.graphql(who, LAUNCH, p=params)["data"]["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return str(answer["run"]["runId"])


def _ticks(stand: Stand, domain: str) -> None:
    entry = stand.app.context.get_current_workspace().code_location_entries[domain]
    assert entry.code_location
    repository = entry.code_location.get_repository("__repository__")
    word = word_of(domain)
    found: tuple[tuple[Any, InstigatorType], ...] = (
        *((one, InstigatorType.SCHEDULE) for one in repository.get_schedules()),
        *((one, InstigatorType.SENSOR) for one in repository.get_sensors() if one.name.startswith("sensor_")),
    )
    for one, kind in found:
        stand.runs[domain] |= {str(kind.value).lower(): one.selector_id, f"{kind.value.lower()}_origin": one.get_remote_origin_id()}
        data = TickData(
            instigator_origin_id=one.get_remote_origin_id(), instigator_name=one.name, instigator_type=kind, status=TickStatus.FAILURE,
            timestamp=time.time(), run_ids=[], run_keys=[], selector_id=one.selector_id, cursor=word,
            error=SerializableErrorInfo(f"{word} failed", [f"in {word}"], word), log_key=["__repository__", one.name, "1"],
        )  # fmt: skip
        tick = stand.instance.create_tick(data)
        stand.runs[domain][f"{kind.value.lower()}_tick"] = str(tick.tick_id)
        with stand.instance.compute_log_manager.open_log_stream(data.log_key or [], ComputeIOType.STDERR) as stream:
            assert stream
            stream.write(json.dumps({"msg": word, "levelno": 20, "levelname": "INFO", "created": 1.0, "name": word}))


def _wait(stand: Stand) -> None:
    until = time.monotonic() + _SECONDS
    ended = {DagsterRunStatus.FAILURE, DagsterRunStatus.SUCCESS}
    waiting = {stand.runs[domain]["made"] for domain in DOMAINS}
    while waiting and time.monotonic() < until:
        waiting = {one for one in waiting if (run := stand.instance.get_run_by_id(one)) and run.status not in ended}
        time.sleep(0.3)
    for process in stand.processes:
        process.wait(_SECONDS)
    assert not waiting, f"runs {waiting} did not end"


EVERYTHING = person("everything", {FEDERATION: Role.PLATFORM_ENGINEER, **dict.fromkeys(DOMAINS, Role.ENGINEER)})
"""Somebody who sees everything: what she finds is what the others must not."""
