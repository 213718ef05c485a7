"""What a sample tells of its columns."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from polyceph.core.model.classification import PersonalData
from polyceph.core.source_ports import Sample, SourceColumn
from polyceph.quality.personal import guess
from polyceph.quality.profile import profile


def _profiled(**columns: list[object]) -> dict[str, object]:
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    sample = Sample(tuple(SourceColumn(name, "text") for name in columns), table)
    return {column.source_name: column for column in profile(sample).columns}


@pytest.mark.parametrize(
    ("values", "logical", "physical"),
    [
        (["1", "22", "-3"], "integer", None),
        (["0412", "0413"], "string", None),  # leading zeros are not a number's
        (["1,50", "22,5"], "number", "decimal(18,2)"),
        (["1.50", "22,5"], "string", None),  # which sign is the decimal one is not known
        (["2026-01-31", "2025-12-01"], "date", None),
        (["31/01/2026", "01/12/2025"], "date", None),
        (["31/02/2026", "01/12/2025"], "string", None),
        (["2026-01-31 10:00", "2026-02-01 09:30:15"], "timestamp", None),
        (["2026-01-31T10:00:00Z", "2026-02-01T09:30:15+01:00"], "timestamp", "timestamptz"),
        (["2026-01-31T10:00:00Z", "2026-02-01T09:30:15"], "string", None),
        (["oui", "non"], "boolean", None),
        (["12345678901234567890"], "string", None),  # more than 64 bits
        (["Liège", ""], "string", None),
        ([None, None], "string", None),
        ([1.5, 2.5], "number", None),
        ([Decimal("1.50"), Decimal("22.00")], "number", "decimal(4,2)"),
        ([{"a": 1}], "object", None),
        ([[1, 2]], "array", None),
        ([True, None], "boolean", None),
    ],
)
def test_types_are_what_every_value_is(values: list[object], logical: str, physical: str | None) -> None:
    found = _profiled(c=values)["c"]
    assert (found.logical_type, found.physical_type) == (logical, physical)


def test_a_type_the_source_states_is_kept() -> None:
    sample = Sample((SourceColumn("n", "numeric(12,4)", "number", "decimal(12,4)"),), pa.table({"n": pa.array(["1", "2"])}))
    assert profile(sample).columns[0].physical_type == "decimal(12,4)"


def test_codes_of_one_shape_get_a_pattern() -> None:
    found = _profiled(nis=["25112", "62063"], zip=["B-4000", "B-1000"], town=["Liège", "Namur"])
    assert found["nis"].logical_type == "integer"
    assert found["zip"].pattern == r"^[A-Z]\-\d{4}$"
    assert found["town"].pattern is None


def test_a_key_is_guessed_only_where_a_name_says_so_and_nothing_repeats() -> None:
    found = _profiled(town=["Liège", "Namur"], school_id=["1", "2"], other_id=["1", "2"])
    assert [name for name, column in found.items() if column.primary_key] == ["school_id"]
    assert not any(column.primary_key for column in _profiled(school_id=["1", "1"]).values())
    assert not any(column.primary_key for column in _profiled(school_id=["1", None]).values())


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("x", ["85.07.30-033.28", "85073003328"], PersonalData.PERSONAL),
        ("x", ["85.07.30-033.29", "85073003329"], PersonalData.NONE),  # the checksum is wrong
        ("x", ["BE71096123456769"], PersonalData.PERSONAL),
        ("x", ["a.b@example.org", "c@example.be"], PersonalData.PERSONAL),
        ("x", ["+32 2 790 12 34"], PersonalData.PERSONAL),
        ("Prénom de l'élève", ["Zoé"], PersonalData.PERSONAL),
        ("voornaam", [], PersonalData.PERSONAL),
        ("dateNaissance", ["2010-01-02"], PersonalData.PERSONAL),
        ("Geburtsdatum", [], PersonalData.PERSONAL),
        ("handicap", ["oui"], PersonalData.SPECIAL_CATEGORY),
        ("nom de l'école", ["Athénée"], PersonalData.NONE),
        ("commune", ["Namur"], PersonalData.NONE),
        ("montant", ["12.50"], PersonalData.NONE),
    ],
)
def test_personal_data_is_guessed_by_checksum_shape_and_name(name: str, values: list[str], kind: PersonalData) -> None:
    assert guess(name, values).personal_data is kind


def test_a_few_wrong_values_do_not_hide_a_personal_column() -> None:
    values = ["85.07.30-033.28"] * 8 + ["unknown", "-"]
    assert guess("x", values).personal_data is PersonalData.PERSONAL


def test_a_reason_quotes_no_value() -> None:
    found = guess("x", ["85.07.30-033.28"])
    assert "85" not in found.why
