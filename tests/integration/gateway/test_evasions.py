"""No way of writing a request reaches another domain, and none breaks the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from gateway_evasions import Attempt, escaped, generated
from gateway_stand import ENGINEER, OTHER, OWN, Stand
from gateway_tricks import HARMFUL, TRICKS, by_hand
from graphql import get_introspection_query

_FOLLOW = "subscription B { locationStateChangeEvents { event { message } } }"
_GENERATED = 2000
"""In `bench/gateway_evasions.py` there are 20,000."""


def attempted(stand: Stand, attempts: Iterable[tuple[str, Attempt]]) -> tuple[int, list[str]]:
    """Return how many attempts were made, and what went wrong: what got through and what the server could not answer."""

    async def all_of_them() -> tuple[int, list[str]]:
        wrong, number = [], 0
        async with stand.client(ENGINEER) as client:
            for said, attempt in attempts:
                before = len(stand.journal.events)
                answer = await client.request(attempt.method, "/dagster/graphql", **attempt.sent())
                number += 1
                if answer.status_code >= 500 or "INTERNAL" in answer.text:
                    wrong.append(f"{said}: {answer.status_code} {answer.text[:200]}")
                if (how := escaped(stand, attempt, answer, before)) is not None:
                    wrong.append(f"{said}: {how}")
        return number, wrong

    return asyncio.run(all_of_them())


def test_two_hundred_evasions_written_by_hand_reach_nothing(stand: Stand) -> None:
    number, wrong = attempted(stand, by_hand(stand))
    assert not wrong
    assert number == len(HARMFUL) * len(TRICKS) >= 200


def test_generated_evasions_reach_nothing(stand: Stand) -> None:
    _number, wrong = attempted(stand, ((one.harm, one) for one in generated(stand, _GENERATED)))
    assert not wrong


def test_the_same_requests_about_ones_own_domain_are_answered(stand: Stand) -> None:
    """Without this the others would pass with a gateway that refuses everything."""
    query = "query($r:ID!){a: runOrError(runId:$r){__typename} ...F} fragment F on Query{b: logsForRun(runId:$r){__typename}}"
    found = stand.graphql(ENGINEER, query, r=stand.runs[OWN]["made"])
    assert found["data"] == {"a": {"__typename": "Run"}, "b": {"__typename": "EventConnection"}}


MUTATION = 'mutation { reloadRepositoryLocation(repositoryLocationName: "alpha") { __typename } }'


def test_what_changes_something_is_not_done_by_get(stand: Stand) -> None:
    before = len(stand.journal.events)
    assert stand.ask(ENGINEER, "GET", "/dagster/graphql", params={"query": MUTATION}).status_code == 405
    assert len(stand.journal.events) == before


@pytest.mark.parametrize(("sent", "status"), [
    ({"json": [{"query": "{version}"}]}, 400), ({"json": {"query": 1}}, 400), ({"json": {"query": "{version}", "variables": [1]}}, 400),
    ({"json": None}, 415), ({"json": {}}, 400), ({"json": {"query": "{"}}, 400), ({"json": {"query": "{nothing}"}}, 400),
    ({"json": {"query": "{version}", "operationName": "X"}}, 400), ({"json": {"query": _FOLLOW}}, 400),
    ({"content": b"\xff\xfe", "headers": {"content-type": "application/json"}}, 400), ({"data": {"query": "{version}"}}, 415),
    ({"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 400),
    ({"json": {"query": "{version}", "variables": "[[["}}, 400), ({"json": {"query": "{a: __typename " * 200 + "}" * 200}}, 400),
])  # fmt: skip
def test_what_is_no_request_is_told_so(stand: Stand, sent: dict[str, Any], status: int) -> None:
    answer = stand.ask(ENGINEER, "POST", "/dagster/graphql", **sent)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("text", [
    "{" + " ".join(f"a{i}: version" for i in range(500)) + "}",
    "{" + "".join("...{" for _ in range(400)) + "version" + "}" * 400 + "}",
    "{...A}" + "".join(f"fragment {a} on Query{{...{b} ...{b}}} " for a, b in pairwise("ABCDEFGHIJKLMN")) + "fragment N on Query {version}",
    "{" + "x: __typename " * 30_000 + "}",
    "query { version " + "@include(if: true) " * 2000 + "}",
    "{ workspaceOrError { ... on Workspace {" + "locationEntries { permissions { permission } } " * 5000 + "} } }",
    "{...A} fragment A on Query {...B} fragment B on Query {...A}",
])  # fmt: skip
def test_a_request_that_asks_for_too_much_is_refused_at_once(stand: Stand, text: str) -> None:
    answer = stand.ask(ENGINEER, "POST", "/dagster/graphql", json={"query": text})
    assert answer.status_code == 400
    assert answer.elapsed.total_seconds() < 5


def test_a_large_body_is_not_read(stand: Stand) -> None:
    content = json.dumps({"query": "{version}", "padding": "x" * 5_000_000}).encode()
    answer = stand.ask(ENGINEER, "POST", "/dagster/graphql", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_the_schema_can_be_looked_at(stand: Stand) -> None:
    assert "data" in stand.graphql(ENGINEER, get_introspection_query())


@pytest.mark.parametrize("text", ["{version}", MUTATION, "mutation A{__typename} " + _FOLLOW])
def test_only_subscriptions_come_over_the_websocket(stand: Stand, text: str) -> None:
    before = len(stand.journal.events)
    assert stand.subscribed(ENGINEER, {"query": text})["type"] == "error"
    assert len(stand.journal.events) == before


def test_the_log_of_a_run_is_followed_by_those_who_may(stand: Stand) -> None:
    text = """subscription($r:ID!){pipelineRunLogs(runId:$r){
      ... on PipelineRunLogsSubscriptionSuccess{messages{... on MessageEvent{message}}}}}"""
    own = stand.subscribed(ENGINEER, {"query": text, "variables": {"r": stand.runs[OWN]["made"]}})
    assert own["type"] == "data"
    assert "in the log" in json.dumps(own)
    other = stand.subscribed(ENGINEER, {"query": text, "variables": {"r": stand.runs[OTHER]["made"]}})
    assert other["payload"]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("message", ["[]", "{}", '{"type":"start"}', '{"type":"start","id":"1","payload":{"query":1}}', "nothing"])
def test_a_message_that_is_not_one_does_not_break_the_server(stand: Stand, message: str) -> None:
    assert stand.said(ENGINEER, message) in {"close", "error", "silence"}
