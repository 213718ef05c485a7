"""When emergency access is refused before it is opened, and how long it lasts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from polyceph.core.model.domain import Domain
from polyceph.core.model.emergency import Emergency, EmergencyState, Opening
from polyceph.core.model.federation import Federation
from polyceph.core.model.person import Person
from polyceph.core.model.place import Place
from polyceph.core.policies.emergencies import lasting, opening_is_fit

NOW, TODAY = datetime(2026, 11, 29, 12, tzinfo=UTC), date(2026, 11, 29)
PLACE = Place("federation.yaml")
PEOPLE = {name: Person(name, name, f"{name}@example.org", left) for name, left in (("pat", None), ("eva", TODAY))}
EDUCATION = Domain("education", {}, "anne", "marc", None, "stewards", "domains/education", PLACE)
FEDERATION = Federation("demo", {}, ("en",), {}, {}, PEOPLE, {"education": EDUCATION}, PLACE)
REASON = "the nightly load fails on a row"


@pytest.mark.parametrize(
    ("asked", "opened_by", "words"),
    [
        (Opening("educaton", "pat", 1, REASON), "anne", "unknown"),
        (Opening("education", "nobody", 1, REASON), "anne", "no person"),
        (Opening("education", "eva", 1, REASON), "anne", "left"),
        (Opening("education", "pat", 1, "   because       "), "anne", "too little"),
        (Opening("education", "pat", 5, REASON), "pat", "1 to 4"),
        (Opening("education", "pat", 25, REASON), "anne", "1 to 24"),
        (Opening("education", "pat", 0, REASON), "anne", "1 to 24"),
        (Opening("education", "pat", -1, REASON), "pat", "1 to 4"),
    ],
)
def test_what_will_not_do_is_refused_with_what_would(asked: Opening, opened_by: str, words: str) -> None:
    decision = opening_is_fit(asked, FEDERATION, opened_by=opened_by, today=TODAY)
    assert not decision.allowed
    assert words in decision.reason
    assert decision.hint


@pytest.mark.parametrize(("hours", "opened_by"), [(4, "pat"), (24, "anne"), (1, "pat")])
def test_hours_and_a_reason_will_do(hours: int, opened_by: str) -> None:
    assert opening_is_fit(Opening("education", "pat", hours, REASON), FEDERATION, opened_by=opened_by, today=TODAY).allowed


def test_only_what_is_hers_and_lasts_counts() -> None:
    until = NOW + timedelta(hours=1)

    def one(number: int, domain: str, person: str, until: datetime, **ended: object) -> Emergency:
        return Emergency(number, domain, person, REASON, "anne", NOW - timedelta(hours=1), until, **ended)  # type: ignore[arg-type]

    found = [
        one(1, "education", "pat", until),
        one(2, "culture", "pat", NOW),
        one(3, "health", "luc", until),
        one(4, "sport", "pat", until, ended_at=NOW, closed_by="anne"),
        one(5, "*", "pat", until),
    ]
    assert lasting(found, "pat", NOW) == {"education": until}
    assert lasting(found, None, NOW) == {}
    assert [each.state(NOW) for each in found[:4]] == [
        EmergencyState.OPEN, EmergencyState.EXPIRED, EmergencyState.OPEN, EmergencyState.CLOSED,
    ]  # fmt: skip
