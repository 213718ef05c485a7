"""access.decision: one decision for one of 10,000 people in 1,000 domains, ours beside Cedar with and without what it can keep."""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import cedarpy
from harness import machine, progress

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from cedar_oracle import POLICIES, Oracle, entity_of, kind_of, place_entities, request_of
from polyceph.core.model.access import FEDERATION, Action, Principal, Question, Role, RoleGrant, Standing
from polyceph.core.model.classification import Classification
from polyceph.core.model.domain import Domain
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.federation import Federation
from polyceph.core.model.person import Person
from polyceph.core.model.place import Place
from polyceph.core.policies.authorisation import decide
from polyceph.core.policies.restriction import restricted
from polyceph.core.policies.roles import roles_of

DOMAINS, PEOPLE, QUESTIONS = 1_000, 10_000, 100_000
CEDAR_QUESTIONS, UNCACHED = 5_000, 5
MOST_P99_MS = 1.0
NOW, TODAY = datetime(2026, 11, 29, 12, tzinfo=UTC), date(2026, 11, 29)
Asked = Sequence[tuple[Principal, Question]]


def federation(draw: random.Random) -> Federation:
    """Return 1,000 domains and 10,000 people: one owner and steward each, some 30 roles given by each domain, groups among them."""
    people = {f"p{number}": Person(f"p{number}", "", "") for number in range(PEOPLE)}
    names = list(people)
    domains = {}
    for number in range(DOMAINS):
        name = f"d{number}"
        roles = tuple(
            RoleGrant(role, name, frozenset(draw.sample(names, count)), frozenset({f"{name}-{role}"}))
            for role, count in ((Role.ENGINEER, 3), (Role.ANALYST, 7), (Role.CONSUMER, 15), (Role.VISITOR, 5))
        )
        owner, steward = draw.sample(names, 2)
        domains[name] = Domain(name, {}, owner, steward, None, "c", f"domains/{name}", Place(""), roles=roles)
    whole = tuple(
        RoleGrant(role, None, frozenset(draw.sample(names, 10))) for role in (Role.PLATFORM_ENGINEER, Role.DPO, Role.AUDITOR, Role.CONSUMER)
    )
    return Federation("bench", {}, ("en",), {}, {}, people, domains, Place(""), roles=whole)


def principals(made: Federation) -> list[Principal]:
    """Return everybody with her roles; a tenth is a service identity with scopes, a hundredth has emergency access somewhere."""
    found = []
    for number, person in enumerate(made.people):
        roles = roles_of(made, person=person, groups=(f"d{number % DOMAINS}-{Role.CONSUMER}",), today=TODAY)
        kind = ActorKind.SERVICE if number % 10 == 0 else ActorKind.PERSON
        scopes = frozenset({Action.RUN_LAUNCH, Action.RUN_VIEW, Action.DATASET_READ}) if kind is ActorKind.SERVICE else None
        emergencies = {f"d{number % DOMAINS}": NOW + timedelta(hours=1)} if number % 100 == 1 else {}
        found.append(Principal(Actor(kind, person), Standing.ACTIVE, roles, person, scopes=scopes, emergencies=emergencies))
    return found


def questions(draw: random.Random, people: Sequence[Principal], count: int) -> list[tuple[Principal, Question]]:
    """Return questions as doors ask them: half about a domain in which she holds something."""
    found = []
    for _ in range(count):
        who = draw.choice(people)
        own = [domain for domain in who.roles if domain != FEDERATION]
        domain = draw.choice(own) if own and draw.random() < 0.5 else f"d{draw.randrange(DOMAINS)}"
        level = draw.choice([None, *Classification])
        question = Question(draw.choice(list(Action)), NOW, domain, f"{domain}.gold.x", level, has_grant=draw.random() < 0.05)
        found.append((who, question))
    return found


def each(asked: Asked, answer: Callable[[Principal, Question], bool]) -> tuple[list[bool], dict[str, float]]:
    """Return the answers, and what one takes: median, 99th percentile, most (milliseconds), and answers a second."""
    answers, taken = [], []
    clock = time.perf_counter_ns
    start = clock()
    for who, question in asked:
        before = clock()
        answers.append(answer(who, question))
        taken.append(clock() - before)
    seconds = (clock() - start) / 1e9
    taken.sort()
    figures = {"p50_ms": statistics.median(taken), "p99_ms": taken[int(len(taken) * 0.99)], "max_ms": taken[-1]}
    return answers, {name: round(value / 1e6, 5) for name, value in figures.items()} | {"per_s": round(len(taken) / seconds)}


def main() -> None:
    """Measure, compare the decisions, print the JSON line, end with 1 when ours is too slow or differs from Cedar's."""
    draw = random.Random(2026)
    progress(f"{DOMAINS:,} domains, {PEOPLE:,} people")
    made = federation(draw)
    before = time.perf_counter()
    roles_of(made, person="p0", groups=(), today=TODAY)
    first_ms = (time.perf_counter() - before) * 1000
    before = time.perf_counter()
    people = principals(made)
    roles_ms = (time.perf_counter() - before) / PEOPLE * 1000
    asked = questions(draw, people, QUESTIONS)
    answers, ours = each(asked, lambda who, question: decide(who, question).allowed)
    three = restricted({f"p{number}": decide for number in range(3)})
    _, with_policies = each(asked, lambda who, question: three(who, question).allowed)
    progress(f"ours: {ours}")
    few = asked[:CEDAR_QUESTIONS]
    policies = Oracle(()).policies
    entities = [*place_entities(made.domains), *(entity_of(who, who.actor.id) for who in people)]
    kept = cedarpy.Entities.from_json_str(json.dumps(entities))

    def cached(who: Principal, question: Question) -> bool:
        return cedarpy.is_authorized(request_of(who, question, who.actor.id), policies, kept).allowed

    def per_request(who: Principal, question: Question) -> bool:
        own = {domain for domain in who.roles if domain != FEDERATION} | {question.domain or "d0"}
        needed = [*place_entities(own), entity_of(who, who.actor.id)]
        return cedarpy.is_authorized(request_of(who, question, who.actor.id), policies, needed).allowed

    text = json.dumps(entities)

    def uncached(who: Principal, question: Question) -> bool:
        return cedarpy.is_authorized(request_of(who, question, who.actor.id), POLICIES, text).allowed

    cedar: dict[str, dict[str, float]] = {}
    differing = 0
    ways = (("kept", cached, CEDAR_QUESTIONS), ("per_request", per_request, CEDAR_QUESTIONS), ("nothing_kept", uncached, UNCACHED))
    for name, way, count in ways:
        said, cedar[name] = each(few[:count], way)
        differing += sum(one != other for one, other in zip(said, answers, strict=False))
        progress(f"cedar, {name}: {cedar[name]}")
    result = {
        "bench": "access.decision", "domains": DOMAINS, "people": PEOPLE, "questions": QUESTIONS, "allowed": sum(answers),
        **ours, "allowed_p99_ms": MOST_P99_MS, "with_three_policies": with_policies, "cedar": cedar,
        "cedar_questions": CEDAR_QUESTIONS, "differing": differing, "kinds": sorted({kind_of(who) for who in people}),
        "roles_of_first_ms": round(first_ms, 1), "roles_of_mean_ms": round(roles_ms, 4),
        "ratio_to_cedar_kept": round(ours["per_s"] / cedar["kept"]["per_s"], 1),
        "machine": machine(),
    }  # fmt: skip
    print(json.dumps(result))
    sys.exit(0 if ours["p99_ms"] <= MOST_P99_MS and not differing else 1)


if __name__ == "__main__":
    main()
