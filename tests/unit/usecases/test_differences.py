"""What the journal is told of declarations that change: each difference, by what happened to which thing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyceph.core.model.classification import Classification, PersonalData
from polyceph.core.model.event_kinds import KINDS
from polyceph.core.usecases.differences import Difference, differences

Content = dict[str, Any]
Path = tuple[str | int, ...]

EDUCATION: Path = ("domains", "education")
CULTURE: Path = ("domains", "culture")
PUPILS: Path = (*EDUCATION, "datasets", "education.gold.pupils")
MUSEUMS: Path = (*CULTURE, "datasets", "culture.silver.museums")
TOWN: Path = (*PUPILS, "columns", "town")
DIET: Path = (*PUPILS, "columns", "diet")
CONTRACT = {"contract": "1.0.0", "contract_digest": "c2", "contract_status": "draft"}


def found(content: Content, path: Path) -> Any:
    for part in path:
        content = content[part]  # type: ignore[index]
    return content


def changed(content: Content, *changes: tuple[Path, Any]) -> Content:
    """Return the content with other values at these paths; `...` removes what is there."""
    new = deepcopy(content)
    for path, value in changes:
        if value is ...:
            del found(new, path[:-1])[path[-1]]
        else:
            found(new, path[:-1])[path[-1]] = value
    return new


def told(content: Content, *changes: tuple[Path, Any]) -> list[tuple[str, str, Any, Any]]:
    """Return action, subject, before and after of each difference that these changes make."""
    return [(one.action, one.subject_id, one.before, one.after) for one in differences(content, changed(content, *changes))]


def test_what_stays_the_same_is_no_difference(content: Content) -> None:
    assert list(differences(content, deepcopy(content))) == []


def test_the_first_declarations_add_everything_and_tell_no_column(content: Content) -> None:
    assert [(one.action, one.subject_id) for one in differences(None, content)] == [
        ("person.added", "anne"),
        ("person.added", "eva"),
        ("person.added", "marc"),
        ("domain.added", "culture"),
        ("consumption.declared", "education.gold.pupils"),
        ("dataset.added", "culture.silver.museums"),
        ("domain.added", "education"),
        ("source.added", "education.register"),
        ("dataset.added", "education.gold.pupils"),
    ]


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("federation", "other"),
        ("title", {"en": "Other"}),
        ("languages", ["en", "fr"]),
        ("environments", {"dev": {"storage": "s3://lakes"}}),
        ("channels", {"stewards": {"kind": "teams", "target_env": "STEWARDS_NTFY"}}),
    ],
)
def test_what_all_domains_share_changes(content: Content, part: str, value: object) -> None:
    name = value if part == "federation" else "demo"
    assert told(content, ((part,), value)) == [("federation.changed", name, {part: content[part]}, {part: value})]


def test_providers_of_sign_in_and_limits_of_sessions_change(content: Content) -> None:
    declared = content["sign_in"]
    sso = {"issuer": "https://sso.example.org", "client_id": "polyceph", "client_secret_env": "SIGN_IN_SECRET"}
    for value in ({**declared, "idle_minutes": 5}, {**declared, "providers": {"sso": sso}}):
        change = ("sign_in.changed", content["federation"], {"sign_in": declared}, {"sign_in": value})
        assert told(content, (("sign_in",), value)) == [change]
    earlier = {name: part for name, part in content.items() if name != "sign_in"}
    assert list(differences(earlier, content)) == [], "what an earlier release did not keep is no difference"


def test_people_come_leave_and_go(content: Content) -> None:
    assert told(content, (("people", "lea"), {"left": None})) == [("person.added", "lea", None, {"left": None})]
    assert told(content, (("people", "anne", "left"), "2027-01-01")) == [("person.changed", "anne", {"left": None}, {"left": "2027-01-01"})]
    assert told(content, (("people", "eva"), ...)) == [("person.removed", "eva", {"left": "2026-03-31"}, None)]


def test_roles_are_given_and_withdrawn(content: Content) -> None:
    of_federation, of_domain = {"role": "dpo", "person": "anne"}, {"role": "analyst", "domain": "education", "group": "pupils"}
    given = changed(content, (("roles",), [of_federation]), ((*EDUCATION, "roles"), [of_domain]))
    assert [(one.action, one.subject_kind, one.subject_id, one.domain, one.after) for one in differences(content, given)] == [
        ("role.given", "federation", "demo", None, {"role": "dpo", "person": "anne"}),
        ("role.given", "domain", "education", "education", {"role": "analyst", "group": "pupils"}),
    ]
    assert [(one.action, one.before, one.after) for one in differences(given, content)] == [
        ("role.withdrawn", {"role": "dpo", "person": "anne"}, None),
        ("role.withdrawn", {"role": "analyst", "group": "pupils"}, None),
    ]
    assert [one.action for one in differences(given, changed(given, (EDUCATION, ...)))][-1] != "role.given"
    assert "role.withdrawn" in [one.action for one in differences(given, changed(given, (EDUCATION, ...)))]


def test_declarations_of_an_earlier_release_tell_nothing_of_roles(content: Content) -> None:
    earlier = changed(content, (("roles",), ...), ((*EDUCATION, "roles"), ...), ((*CULTURE, "roles"), ...))
    given = changed(content, (("roles",), [{"role": "dpo", "person": "anne"}]))
    assert list(differences(earlier, given)) == []


def test_a_new_domain_is_added_with_all_that_is_in_it(content: Content) -> None:
    health = changed(content["domains"]["education"], (("datasets",), {"health.gold.beds": found(content, PUPILS)}))
    assert told(content, (("domains", "health"), health)) == [
        (
            "domain.added", "health", None,
            {"title": {"en": "Education"}, "owner": "anne", "steward": "marc", "interim_owner": None, "contact": "stewards",
             "witness": None},
        ),
        ("source.added", "health.register", None, health["sources"]["register"]),
        (
            "dataset.added", "health.gold.beds", None,
            {"owner": "anne", "steward": "marc", "classification": "confidential", "contract": "1.0.0", "columns": 2},
        ),
    ]  # fmt: skip


def test_a_domain_that_goes_takes_its_datasets_and_what_it_reads_with_it(content: Content) -> None:
    assert told(content, (CULTURE, ...)) == [
        (
            "domain.removed", "culture",
            {"title": {"en": "Culture"}, "owner": "eva", "steward": "marc", "interim_owner": "anne", "contact": "stewards",
             "witness": None}, None,
        ),
        ("consumption.withdrawn", "education.gold.pupils", {"consumer": "culture"}, None),
        (
            "dataset.removed", "culture.silver.museums",
            {"owner": "eva", "steward": "marc", "classification": None, "contract": None, "columns": 0}, None,
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fact", "value", "action"),
    [
        ("title", {"en": "Schools"}, "domain.changed"),
        ("contact", "others", "domain.changed"),
        ("owner", "eva", "owner.changed"),
        ("steward", "eva", "steward.changed"),
        ("interim_owner", "eva", "interim_owner.changed"),
        ("witness", "education+880f0a04+BM6d", "witness.changed"),
    ],
)
def test_a_domain_changes(content: Content, fact: str, value: object, action: str) -> None:
    before = content["domains"]["education"][fact]
    assert told(content, ((*EDUCATION, fact), value)) == [(action, "education", {fact: before}, {fact: value})]


def test_a_source_comes_changes_and_goes(content: Content) -> None:
    lists, register = (*EDUCATION, "sources", "lists"), (*EDUCATION, "sources", "register")
    facts = {"connector": "files", "options_digest": "o1"}
    assert told(content, (lists, facts)) == [("source.added", "education.lists", None, facts)]
    assert told(content, (register, ...)) == [("source.removed", "education.register", found(content, register), None)]
    digest = found(content, register)["options_digest"]
    assert told(content, ((*register, "options_digest"), "o2")) == [
        ("source.changed", "education.register", {"options_digest": digest}, {"options_digest": "o2"})
    ]


def test_reading_of_another_domain_is_declared_and_withdrawn(content: Content) -> None:
    assert told(content, ((*EDUCATION, "consumes"), ["culture.gold.visits"])) == [
        ("consumption.declared", "culture.gold.visits", None, {"consumer": "education"})
    ]
    assert told(content, ((*CULTURE, "consumes"), [])) == [
        ("consumption.withdrawn", "education.gold.pupils", {"consumer": "culture"}, None)
    ]


def test_the_order_in_which_a_domain_lists_what_it_reads_means_nothing(content: Content) -> None:
    old = changed(content, ((*CULTURE, "consumes"), ["education.gold.pupils", "education.gold.schools"]))
    assert told(old, ((*CULTURE, "consumes"), ["education.gold.schools", "education.gold.pupils"])) == []


def test_a_reading_happens_to_the_dataset_that_is_read_under_its_contract(content: Content) -> None:
    (one,) = differences(content, changed(content, ((*CULTURE, "consumes"), [])))
    assert (one.subject_kind, one.subject_id, one.domain, one.subject_version) == ("dataset", "education.gold.pupils", "education", "1.0.0")


@pytest.mark.parametrize(("fact", "action"), [("owner", "owner.changed"), ("steward", "steward.changed")])
def test_somebody_else_answers_for_a_dataset(content: Content, fact: str, action: str) -> None:
    new = changed(content, ((*PUPILS, fact), "eva"))
    (one,) = differences(content, new)
    before = found(content, PUPILS)[fact]
    assert one == Difference(action, "dataset", "education.gold.pupils", "education", "1.0.0", {fact: before}, {fact: "eva"})


def test_a_dataset_comes_and_goes_as_one(content: Content) -> None:
    facts = {"owner": "anne", "steward": "marc", "classification": "confidential", "contract": "1.0.0", "columns": 2}
    assert told(content, (PUPILS, ...)) == [("dataset.removed", "education.gold.pupils", facts, None)]
    schools = (*EDUCATION, "datasets", "education.gold.schools")
    assert told(content, (schools, found(content, PUPILS))) == [("dataset.added", "education.gold.schools", None, facts)]


def test_a_contract_comes_with_a_classification_and_tells_no_column(content: Content) -> None:
    new = {**found(content, MUSEUMS), **CONTRACT, "classification": "internal", "columns": found(content, PUPILS)["columns"]}
    assert told(content, (MUSEUMS, new)) == [
        ("classification.raised", "culture.silver.museums", {"classification": None}, {"classification": "internal"}),
        ("contract.added", "culture.silver.museums", None, {**CONTRACT, "columns": 2}),
    ]
    assert [one[0] for one in told(changed(content, (MUSEUMS, new)), (MUSEUMS, found(content, MUSEUMS)))] == [
        "classification.lowered",
        "contract.removed",
    ]


def test_what_happens_to_a_dataset_names_the_contract_in_force_afterwards_or_the_last_one(content: Content) -> None:
    (one,) = differences(content, changed(content, ((*PUPILS, "contract"), "2.0.0")))
    assert (one.before, one.after, one.subject_version) == ({"contract": "1.0.0"}, {"contract": "2.0.0"}, "2.0.0")
    without = {"owner": "anne", "steward": "marc", "classification": None, "contract": None, "columns": {}}
    assert {one.subject_version for one in differences(content, changed(content, (PUPILS, without)))} == {"1.0.0"}


@pytest.mark.parametrize(("fact", "value"), [("contract", "1.1.0"), ("contract_digest", "c2"), ("contract_status", "deprecated")])
def test_version_text_or_status_of_a_contract_changes(content: Content, fact: str, value: str) -> None:
    before = found(content, PUPILS)[fact]
    assert told(content, ((*PUPILS, fact), value)) == [("contract.changed", "education.gold.pupils", {fact: before}, {fact: value})]


@pytest.mark.parametrize(("value", "action"), [("secret", "classification.raised"), ("internal", "classification.lowered")])
def test_a_dataset_is_classified_otherwise(content: Content, value: str, action: str) -> None:
    expected = (action, "education.gold.pupils", {"classification": "confidential"}, {"classification": value})
    assert told(content, ((*PUPILS, "classification"), value)) == [expected]


def test_a_renamed_column_is_removed_and_added(content: Content) -> None:
    facts = found(content, TOWN)
    assert told(content, (TOWN, ...), ((*PUPILS, "columns", "municipality"), facts)) == [
        ("column.added", "education.gold.pupils", None, {"column": "municipality", **facts}),
        ("column.removed", "education.gold.pupils", {"column": "town", **facts}, None),
    ]


@pytest.mark.parametrize(
    ("fact", "value"), [("logical_type", "integer"), ("physical_type", None), ("required", False), ("unique", True), ("primary_key", True)]
)
def test_a_column_is_promised_otherwise(content: Content, fact: str, value: object) -> None:
    expected = ({"column": "town", fact: found(content, TOWN)[fact]}, {"column": "town", fact: value})
    assert told(content, ((*TOWN, fact), value)) == [("column.changed", "education.gold.pupils", *expected)]


def test_a_column_is_marked_otherwise_as_to_personal_data(content: Content) -> None:
    assert told(content, ((*DIET, "personal_data"), "none")) == [
        (
            "personal_data.changed", "education.gold.pupils",
            {"column": "diet", "personal_data": "special category"}, {"column": "diet", "personal_data": "none"},
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value", "action", "was", "now"),
    [
        (DIET, "public", "classification.lowered", "secret", "public"),
        (DIET, None, "classification.lowered", "secret", "confidential"),
        (TOWN, "secret", "classification.raised", "confidential", "secret"),
        (TOWN, "public", "classification.lowered", "confidential", "public"),
    ],
)
def test_a_column_without_a_classification_of_its_own_has_the_datasets(
    content: Content, column: Path, value: str | None, action: str, was: str, now: str
) -> None:
    before, after = ({"column": column[-1], "classification": one} for one in (was, now))
    assert told(content, ((*column, "classification"), value)) == [(action, "education.gold.pupils", before, after)]


def test_a_column_that_gets_the_classification_it_had_from_its_dataset_is_promised_otherwise(content: Content) -> None:
    before, after = ({"column": "town", "classification": one} for one in (None, "confidential"))
    assert told(content, ((*TOWN, "classification"), "confidential")) == [("column.changed", "education.gold.pupils", before, after)]


def test_every_difference_is_a_kind_of_the_catalogue_about_its_subject(content: Content) -> None:
    silver = {**found(content, PUPILS), "columns": {}}
    changes = [
        changed(content, (CULTURE, ...), (("title",), {})),
        changed(content, (MUSEUMS, silver), (PUPILS, found(content, MUSEUMS)), ((*EDUCATION, "owner"), "eva")),
        changed(content, (TOWN, ...), ((*DIET, "personal_data"), "none"), ((*DIET, "classification"), None)),
    ]
    made = [one for new in changes for pair in ((content, new), (new, content), (None, new)) for one in differences(*pair)]
    assert len({one.action for one in made}) > 15
    assert not [one for one in made if one.subject_kind not in KINDS[one.action].subject.split(" or ")]


# What the release before kept.


def as_kept_before(content: Content) -> Content:
    return {
        "federation": content["federation"],
        "domains": {
            name: {
                **{fact: domain[fact] for fact in ("owner", "steward", "interim_owner", "consumes")},
                "datasets": {
                    dataset: {fact: one[fact] for fact in ("owner", "steward", "contract")} for dataset, one in domain["datasets"].items()
                },
            }
            for name, domain in content["domains"].items()
        },
    }


def test_what_an_earlier_release_did_not_keep_is_not_told(content: Content) -> None:
    assert list(differences(as_kept_before(content), content)) == []


def test_what_an_earlier_release_kept_is_compared(content: Content) -> None:
    new = changed(content, ((*PUPILS, "contract"), "1.1.0"), ((*PUPILS, "columns"), {}), ((*EDUCATION, "owner"), "eva"), (MUSEUMS, ...))
    assert [(one.action, one.before) for one in differences(as_kept_before(content), new)] == [
        ("dataset.removed", {"owner": "eva", "steward": "marc", "contract": None}),
        ("owner.changed", {"owner": "anne"}),
        ("contract.changed", {"contract": "1.0.0"}),
    ]


def test_an_empty_record_of_the_last_declarations_tells_nothing(content: Content) -> None:
    assert list(differences({}, content)) == []


# Whatever is declared.

NAMES = st.sampled_from(["a", "b", "c", "d"])
LEVELS = st.sampled_from([one.value for one in Classification])
COLUMNS = st.fixed_dictionaries(
    {
        "logical_type": NAMES,
        "physical_type": st.none() | NAMES,
        "required": st.booleans(),
        "unique": st.booleans(),
        "primary_key": st.booleans(),
        "classification": st.none() | LEVELS,
        "personal_data": st.sampled_from([one.value for one in PersonalData]),
    }
)
PROMISED = st.fixed_dictionaries(
    {
        "owner": NAMES,
        "steward": NAMES,
        "classification": LEVELS,
        "contract": st.sampled_from(["1.0.0", "2.0.0"]),
        "contract_digest": NAMES,
        "contract_status": NAMES,
        "columns": st.dictionaries(NAMES, COLUMNS, max_size=3),
    }
)
BARE = st.fixed_dictionaries({"owner": NAMES, "steward": NAMES, "classification": st.none(), "contract": st.none(), "columns": st.just({})})
DATASETS = [f"{domain}.gold.{name}" for domain in "ab" for name in "xy"]


def domains(name: str) -> st.SearchStrategy[Content]:
    return st.fixed_dictionaries(
        {
            "title": st.dictionaries(NAMES, NAMES, max_size=2),
            "owner": NAMES,
            "steward": NAMES,
            "interim_owner": st.none() | NAMES,
            "contact": NAMES,
            "witness": NAMES,
            "sources": st.dictionaries(NAMES, st.fixed_dictionaries({"connector": NAMES, "options_digest": NAMES}), max_size=2),
            "consumes": st.lists(st.sampled_from(DATASETS), unique=True, max_size=2),
            "datasets": st.dictionaries(st.sampled_from([one for one in DATASETS if one.startswith(name)]), PROMISED | BARE),
        }
    )


CONTENTS = st.fixed_dictionaries(
    {
        "federation": NAMES,
        "title": st.dictionaries(NAMES, NAMES, max_size=2),
        "languages": st.lists(NAMES, max_size=2),
        "environments": st.dictionaries(NAMES, st.fixed_dictionaries({"storage": NAMES}), max_size=2),
        "channels": st.dictionaries(NAMES, st.fixed_dictionaries({"kind": NAMES, "target_env": NAMES}), max_size=2),
        "people": st.dictionaries(NAMES, st.fixed_dictionaries({"left": st.none() | st.just("2026-03-31")}), max_size=2),
        "domains": st.fixed_dictionaries({}, optional={"a": domains("a"), "b": domains("b")}),
    }
)


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value that is no list and no mapping; of a dataset without a contract only who answers for it."""
    if isinstance(value, dict):
        bare = value.get("contract", "") is None
        for key in sorted(value):
            if not bare or key in ("owner", "steward"):
                yield from leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from leaves(one, (*path, number))
    else:
        yield path


def another(name: str | int, value: Any, draw: st.DataObject) -> Any:
    """Return another value that may stand there."""
    if isinstance(value, bool):
        return not value
    known = {"classification": [one.value for one in Classification], "personal_data": [one.value for one in PersonalData]}
    if name in known:
        return draw.draw(st.sampled_from([one for one in known[str(name)] if one != value]))
    return "other" if value is None else f"{value}_other"


@given(CONTENTS)
def test_nothing_differs_from_itself_also_when_it_was_stored(content: Content) -> None:
    assert list(differences(content, deepcopy(content))) == []
    assert list(differences(json.loads(json.dumps(content, sort_keys=True)), content)) == []


@given(CONTENTS, st.data())
def test_no_change_of_a_value_goes_untold(content: Content, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(leaves(content))))
    new = changed(content, (path, another(path[-1], found(content, path), data)))
    assert list(differences(content, new))
    assert list(differences(new, content))


@given(CONTENTS, CONTENTS)
def test_what_is_added_one_way_is_removed_the_other(old: Content, new: Content) -> None:
    opposite = {
        "added": "removed",
        "removed": "added",
        "declared": "withdrawn",
        "withdrawn": "declared",
        "raised": "lowered",
        "lowered": "raised",
    }

    def turned(one: Difference) -> tuple[str, str, Any, Any]:
        noun, _, verb = one.action.partition(".")
        return f"{noun}.{opposite.get(verb, verb)}", one.subject_id, one.after, one.before

    def plain(one: Difference) -> tuple[str, str, Any, Any]:
        return one.action, one.subject_id, one.before, one.after

    new = {**new, "federation": old["federation"]}
    assert sorted(map(plain, differences(old, new)), key=repr) == sorted(map(turned, differences(new, old)), key=repr)


@given(CONTENTS, CONTENTS)
def test_the_order_of_differences_does_not_hang_on_that_of_the_declarations(old: Content, new: Content) -> None:
    def ordered(one: Content) -> Content:
        return json.loads(json.dumps(one, sort_keys=True))  # type: ignore[no-any-return]

    assert list(differences(ordered(old), ordered(new))) == list(differences(old, new))


@given(CONTENTS, st.data())
def test_a_fact_that_was_not_kept_is_never_a_difference(content: Content, data: st.DataObject) -> None:
    records = [(), *(p for p in facts_of(content))]
    old = deepcopy(content)
    for path in reversed(records):
        record = found(old, path)
        for key in data.draw(st.lists(st.sampled_from(sorted(record)), unique=True)) if record else ():
            del record[key]
    assert list(differences(old, content)) == []


def facts_of(content: Content) -> Iterator[Path]:
    """Yield the paths of the records that a release may extend, each before what is in it."""
    for person in content["people"]:
        yield "people", person
    for name, domain in content["domains"].items():
        yield "domains", name
        for dataset, one in domain["datasets"].items():
            yield "domains", name, "datasets", dataset
            yield from (("domains", name, "datasets", dataset, "columns", column) for column in one["columns"])
