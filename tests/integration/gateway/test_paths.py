"""Paths written otherwise reach what the plain path reaches, or nothing."""

from __future__ import annotations

import pytest
from gateway_matrix import path_for, routes
from gateway_stand import ENGINEER, OTHER, OWN, Stand, person

from polyceph.core.model.access import Role

VISITOR = person("visitor", {OWN: Role.VISITOR})


def written(path: str) -> list[str]:
    """Return a path in the ways by which people get past guards."""
    first, _, rest = path.removeprefix("/dagster/").partition("/")
    tail = f"/{rest}" if rest else ""
    return [
        f"/dagster/{first};x{tail}", f"/dagster//{first}{tail}", f"//dagster/{first}{tail}", f"/dagster/%2f{first}{tail}",
        f"/dagster/x/..;/{first}{tail}", f"/dagster/x/../{first}{tail}", f"/dagster/./{first}{tail}", f"/dagster/x/%2e%2e/{first}{tail}",
        f"/dagster/%252e%252e/{first}{tail}", f"/dagster/{first.upper()}{tail}", f"/DAGSTER/{first}{tail}", f"/dagster/{first}%00{tail}",
        f"/dagster/{first}/{tail}", f"/dagster/%{ord(first[:1] or 'x'):02x}{first[1:]}{tail}", f"/dagster\\{first}{tail}",
        f"/dagster/{first}%5c{tail}", f"/dagster/{first}.{tail}", f"/dagster/{first} {tail}", f"/dagster/{first}%3bx{tail}",
        f"/dagster/{first}{tail}%2f", f"/dagster/%ef%bc%8f{first}{tail}", f"/dagster/{first}{tail}?x=/../",
    ]  # fmt: skip


@pytest.mark.parametrize(("method", "route"), list(routes()))
def test_a_path_written_otherwise_opens_nothing_that_the_plain_path_does_not(stand: Stand, method: str, route: str) -> None:
    plain = path_for(stand, route, OTHER).split("?")[0]
    page = stand.ask(VISITOR, "GET", "/dagster/overview").text
    expected = stand.ask(VISITOR, method, plain)
    for path in written(plain):
        answer = stand.ask(VISITOR, method, path)
        assert answer.status_code < 500, path
        opened = answer.status_code < 300 and _shape(answer.text) != _shape(page) and _shape(answer.text) != _shape(expected.text)
        assert not opened, f"{path} answers {answer.status_code}: {answer.text[:200]}"


def _shape(text: str) -> str:
    """Return a page without its nonce."""
    return text[:40]


@pytest.mark.parametrize("parts", [("..", "{own}"), ("{own}", "..", "{other}"), ("{own}", "compute_logs", "..", "..", "{other}", "x")])
def test_a_key_of_output_does_not_lead_to_another_folder(stand: Stand, parts: tuple[str, ...]) -> None:
    key = [one.format(own=stand.runs[OWN]["made"], other=stand.runs[OTHER]["made"]) for one in parts]
    answer = stand.graphql(ENGINEER, "query($k:[String!]!){capturedLogs(logKey:$k){stdout}}", k=key)
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def test_the_output_of_a_step_of_ones_own_run_does_not_lead_to_another_folder(stand: Stand) -> None:
    theirs = f"../../{stand.log_path(OTHER).removesuffix('/out')}"
    text = "query($r:ID!,$f:String!){runOrError(runId:$r){... on Run{capturedLogs(fileKey:$f){stdout stderr}}}}"
    found = stand.graphql(ENGINEER, text, r=stand.runs[OWN]["made"], f=theirs)
    assert found["data"]["runOrError"]["capturedLogs"] == {"stdout": None, "stderr": None}


def test_the_output_of_ones_own_step_is_downloaded_and_of_anothers_is_not(stand: Stand) -> None:
    own = stand.ask(ENGINEER, "GET", f"/dagster/logs/{stand.log_path(OWN)}")
    assert own.status_code == 200
    assert "in the output" in own.text
    assert stand.ask(ENGINEER, "GET", f"/dagster/logs/{stand.log_path(OTHER)}").status_code == 404
    assert stand.ask(VISITOR, "GET", f"/dagster/logs/{stand.log_path(OWN)}").status_code == 404
