"""Which output tables and columns a query of PostgreSQL reads, from its text alone."""

from __future__ import annotations

import logging

import pytest

from polyceph.errors import Invalid
from polyceph.lake.output_reads import output_reads, statement_digest

KNOWN = {"pupils": ["nis_code", "year", "n"], "other": ["x", "y"]}
ALL = ("n", "nis_code", "year")


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select * from pupils where nis_code = %s", {"education.output.pupils": ALL}),
        ("select p.* from Education.PUPILS p", {"education.output.pupils": ALL}),
        ("table pupils", {"education.output.pupils": ALL}),
        ("select n from pupils where year = %(year)s limit %(most)s", {"education.output.pupils": ("n", "year")}),
        ("select count(*) from pupils", {"education.output.pupils": ()}),
        ("with c as (select * from pupils) select year from c", {"education.output.pupils": ALL}),
        (
            "select p.n from pupils p join other o on o.x = p.year where o.y > 3",
            {"education.output.other": ("x", "y"), "education.output.pupils": ("n", "year")},
        ),
        (
            "select p.n from pupils p where exists (select 1 from other where x = p.year)",
            {"education.output.other": ("x",), "education.output.pupils": ("n", "year")},
        ),
        ("select n from pupils union all (select x from other)", {"education.output.other": ("x",), "education.output.pupils": ("n",)}),
        # columns that the text does not tell
        ("select * from strange", {"education.output.strange": None}),
        ("select a from strange", {"education.output.strange": None}),
        ("select pupils from pupils", {"education.output.pupils": None}),
        ("select row_to_json(p) from pupils p", {"education.output.pupils": None}),
        ("select n from culture.pupils", {"culture.output.pupils": None}),
        # no dataset
        ("select 1", {}),
        ("select * from generate_series(1, 3)", {}),
        ("select relname from pg_class", {}),
        ("select table_name from information_schema.tables", {}),
    ],
)
def test_tables_and_columns_of_a_query(sql: str, found: dict[str, tuple[str, ...] | None]) -> None:
    assert {str(one.dataset): one.columns for one in output_reads(sql, "education", KNOWN)} == found


@pytest.mark.parametrize(
    "sql",
    ["select 1; select 2", "explain select 'canary' from pupils", "fetch all from c", "select frm x y z", "", "copy pupils to stdout"],
)
def test_a_text_that_does_not_tell_is_refused_and_not_logged(sql: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(Invalid):
        output_reads(sql, "education", KNOWN)
    assert caplog.text == ""


def test_statements_that_differ_in_literals_alone_have_one_digest() -> None:
    first = statement_digest("select 1 from t where a = 'x''y' and b > 3.5e3 and c = $$85.07.30$$ and t2.d = 1")
    assert first == statement_digest("select 2 from t\n where a = '' and b > 7 and c = $q$x$q$ and t2.d = 99")
    assert first != statement_digest("select 2 from t where a = '' and b > 7 and c = '' and t3.d = 99")
