"""A dataset that is classified higher than its domain's others is hidden from those who work there and may not know of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from gateway_stand import OWN, Stand, person

from polyceph.core.model.access import Role
from polyceph.core.model.classification import Classification

ANALYST = person("analyst", {OWN: Role.ANALYST})
ENGINEER = person("engineer", {OWN: Role.ENGINEER})
SECRET = f"{OWN}.raw.first"


@pytest.fixture
def secret(stand: Stand) -> Iterator[Stand]:
    context = stand.app.context
    before = context.doors
    context.doors = replace(before, classification=lambda dataset: Classification.SECRET if dataset == SECRET else None)
    yield stand
    context.doors = before


def test_a_secret_dataset_is_in_no_list_and_no_answer_of_who_may_not_know_of_it(secret: Stand) -> None:
    key = {"path": SECRET.split(".")}
    text = """query($k:AssetKeyInput!,$l:[AssetKeyInput!]){assetNodes{assetKey{path} dependencyKeys{path}}
      named: assetNodes(assetKeys:$l){id}
      assetsOrError{... on AssetConnection{nodes{key{path}}}} assetOrError(assetKey:$k){__typename ... on Asset{id}}}"""
    found = {who.name: secret.graphql(who, text, k=key, l=[key]) for who in (ANALYST, ENGINEER)}
    assert found["engineer"]["data"]["assetOrError"]["__typename"] == "Asset"
    assert found["analyst"]["data"] is None
    assert found["analyst"]["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    lists = text.replace("assetOrError(assetKey:$k){__typename ... on Asset{id}}", "").replace("$k:AssetKeyInput!,", "")
    for who, is_there in ((ANALYST, False), (ENGINEER, True)):
        answer = secret.ask(who, "POST", "/dagster/graphql", json={"query": lists, "variables": {"l": [key]}})
        assert answer.status_code == 200
        assert ('"first"' in answer.text) is is_there, who.name
