"""What is kept of declarations: enough to compare, plain JSON, nothing secret."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from polyceph.core.model.dataset import Zone
from polyceph.core.model.domain import Serving
from polyceph.core.model.federation import Federation
from polyceph.core.model.sign_in import Provider, SignIn
from polyceph.core.usecases.declared import content_of


def source_digest(federation: Federation, options: dict[str, object]) -> str:
    education = federation.domains["education"]
    source = replace(education.sources["register"], options=options)
    other = replace(federation, domains={"education": replace(education, sources={"register": source})})
    digest = content_of(other)["domains"]["education"]["sources"]["register"]["options_digest"]
    assert isinstance(digest, str)
    return digest


def test_it_comes_back_from_json_as_it_was(content: dict[str, Any]) -> None:
    assert json.loads(json.dumps(content, sort_keys=True)) == content


def test_an_output_is_kept_with_what_it_serves(federation: Federation) -> None:
    education = federation.domains["education"]
    (gold,) = education.datasets
    output = replace(education.datasets[gold], id=replace(gold, zone=Zone.OUTPUT), serves=Serving(gold, "csv"))
    datasets = {**education.datasets, output.id: output}
    found = content_of(replace(federation, domains={"education": replace(education, datasets=datasets)}))["domains"]["education"][
        "datasets"
    ]
    assert found["education.output.pupils"]["serves"] == {"of": "education.gold.pupils", "form": "csv"}
    assert found["education.gold.pupils"]["serves"] is None


def test_it_holds_no_address_no_name_of_a_person_and_no_option_of_a_source(content: dict[str, Any]) -> None:
    text = json.dumps(content)
    assert not [word for word in ("@", "Dupont", "REGISTER_HOST", "REGISTER_PASSWORD") if word in text]
    assert content["people"] == {"anne": {"left": None}, "eva": {"left": "2026-03-31"}, "marc": {"left": None}}


def test_a_source_is_known_by_the_digest_of_its_options_whatever_their_order(federation: Federation) -> None:
    digest = source_digest(federation, {"host": "é", "port": 1})
    # SHA-256 of {"host":"é","port":1} in UTF-8
    assert digest == "81379befeb586377495e111008fa8e678c25d7bc853140625e4f0ee77f128fcb"
    assert digest == source_digest(federation, {"port": 1, "host": "é"})
    assert digest != source_digest(federation, {"host": "é", "port": 2})


def test_everything_that_decides_who_comes_in_is_kept_and_no_secret_is(federation: Federation) -> None:
    sso = Provider("sso", "https://sso.example.org", "polyceph", "SIGN_IN_SECRET", audience="urn:polyceph")
    kept = content_of(replace(federation, sign_in=SignIn({"sso": sso}, 30, 8)))["sign_in"]
    assert set(vars(sso)) - kept["providers"]["sso"].keys() == {"name", "title"}
    assert kept["providers"]["sso"]["client_secret_env"] == "SIGN_IN_SECRET"
    assert (kept["idle_minutes"], kept["absolute_hours"]) == (30, 8)
    assert json.loads(json.dumps(kept)) == kept
