"""What holds of decisions whatever the roles: nothing is allowed by default, and less never allows more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from polyceph.core.model.access import FEDERATION, Action, Principal, Question, Role, Standing
from polyceph.core.model.classification import Classification
from polyceph.core.model.decision import Decision
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.policies.authorisation import decide
from polyceph.core.policies.restriction import restricted

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
DOMAINS = ("education", "culture", "health")
MOMENTS = st.sampled_from([NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)])
ROLES = st.dictionaries(st.sampled_from([*DOMAINS, FEDERATION]), st.frozensets(st.sampled_from(list(Role)), max_size=3), max_size=4)
PRINCIPALS = st.builds(
    Principal,
    st.builds(Actor, st.sampled_from(list(ActorKind)), st.sampled_from(["anne", "robot"]), st.sampled_from([None, "anne", "marc"])),
    st.sampled_from([Standing.ACTIVE] * 5 + list(Standing)),
    ROLES,
    st.sampled_from([None, "anne", "marc"]),
    scopes=st.none() | st.none() | st.frozensets(st.sampled_from(list(Action))),
    emergencies=st.dictionaries(st.sampled_from(DOMAINS), MOMENTS, max_size=2),
)
QUESTIONS = st.builds(
    Question,
    st.sampled_from(list(Action)),
    st.just(NOW),
    st.sampled_from([None, *DOMAINS]),
    st.sampled_from([None, "education.gold.pupils"]),
    st.sampled_from([None, *Classification]),
    st.sampled_from([None, None, "anne", "marc"]),
    st.booleans(),
    st.none() | MOMENTS,
    st.sampled_from([None, None, "anne", "marc"]),
    st.sampled_from([None, None, "anne", "marc"]),
)


def always(*strategies: st.SearchStrategy[object]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Hold a property on many questions; a busy machine may take its time over one."""
    return lambda holds: settings(deadline=None, max_examples=300)(given(*strategies)(holds))


def allowed(who: Principal, question: Question) -> bool:
    return decide(who, question).allowed


@always(PRINCIPALS, QUESTIONS)
def test_without_role_grant_and_emergency_everything_is_refused(who: Principal, question: Question) -> None:
    assert not allowed(replace(who, roles={}, emergencies={}), replace(question, has_grant=False, dataset_owner=None, dataset_steward=None))


@always(PRINCIPALS, QUESTIONS, st.sampled_from([standing for standing in Standing if standing is not Standing.ACTIVE]))
def test_whoever_is_not_active_is_refused(who: Principal, question: Question, standing: Standing) -> None:
    assert not allowed(replace(who, standing=standing), question)


@always(PRINCIPALS, QUESTIONS, st.data())
def test_a_role_taken_away_never_widens(who: Principal, question: Question, data: st.DataObject) -> None:
    assume(who.roles)
    where = data.draw(st.sampled_from(sorted(who.roles)))
    fewer = {**who.roles, where: frozenset(data.draw(st.frozensets(st.sampled_from(list(Role))))) & who.roles[where]}
    assert allowed(who, question) or not allowed(replace(who, roles=fewer), question)


@always(PRINCIPALS, QUESTIONS)
def test_what_two_roles_allow_one_of_them_allows(who: Principal, question: Question) -> None:
    each = [{where: frozenset({role})} for where, held in who.roles.items() for role in held]
    assert allowed(who, question) == any(allowed(replace(who, roles=one), question) for one in [{}, *each])


@always(PRINCIPALS, QUESTIONS)
def test_emergency_access_that_has_ended_allows_nothing(who: Principal, question: Question) -> None:
    ended = {domain: min(until, NOW) for domain, until in who.emergencies.items()}
    assert decide(replace(who, emergencies=ended), question).allowed == decide(replace(who, emergencies={}), question).allowed


@always(PRINCIPALS, QUESTIONS)
def test_a_grant_that_has_ended_allows_nothing(who: Principal, question: Question) -> None:
    ended = replace(question, has_grant=True, grant_until=min(question.grant_until or NOW, NOW))
    assert allowed(who, ended) == allowed(who, replace(question, has_grant=False, grant_until=None))


@always(PRINCIPALS, QUESTIONS, st.frozensets(st.sampled_from(list(Action))))
def test_scopes_never_widen(who: Principal, question: Question, scopes: frozenset[Action]) -> None:
    free = replace(who, scopes=None)
    assert allowed(free, question) or not allowed(replace(who, scopes=scopes), question)


@always(PRINCIPALS, QUESTIONS, st.sampled_from(Classification), st.sampled_from(Classification))
def test_a_higher_classification_never_widens(who: Principal, question: Question, one: Classification, other: Classification) -> None:
    low, high = sorted((one, other), key=lambda level: level.rank)
    assert allowed(who, replace(question, classification=low)) or not allowed(who, replace(question, classification=high))


@always(PRINCIPALS, QUESTIONS)
def test_a_dataset_is_asked_about_in_its_own_domain_alone(who: Principal, question: Question) -> None:
    elsewhere = replace(question, dataset="sport.gold.matches", has_grant=True)
    assert not allowed(who, elsewhere)


@always(PRINCIPALS, QUESTIONS)
def test_whoever_answers_for_one_dataset_answers_for_no_other(who: Principal, question: Question) -> None:
    nobodys = replace(question, dataset_owner=None, dataset_steward=None)
    if allowed(who, question) and not allowed(who, nobodys):
        assert who.person in (question.dataset_owner, question.dataset_steward)
        assert question.dataset is not None


@always(PRINCIPALS, QUESTIONS)
def test_nobody_decides_what_she_asked_for(who: Principal, question: Question) -> None:
    for asker in {who.person, who.actor.id, who.actor.on_behalf_of} - {None}:
        assert not allowed(who, replace(question, requested_by=asker))


@always(PRINCIPALS, QUESTIONS, st.lists(st.booleans(), max_size=4))
def test_adding_a_policy_never_widens(who: Principal, question: Question, verdicts: list[bool]) -> None:
    policies = {f"p{number}": (lambda _w, _q, verdict=verdict: Decision(verdict, "", "")) for number, verdict in enumerate(verdicts)}
    outcomes = [restricted(dict(list(policies.items())[:count]))(who, question).allowed for count in range(len(policies) + 1)]
    assert outcomes[0] == allowed(who, question)
    assert outcomes == sorted(outcomes, reverse=True)
    assert outcomes[-1] == (allowed(who, question) and all(verdicts))


ANNE = Principal(Actor(ActorKind.PERSON, "anne"), Standing.ACTIVE, {"education": frozenset({Role.ENGINEER})})
LAUNCH = Question(Action.RUN_LAUNCH, NOW, "education")


def broken(_who: Principal, _question: Question) -> Decision:
    raise ValueError("canary")


def silent(_who: Principal, _question: Question) -> Decision:
    return None  # type: ignore[return-value]


def test_a_policy_that_breaks_or_says_nothing_refuses() -> None:
    for policy in (broken, silent):
        decision = restricted({"freeze": policy})(ANNE, LAUNCH)
        assert not decision.allowed
        assert decision.policy == "freeze"
        assert "canary" not in decision.reason


def test_a_policy_is_named_in_its_refusal() -> None:
    decision = restricted({"freeze": lambda _w, _q: Decision(False, "", "no launches during the audit", hint="wait")})(ANNE, LAUNCH)
    assert (decision.policy, decision.reason, decision.hint) == ("freeze", "no launches during the audit", "wait")


def test_a_policy_is_not_asked_about_what_the_table_refuses() -> None:
    asked: list[Question] = []

    def policy(_who: Principal, question: Question) -> Decision:
        asked.append(question)
        return Decision(True, "", "")

    roles: Mapping[str, frozenset[Role]] = {}
    assert not restricted({"nosy": policy})(replace(ANNE, roles=roles), LAUNCH).allowed
    assert asked == []
    assert restricted({"nosy": policy})(ANNE, LAUNCH).allowed
    assert asked == [LAUNCH]
