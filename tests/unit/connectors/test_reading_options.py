from __future__ import annotations

import pytest

from polyceph.connectors.files_options import FilesSource
from polyceph.connectors.postgres_options import PostgresDataset
from polyceph.connectors.tabular.headers import Match, joined, match_header
from polyceph.connectors.tabular.natives import native, shown
from polyceph.connectors.tabular.options import FilesDataset, cell_range, column_letters, column_number, reading_digest
from polyceph.connectors.tabular.totals import looks_like_total, stops_here
from polyceph.connectors.types import arrow_type, duckdb_type
from polyceph.connectors.validation import validated
from polyceph.errors import Invalid
from polyceph.lake.types import promised_type
from polyceph.sdk import Column, Problem


def test_cells_and_ranges_are_read() -> None:
    assert cell_range("b5") == ((5, 2), None)
    assert cell_range("$A$1:AA10") == ((1, 1), (10, 27))
    assert [column_letters(n) for n in (1, 26, 27, 702, 703, 16384)] == ["A", "Z", "AA", "ZZ", "AAA", "XFD"]
    assert all(column_number(column_letters(n)) == n for n in range(1, 1000))
    for wrong in ("5B", "B0", "B5:A1", "B5:", ""):
        with pytest.raises(ValueError, match="table_at"):
            cell_range(wrong)


@pytest.mark.parametrize(
    "options",
    [
        {"decimal": ",", "thousands": ","},
        {"true_values": ["x"]},
        {"header": [3, 2]},
        {"header": 0},
        {"table_at": "here"},
        {"timezone": "Europe/Atlantis"},
        {"delimiter": ";;"},
        {"skip_rows": -1},
        {"encodin": "utf-8"},
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        validated(FilesDataset, {"path": "x.csv", **options}, "options")


@pytest.mark.parametrize(
    "options",
    [{}, {"folder": "a", "url": "s3://a"}, {"folder": "a", "key_env": "K"}, {"url": "nowhere"}, {"url": "sftp://user:word@host/path"}],
)
def test_sources_that_cannot_be_meant_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        validated(FilesSource, options, "source")


def test_a_table_may_have_quoted_parts() -> None:
    assert PostgresDataset(table='"My schema"."a.b"').table_parts() == ("My schema", "a.b")
    assert PostgresDataset(table="public.schools").table_parts() == ("public", "schools")


def test_the_digest_follows_what_changes_rows_and_nothing_that_a_decision_about_drift_changes() -> None:
    plain = reading_digest(FilesDataset(path="a.csv"))
    same = {"may_be_absent": True, "problems_shown": 3, "sheet": "New", "ignore_columns": ("x",), "date_format": "%d/%m/%Y", "decimal": ","}
    assert plain == reading_digest(FilesDataset(path="b.csv", **same))
    assert plain != reading_digest(FilesDataset(path="a.csv", skip_footer=1))
    assert plain != reading_digest(FilesDataset(path="a.csv", thousands="."))


def test_headers_match_exactly_first_and_loosely_then() -> None:
    columns = (Column("nis_code", "string"), Column("name", "string", source_name="Nom école"))
    dataset = FilesDataset(path="x.csv", ignore_columns=("Remarque",))
    assert match_header(["NIS code", " Nom  Ecole ", "remarque"], columns, dataset) == Match({0: 0, 1: 1}, (), (0, 1))
    assert match_header(["NIS_CODE", "nis_code", "Nom école"], columns, dataset) == Match({0: 1, 1: 2}, (0,), ())


def test_the_rows_of_a_header_are_joined() -> None:
    assert joined([["Code", "Élèves", "", "Jour"], ["", "Filles", "Garçons", ""]]) == [
        "Code",
        "Élèves / Filles",
        "Élèves / Garçons",
        "Jour",
    ]
    assert joined([["a\nb ", "c"]]) == ["a b", "c"]
    assert joined([["A", "", ""], ["x", "y", "z"]], is_unmerged=True) == ["A / x", "y", "z"]


@pytest.mark.parametrize("cells", [["Total"], ["", "TOTAL général"], ["Sous-total A"], ["Totaal"], ["Subtotal"], ["Gesamt"]])
def test_totals_are_recognised(cells: list[str]) -> None:
    assert looks_like_total(cells)


@pytest.mark.parametrize("cells", [["Somme-Leuze"], ["Totalement"], [""], ["Tournai"], ["12"]])
def test_names_are_no_totals(cells: list[str]) -> None:
    assert not looks_like_total(cells)


def test_the_end_of_a_table_is_told_by_its_first_filled_cell() -> None:
    assert stops_here(["", " Source: FWB"], "source")
    assert not stops_here(["a", "Source"], "source")


@pytest.mark.parametrize(
    ("value", "column", "expected"),
    [
        (6540.0, Column("c", "string"), "6540"),
        (0.1 + 0.2, Column("c", "number", "DECIMAL(4,2)"), "0.30"),
        (3.0, Column("c", "integer"), "3"),
        (45651, Column("c", "date"), "2024-12-25"),
        (45651.5, Column("c", "timestamp"), "2024-12-25 12:00:00"),
        (0.4375, Column("c", "time"), "10:30:00"),
        (1, Column("c", "boolean"), "True"),
    ],
)
def test_typed_cells_become_the_promised_type(value: object, column: Column, expected: str) -> None:
    assert str(native(value, column)) == expected


@pytest.mark.parametrize(
    ("value", "column"),
    [
        (3.5, Column("c", "integer")),
        (True, Column("c", "integer")),
        (2**63, Column("c", "integer")),
        (0.305, Column("c", "number", "DECIMAL(4,2)")),
        (12345.0, Column("c", "number", "DECIMAL(4,2)")),
        (10**400, Column("c", "number")),
        (12, Column("c", "date")),
        (45651.5, Column("c", "date")),
        (2, Column("c", "boolean")),
    ],
)
def test_typed_cells_that_do_not_fit_are_problems(value: object, column: Column) -> None:
    assert isinstance(native(value, column), Problem)


def test_shown_values_are_what_a_person_sees() -> None:
    assert [shown(v) for v in (1.0, 1.5, True, 1e300)] == ["1", "1.5", "true", "1e+300"]


@pytest.mark.parametrize("kind", ["string", "integer", "number", "boolean", "date", "timestamp", "time", "array", "object"])
@pytest.mark.parametrize("physical", [None, "DECIMAL(10, 2)", "TIMESTAMPTZ"])
def test_connectors_and_lake_promise_the_same_types(kind: str, physical: str | None) -> None:
    column = Column("c", kind, physical)
    assert duckdb_type(column).replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE") == promised_type(column)
    assert arrow_type(column) is not None


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(Invalid, match="strnig"):
        arrow_type(Column("c", "strnig"))
