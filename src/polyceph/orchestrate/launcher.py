"""Starts runs through Dagster's GraphQL interface and reads how they ended. Needs no import of Dagster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.ports import CheckOutcome, RunOutcome, SeenRun
from polyceph.errors import Invalid, NotFound, Unavailable
from polyceph.orchestrate.code_keys import PLATFORM_HEADER, platform_key

_LOCATIONS = """{workspaceOrError{__typename ... on Workspace{locationEntries{name loadStatus locationOrLoadError{
  __typename ... on PythonError{message errorChain{error{message}}}
  ... on RepositoryLocation{repositories{name assetNodes{assetKey{path} isExecutable}}}}}}}}"""
_LAUNCH = """mutation($p:ExecutionParams!){launchRun(executionParams:$p){__typename ... on LaunchRunSuccess{run{runId}}
  ... on PythonError{message} ... on InvalidSubsetError{message} ... on PipelineNotFoundError{message}
  ... on RunConfigValidationInvalid{errors{message}} ... on UnauthorizedError{message}}}"""
_RUN = """query($r:ID!){runOrError(runId:$r){__typename ... on Run{status startTime endTime repositoryOrigin{repositoryLocationName}}}}"""
_PROGRESS = """query($r:ID!){runOrError(runId:$r){... on Run{assetSelection{path} stats{... on RunStatsSnapshot{materializations}}}}}"""
_EVENTS = """query($r:ID!,$c:String){logsForRun(runId:$r,afterCursor:$c){__typename ... on EventConnection{cursor hasMore events{__typename
  ... on AssetCheckEvaluationEvent{evaluation{success severity checkName assetKey{path}
    metadataEntries{label ... on IntMetadataEntry{intValue}}}}
  ... on ExecutionStepFailureEvent{stepKey error{message errorChain{error{message}}} failureMetadata{description}}
  ... on EngineEvent{message error{message errorChain{error{message}}}}
  ... on RunFailureEvent{message error{message errorChain{error{message}}}}}}}}"""
_UPDATED = """query($f:RunsFilter,$c:String,$n:Int){runsOrError(filter:$f,cursor:$c,limit:$n){__typename ... on PythonError{message}
  ... on Runs{results{runId jobName updateTime tags{key value} assetSelection{path} repositoryOrigin{repositoryLocationName}}}}}"""
_PAGE = 200
_WHOLE = "__ASSET_JOB"
_FAILED_ROWS = "dagster_dbt/failed_row_count"
_OURS = "polyceph.errors."
_ENDED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})


class DagsterLauncher:
    """A `RunLauncher` over the platform's own socket, behind which Dagster is asked as the platform."""

    def __init__(self, socket: Path) -> None:
        way, key = httpx.HTTPTransport(uds=str(socket)), {PLATFORM_HEADER: platform_key(socket)}
        self._client = httpx.Client(transport=way, headers=key, base_url="http://platform/dagster", timeout=60.0)

    def locations(self) -> dict[str, str | None]:
        """Return, by domain, None when its code location is loaded, otherwise the reason why not."""
        answer = self._ask(_LOCATIONS)["workspaceOrError"]
        return {entry["name"]: _load_error(entry) for entry in answer.get("locationEntries", [])}

    def datasets(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """Return, by domain, the keys of the assets that its location can make."""
        answer = self._ask(_LOCATIONS)["workspaceOrError"]
        return {entry["name"]: _asset_keys(entry) for entry in answer.get("locationEntries", [])}

    def launch(self, domain: str, datasets: tuple[DatasetId, ...], tags: Mapping[str, str]) -> str:
        """Start one run that makes the datasets (all of the domain when empty) and return its id."""
        keys = tuple((d.domain, str(d.zone), d.name) for d in datasets) or self.datasets().get(domain, ())
        if not keys:
            raise NotFound(f"domain {domain} has nothing to run", hint="declare a component in its defs folder, or see polyceph status")
        selector = {
            "repositoryLocationName": domain,
            "repositoryName": "__repository__",
            "pipelineName": _WHOLE,
            "assetSelection": [{"path": list(key)} for key in keys],
        }
        pairs = [{"key": key, "value": value} for key, value in tags.items()]
        answer = self._ask(_LAUNCH, p={"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": pairs}})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            reason = answer.get("message") or "; ".join(e["message"] for e in answer.get("errors", []))
            raise Invalid(f"the run of {domain} was not accepted: {reason or answer['__typename']}")
        return str(answer["run"]["runId"])

    def outcome(self, run: str) -> RunOutcome | None:
        """Return how a run ended with its checks and its first error, None while it goes on."""
        answer = self._ask(_RUN, r=run)["runOrError"]
        if answer["__typename"] != "Run":
            raise NotFound(f"run {run} does not exist")
        if answer["status"] not in _ENDED:
            return None
        checks, error = self._findings(run)
        seconds = (answer["endTime"] or 0.0) - (answer["startTime"] or answer["endTime"] or 0.0)
        domain = answer["repositoryOrigin"]["repositoryLocationName"]
        passed, warned = sum(c.passed for c in checks), sum(c.is_warning and not c.passed for c in checks)
        failed = len(checks) - passed
        return RunOutcome(
            run, domain, answer["status"], seconds, checks_passed=passed, checks_failed=failed, error=error, checks_warned=warned
        )

    def checks(self, run: str) -> tuple[CheckOutcome, ...]:
        """Return what each check of a run found."""
        return self._findings(run)[0]

    def progress(self, run: str) -> tuple[int, int]:
        """Return how many datasets a run has made and how many it will make; (0, 0) when it is not known."""
        answer = self._ask(_PROGRESS, r=run)["runOrError"]
        made = answer.get("stats") or {}
        return int(made.get("materializations") or 0), len(answer.get("assetSelection") or [])

    def updated_runs(self, since: datetime | None) -> tuple[SeenRun, ...]:
        """Return the runs that changed after a moment of Dagster's clock, all when None; the oldest change first."""
        wanted = {"updatedAfter": since.timestamp()} if since else {}
        found: dict[str, SeenRun] = {}
        cursor: str | None = None
        while True:
            answer = self._ask(_UPDATED, f=wanted, c=cursor, n=_PAGE)["runsOrError"]
            if answer["__typename"] != "Runs":
                raise Unavailable(f"Dagster does not list its runs: {answer.get('message') or answer['__typename']}")
            page = answer["results"]
            found |= {one["runId"]: _seen(one) for one in page if one["repositoryOrigin"]}
            if len(page) < _PAGE:
                return tuple(sorted(found.values(), key=lambda one: one.updated_at))
            cursor = page[-1]["runId"]

    def _findings(self, run: str) -> tuple[tuple[CheckOutcome, ...], str | None]:
        """Return the checks of a run and its first error."""
        checks: list[CheckOutcome] = []
        error: str | None = None
        cursor: str | None = None
        while True:
            page = self._ask(_EVENTS, r=run, c=cursor)["logsForRun"]
            for event in page.get("events", []):
                if "evaluation" in event:
                    checks.append(_check(event["evaluation"]))
                error = error or _event_error(event)
            if not page.get("hasMore"):
                return tuple(checks), error
            cursor = page["cursor"]

    def _ask(self, query: str, **variables: object) -> dict[str, Any]:
        try:
            response = self._client.post("/graphql", json={"query": query, "variables": variables})
        except httpx.HTTPError as error:
            raise Unavailable("the process that serves Dagster does not answer", hint="start the federation with polyceph up") from error
        body = response.json()
        if body.get("errors"):
            raise Unavailable(f"Dagster refused a query: {body['errors'][0]['message']}")
        data: dict[str, Any] = body["data"]
        return data


def _check(evaluation: Mapping[str, Any]) -> CheckOutcome:
    domain, zone, name = evaluation["assetKey"]["path"]
    counts = [entry["intValue"] for entry in evaluation["metadataEntries"] if entry["label"] == _FAILED_ROWS]
    return CheckOutcome(
        dataset=DatasetId(domain, Zone(zone), name),
        name=evaluation["checkName"],
        passed=evaluation["success"],
        is_warning=evaluation["severity"] == "WARN",
        failed_rows=counts[0] if counts else None,
    )


def _seen(run: Mapping[str, Any]) -> SeenRun:
    paths = [key["path"] for key in run["assetSelection"] or []]
    datasets = tuple(sorted(DatasetId(p[0], Zone(p[1]), p[2]) for p in paths if len(p) == len(fields(DatasetId)) and p[1] in set(Zone)))
    return SeenRun(
        run=run["runId"],
        domain=run["repositoryOrigin"]["repositoryLocationName"],
        updated_at=datetime.fromtimestamp(run["updateTime"], UTC),
        tags={tag["key"]: tag["value"] for tag in run["tags"]},
        datasets=datasets,
        job=None if datasets or run["jobName"] == _WHOLE else run["jobName"],
    )


def _load_error(entry: Mapping[str, Any]) -> str | None:
    if entry["loadStatus"] != "LOADED":
        return "still loading"
    found = entry["locationOrLoadError"]
    return _cause(found) if found and found["__typename"] == "PythonError" else None


def _cause(error: Mapping[str, Any]) -> str:
    """Return what explains a chain of errors: our own if there is one, otherwise the innermost; not Dagster's wrapping."""
    messages = [str(one["message"]).strip() for one in (error, *(link["error"] for link in error.get("errorChain", [])))]
    ours = [text.removeprefix(_OURS).split(": ", 1)[-1] for text in messages if text.startswith(_OURS)]
    return ours[0] if ours else messages[-1]


def _asset_keys(entry: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    repositories = (entry["locationOrLoadError"] or {}).get("repositories", [])
    return tuple(tuple(n["assetKey"]["path"]) for r in repositories for n in r["assetNodes"] if n["isExecutable"])


def _event_error(event: Mapping[str, Any]) -> str | None:
    """Return the innermost explanation of a failure event: what our own code said, not Dagster's wrapping."""
    if event["__typename"] == "ExecutionStepFailureEvent":
        return f"{event['stepKey']}: {_cause(event['error'])}"
    if event["__typename"] == "EngineEvent":  # such as a run's process that ended without a word
        return f"{event['message'].strip()} {_cause(event['error'])}" if event.get("error") else None
    if event["__typename"] == "RunFailureEvent":
        return _cause(event["error"]) if event.get("error") else f"the process of the run is gone: {str(event['message']).strip()}"
    return None
