"""gateway.overhead: what the gateway adds to Dagster's own answers, for queries that its pages send, asked in turn with and without.

Both answer in this process over the same code servers and the same instance, so that the difference is the gateway's. The last line
is one JSON object: `added_ms` is the p95 with the gateway less the p95 without.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.webserver import DagsterWebserver

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/integration/gateway"))
from gateway_planted import EVERYTHING, plant
from gateway_stand import DOMAINS, Stand, standing

ALLOWED_MS = 10.0
_ROUNDS = 100
_WARM = 5
_RUN = (
    "query($r:ID!){runOrError(runId:$r){__typename ... on Run{id status tags{key value} "
    "stats{... on RunStatsSnapshot{startTime endTime}}}}}"
)
_LOGS = """query($r:ID!){logsForRun(runId:$r,limit:100){... on EventConnection{cursor hasMore
  events{__typename ... on MessageEvent{message timestamp}}}}}"""
_WORKSPACE = """{workspaceOrError{... on Workspace{locationEntries{id name loadStatus permissions{permission value disabledReason}
  locationOrLoadError{... on RepositoryLocation{repositories{id name pipelines{id name isAssetJob} schedules{id name scheduleState{status}}
  sensors{id name sensorState{status}}}}}}}}}"""
_ASSETS = """{assetNodes{id assetKey{path} groupName description kinds tags{key value} dependencyKeys{path} dependedByKeys{path}
  hasMaterializePermission}}"""
_RUNS = "{runsOrError(limit:25){... on Runs{results{id status jobName tags{key value} assetSelection{path} hasTerminatePermission}}}}"
_FEED = "{runsFeedOrError(limit:25,view:RUNS){... on RunsFeedConnection{cursor hasMore results{__typename id runStatus tags{key value}}}}}"
_LATEST = """query($k:[AssetKeyInput!]!){assetsLatestInfo(assetKeys:$k){assetKey{path} latestRun{id status}
  latestMaterialization{timestamp runId}}}"""
_DAEMONS = "{instance{id runQueuingSupported daemonHealth{id allDaemonStatuses{daemonType healthy}}} permissions{permission value}}"
_STATUS = "{locationStatusesOrError{... on WorkspaceLocationStatusEntries{entries{id name loadStatus versionKey}}}}"


def questions(stand: Stand) -> Mapping[str, dict[str, Any]]:
    """Return what the pages ask: run, logs, workspace, graph of assets, list of runs, latest of each asset, daemons, statuses."""
    run = {"r": stand.runs[DOMAINS[0]]["made"]}
    keys = {"k": [{"path": [domain, "raw", "first"]} for domain in DOMAINS]}
    texts = {"run": (_RUN, run), "logs": (_LOGS, run), "workspace": (_WORKSPACE, {}), "assets": (_ASSETS, {}), "runs": (_RUNS, {}),
             "feed": (_FEED, {}), "latest": (_LATEST, keys), "daemons": (_DAEMONS, {}), "statuses": (_STATUS, {})}  # fmt: skip
    return {name: {"query": text, "variables": variables} for name, (text, variables) in texts.items()}


async def measured(stand: Stand, plain: Any) -> dict[str, dict[str, list[float]]]:
    """Return the milliseconds of each answer, by question, with and without the gateway."""
    spent: dict[str, dict[str, list[float]]] = {name: {"with": [], "without": []} for name in questions(stand)}
    async with stand.client(EVERYTHING) as guarded, httpx.AsyncClient(transport=httpx.ASGITransport(plain), base_url="http://p") as bare:
        for number in range(_ROUNDS + _WARM):
            for name, body in questions(stand).items():
                pair = (("with", guarded), ("without", bare))
                answers = {}
                for way, client in pair if number % 2 else reversed(pair):
                    begun = time.perf_counter()
                    answer = await client.post("/dagster/graphql", json=body)
                    ended = (time.perf_counter() - begun) * 1000
                    assert answer.status_code == 200, answer.text
                    answers[way] = answer.json()
                    if number >= _WARM:
                        spent[name][way].append(ended)
                if name in {"runs", "assets", "latest"} and not number:
                    assert "errors" not in answers["with"], answers["with"]
    return spent


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[18]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="gw-") as folder, standing(Path(folder)) as stand:
        plant(stand)
        context = WorkspaceProcessContext(stand.instance, WorkspaceFileTarget([str(stand.workspace)]))
        try:
            spent = asyncio.run(measured(stand, DagsterWebserver(context, "/dagster").create_asgi_app()))
        finally:
            context.__exit__(None, None, None)
    for name, ways in spent.items():
        print(f"{name:10} without {p95(ways['without']):7.2f} ms  with {p95(ways['with']):7.2f} ms at p95", file=sys.stderr)
    whole = {way: [one for ways in spent.values() for one in ways[way]] for way in ("with", "without")}
    added = p95(whole["with"]) - p95(whole["without"])
    worst = max(p95(ways["with"]) - p95(ways["without"]) for ways in spent.values())
    print(json.dumps({
        "bench": "gateway.overhead", "questions": len(spent), "asked": len(whole["with"]), "p95_ms": round(p95(whole["with"]), 3),
        "p95_without_ms": round(p95(whole["without"]), 3), "added_ms": round(added, 3), "added_worst_question_ms": round(worst, 3),
        "median_added_ms": round(statistics.median(whole["with"]) - statistics.median(whole["without"]), 3), "allowed_ms": ALLOWED_MS,
        "is_within": added <= ALLOWED_MS,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
