"""A service that fails, moves and grows while it is read, through the connector `rest` into a lake: every row once, or a refusal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from polyceph.connectors.rest import RestConnector
from polyceph.core.model.contract import Column
from polyceph.core.source_ports import LoadMode
from polyceph.errors import Conflict, Invalid, NotFound, Unavailable
from polyceph.testing.faulty_web import Answer, Asked, Faulty, doc, serving

if TYPE_CHECKING:
    from conftest import Loads

Row = dict[str, Any]
KEY = Column("id", "integer", required=True, primary_key=True)
NAME = Column("name", "string")
CHANGED = Column("at", "timestamp", "timestamptz", required=True)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PAGED: Row = {"path": "rows", "records": "items", "paging": {"style": "page"}}
TOTAL: Row = {**PAGED, "paging": {"style": "page", "total": "total"}}
SINCE: Row = {**PAGED, "since": {"parameter": "since", "field": "at", "overlap": "10 minutes"}}


@pytest.fixture
def server() -> Iterator[Faulty]:
    with serving() as found:
        yield found


def connector(server: Faulty, **more: Any) -> RestConnector:
    given = {"url": server.url, "requests_per_second": 1000, "timeout_s": 5, "retries": 2, **more}
    return RestConnector(RestConnector.source_options.model_validate(given), base=Path())


class Service:
    """Rows, three a page, in an order; `since` leaves those changed from then on. `hook` runs before each answer."""

    def __init__(self, server: Faulty, rows: list[Row], *, path: str = "/rows") -> None:
        self.rows = rows
        self.hook: Callable[[int], None] = lambda _page: None
        self.fault: Callable[[int], Answer | None] = lambda _page: None
        server.by(path, self)

    def __call__(self, asked: Asked) -> Answer:
        page = int(asked.query.get("page", ["1"])[0])
        self.hook(page)
        fault = self.fault(page)
        if fault is not None:
            return fault
        since = asked.query.get("since", [""])[0]
        found = [row for row in self.rows if not since or row["at"] >= since]
        if since:
            found.sort(key=lambda row: row["at"])
        return doc({"items": found[(page - 1) * 3 : page * 3], "total": len(found)})


def row(number: int, minute: int = 0, name: str | None = None) -> Row:
    return {"id": number, "name": name or f"n{number}", "at": (BEGIN + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")}


def seven() -> list[Row]:
    return [row(number, number) for number in range(1, 8)]


def ids(loads: Loads) -> list[int]:
    return [found["id"] for found in loads.rows()]


@pytest.fixture
def rows(loads: Callable[..., Loads]) -> Loads:
    return loads((KEY, NAME, CHANGED))


@pytest.mark.parametrize("page", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "fault", [Answer(reset=True), Answer(b"{}", 503), Answer(b'{"items": [{"id": 1}]}', cut=7)], ids=["reset", "503", "cut"]
)
def test_a_connection_that_is_lost_at_any_page_costs_no_row(server: Faulty, rows: Loads, page: int, fault: Answer) -> None:
    service, left = Service(server, seven()), [fault]
    service.fault = lambda at: left.pop() if at == page and left else None
    [report] = rows.load(connector(server), PAGED)
    assert report.rows == 7
    assert ids(rows) == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("page", [1, 2, 3, 4])
def test_a_load_that_ends_at_any_page_leaves_nothing_and_the_next_one_everything(server: Faulty, rows: Loads, page: int) -> None:
    service = Service(server, seven())
    service.fault = lambda at: Answer(reset=True) if at == page else None
    with pytest.raises(Unavailable):
        rows.load(connector(server, retries=0), SINCE)
    assert rows.lake.cursor(rows.contract.dataset) is None
    service.fault = lambda _: None
    [report] = rows.load(connector(server), SINCE)
    assert report.rows == 7
    assert ids(rows) == [1, 2, 3, 4, 5, 6, 7]


def test_a_token_that_ends_in_mid_paging_is_renewed(server: Faulty, rows: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT_SECRET", "a word")
    given, good = iter(range(1, 99)), [0]

    def token(_: Asked) -> Answer:
        good[0] = next(given)
        return doc({"access_token": f"t{good[0]}", "expires_in": 3600})

    service = Service(server, seven())

    def answer(asked: Asked) -> Answer:
        if asked.headers["Authorization"] != f"Bearer t{good[0]}":
            return doc({}, status=401)
        good[0] = 0 if asked.query.get("page") == ["2"] else good[0]  # the next page finds the token ended
        return service(asked)

    server.by("/rows", answer)
    server.by("/token", token)
    auth = {"kind": "oauth2", "token_url": f"{server.url}/token", "client_id": "us", "client_secret_env": "CLIENT_SECRET"}
    rows.load(connector(server, auth=auth), PAGED)
    assert ids(rows) == [1, 2, 3, 4, 5, 6, 7]
    assert server.paths().count("/token") == 2


def test_only_what_changed_is_read_and_the_overlap_is_not_doubled(server: Faulty, rows: Loads) -> None:
    service = Service(server, seven())
    rows.load(connector(server), SINCE)
    service.rows[1] = row(2, 30, "renamed")
    service.rows.append(row(8, 31))
    late = row(9, 5)  # was committed after rows with a greater moment
    service.rows.append(late)
    [report] = rows.load(connector(server), SINCE)
    assert server.asked[-1].query["since"] == ["2025-12-31T23:57:00Z"]
    assert report.rows == 3
    current = {
        found["id"]: found["name"]
        for found in rows.lake.query(
            f"SELECT id, arg_max(name, rowid) AS name FROM meuse.raw.{rows.contract.dataset.name} GROUP BY id"
        ).to_pylist()
    }
    assert current == {1: "n1", 2: "renamed", 3: "n3", 4: "n4", 5: "n5", 6: "n6", 7: "n7", 8: "n8", 9: "n9"}
    assert rows.lake.cursor(rows.contract.dataset) == "2026-01-01T00:31:00Z"
    assert sum(one.rows for one in rows.load(connector(server), SINCE)) == 0
    assert len(rows.rows()) == 10


def test_the_same_delivery_twice_is_loaded_once(server: Faulty, rows: Loads) -> None:
    Service(server, seven())
    made = list(connector(server).deliveries(rows.demand(SINCE)))
    for delivery in (*made, *made):
        rows.lake.load(delivery, rows.contract, rows.commit)
    assert ids(rows) == [1, 2, 3, 4, 5, 6, 7]


def test_two_runs_that_meet_load_nothing_twice(server: Faulty, rows: Loads) -> None:
    service = Service(server, seven())
    [first] = connector(server).deliveries(rows.demand(SINCE))
    service.rows.append(row(8, 20))
    [second] = connector(server).deliveries(rows.demand(SINCE))
    rows.lake.load(first, rows.contract, rows.commit)
    with pytest.raises(Conflict):
        rows.lake.load(second, rows.contract, rows.commit)
    rows.load(connector(server), SINCE)
    assert ids(rows) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_rows_that_are_added_at_the_end_meanwhile_are_no_harm(server: Faulty, rows: Loads) -> None:
    service = Service(server, seven())
    service.hook = lambda page: service.rows.append(row(len(service.rows) + 1, 50)) if page == 2 and len(service.rows) == 7 else None
    rows.load(connector(server), TOTAL)
    assert ids(rows) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [one.query["page"] for one in server.asked] == [["1"], ["2"], ["3"]]


@pytest.mark.parametrize("options", [TOTAL, PAGED], ids=["total", "key alone"])
def test_a_row_that_moves_to_the_next_page_is_not_doubled(server: Faulty, rows: Loads, options: Row) -> None:
    service = Service(server, seven())
    service.hook = lambda page: service.rows.insert(0, row(0)) if page == 2 and len(service.rows) == 7 else None
    rows.load(connector(server), options)
    assert ids(rows) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert [one.query["page"] for one in server.asked].count(["1"]) == 2


def test_a_row_that_moves_to_the_page_before_is_not_lost(server: Faulty, rows: Loads) -> None:
    service = Service(server, seven())
    service.hook = lambda page: service.rows.pop(0) and None if page == 2 and len(service.rows) == 7 else None
    rows.load(connector(server), TOTAL)
    assert ids(rows) == [2, 3, 4, 5, 6, 7]


def test_a_changed_row_that_goes_to_the_end_takes_no_other_with_it(server: Faulty, rows: Loads) -> None:
    service = Service(server, seven())
    rows.load(connector(server), SINCE)
    for number in range(8, 15):
        service.rows.append(row(number, 100 + number))
    done: list[int] = []

    def touch(page: int) -> None:
        if page == 2 and not done:
            done.append(1)
            service.rows[7] = row(8, 300, "again")

    service.hook = touch
    rows.load(connector(server), SINCE)
    assert sorted(set(ids(rows))) == list(range(1, 15))


def test_a_source_that_never_rests_is_refused(server: Faulty, rows: Loads) -> None:
    service = Service(server, seven())
    service.hook = lambda page: service.rows.insert(0, row(-len(service.rows))) if page == 2 else None
    with pytest.raises(Conflict, match="moved while it was read"):
        rows.load(connector(server), TOTAL)
    assert not rows.lake.is_loaded(rows.contract.dataset, "")


def test_a_total_that_does_not_come_true_is_refused(server: Faulty, rows: Loads) -> None:
    server.by("/rows", lambda asked: doc({"items": seven()[:3] if asked.query["page"] == ["1"] else [], "total": 7}))
    with pytest.raises(Conflict, match="3 rows came, and the service says 7"):
        rows.load(connector(server), TOTAL)


def test_a_service_that_ignores_the_page_goes_in_a_circle(server: Faulty, rows: Loads) -> None:
    server.on("/rows", doc({"items": seven()}))
    with pytest.raises(Invalid, match="goes in a circle"):
        rows.load(connector(server), PAGED)


def test_a_whole_keeps_differences_only_and_what_is_gone(server: Faulty, rows: Loads) -> None:
    service = Service(server, seven())
    rows.load(connector(server), PAGED)
    assert rows.load(connector(server), PAGED) == []
    service.rows[0] = row(1, 1, "renamed")
    del service.rows[6]
    [report] = rows.load(connector(server), PAGED)
    assert report.rows == 2
    changes = rows.lake.query(f"SELECT id, _change FROM meuse.raw.{rows.contract.dataset.name} WHERE _load = ? ORDER BY id", [report.key])
    assert changes.to_pylist() == [{"id": 1, "_change": "changed"}, {"id": 7, "_change": "removed"}]


def test_an_empty_answer_does_not_remove_everything(server: Faulty, rows: Loads) -> None:
    service = Service(server, seven())
    rows.load(connector(server), PAGED)
    service.rows = []
    with pytest.raises(Invalid, match="no row at all"):
        rows.load(connector(server), PAGED)
    [report] = rows.load(connector(server), {**PAGED, "may_be_empty": True})
    assert report.rows == 7


def test_rows_come_as_lines(server: Faulty, rows: Loads) -> None:
    lines = "".join(json.dumps(one) + "\n" for one in seven()).encode()
    server.on("/rows", Answer(lines, cut=len(lines) - 20), Answer(lines))
    rows.load(connector(server), {"path": "rows", "format": "ndjson"})
    assert ids(rows) == [1, 2, 3, 4, 5, 6, 7]
    server.on("/rows", Answer(lines + b"{broken\n"))
    with pytest.raises(Invalid, match="line 8"):
        rows.load(connector(server), {"path": "rows", "format": "ndjson"})


def test_a_search_is_posted(server: Faulty, rows: Loads) -> None:
    found = [one for one in seven() if one["id"] > 2]

    def answer(asked: Asked) -> Answer:
        wish = json.loads(asked.body)
        assert wish["where"] == {"kind": "a"}
        return doc({"items": found[wish["from"] : wish["from"] + wish["size"]], "total": len(found)})

    server.by("/search", answer)
    paging = {"style": "offset", "parameter": "from", "size_parameter": "size", "size": 2, "total": "total"}
    rows.load(
        connector(server), {"path": "search", "method": "POST", "body": {"where": {"kind": "a"}}, "records": "items", "paging": paging}
    )
    assert ids(rows) == [3, 4, 5, 6, 7]


def test_a_decimal_keeps_its_digits(server: Faulty, loads: Callable[..., Loads]) -> None:
    loaded = loads((KEY, Column("amount", "number", "decimal(20,10)")))
    server.on("/rows", Answer(b'[{"id": 1, "amount": 1234567890.0123456789}]'))
    loaded.load(connector(server), {"path": "rows"})
    assert str(loaded.rows()[0]["amount"]) == "1234567890.0123456789"


def test_a_row_that_breaks_the_contract_names_its_line_and_nothing_is_loaded(server: Faulty, rows: Loads) -> None:
    service = Service(server, seven())
    service.rows[4] = {**row(5), "id": "five"}
    with pytest.raises(Invalid) as caught:
        rows.load(connector(server), PAGED)
    assert caught.value.problems[0].line == 5
    with pytest.raises(NotFound):
        rows.load(connector(server), {"path": "nothing"})


def test_what_every_entry_may_say_of_its_load_counts_more(server: Faulty, rows: Loads) -> None:
    Service(server, seven())
    [delivery] = connector(server).deliveries(rows.demand(PAGED))
    assert delivery.mode is LoadMode.DIFF
    [delivery] = connector(server).deliveries(rows.demand(SINCE))
    assert delivery.mode is LoadMode.MERGE


def test_lines_are_paged_by_the_header_link_and_hold_only_their_rows(server: Faulty, rows: Loads) -> None:
    def answer(asked: Asked) -> Answer:
        at = int(asked.query.get("after", ["0"])[0])
        body = "".join(json.dumps(one) + "\n" for one in seven()[at : at + 3]).encode()
        return Answer(body, headers={"Link": f'</rows?after={at + 3}>; rel="next"'} if at < 6 else {})

    server.by("/rows", answer)
    rows.load(connector(server), {"path": "rows", "format": "ndjson", "paging": {"style": "link"}})
    assert ids(rows) == [1, 2, 3, 4, 5, 6, 7]


def test_a_field_that_no_row_has_is_missing_or_empty_as_declared(server: Faulty, rows: Loads) -> None:
    server.on("/rows", doc([{"id": 1, "at": "2026-01-01T00:00:00Z"}]))
    with pytest.raises(Invalid, match="1 problem"):
        rows.load(connector(server), {"path": "rows"})
    rows.load(connector(server), {"path": "rows", "absent_is_null": True})
    assert rows.rows()[0]["name"] is None


def test_a_password_that_is_a_word_of_the_address_breaks_no_link(server: Faulty, rows: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORD", "rows")
    monkeypatch.setenv("USER", "anne")
    server.by(
        "/rows", lambda asked: doc({"items": seven()[3:] if asked.query else seven()[:3], "next": None if asked.query else "?after=3"})
    )
    auth = {"kind": "basic", "user_env": "USER", "password_env": "WORD"}
    options = {"path": "rows", "records": "items", "paging": {"style": "next_url", "next": "next"}}
    [report] = rows.load(connector(server, auth=auth), options)
    assert ids(rows) == [1, 2, 3, 4, 5, 6, 7]
    assert "rows" not in report.origin
