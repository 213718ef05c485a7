"""Forms against contracts: what conforms goes on, every change is told, and only some of them stop."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyceph.core.model.classification import Classification
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.drift import Form, FormColumn, Kind, Sighting, as_body, from_body
from polyceph.core.model.place import Place
from polyceph.core.policies.contract_versions import TABLE, accepting, mapping, next_version, unmapped
from polyceph.core.policies.drift import differences, family, stops
from polyceph.errors import Invalid

PLACE = Place("domains/a/contracts/t.odcs.yaml", 1, 1)
TYPES = {"string": "text", "integer": "number", "number": "number", "date": "date"}


def contract_of(*columns: Column) -> Contract:
    dataset = DatasetId("a", Zone.RAW, "t")
    return Contract(dataset, "t", "1.4.2", "active", "anne", "marc", Classification.INTERNAL, columns, PLACE, "00")


def form_like(contract: Contract, **more: object) -> Form:
    columns = tuple(FormColumn(c.source_name or c.name, "", TYPES[c.logical_type], "", 1.0) for c in contract.columns)
    return Form(columns, "utf-8", ";", "t", rows=100, **more)  # type: ignore[arg-type]


PUPILS = contract_of(
    Column("id", "integer", required=True), Column("town", "string"), Column("born", "date", source_name="Né le"), Column("grant", "number")
)
LAST = form_like(PUPILS)


def changed(at: int, **values: object) -> Form:
    columns = list(LAST.columns)
    columns[at] = replace(columns[at], **values)  # type: ignore[arg-type]
    return replace(LAST, columns=tuple(columns))


FORMS = {
    "added": (replace(LAST, columns=(*LAST.columns, FormColumn("sex", "", "text"))), Kind.ADDED, True),
    "removed": (replace(LAST, columns=LAST.columns[:3]), Kind.REMOVED, True),
    "renamed": (changed(3, name="Montant"), Kind.RENAMED, True),
    "respelt": (changed(2, name="NE LE"), Kind.RESPELT, False),
    "number to text": (changed(3, holds="text", fits=False), Kind.RETYPED, True),
    "text to number": (changed(1, holds="number"), Kind.RETYPED, True),
    "dates that are read": (
        replace(changed(2, written="dmy"), columns=changed(2, written="dmy").columns),
        Kind.DATES,
        False,
    ),
    "dates that are not": (changed(2, written="mdy", fits=False), Kind.DATES, True),
    "decimals that are not": (changed(3, written=".", fits=False), Kind.DECIMALS, True),
    "reordered": (replace(LAST, columns=(LAST.columns[1], LAST.columns[0], *LAST.columns[2:])), Kind.REORDERED, False),
    "encoding": (replace(LAST, encoding="cp1252"), Kind.ENCODING, False),
    "delimiter": (replace(LAST, delimiter=","), Kind.DELIMITER, False),
    "emptied": (changed(1, filled=0.0, holds=""), Kind.EMPTIED, True),
    "duplicated": (replace(LAST, columns=(*LAST.columns, LAST.columns[1])), Kind.DUPLICATED, True),
    "sheet renamed and found": (replace(LAST, table="u"), Kind.TABLE, False),
    "sheet renamed and lost": (Form((), table="u", asked="t"), Kind.TABLE, True),
}


@pytest.mark.parametrize("name", FORMS)
def test_each_change_is_told_as_what_it_is(name: str) -> None:
    form, kind, is_stopping = FORMS[name]
    last = changed(2, written="ymd") if "dates" in name else LAST
    [found] = differences(PUPILS, last, form)
    assert (found.kind, found.stops) == (kind, is_stopping)
    assert stops((found,)) is is_stopping


def test_a_slip_in_few_rows_and_a_first_sheet_that_is_not_there_are_no_drift() -> None:
    assert differences(PUPILS, LAST, replace(changed(1, filled=0.0, holds=""), rows=19)) == ()
    assert differences(PUPILS, LAST, replace(changed(1, holds="number"), rows=3)) == ()
    assert differences(PUPILS, LAST, changed(1, holds="mixed")) == ()
    assert differences(PUPILS, None, Form((), table="u", asked="t")) == ()


def test_a_reader_that_leaves_columns_out_knows_new_ones_by_those_before() -> None:
    open_form = replace(LAST, columns=(*LAST.columns, FormColumn("extra", "text")), is_open=True, is_exact=True)
    assert differences(PUPILS, None, open_form) == ()
    assert differences(PUPILS, open_form, open_form) == ()
    [found] = differences(PUPILS, replace(LAST, is_open=True, is_exact=True), open_form)
    assert (found.kind, found.column) == (Kind.ADDED, "extra")


def test_the_databases_own_types_are_compared_by_what_they_are_about() -> None:
    def typed(kind: str) -> Form:
        return replace(changed(1, type=kind, holds=""), is_open=True, is_exact=True)

    assert differences(PUPILS, typed("character varying"), typed("text")) == ()
    assert differences(PUPILS, typed("smallint"), typed("numeric with precision")) == ()
    [found] = differences(PUPILS, typed("character varying"), typed("bigint"))
    assert (found.kind, found.was, found.is_) == (Kind.RETYPED, "text", "number")


NAMES = st.lists(st.from_regex(r"[a-z]{3,12}", fullmatch=True), min_size=2, max_size=8, unique=True)
LOGICAL = st.sampled_from(sorted(TYPES))


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    return contract_of(*(Column(name, draw(LOGICAL)) for name in draw(NAMES)))


@given(contracts(), st.booleans())
def test_the_same_form_never_differs(contract: Contract, is_exact: bool) -> None:
    form = form_like(contract, is_exact=is_exact)
    assert differences(contract, None, form) == differences(contract, form, form) == ()


@given(contracts(), st.data())
def test_another_order_is_told_and_never_stops(contract: Contract, data: st.DataObject) -> None:
    last = form_like(contract)
    moved = tuple(data.draw(st.permutations(last.columns)))
    found = differences(contract, last, replace(last, columns=moved))
    assert not stops(found)
    assert [one.kind for one in found] == ([] if moved == last.columns else [Kind.REORDERED])


@given(contracts(), st.data())
def test_any_name_that_goes_or_comes_stops(contract: Contract, data: st.DataObject) -> None:
    last = form_like(contract)
    at = data.draw(st.integers(0, len(last.columns) - 1))
    name = data.draw(st.from_regex(r"[A-Z]{3,12}[0-9]", fullmatch=True))
    other = replace(last.columns[at], name=name)
    renamed = (*last.columns[:at], other, *last.columns[at + 1 :])
    for columns in (renamed, (*last.columns, other), (*last.columns[:at], *last.columns[at + 1 :])):
        assert stops(differences(contract, last, replace(last, columns=columns)))
    [found] = differences(contract, last, replace(last, columns=renamed))
    assert (found.kind, found.column, found.is_) == (Kind.RENAMED, last.columns[at].name, name)


@given(contracts(), st.data())
def test_any_value_that_fits_no_more_stops(contract: Contract, data: st.DataObject) -> None:
    last = form_like(contract)
    at = data.draw(st.integers(0, len(last.columns) - 1))
    columns = (*last.columns[:at], replace(last.columns[at], holds="text", fits=False), *last.columns[at + 1 :])
    assert stops(differences(contract, last, replace(last, columns=columns)))


def sighting(name: str) -> Sighting:
    form = FORMS[name][0]
    return Sighting(PUPILS.dataset, "s", "f.csv", "k", "1.4.2", differences(PUPILS, LAST, form), form)


@pytest.mark.parametrize(
    ("name", "version"),
    [("added", "1.5.0"), ("removed", "2.0.0"), ("renamed", "1.5.0"), ("number to text", "2.0.0"), ("text to number", "1.4.3")],
)
def test_an_accepted_change_means_a_version(name: str, version: str) -> None:
    assert next_version("1.4.2", accepting(PUPILS, sighting(name))) == version


def test_a_mapping_keeps_the_promise_and_says_what_it_does_not_settle() -> None:
    [edit] = mapping(sighting("renamed"), {})
    assert (edit.action, edit.column, edit.key, edit.value) == ("set", "grant", "physicalName", "Montant")
    [left] = mapping(sighting("added"), {})
    assert (left.in_entry, left.key, left.value) == (True, "ignore_columns", "sex")
    assert [one.kind for one in unmapped(sighting("removed"), {})] == [Kind.REMOVED]
    assert unmapped(sighting("removed"), {"grant": "Subside"}) == ()
    [other] = mapping(sighting("sheet renamed and lost"), {TABLE: "v"})
    assert (other.in_entry, other.key, other.value) == (True, "sheet", "v")


def test_a_sighting_goes_through_json_and_the_same_change_has_the_same_digest() -> None:
    import json

    one = sighting("renamed")
    assert from_body(json.dumps(as_body(one))) == one
    assert replace(one, origin="g.csv", content="other").digest == one.digest
    assert sighting("removed").digest != one.digest


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)))
def test_what_is_no_sighting_is_refused_without_its_values(value: object) -> None:
    import json

    with pytest.raises(Invalid, match="a drift cannot be read"):
        from_body(json.dumps(value))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("longtext mediumblob enum set varchar nvarchar text NVARCHAR2 uuid name varbinary CLOB", "text"),
        ("mediumint bigint int4 number decimal numeric double year serial money UBIGINT", "number"),
        ("date datetime timestamp timestamptz TIME interval_of_time", "date"),
        ("boolean bool bit", "boolean"),
        ("json jsonb", "nested"),
    ],
)
def test_a_type_of_a_database_is_of_a_family(words: str, expected: str) -> None:
    assert {word: family(FormColumn("x", word)) for word in words.split()} == dict.fromkeys(words.split(), expected)
