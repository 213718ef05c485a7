"""A dossier is equal to the planted truth: all of it, and nothing of anything else."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from planted import MUSEUMS, OCTOBER, PUPILS, SCHOOLS, TABLE_OF_PUPILS, Plant, at, declaration, planted, review

from polyceph.core.model.dossier import Dossier, Period
from polyceph.core.usecases.dossier import DossierFacts, select


@pytest.fixture(scope="module")
def plant() -> Plant:
    return planted()


@pytest.fixture(scope="module")
def dossier(plant: Plant) -> Dossier:
    return select(PUPILS, OCTOBER, DossierFacts(plant.entries, numbers=frozenset({TABLE_OF_PUPILS})))


def test_there_is_enough_to_get_wrong(plant: Plant) -> None:
    assert len(plant.entries) > 70


def test_events_of_each_section_are_the_planted_ones(plant: Plant, dossier: Dossier) -> None:
    found = {name: plant.of(entries) for name, entries in dossier.sections().items()}
    assert found == {
        "readers": [
            "domain added", "added", "culture reads", "owner", "interim", "health reads", "culture leaves",
        ],
        "accesses": ["first read", "read with a policy", "served", "read late"],
        "untold": ["untold", "untold by culture"],
        "refusals": ["refused", "declarations refused"],
        "decisions": ["read with a policy", "refused", "declarations refused"],
        "answering": ["domain added", "added", "owner", "interim"],
        "contracts": ["added", "contract", "column", "column lowered", "lowered"],
        "runs": [
            "over midnight asked", "over midnight launched", "over midnight finished",
            "asked by name asked", "asked by name launched", "asked by name finished",
            "everything asked", "everything launched", "everything finished",
            "a job asked", "a job launched", "a job finished",
        ],
        "code": [
            "made earlier", "named", "owner", "interim", "numbered", "with its contract", "contract", "column", "column lowered", "lowered",
            "health reads", "culture leaves", "declarations refused", "recorded late",
        ],
        "snapshots": ["made earlier", "named", "numbered", "with its contract", "recorded late"],
        "incidents": ["everything asked", "everything launched", "everything finished", "a job asked", "a job launched", "a job finished"],
        "reviews": [],
        "others": ["both", "dossier before"],
    }  # fmt: skip


def test_who_could_read_is_the_planted_truth(plant: Plant, dossier: Dossier) -> None:
    found = [(one.ground, one.spell.value, one.door, one.spell.since, one.spell.until) for one in dossier.readers]
    assert found == [
        ("domain", "education", "lake", at("08-01 08:00"), None),
        ("owner", "anne", "lake", at("08-01 08:00"), at("10-05 08:00")),
        ("owner", "eva", "lake", at("10-05 08:00"), None),
        ("steward", "marc", "lake", at("08-01 08:00"), None),
        ("interim_owner", "paul", "lake", at("08-01 08:00"), at("10-06 08:00")),
        ("interim_owner", "zoe", "lake", at("10-06 08:00"), None),
        ("consumer", "culture", "lake", at("08-02 08:00"), at("10-20 08:00")),
        ("consumer", "health", "lake", at("10-12 08:00"), None),
    ]
    culture = dossier.readers[-2].spell
    assert plant.of([culture.began, culture.ended]) == ["culture reads", "culture leaves"]


def test_contracts_and_classifications_are_the_planted_truth(dossier: Dossier) -> None:
    spells = [*(one.spell for one in dossier.contracts), *dossier.classifications]
    assert [(one.value, one.since, one.until) for one in spells] == [
        ("1.0.0", at("08-01 08:00"), at("10-10 08:00")),
        ("2.0.0", at("10-10 08:00"), None),
        ("confidential", at("08-01 08:00"), at("10-11 08:00")),
        ("internal", at("10-11 08:00"), None),
    ]


def test_runs_say_who_asked_and_how_they_ended(dossier: Dossier) -> None:
    found = [(one.request, one.run, one.actor.id, one.status, one.has_failed) for one in dossier.runs]
    assert found == [
        ("request-over midnight", "run-over midnight", "anne.dupont", "SUCCESS", False),
        ("request-asked by name", "run-asked by name", "anne.dupont", "SUCCESS", False),
        ("request-everything", "run-everything", "anne.dupont", "FAILURE", True),
        ("request-a job", "run-a job", "anne.dupont", "SUCCESS", True),
    ]


def test_commits_are_told_with_what_they_declare_and_what_they_made(plant: Plant, dossier: Dossier) -> None:
    found = {one.commit: (plant.of(one.declared), plant.of(one.made)) for one in dossier.code}
    assert found.pop("c9") == ([], ["made earlier", "named", "numbered", "with its contract", "recorded late"])
    assert found == {
        "c3": (["owner"], []),
        "c4": (["interim"], []),
        "c5": (["contract", "column", "column lowered"], []),
        "c6": (["lowered"], []),
        "c7": (["health reads"], []),
        "c8": (["culture leaves", "declarations refused"], []),
    }


def test_a_snapshot_that_says_what_it_changed_is_told_from_one_that_carries_the_contract(plant: Plant, dossier: Dossier) -> None:
    assert plant.of(one.entry for one in dossier.snapshots if not one.is_named) == ["with its contract"]


def test_without_the_numbers_of_its_tables_only_what_names_the_dataset_is_found(plant: Plant) -> None:
    found = select(PUPILS, OCTOBER, DossierFacts(plant.entries))
    assert plant.of(one.entry for one in found.snapshots) == ["named", "with its contract"]
    assert [one.request for one in found.runs] == ["request-over midnight", "request-asked by name", "request-everything"]


def test_nothing_of_another_dataset_leaks_in(plant: Plant, dossier: Dossier) -> None:
    others = [label for label in plant.of(dossier.entries()) if "schools" in label or "museums" in label or label.endswith("of culture")]
    assert not others


def test_the_other_dataset_has_its_own_truth(plant: Plant) -> None:
    found = select(SCHOOLS, OCTOBER, DossierFacts(plant.entries))
    assert plant.of(found.accesses) == ["read of schools"]
    assert plant.of(found.refusals) == ["refused schools", "declarations of schools refused"]
    assert plant.of(found.changes) == ["contract of schools"]
    assert plant.of(one.entry for one in found.snapshots) == ["schools changed"]
    assert [one.request for one in found.runs] == ["request-asked by name", "request-everything", "request-schools alone"]


def test_an_empty_period_tells_what_held_and_that_nothing_happened(plant: Plant) -> None:
    found = select(PUPILS, Period(at("08-10 00:00"), at("08-11 00:00")), DossierFacts(plant.entries))
    assert found.happened() == ()
    assert [one.spell.value for one in found.readers] == ["education", "anne", "marc", "paul", "culture", "sport"]
    assert plant.of(found.entries()) == ["domain added", "added", "culture reads", "sport reads"]


def test_a_dataset_without_any_event_has_an_empty_dossier(plant: Plant) -> None:
    assert select(replace(MUSEUMS, domain="health"), OCTOBER, DossierFacts(plant.entries)).entries() == ()


def test_the_order_in_which_events_are_given_does_not_matter(plant: Plant, dossier: Dossier) -> None:
    facts = DossierFacts([*plant.entries[::-1], *plant.entries], numbers=frozenset({TABLE_OF_PUPILS}))
    assert select(PUPILS, OCTOBER, facts) == dossier


def test_an_event_is_reviewed_when_it_was_sealed_by_then_and_in_the_period_signed_off(plant: Plant) -> None:
    reviews = [
        review(900, "10-01 00:00", "10-11 00:00", by="ada", size=1000),
        review(901, "09-01 00:00", "12-01 00:00", by="bea", size=len(plant.entries) - 20),
        review(902, "11-01 00:00", "12-01 00:00", by="cem", size=1000),
    ]
    found = select(PUPILS, OCTOBER, DossierFacts(plant.entries, reviews=reviews))
    assert [one.number for one in found.reviews] == [900, 901]
    for one in found.happened():
        # A sign-off goes by when an event was recorded: what was recorded in November is not October's to review.
        ada = at("10-01 00:00") <= one.at < at("10-11 00:00")
        bea = one.index is not None and one.index < len(plant.entries) - 20 and one.at >= at("09-01 00:00")
        cem = one.at >= at("11-01 00:00")
        assert found.reviewed[one.number] == tuple(name for name, is_by in (("ada", ada), ("bea", bea), ("cem", cem)) if is_by)
    assert {"served", "refused", "declarations refused"} <= set(plant.of(found.unreviewed()))


def test_the_dataset_of_a_run_of_everything_was_there_when_it_was_asked_for(plant: Plant) -> None:
    late = Plant(list(plant.told))
    late.declare("again", "10-20 08:00", "dataset.added", SCHOOLS, after={"owner": "anne"}, commit="c1")
    late.declare("gone", "10-03 09:00", "dataset.removed", SCHOOLS, before={"owner": "eva"}, commit="c1")
    found = select(SCHOOLS, OCTOBER, DossierFacts(late.entries))
    assert "request-everything" not in [one.request for one in found.runs]
    assert [(one.spell.since, one.spell.until) for one in found.readers if one.ground == "domain"] == [
        (at("08-01 08:00"), at("10-03 09:00")),
        (at("10-20 08:00"), None),
    ]


def test_declarations_tell_what_no_event_tells(plant: Plant) -> None:
    facts = {"owner": "anne", "steward": "marc", "classification": "public", "contract": "1.0.0", "contract_digest": "ab", "serves": None}
    output = {**facts, "serves": {"of": str(PUPILS), "form": "postgres"}}
    education = {"interim_owner": None, "consumes": [], "datasets": {str(PUPILS): facts, "education.output.pupils": output}}
    declarations = [
        declaration("07-01 08:00", education=education, culture={"consumes": [str(PUPILS)], "datasets": {}}),
        declaration("10-09 08:00", education=education, culture={"consumes": [], "datasets": {}}),
    ]
    found = select(PUPILS, OCTOBER, DossierFacts([], declarations))
    assert [(one.ground, one.spell.value, one.door, one.spell.since, one.spell.until) for one in found.readers] == [
        ("domain", "education", "lake", at("07-01 08:00"), None),
        ("owner", "anne", "lake", at("07-01 08:00"), None),
        ("steward", "marc", "lake", at("07-01 08:00"), None),
        ("consumer", "culture", "lake", at("07-01 08:00"), at("10-09 08:00")),
        ("output", "education.output.pupils", "postgres", at("07-01 08:00"), None),
    ]
    assert [(one.spell.value, one.digest) for one in found.contracts] == [("1.0.0", "ab")]
    assert found.entries() == ()


def test_an_event_proves_what_the_declarations_recorded_with_it_tell() -> None:
    plant = Plant()
    facts = {"owner": "anne", "steward": "marc", "contract": "1.0.0", "contract_digest": "ab", "contract_status": "active"}
    given = {"owner": "anne", "steward": "marc", "classification": None, "contract": "1.0.0", "columns": 1}
    plant.declare("added", "08-01 08:01", "dataset.added", PUPILS, after=given, commit="c1")
    plant.declare("culture", "08-01 08:01", "consumption.declared", PUPILS, after={"consumer": "culture"}, commit="c1")
    plant.declare("left", "10-09 08:01", "consumption.withdrawn", PUPILS, before={"consumer": "culture"}, commit="c1")
    education = {"interim_owner": None, "consumes": [], "datasets": {str(PUPILS): facts}}
    declarations = [
        declaration("08-01 08:00", education=education, culture={"consumes": [str(PUPILS)], "datasets": {}}),
        declaration("10-01 08:00", education=education, culture={"consumes": [str(PUPILS)], "datasets": {}}),
        declaration("10-09 08:00", education=education, culture={"consumes": [], "datasets": {}}),
    ]
    found = select(PUPILS, OCTOBER, DossierFacts(plant.entries, declarations))
    culture = found.readers[-1].spell
    assert (culture.since, culture.until) == (at("08-01 08:01"), at("10-09 08:01"))
    assert plant.of([culture.began, culture.ended]) == ["culture", "left"]
    (contract,) = found.contracts
    assert (contract.spell.value, contract.status, contract.digest) == ("1.0.0", "active", "ab")
    assert plant.of([contract.spell.began]) == ["added"]


def test_what_a_first_known_change_says_of_the_time_before_it_is_told() -> None:
    plant = Plant()
    plant.declare("owner", "10-05 08:00", "owner.changed", PUPILS, before={"owner": "anne"}, after={"owner": "eva"}, commit="c3")
    plant.declare("leaves", "10-06 08:00", "consumption.withdrawn", PUPILS, before={"consumer": "culture"}, commit="c3")
    found = select(PUPILS, OCTOBER, DossierFacts(plant.entries))
    assert [(one.spell.value, one.spell.since, one.spell.until) for one in found.readers] == [
        ("anne", None, at("10-05 08:00")),
        ("eva", at("10-05 08:00"), None),
        ("culture", None, at("10-06 08:00")),
    ]
