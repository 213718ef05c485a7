from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from polyceph.core.model.classification import Classification
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.place import Place
from polyceph.core.policies.columns import ColumnName, columns_are_distinct
from polyceph.core.policies.headers import contract_matches_header


def contract(*headers: str) -> Contract:
    columns = tuple(
        Column(f"c{n}", "string", source_name=header, place=Place("c.odcs.yaml", 10 + n, 5)) for n, header in enumerate(headers)
    )
    return Contract(
        dataset=DatasetId("education", Zone.RAW, "pupils"),
        id="1",
        version="1.0.0",
        status="active",
        owner="a",
        steward="b",
        classification=Classification.INTERNAL,
        columns=columns,
        place=Place("c.odcs.yaml"),
        digest="",
    )


def test_the_order_of_columns_and_spaces_around_them_do_not_matter():
    match = contract_matches_header(contract("Code", "Nom"), [" Nom", "Code "])
    assert match.decision.allowed
    assert match.problems == ()


def test_a_renamed_column_is_recognised_and_placed_in_the_contract():
    match = contract_matches_header(contract("Code INS", "Libellé"), ["Code_INS", "Libelle", "Remarque"])

    assert dict(match.renamed) == {"Code INS": "Code_INS", "Libellé": "Libelle"}
    assert (match.missing, match.unexpected) == ((), ("Remarque",))
    assert str(match.problems[0]) == (
        "c.odcs.yaml:10:5: the data of education.raw.pupils has no column 'Code INS' that the contract promises; "
        "it has 'Code_INS': if it was renamed, write physicalName: Code_INS"
    )


def test_missing_unexpected_and_doubled_columns_refuse():
    match = contract_matches_header(contract("Code", "Nom"), ["Code", "Code", "Sexe"])

    assert not match.decision.allowed
    assert (match.missing, match.unexpected, match.doubled) == (("Nom",), ("Sexe",), ("Code",))
    assert len(match.problems) == 3


names = st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8), min_size=1, max_size=8, unique=True)


@given(names, names)
def test_only_equal_sets_of_columns_match_and_nothing_is_counted_twice(promised, found):
    match = contract_matches_header(contract(*promised), found)

    assert match.decision.allowed is (set(promised) == set(found))
    assert set(match.missing) | match.renamed.keys() == set(promised) - set(found)
    assert set(match.unexpected) | set(match.renamed.values()) == set(found) - set(promised)
    assert len(set(match.renamed.values())) == len(match.renamed)


def test_two_columns_may_not_share_a_name_or_a_source():
    place = Place("c", 1, 1)
    columns = [ColumnName("a", place), ColumnName("b", Place("c", 2, 1), "a", Place("c", 2, 9)), ColumnName("a", Place("c", 3, 1))]

    refusals = columns_are_distinct(columns)

    assert [str(where) for _, where in refusals] == ["c:2:9", "c:3:1"]
    assert columns_are_distinct(columns[:1]) == ()
