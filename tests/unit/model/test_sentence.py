"""A sentence is plain English text that remembers its pattern, through everything that is done with refusals."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import replace

import pytest

from polyceph.core.model.access import Role
from polyceph.core.model.decision import Decision
from polyceph.core.model.sentence import Sentence, both, either, listed, places, said, together
from polyceph.errors import Denied

REASON = said("{who} needs the role {role}", who="anne", role=Role.STEWARD)
REFUSED = Decision(False, "role", REASON, hint=said("ask {person!r}", person="eva"))


def test_it_is_plain_text_everywhere() -> None:
    assert REASON == "anne needs the role steward"
    assert hash(REASON) == hash("anne needs the role steward")
    assert json.dumps({"reason": REASON}) == '{"reason": "anne needs the role steward"}'
    assert type(f"{REASON}") is str
    assert REFUSED.hint == "ask 'eva'"


def test_decisions_and_errors_keep_it() -> None:
    error = Denied(REFUSED.reason, hint=REFUSED.hint)
    assert error.message is REASON
    assert error.hint is REFUSED.hint
    assert replace(REFUSED, policy="another").reason is REASON
    assert str(error) == "anne needs the role steward\n  ask 'eva'"


def test_a_copy_remembers_as_much() -> None:
    for one in (copy.copy(REASON), copy.deepcopy(REASON), pickle.loads(pickle.dumps(REASON))):  # noqa: S301  our own bytes
        assert (one, one.pattern, dict(one.values)) == (REASON, REASON.pattern, {"who": "anne", "role": Role.STEWARD})


def test_what_stands_in_a_place_is_never_read_as_a_pattern() -> None:
    assert said("{outer}", outer=said("{name}", name="{x} %(y)s {0.__class__}")) == "{x} %(y)s {0.__class__}"


def test_a_place_without_a_value_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        said("{who} is here")


def test_words_are_joined_as_people_join_them() -> None:
    assert (listed([]), listed(["a"]), listed(["a", "b", "c"])) == ("", "a", "a, b, c")
    assert (either(["a"]), either(["a", "b"]), either(["a", "b", "c"])) == ("a", "a or b", "a, b or c")
    assert (both(["a"]), both(["a", "b"]), both(["a", "b", "c"])) == ("a", "a and b", "a, b and c")
    assert together([said("a"), said("b"), said("c")]) == "a; b; c"
    assert isinstance(either([Role.OWNER, Role.DPO]), Sentence)


def test_places_are_known_by_their_names() -> None:
    assert places("{a} of {b!r} and {a}") == {"a", "b"}
    with pytest.raises(ValueError, match="'}'"):
        places("{a")
