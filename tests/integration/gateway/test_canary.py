"""A word planted in everything of another domain is in no answer: every field with everything below it, and every route."""

from __future__ import annotations

import asyncio

import pytest
from gateway_matrix import path_for, routes
from gateway_planted import EVERYTHING
from gateway_selections import selections
from gateway_stand import CANARY, HIDDEN_NAME, OTHER, OWN, Stand, person

from polyceph.core.model.access import FEDERATION, Principal, Role, Standing

WITHOUT_RIGHTS = [
    *(person(f"{role} of own", {OWN: role}) for role in Role),
    person("visitor of the federation", {FEDERATION: Role.VISITOR}),
    person("nobody's", {}),
    person("left", {OWN: Role.ENGINEER, OTHER: Role.ENGINEER}, Standing.EXPIRED),
]
"""Everybody without a right in the domain where the word is planted."""


def heard(stand: Stand, who: Principal, domain: str, depth: int, budget: int) -> dict[str, list[str]]:
    """Return by field the planted words in its answer, when it is asked with everything below it about a domain."""
    # who asks about a domain by the names in it hears them again, so they are planted words only in answers about another
    words = (CANARY,) if domain == OTHER else (CANARY, HIDDEN_NAME)
    found: dict[str, list[str]] = {}

    async def ask() -> None:
        async with stand.client(who) as client:
            for name, text, variables in selections(stand, domain, depth, budget):
                answer = await client.post("/dagster/graphql", json={"query": text, "variables": variables})
                assert answer.status_code in {200, 401, 403}, (name, answer.text[:300])
                if planted := [word for word in words if word in answer.text]:
                    found[name] = planted

    asyncio.run(ask())
    return found


@pytest.mark.parametrize("who", WITHOUT_RIGHTS, ids=lambda one: one.name)
@pytest.mark.parametrize("domain", [OWN, OTHER])
def test_the_planted_word_is_in_no_answer_to_who_has_no_right(stand: Stand, who: Principal, domain: str) -> None:
    # about the other domain nearly every field is refused at its root; who works in her own sees most, so that one is asked deepest
    depth, budget = (2, 80) if domain == OTHER else (5, 1500) if who.name == "engineer of own" else (3, 150)
    assert heard(stand, who, domain, depth, budget) == {}


def test_the_planted_word_is_there_for_who_may_see_it(stand: Stand) -> None:
    """Without this the test above would pass when nothing was planted."""
    found = heard(stand, EVERYTHING, OTHER, 3, 400)
    assert {
        "runsOrError",
        "logsForRun",
        "assetNodes",
        "sensorOrError",
        "partitionBackfillsOrError",
        "runTagsOrError",
        "instance",
    } <= found.keys()


def test_the_planted_word_is_at_no_route(stand: Stand) -> None:
    for who in WITHOUT_RIGHTS:
        for method, route in routes():
            for domain in (OWN, OTHER):
                answer = stand.ask(who, method, path_for(stand, route, domain))
                assert CANARY not in answer.text, (who.name, route)


def test_the_key_of_an_asset_of_another_domain_upstream_is_hidden(stand: Stand) -> None:
    text = """{assetNodes{assetKey{path} dependencyKeys{path} dependencies{asset{assetKey{path} description}}}
      repositoriesOrError{... on RepositoryConnection{nodes{assetManifest}}}}"""
    engineer, everything = person("engineer", {OWN: Role.ENGINEER}), EVERYTHING
    assert CANARY not in stand.ask(engineer, "POST", "/dagster/graphql", json={"query": text}).text
    assert CANARY in stand.ask(everything, "POST", "/dagster/graphql", json={"query": text}).text


def test_lists_and_counts_are_those_of_ones_own_domain_page_by_page(stand: Stand) -> None:
    engineer = person("engineer", {OWN: Role.ENGINEER})
    text = """query($c:String){runsOrError(limit:2,cursor:$c){... on Runs{count results{runId repositoryOrigin{repositoryLocationName}}}}
      runsFeedCountOrError(view:RUNS){... on RunsFeedCount{count}}}"""
    seen: list[str] = []
    cursor = None
    while True:
        found = stand.graphql(engineer, text, c=cursor)["data"]
        page = found["runsOrError"]["results"]
        assert {one["repositoryOrigin"]["repositoryLocationName"] for one in page} <= {OWN}
        seen += [one["runId"] for one in page]
        if len(page) < 2:
            break
        cursor = page[-1]["runId"]
    everything = [run for run in stand.instance.get_runs() if run.remote_job_origin and run.remote_job_origin.location_name == OWN]
    assert sorted(seen) == sorted(run.run_id for run in everything)
    assert found["runsOrError"]["count"] == len(seen)
    assert found["runsFeedCountOrError"]["count"] == len(seen)
