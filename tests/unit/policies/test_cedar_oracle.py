"""The table in the code and the same table written by hand in Cedar decide alike: each role alone, and thousands of random questions."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
from cedar_oracle import Oracle
from polyceph.core.model.access import FEDERATION, Action, Principal, Question, Role, Standing
from polyceph.core.model.classification import Classification
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.policies import authorisation
from polyceph.core.policies.authorisation import decide
from polyceph.core.policies.rights import DATASET_RIGHTS, RIGHTS, Right, right_of

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
DOMAINS = ("education", "culture", "health")
LEVELS = (None, *Classification)
RANDOM = 20_000
Asked = list[tuple[Principal, Question]]


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle(DOMAINS)


def some(draw: random.Random) -> Iterator[tuple[Principal, Question]]:
    """Yield random principals with random questions: mostly active, with up to two roles at some places, in every state there is."""

    def moment() -> datetime:
        return NOW + timedelta(seconds=draw.choice([-1, 0, 1]))

    while True:
        roles = {place: frozenset(draw.sample(list(Role), draw.choice([1, 2]))) for place in (*DOMAINS, FEDERATION) if draw.random() < 0.4}
        who = Principal(
            Actor(draw.choice([*ActorKind, *[ActorKind.PERSON] * 4]), draw.choice(["anne", "robot"]), draw.choice([None, "anne", "marc"])),
            draw.choice([*[Standing.ACTIVE] * 9, *Standing]),
            roles,
            draw.choice([None, "anne", "marc"]),
            scopes=frozenset(draw.sample(list(Action), 12)) if draw.random() < 0.2 else None,
            emergencies={domain: moment() for domain in DOMAINS if draw.random() < 0.2},
        )
        action, domain = draw.choice(list(Action)), draw.choice([None, *DOMAINS * 2])
        dataset = f"{domain}.gold.x" if domain is not None and draw.random() < 0.7 else None
        asker, until = draw.choice([*[None] * 6, "anne", "marc", "robot"]), draw.choice([None, moment()])
        owner, steward = draw.choice([None, None, "anne", "marc"]), draw.choice([None, None, "anne", "marc"])
        yield who, Question(action, NOW, domain, dataset, draw.choice(LEVELS), asker, draw.random() < 0.3, until, owner, steward)


def single_roles() -> Asked:
    """Return every action on every classification, asked with each role at each place."""
    actor = Actor(ActorKind.PERSON, "anne")
    return [
        (Principal(actor, Standing.ACTIVE, {place: frozenset({role})}), Question(action, NOW, "education", "education.gold.x", level))
        for action, level, role, place in product(Action, LEVELS, Role, ("education", "culture", FEDERATION))
    ]


def differing(asked: Asked, said: list[bool]) -> list[tuple[Principal, Question, bool]]:
    return [(who, question, yes) for (who, question), yes in zip(asked, said, strict=True) if decide(who, question).allowed is not yes]


def test_each_role_alone_is_decided_alike(oracle: Oracle, capsys: pytest.CaptureFixture[str]) -> None:
    asked = single_roles()
    said = oracle.allows(asked)
    assert differing(asked, said) == []
    with capsys.disabled():
        sys.stdout.write(f"\nCedar agrees on {len(asked):,} questions of one role, {sum(said):,} of them allowed\n")


def test_random_questions_are_decided_alike(oracle: Oracle, capsys: pytest.CaptureFixture[str]) -> None:
    stream = some(random.Random(2026))
    asked = [next(stream) for _ in range(RANDOM)]
    said = oracle.allows(asked)
    assert differing(asked, said)[:3] == []
    assert 0.05 < sum(said) / RANDOM < 0.95
    with capsys.disabled():
        sys.stdout.write(f"\nCedar agrees on {RANDOM:,} random questions, {sum(said):,} of them allowed\n")


def mutants() -> Iterator[tuple[Action, Classification | None, Right]]:
    """Yield the table with one role added to or taken from one place of one row."""
    for action in Action:
        for level in DATASET_RIGHTS.get(action, (None,)):
            right = right_of(action, level)
            for place, role in product(("own", "other", "federation"), Role):
                places = {name: getattr(right, name) for name in ("own", "other", "federation")}
                yield action, level, Right(**{**places, place: places[place] ^ {role}})


def test_every_change_of_one_role_in_one_place_is_caught(
    oracle: Oracle, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = single_roles()
    said = dict(zip(range(len(asked)), oracle.allows(asked), strict=True))
    of_row: dict[tuple[Action, Classification | None], list[int]] = {}
    for number, (_, question) in enumerate(asked):
        level = question.classification if question.action in DATASET_RIGHTS else None
        of_row.setdefault((question.action, level), []).append(number)
    missed, count = [], 0
    for action, level, right in mutants():
        monkeypatch.setattr(authorisation, "right_of", lambda *_, right=right: right)
        count += 1
        if not any(decide(*asked[number]).allowed is not said[number] for number in of_row[action, level]):
            missed.append((action, level, right))
    monkeypatch.undo()
    assert missed == []
    assert count == (len(RIGHTS) + 5 * len(DATASET_RIGHTS)) * 3 * len(Role)
    with capsys.disabled():
        sys.stdout.write(f"\n{count:,} changed tables, all caught\n")
