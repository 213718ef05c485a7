"""The cursor that the rows make, how it is sent, and where rows stand in a document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from polyceph.connectors.web.paths import rows_at, steps, value_at
from polyceph.connectors.web.since import Progress, Since
from polyceph.errors import Invalid

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def progress(cursor: str | None = None, zone: str | None = None, **more: Any) -> Progress:
    return Progress(Since.model_validate({"parameter": "since", "field": "at", **more}), zone, NOW, cursor)


@pytest.mark.parametrize(
    ("form", "zone", "sent"),
    [
        ("iso", None, "2026-03-29T00:50:00Z"),
        ("iso_local", "Europe/Brussels", "2026-03-29T01:50:00"),
        ("date", "Europe/Brussels", "2026-03-29"),
        ("epoch", None, 1774745400),
        ("epoch_ms", None, 1774745400000),
    ],
)
def test_a_load_begins_before_the_last_moment(form: str, zone: str | None, sent: Any) -> None:
    assert progress("2026-03-29T01:00:00Z", zone, format=form).parameter() == sent


def test_the_first_load_reads_everything_or_from_a_declared_moment() -> None:
    assert progress().parameter() is None
    assert progress(begin="2026-01-01T00:00:00+01:00").parameter() == "2025-12-31T23:00:00Z"


@pytest.mark.parametrize(
    ("form", "zone", "values", "cursor"),
    [
        ("iso", None, ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000001+00:00"], "2026-01-02T03:04:05.000001Z"),
        ("iso", "Europe/Brussels", ["2026-07-01T12:00:00", "2026-07-01"], "2026-07-01T10:00:00Z"),
        ("date", None, ["2026-01-02", "2026-01-01"], "2026-01-02T00:00:00Z"),
        ("epoch", None, [1, "2"], "1970-01-01T00:00:02Z"),
        ("epoch_ms", None, [1774749600123], "2026-03-29T02:00:00.123000Z"),
    ],
)
def test_the_cursor_is_the_greatest_moment(form: str, zone: str | None, values: list[Any], cursor: str) -> None:
    made = progress(None, zone, format=form)
    for value in values:
        made.see({"at": value}, "row")
    assert made.reached() == cursor


def test_a_moment_in_the_future_is_no_cursor_and_is_told() -> None:
    made = progress()
    made.see({"at": "2099-01-01T00:00:00Z"}, "row 1")
    assert made.reached() == "2026-11-28T12:00:00Z"
    assert [note.value for note in made.notes()] == ["2099-01-01T00:00:00+00:00"]


def test_the_cursor_never_goes_back() -> None:
    made = progress("2026-05-01T00:00:00Z")
    made.see({"at": "2026-04-30T23:55:00Z"}, "row 1")
    assert made.reached() == "2026-05-01T00:00:00Z"


@pytest.mark.parametrize("row", [{"at": None}, {}, {"at": "yesterday"}, {"at": {"x": 1}}, {"at": ""}])
def test_a_row_that_does_not_say_when_it_changed_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="row 7"):
        progress().see(row, "page 1, row 7")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b", [1, 2]),
        ("$.a.b", [1, 2]),
        ("$['a']['b']", [1, 2]),
        ("$['d.e']", [3]),
        ("l[0].r", [4, 5]),
        ("l[-1].r", [6]),
        ("l[*].r", [4, 5, 6]),
        ("$.l[*].r[*]", [4, 5, 6]),
    ],
)
def test_rows_are_found(path: str, found: list[int]) -> None:
    document = {"a": {"b": [1, 2]}, "d.e": [3], "l": [{"r": [4, 5]}, {"r": [6]}]}
    assert rows_at(document, path, "here") == found


def test_without_a_path_the_document_is_the_rows() -> None:
    assert rows_at([1], None, "here") == [1]
    assert rows_at([1], "$", "here") == [1]


@pytest.mark.parametrize(("path", "told"), [("a.x", "b"), ("a", "b"), ("l[9].r", "a list of 1"), ("l[*].x", "r"), (None, "a, l")])
def test_a_path_that_leads_nowhere_tells_what_is_there(path: str | None, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        rows_at({"a": {"b": [1]}, "l": [{"r": [2]}]}, path, "here")
    assert told in str(caught.value)


def test_one_value_is_found_or_nothing() -> None:
    document = {"meta": {"next": 7, "l": [{"x": 1}]}}
    assert value_at(document, "meta.next") == 7
    assert value_at(document, "$.meta.l[0].x") == 1
    assert [value_at(document, path) for path in ("meta.none", "none.next", "meta.next.deeper", "meta.l[3]", "meta[0]")] == [None] * 5


@pytest.mark.parametrize("path", ["a b..c", "[", "a[x]", ".", "a."])
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        steps(path)
