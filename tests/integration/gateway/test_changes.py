"""Changes through the gateway: recorded before they run, refused when they cannot be, stamped with who asked and why."""

from __future__ import annotations

from typing import Any

import pytest
from gateway_planted import BACKFILL, LAUNCH, engineer_of, launch_params
from gateway_stand import ENGINEER, OTHER, OWN, PLATFORM, Stand, name_of, person

from polyceph.core.model.access import FEDERATION, NOBODY, Principal, Role, Standing
from polyceph.core.model.event import Actor, ActorKind


def events(stand: Stand, before: int) -> list[tuple[str, str | None, bool]]:
    return [(one.action, one.domain, one.allowed) for one in stand.journal.events[before:]]


def launch(stand: Stand, who: Principal, **params: Any) -> dict[str, Any]:
    found: dict[str, Any] = stand.graphql(who, LAUNCH, p=launch_params(**params))
    return found


def test_a_change_is_recorded_before_it_runs_and_how_it_ended_after(stand: Stand) -> None:
    before = len(stand.journal.events)
    answer = launch(stand, ENGINEER, domain=OWN)
    assert answer["data"]["launchRun"]["__typename"] == "LaunchRunSuccess"
    assert events(stand, before) == [("change.asked", OWN, True), ("change.ended", OWN, True)]
    asked, ended = stand.journal.events[before:]
    assert asked.actor == ENGINEER.actor
    assert asked.door == "dagster"
    assert asked.correlation == {"request": "r-1"}
    assert ended.correlation["run"] == answer["data"]["launchRun"]["run"]["runId"]


def test_a_change_that_cannot_be_recorded_does_not_happen(stand: Stand) -> None:
    runs = stand.instance.get_runs_count()
    stand.journal.refuses = True
    try:
        answer = launch(stand, ENGINEER, domain=OWN)
    finally:
        stand.journal.refuses = False
    assert answer["errors"][0]["extensions"]["code"] == "NOT_RECORDED"
    assert answer["status"] == 200
    assert stand.instance.get_runs_count() == runs


def test_a_refused_change_says_why_in_the_schemas_own_words_and_is_recorded(stand: Stand) -> None:
    before = len(stand.journal.events)
    refused = launch(stand, ENGINEER, domain=OTHER)["data"]["launchRun"]
    assert refused["__typename"] == "UnauthorizedError"
    assert "run.launch" in refused["message"]
    assert events(stand, before) == [("change.asked", OTHER, False)]


def test_a_run_of_two_domains_needs_the_right_in_each_and_is_recorded_in_both(stand: Stand) -> None:
    mixed = launch_params(OWN, assets=("first",))
    mixed["selector"]["assetSelection"].append({"path": [OTHER, "raw", "first"]})
    before = len(stand.journal.events)
    assert stand.graphql(ENGINEER, LAUNCH, p=mixed)["data"]["launchRun"]["__typename"] == "UnauthorizedError"
    assert events(stand, before) == [("change.asked", OWN, False), ("change.asked", OTHER, False)]


@pytest.mark.parametrize("ancestor", ["parentRunId", "rootRunId"])
def test_a_launch_that_claims_to_descend_from_a_run_of_another_domain_is_refused(stand: Stand, ancestor: str) -> None:
    params = launch_params(OWN, executionMetadata={ancestor: stand.runs[OTHER]["made"]})
    assert stand.graphql(ENGINEER, LAUNCH, p=params)["data"]["launchRun"]["__typename"] == "UnauthorizedError"


def test_a_run_carries_the_person_and_the_purpose_and_no_spoofed_tag(stand: Stand) -> None:
    spoofed = [{"key": key, "value": "spoofed"} for key in (
        "dagster/user", "user", "dagster/schedule_name", ".dagster/repository", "polyceph/request", "dagster/backfill", "polyceph/purpose",
    )]  # fmt: skip
    tags = {"executionMetadata": {"tags": [*spoofed, {"key": "purpose", "value": "statistics"}, {"key": "mine", "value": "kept"}]}}
    run = stand.instance.get_run_by_id(launch(stand, ENGINEER, domain=OWN, **tags)["data"]["launchRun"]["run"]["runId"])
    assert run
    assert {run.tags["dagster/user"], run.tags["user"]} == {ENGINEER.actor.id}
    assert run.tags["polyceph/purpose"] == "statistics"
    assert run.tags["mine"] == "kept"
    assert "spoofed" not in run.tags.values()


def test_a_run_that_is_executed_again_carries_who_did_so(stand: Stand) -> None:
    again = person("again", {OWN: Role.STEWARD})
    text = """mutation($p:ReexecutionParams){launchRunReexecution(reexecutionParams:$p){__typename
      ... on LaunchRunSuccess{run{runId}} ... on PythonError{message}}}"""
    params = {"parentRunId": stand.runs[OWN]["made"], "strategy": "ALL_STEPS", "useParentRunTags": True,
              "extraTags": [{"key": "dagster/user", "value": "spoofed"}]}  # fmt: skip
    found = stand.graphql(again, text, p=params)["data"]["launchRunReexecution"]
    assert found["__typename"] == "LaunchRunSuccess", found
    run = stand.instance.get_run_by_id(found["run"]["runId"])
    assert run
    assert run.tags["dagster/user"] == "again"


def test_a_backfill_carries_the_person_and_one_of_another_domain_is_refused(stand: Stand) -> None:
    def asked(domain: str) -> dict[str, Any]:
        repository = {"repositoryLocationName": domain, "repositoryName": "__repository__"}
        selector = {"partitionSetName": f"parts_{name_of(domain)}_partition_set", "repositorySelector": repository}
        return {"selector": selector, "partitionNames": ["a"], "forceSynchronousSubmission": True}

    found = stand.graphql(ENGINEER, BACKFILL, p=asked(OWN))["data"]["launchPartitionBackfill"]
    backfill = stand.instance.get_backfill(found["backfillId"])
    assert backfill
    assert backfill.tags["dagster/user"] == ENGINEER.actor.id
    assert stand.graphql(ENGINEER, BACKFILL, p=asked(OTHER))["data"]["launchPartitionBackfill"]["__typename"] == "UnauthorizedError"


def test_a_run_that_is_not_to_be_seen_is_refused_like_one_that_does_not_exist(stand: Stand) -> None:
    text = "mutation($r:String!){terminateRun(runId:$r){__typename ... on UnauthorizedError{message}}}"
    theirs = stand.graphql(ENGINEER, text, r=stand.runs[OTHER]["again"])["data"]
    query = "query($r:ID!){runOrError(runId:$r){__typename}}"
    assert theirs["terminateRun"]["__typename"] == "UnauthorizedError"
    answers = [stand.graphql(ENGINEER, query, r=run)["errors"][0]["extensions"] for run in (stand.runs[OTHER]["made"], "00000000")]
    assert answers == [{"code": "FORBIDDEN"}] * 2


def test_ids_of_two_domains_reach_neither(stand: Stand) -> None:
    """Dagster looks at one of the ids that stop a sensor: whichever it is, the other does not open it."""
    own, other = stand.runs[OWN], stand.runs[OTHER]
    text = "mutation($i:String,$o:String,$s:String){stopSensor(id:$i,jobOriginId:$o,jobSelectorId:$s){__typename}}"
    attempts: list[dict[str, Any]] = [
        {"o": own["sensor_origin"], "s": other["sensor"]},
        {"o": other["sensor_origin"], "s": own["sensor"]},
        {"i": f"{other['sensor_origin']}:{other['sensor']}", "o": own["sensor_origin"], "s": own["sensor"]},
        {"i": f"{own['sensor_origin']}:{own['sensor']}", "o": f"{other['sensor_origin']}:{other['sensor']}"},
        {"o": f"{other['sensor_origin']}:{other['sensor']}", "s": own["sensor"]},
        {"o": "unknown", "s": "unknown"},
        {},
    ]
    for given in attempts:
        assert stand.graphql(ENGINEER, text, **given)["data"]["stopSensor"]["__typename"] == "UnauthorizedError", given


def test_the_platform_keeps_the_tags_of_whom_it_acts_for(stand: Stand) -> None:
    service = Actor(ActorKind.SERVICE, "platform")
    platform = Principal(service, Standing.ACTIVE, {**engineer_of(OWN).roles, FEDERATION: frozenset({Role.PLATFORM_ENGINEER})})
    named_so = Principal(service, Standing.ACTIVE, engineer_of(OWN).roles)
    tags = {"executionMetadata": {"tags": [{"key": "polyceph/request", "value": "q-1"}, {"key": "user", "value": "carla"}]}}
    run = stand.instance.get_run_by_id(launch(stand, platform, domain=OWN, **tags)["data"]["launchRun"]["run"]["runId"])
    assert run
    assert (run.tags["polyceph/request"], run.tags["user"]) == ("q-1", "carla")
    other = stand.instance.get_run_by_id(launch(stand, named_so, domain=OWN, **tags)["data"]["launchRun"]["run"]["runId"])
    assert other
    assert other.tags["user"] == "platform"
    assert "polyceph/request" not in other.tags


@pytest.mark.parametrize("route", ["report_asset_materialization", "report_asset_check", "report_asset_observation"])
def test_reporting_by_a_route_is_closed_and_recorded(stand: Stand, route: str) -> None:
    before = len(stand.journal.events)
    answer = stand.ask(PLATFORM, "POST", f"/dagster/{route}/{OWN}/raw/first")
    assert answer.status_code == 403
    assert events(stand, before) == [("change.asked", None, False)]


def test_who_is_not_signed_in_is_sent_to_sign_in_and_programs_are_told(stand: Stand) -> None:
    page = stand.ask(NOBODY, "GET", "/dagster/overview", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/sign-in?next=%2Fdagster%2F")
    assert stand.ask(NOBODY, "POST", "/dagster/graphql", json={"query": "{version}"}).status_code == 401
    assert stand.subscribed(NOBODY, {"query": "subscription{locationStateChangeEvents{__typename}}"})["type"] == "closed"


def test_more_runs_than_can_be_looked_up_at_once_are_refused_unread(stand: Stand) -> None:
    text = "mutation($r:[String!]!){terminateRuns(runIds:$r){__typename}}"
    answer = stand.graphql(ENGINEER, text, r=[stand.runs[OWN]["again"]] * 1001)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"
