"""Policies of a federation come by entry point: installed they refuse, and one that cannot load stops the start."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from polyceph import sdk
from polyceph.bootstrap.deciding import decider, informed_decider
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.federation import Federation
from polyceph.core.model.place import Place
from polyceph.core.policies.authorisation import decide
from polyceph.errors import Misconfigured

NOW = datetime(2026, 12, 1, tzinfo=UTC)
ANNE = sdk.Principal(Actor(ActorKind.PERSON, "anne"), sdk.Standing.ACTIVE, {"education": frozenset({sdk.Role.OWNER})}, "anne")
WIPE = sdk.Question(sdk.Action.DATASET_WIPE, NOW, "education", "education.gold.pupils")
RULES = """
from polyceph.sdk import Action, Decision, Principal, Question


def no_wipe_in_december(who: Principal, question: Question) -> Decision:
    is_frozen = question.action is Action.DATASET_WIPE and question.now.month == 12
    return Decision(not is_frozen, "", "nothing is wiped while the accounts of the year are closed", hint="wait until January")


number = 7
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def make(target: str) -> None:
        (tmp_path / "our_rules.py").write_text(RULES)
        about = tmp_path / "our_rules-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: our-rules\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text(f"[polyceph.policies]\ndecember = our_rules:{target}\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        importlib.invalidate_caches()

    return make


def test_without_policies_the_table_alone_decides() -> None:
    assert decider() is decide


def test_an_installed_policy_refuses_under_its_name(install) -> None:
    install("no_wipe_in_december")
    decision = decider()(ANNE, WIPE)
    assert (decision.allowed, decision.policy, decision.hint) == (False, "december", "wait until January")
    assert decide(ANNE, WIPE).allowed
    assert decider()(ANNE, sdk.Question(sdk.Action.DATASET_WIPE, NOW.replace(month=11), "education")).allowed


def test_a_policy_is_asked_with_what_is_declared(install) -> None:
    install("no_wipe_in_december")
    federation = Federation("demo", {}, ("en",), {}, {}, {}, {}, Place("x"))
    assert informed_decider(lambda: federation)(ANNE, WIPE).policy == "december"


@pytest.mark.parametrize(("target", "words"), [("nothing", "december"), ("number", "no function")])
def test_a_policy_that_cannot_be_asked_stops_the_start(install, target: str, words: str) -> None:
    install(target)
    with pytest.raises(Misconfigured, match=words):
        decider()
