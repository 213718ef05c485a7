"""A federation that runs is reached through sign-in alone: the pages, and Dagster behind them; every act carries a name."""

from __future__ import annotations

import re
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]
Answer = Callable[[subprocess.CompletedProcess[str]], Any]
Dagster = Callable[..., Any]

_ASSET = """\
import dagster as dg
import pyarrow as pa
from polyceph.orchestrate.resources import Lake


@dg.asset(key=["{name}", "silver", "numbers"])
def numbers(lake: Lake) -> dg.MaterializeResult:
    return lake.replace("silver.numbers", pa.table({{"n": [1, 2, 3]}}))
"""
_PASSWORD = "correct horse battery staple"
_LAUNCH = """mutation($p:ExecutionParams!){launchRun(executionParams:$p){__typename ... on LaunchRunSuccess{run{runId}}
  ... on UnauthorizedError{message} ... on PipelineNotFoundError{message}}}"""
_RUN = "query($r:ID!){runOrError(runId:$r){__typename ... on Run{status tags{key value}}}}"


@pytest.fixture(scope="module")
def address(folder: Path, polyceph: Command, answer: Answer, federation_yaml: str) -> str:
    """Start a federation of two domains, one of them ann's, the other bob's; return its address."""
    (folder / "federation.yaml").write_text(federation_yaml)
    for name, owner, steward in (("hers", "ann.lee", "ann.lee"), ("his", "bob.ray", "bob.ray")):
        domain = folder / "domains" / name
        (domain / "defs").mkdir(parents=True)
        (domain / "defs" / "assets.py").write_text(_ASSET.format(name=name))
        head = f"name: {name}\ntitle: {{en: {name}}}\nowner: {owner}\nsteward: {steward}\ncontact: stewards\n"
        (domain / "domain.yaml").write_text(head)
    started = polyceph("up", "--detach")
    assert started.returncode == 0, started.stderr
    return str(answer(polyceph("status", "--json"))["address"])


@pytest.fixture(scope="module")
def ann(address: str, polyceph: Command, answer: Answer) -> Iterator[httpx.Client]:
    """Return a browser in which Ann has signed in by the one-time link of this machine."""
    link = answer(polyceph("account", "reset", "--as", "ann.lee", "--json"))["link"]
    with httpx.Client(base_url=address, follow_redirects=True, timeout=60, headers={"origin": address}) as client:
        name, token = found(r'name="(form_token)" value="([^"]+)"', client.get(link).text)
        entered = client.post(link, data={name: token, "password": _PASSWORD, "again": _PASSWORD})
        assert entered.status_code == 200
        assert "Ann Lee" in entered.text
        yield client


def found(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text)
    assert match is not None, text[:2000]
    return match.groups()


def launch(client: httpx.Client, domain: str) -> dict[str, Any]:
    selector = {"repositoryLocationName": domain, "repositoryName": "__repository__", "pipelineName": "__ASSET_JOB"}
    selector["assetSelection"] = [{"path": [domain, "silver", "numbers"]}]  # type: ignore[assignment]
    tags = [{"key": "dagster/user", "value": "the.minister"}, {"key": "purpose", "value": "monthly figures"}]
    given = {"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": tags}}
    answered = client.post("/dagster/graphql", json={"query": _LAUNCH, "variables": {"p": given}})
    return dict(answered.json()["data"]["launchRun"])


@pytest.mark.parametrize("path", ["/", "/datasets", "/domains/hers", "/platform", "/account", "/dagster/", "/dagster/runs"])
def test_nobody_sees_anything_without_signing_in(address: str, path: str) -> None:
    answered = httpx.get(f"{address}{path}", headers={"accept": "text/html"})
    assert answered.status_code == 303
    assert answered.headers["location"].startswith("/sign-in")


def test_nobody_asks_dagster_without_signing_in(address: str) -> None:
    answered = httpx.post(f"{address}/dagster/graphql", json={"query": "{__typename}"})
    assert answered.status_code == 401


def test_the_platforms_own_socket_is_for_its_own_account(folder: Path, address: str) -> None:
    from polyceph.orchestrate.services import platform_socket
    from polyceph.settings import Settings

    socket = platform_socket(Settings(federation=folder))
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://platform") as without_key:
        assert without_key.post("/dagster/graphql", json={"query": "{__typename}"}).status_code == 403


def test_a_person_sees_her_domain_and_runs_it_in_her_name(ann: httpx.Client, polyceph: Command, answer: Answer, dagster: Dagster) -> None:
    assert ann.get("/domains/hers").status_code == 200
    assert ann.get("/dagster/").status_code == 200
    launched = launch(ann, "hers")
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run = launched["run"]["runId"]
    status = ended(dagster, run)
    tags = {tag["key"]: tag["value"] for tag in status["tags"]}
    assert status["status"] == "SUCCESS"
    assert tags["dagster/user"] == "ann.lee"
    assert tags["polyceph/purpose"] == "monthly figures"
    events = answer(polyceph("journal", "show", "--json", "--last", "200"))["events"]
    assert any(e["action"] == "change.asked" and e["actor_id"] == "ann.lee" and e["allowed"] for e in events), events[-5:]


def test_another_domain_is_refused_with_the_reason_and_recorded(ann: httpx.Client, polyceph: Command, answer: Answer) -> None:
    refused = launch(ann, "his")
    assert refused["__typename"] == "UnauthorizedError", refused
    assert "his" in refused["message"]
    events = answer(polyceph("journal", "show", "--json", "--last", "200"))["events"]
    assert any(e["action"] == "change.asked" and e["actor_id"] == "ann.lee" and not e["allowed"] for e in events)


def test_another_sites_form_is_refused(ann: httpx.Client, address: str) -> None:
    answered = ann.post("/dagster/graphql", json={"query": "{__typename}"}, headers={"origin": "https://elsewhere.example"})
    assert answered.status_code == 403


def test_a_session_that_is_ended_counts_no_more(address: str, polyceph: Command, answer: Answer, ann: httpx.Client) -> None:
    page = ann.get("/account").text
    _, token = found(r'name="(form_token)" value="([^"]+)"', page)
    left = ann.post("/sign-out", data={"form_token": token})
    assert left.status_code == 200
    ann.follow_redirects = False
    assert ann.get("/account", headers={"accept": "text/html"}).status_code == 303


def ended(dagster: Dagster, run: str) -> dict[str, Any]:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        answered = dagster(_RUN, r=run)["runOrError"]
        if answered["status"] in {"SUCCESS", "FAILURE", "CANCELED"}:
            return dict(answered)
        time.sleep(1)
    pytest.fail(f"run {run} has not ended")
