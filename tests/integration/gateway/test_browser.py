"""Dagster's own pages in a real browser through the gateway: they load, show one's own domain, launch, and say why a thing is refused."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from gateway_stand import CANARY, ENGINEER, HIDDEN_NAME, OTHER, OWN, Stand, name_of
from playwright.sync_api import Browser, Page

from polyceph.gateway.permissions import permissions_of
from polyceph.gateway.sight import Sight

_SECONDS = 60_000


@pytest.fixture(scope="module")
def address(stand: Stand) -> Iterator[str]:
    """Serve the gateway over HTTP; a cookie says who asks, as the session does in the platform."""
    people = {"engineer": ENGINEER}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        cookies = dict(scope.get("headers") or ()).get(b"cookie", b"").decode()
        who = next((one for name, one in people.items() if f"who={name}" in cookies), None)
        await stand.app({**scope, "polyceph.request": "b-1", **({"polyceph.principal": who} if who else {})}, receive, send)

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    yield from opened(browser, address, "engineer")


def opened(browser: Browser, address: str, who: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.add_cookies([{"name": "who", "value": who, "url": address}])
    made = context.new_page()
    made.set_default_timeout(_SECONDS)
    made.set_default_navigation_timeout(_SECONDS)
    made.goto(f"{address}/dagster/")
    yield made
    context.close()


def go(page: Page, path: str) -> None:
    page.goto(page.url.split("/dagster")[0] + "/dagster" + path)


def kept(page: Page, name: str) -> None:
    """Keep a picture of the page where `POLYCEPH_PICTURES` says, for looking at it."""
    if folder := os.environ.get("POLYCEPH_PICTURES"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def hidden(page: Page) -> None:
    assert CANARY not in page.content()
    assert HIDDEN_NAME not in page.content()


@pytest.mark.slow
def test_the_overview_and_the_assets_are_those_of_ones_own_domain(page: Page) -> None:
    go(page, "/deployment/locations")
    page.get_by_text(OWN, exact=True).first.wait_for()
    assert page.get_by_text(OTHER, exact=True).count() == 0
    kept(page, "locations")
    go(page, "/assets")
    page.get_by_text("raw", exact=False).first.wait_for()
    hidden(page)
    kept(page, "assets")


@pytest.mark.slow
def test_the_graph_of_assets_is_drawn_without_the_other_domains(page: Page) -> None:
    go(page, "/asset-groups")
    page.get_by_text("broken").first.wait_for()
    page.get_by_text("parted").first.wait_for()
    kept(page, "graph")
    hidden(page)


@pytest.mark.slow
def test_the_runs_are_those_of_ones_own_domain_and_their_logs_are_shown(page: Page, stand: Stand) -> None:
    go(page, "/runs")
    page.get_by_text(f"parts_{name_of(OWN)}_partition_set").first.wait_for()
    assert page.get_by_text(stand.runs[OTHER]["made"][:8]).count() == 0
    kept(page, "runs")
    go(page, f"/runs/{stand.runs[OWN]['made']}")
    page.get_by_text("STEP_SUCCESS").first.wait_for()
    kept(page, "run")
    hidden(page)


@pytest.mark.slow
def test_a_job_of_ones_own_domain_is_launched_from_its_page(page: Page, stand: Stand) -> None:
    before = len(stand.journal.events)
    go(page, f"/locations/{OWN}/jobs/job_{name_of(OWN)}")
    page.get_by_text("Launchpad", exact=True).first.click()
    page.get_by_role("button", name="Launch run").click()
    until = time.monotonic() + 60
    while len(stand.journal.events) < before + 2 and time.monotonic() < until:
        page.wait_for_timeout(200)
    kept(page, "launched")
    assert [(one.action, one.domain, one.allowed) for one in stand.journal.events[before : before + 2]] == [
        ("change.asked", OWN, True),
        ("change.ended", OWN, True),
    ]


@pytest.mark.slow
def test_a_grey_button_says_our_reason(page: Page, stand: Stand) -> None:
    sight = Sight(stand.app.context.doors, ENGINEER, [OWN, OTHER])
    reason = permissions_of(sight, None)["reload_workspace"].disabled_reason
    assert reason
    go(page, "/deployment/locations")
    button = page.get_by_role("button", name="Reload all")
    button.wait_for()
    assert button.is_disabled()
    button.hover(force=True)
    page.get_by_text(reason).first.wait_for()
    kept(page, "grey")


@pytest.mark.slow
def test_another_domains_job_and_run_are_refused_with_the_reason(page: Page, stand: Stand) -> None:
    go(page, f"/runs/{stand.runs[OTHER]['made']}")
    page.wait_for_load_state("networkidle")
    kept(page, "other_run")
    hidden(page)
    text = "mutation($r:String!){terminateRun(runId:$r){__typename ... on UnauthorizedError{message}}}"
    body = {"query": text, "variables": {"r": stand.runs[OTHER]["again"]}}
    found = page.evaluate(
        """async (body) => (await fetch("/dagster/graphql", {method: "POST", headers: {"content-type": "application/json"},
        body: JSON.stringify(body)})).json()""",
        body,
    )
    assert found["data"]["terminateRun"]["__typename"] == "UnauthorizedError"
    assert found["data"]["terminateRun"]["message"]
