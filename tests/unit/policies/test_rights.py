"""Every combination of action, classification, role, place and state is decided as the reviewed table says: `rights.csv`, beside this."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from polyceph.core.model.access import FEDERATION, Action, Principal, Question, Role, Standing
from polyceph.core.model.classification import Classification
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.policies.authorisation import decide

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PAST, LATER = NOW - timedelta(seconds=1), NOW + timedelta(hours=1)
HOME, ELSEWHERE = "education", "culture"
STATES = 30
OF_STEWARDS = {Action.DATASET_FIND, Action.DATASET_DESCRIBE, Action.DATASET_READ, Action.PERSONAL_DATA_VIEW}
OF_OWNERS = OF_STEWARDS | {Action.DATASET_WIPE, Action.DRIFT_DECIDE}
PLACES = {"own domain": HOME, "other domain": ELSEWHERE, "federation": FEDERATION}
ANNE, ROBOT = Actor(ActorKind.PERSON, "anne"), Actor(ActorKind.SERVICE, "robot", "anne")


@dataclass(frozen=True)
class Row:
    """One line of the reviewed table."""

    action: Action
    classification: Classification | None
    roles: dict[str, frozenset[str]]
    by_grant: bool
    in_emergency: bool
    by_people_alone: bool


def rows() -> Iterator[Row]:
    with (Path(__file__).parent / "rights.csv").open(encoding="utf-8") as file:
        for line in csv.DictReader(file):
            level = line["classification"]
            classification = None if level in ("any", "none given") else Classification(level)
            roles = {place: frozenset(line[place].split("; ")) - {"-"} for place in PLACES}
            flags = [{"yes": True, "no": False}[line[name]] for name in ("by grant", "in emergency", "by people alone")]
            yield Row(Action(line["action"]), classification, roles, *flags)


ROWS = tuple(rows())


@dataclass(frozen=True)
class Holding:
    """Who asks: one role at one place, or none at all."""

    role: Role | None
    place: str

    @property
    def principal(self) -> Principal:
        roles = {PLACES[self.place]: frozenset({self.role})} if self.role else {}
        return Principal(ANNE, Standing.ACTIVE, roles, person="anne")

    def has(self, row: Row) -> bool:
        return self.role is not None and self.role.value in row.roles[self.place]


HOLDINGS = (Holding(None, "own domain"), *(Holding(role, place) for role, place in product(Role, PLACES)))


def cases(row: Row, holding: Holding) -> Iterator[tuple[str, Principal, Question, bool]]:
    """Yield every state with what the table says of it: its name, who asks, what, and whether she may."""
    who, base = holding.principal, holding.has(row)
    asked = Question(row.action, NOW, HOME, f"{HOME}.gold.pupils", row.classification)
    yield "signed in", who, asked, base
    for standing in (Standing.EXPIRED, Standing.LEFT, Standing.UNKNOWN):
        everything = {HOME: LATER}
        yield standing, replace(who, standing=standing, emergencies=everything), replace(asked, has_grant=True), False
    robot = replace(who, actor=ROBOT, person=None)
    yield "service, not scoped", robot, asked, base and not row.by_people_alone
    yield "service, in scope", replace(robot, scopes=frozenset({row.action})), asked, base and not row.by_people_alone
    yield "service, out of scope", replace(robot, scopes=frozenset(Action) - {row.action}), asked, False
    yield "service, no scope", replace(robot, scopes=frozenset()), replace(asked, has_grant=True), False
    yield "schedule", replace(who, actor=Actor(ActorKind.SCHEDULE, "nightly"), person=None), asked, base and not row.by_people_alone
    yield "emergency open", replace(who, emergencies={HOME: LATER}), asked, base or row.in_emergency
    yield "emergency expired", replace(who, emergencies={HOME: PAST}), asked, base
    yield "emergency ends now", replace(who, emergencies={HOME: NOW}), asked, base
    yield "emergency elsewhere", replace(who, emergencies={ELSEWHERE: LATER}), asked, base
    yield "emergency of a service", replace(robot, emergencies={HOME: LATER}), asked, base and not row.by_people_alone
    yield "grant", who, replace(asked, has_grant=True), base or row.by_grant
    yield "grant with an end", who, replace(asked, has_grant=True, grant_until=LATER), base or row.by_grant
    yield "grant expired", who, replace(asked, has_grant=True, grant_until=PAST), base
    yield "grant ends now", who, replace(asked, has_grant=True, grant_until=NOW), base
    yield "grant of no dataset", who, replace(asked, has_grant=True, dataset=None), base
    yield "her own request", replace(who, emergencies={HOME: LATER}), replace(asked, requested_by="anne", has_grant=True), False
    yield "her robot's request", replace(who, emergencies={HOME: LATER}), replace(asked, requested_by="robot"), base or row.in_emergency
    yield "her request, by her robot", robot, replace(asked, requested_by="anne"), False
    yield "somebody's request", who, replace(asked, requested_by="marc"), base
    yield "no domain", who, replace(asked, domain=None, dataset=None), base if holding.place == "federation" else _anywhere(row, holding)
    yield "its dataset's owner", who, replace(asked, dataset_owner="anne"), base or row.action in OF_OWNERS
    yield "its dataset's steward", who, replace(asked, dataset_steward="anne"), base or row.action in OF_STEWARDS
    yield "owner of a dataset elsewhere", who, replace(asked, dataset=f"{ELSEWHERE}.gold.x", dataset_owner="anne", has_grant=True), False
    yield "robot of its owner", replace(robot, person="anne"), replace(asked, dataset_owner="anne"), base and not row.by_people_alone
    yield "the federation as a domain", who, replace(asked, domain=FEDERATION), False
    yield "a domain without a name", who, replace(asked, domain=""), False


def _anywhere(row: Row, holding: Holding) -> bool:
    """Without a domain every domain is another one."""
    return holding.role is not None and holding.role.value in row.roles["other domain"]


def test_the_table_has_every_action_and_every_classification_once() -> None:
    assert {row.action for row in ROWS} == set(Action)
    assert len({(row.action, row.classification) for row in ROWS}) == len(ROWS)
    of_datasets = [row for row in ROWS if row.action in (Action.DATASET_FIND, Action.DATASET_DESCRIBE, Action.DATASET_READ)]
    assert {(row.action, row.classification) for row in of_datasets} == set(
        product((Action.DATASET_FIND, Action.DATASET_DESCRIBE, Action.DATASET_READ), (*Classification, None))
    )


def test_every_combination_is_decided_as_the_reviewed_table_says(capsys: pytest.CaptureFixture[str]) -> None:
    decided, wrong = 0, []
    for row, holding in product(ROWS, HOLDINGS):
        for state, who, question, expected in cases(row, holding):
            decided += 1
            decision = decide(who, question)
            if decision.allowed is not expected:
                wrong.append((row.action, row.classification, holding, state, decision.reason))
    with capsys.disabled():
        sys.stdout.write(f"\n{decided:,} combinations decided: {len(ROWS)} rows x {len(HOLDINGS)} holdings x {STATES} states\n")
    assert not wrong, f"{len(wrong)} of {decided} differ, first: {wrong[:5]}"
    assert decided == len(ROWS) * len(HOLDINGS) * STATES


def test_a_refusal_says_what_is_missing_and_what_to_do() -> None:
    for row, holding in product(ROWS, HOLDINGS):
        for state, who, question, _ in cases(row, holding):
            decision = decide(who, question)
            assert len(decision.reason) >= 15, state
            assert decision.allowed or decision.hint or "nobody may" in decision.reason, decision


@pytest.mark.parametrize("role", [Role.PLATFORM_ENGINEER, Role.AUDITOR, Role.DPO])
def test_who_administers_or_oversees_reads_no_data_and_no_log(role: Role) -> None:
    who = Principal(ANNE, Standing.ACTIVE, {FEDERATION: frozenset({role})})
    for level in (*Classification, None):
        assert not decide(who, Question(Action.DATASET_READ, NOW, HOME, "education.gold.pupils", level)).allowed
    assert not decide(who, Question(Action.RUN_LOGS, NOW, HOME)).allowed


@pytest.mark.parametrize("action", ["dataset.eat", "", "dataset.read ", "DATASET.READ", "*"])
def test_an_unknown_action_is_refused_to_everybody(action: str) -> None:
    everything = {place: frozenset(Role) for place in (HOME, FEDERATION, ELSEWHERE)}
    who = Principal(ANNE, Standing.ACTIVE, everything, emergencies={HOME: LATER})
    decision = decide(who, Question(action, NOW, HOME, "education.gold.pupils", has_grant=True))  # type: ignore[arg-type]
    assert not decision.allowed
    assert "unknown" in decision.reason


def test_a_refusal_does_not_tell_a_hidden_dataset_from_another() -> None:
    for holding, action in product(HOLDINGS, (Action.DATASET_FIND, Action.DATASET_DESCRIBE, Action.DATASET_READ)):
        hidden = [
            level
            for level in (*Classification, None)
            if not decide(holding.principal, Question(Action.DATASET_FIND, NOW, HOME, classification=level)).allowed
        ]
        told = {decide(holding.principal, Question(action, NOW, HOME, "education.gold.x", level)) for level in hidden}
        assert len(told) <= 1, (holding, action)
