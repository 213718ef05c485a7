"""Several domains run in order: what ends, what nobody answers for, and what is recorded of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.domain import Domain
from polyceph.core.model.federation import Federation
from polyceph.core.model.place import Place
from polyceph.core.ports import RunOutcome, SeenRun
from polyceph.core.usecases.runs import REQUEST_TAG
from polyceph.errors import Invalid, PolycephError, Unavailable
from polyceph.orchestrate.runs import Recorded, execute, plan

PLACE = Place("federation.yaml")


@dataclass
class PlayedLauncher:
    """A launcher whose answers about a run are given: an error is raised, the last answer stays."""

    answers: dict[str, list[RunOutcome | PolycephError | None]]
    refuses: PolycephError | None = None
    tags: list[Mapping[str, str]] = field(default_factory=list)

    def launch(self, domain: str, datasets: tuple[DatasetId, ...], tags: Mapping[str, str]) -> str:
        self.tags.append(tags)
        if self.refuses:
            raise self.refuses
        return domain

    def progress(self, run: str) -> tuple[int, int]:
        return 0, 1

    def outcome(self, run: str) -> RunOutcome | None:
        answers = self.answers[run]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, PolycephError):
            raise answer
        return answer

    def updated_runs(self, since: datetime | None) -> tuple[SeenRun, ...]:
        return ()


@dataclass
class Book:
    """Keeps the order of what it is told."""

    told: list[tuple[str, ...]] = field(default_factory=list)
    refuses: PolycephError | None = None

    def request_run(self, domain: str, datasets: tuple[DatasetId, ...]) -> str:
        if self.refuses:
            raise self.refuses
        self.told.append(("requested", domain))
        return f"q-{domain}"

    def launch_run(self, request: str, run: str) -> None:
        self.told.append(("launched", request, run))

    def finish_run(self, request: str, outcome: RunOutcome) -> None:
        self.told.append(("finished", request, outcome.status))


def federation(**consumes: str) -> Federation:
    wanted = {name: (DatasetId(other, Zone.GOLD, "x"),) if other else () for name, other in consumes.items()}
    domains = {
        name: Domain(name, {}, "anne", "marc", None, "stewards", f"domains/{name}", PLACE, consumes=consumed)
        for name, consumed in wanted.items()
    }
    return Federation("demo", {}, ("en",), {}, {}, {}, domains, PLACE)


def success(domain: str) -> RunOutcome:
    return RunOutcome(domain, domain, "SUCCESS", 1.0)


def ran(launcher: PlayedLauncher, book: Book, *domains: str, patience_s: float = 60) -> dict[str, str]:
    what = plan(federation(**dict.fromkeys(domains, "")), ())
    outcomes = execute(Recorded(launcher, book), what, tags={}, heard=lambda domain, news: None, patience_s=patience_s)
    return {one.domain: one.status for one in outcomes}


def test_a_circle_is_refused_before_anything_runs() -> None:
    with pytest.raises(Invalid, match=r"circle: (a → b → a|b → a → b)"):
        plan(federation(a="b", b="a", c=""), ())
    assert plan(federation(a="b", b="a", c=""), ("a", "c")).after == {"a": frozenset(), "c": frozenset()}


def test_a_moment_without_an_answer_loses_no_result() -> None:
    gone = Unavailable("nobody answers")
    launcher = PlayedLauncher({"a": [gone, None, gone, success("a")], "b": [success("b")]})
    assert ran(launcher, Book(), "a", "b") == {"a": "SUCCESS", "b": "SUCCESS"}


def test_what_is_known_is_returned_when_nobody_answers_for_long() -> None:
    launcher = PlayedLauncher({"a": [Unavailable("nobody answers")], "b": [success("b")]})
    assert ran(launcher, Book(), "a", "b", patience_s=0) == {"a": "UNKNOWN", "b": "SUCCESS"}


def test_a_request_is_recorded_before_its_run_is_launched_and_the_run_names_it() -> None:
    launcher, book = PlayedLauncher({"a": [success("a")]}), Book()
    ran(launcher, book, "a")
    assert launcher.tags == [{REQUEST_TAG: "q-a"}]
    assert book.told == [("requested", "a"), ("launched", "q-a", "a"), ("finished", "q-a", "SUCCESS")]


def test_what_cannot_be_recorded_is_not_launched() -> None:
    launcher = PlayedLauncher({})
    assert ran(launcher, Book(refuses=Unavailable("the store does not answer")), "a") == {"a": "FAILURE"}
    assert launcher.tags == []


def test_a_refused_launch_closes_its_request_and_an_unanswered_one_leaves_it_open() -> None:
    refused, unanswered = Book(), Book()
    ran(PlayedLauncher({}, Invalid("no such job")), refused, "a")
    ran(PlayedLauncher({}, Unavailable("no answer")), unanswered, "a")
    assert refused.told == [("requested", "a"), ("finished", "q-a", "FAILURE")]
    assert unanswered.told == [("requested", "a")]
