"""Evasions written by hand: the ways that people find past guards which look at the text of a request, for ten harmful requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway_evasions import Attempt
from gateway_matrix import arguments_of
from gateway_stand import OTHER, Stand

HARMFUL = {
    "launchRun": "mutation", "launchRunReexecution": "mutation", "terminateRun": "mutation", "startSensor": "mutation",
    "wipeAssets": "mutation", "launchPartitionBackfill": "mutation", "runOrError": "query", "logsForRun": "query",
    "sensorOrError": "query", "assetNodeOrError": "query",
}  # fmt: skip
"""What must not be answered about another domain, and its kind."""


@dataclass(frozen=True)
class Ask:
    """The parts of one harmful request."""

    name: str
    kind: str
    given: Mapping[str, tuple[str, Any]]

    @property
    def declared(self) -> str:
        return ", ".join(f"${one}: {kind}" for one, (kind, _) in self.given.items())

    @property
    def passed(self) -> str:
        return ", ".join(f"{one}: ${one}" for one in self.given)

    @property
    def field(self) -> str:
        return f"{self.name}({self.passed}) {{ __typename }}"

    @property
    def root(self) -> str:
        return self.kind.capitalize()

    @property
    def values(self) -> dict[str, Any]:
        return {one: value for one, (_, value) in self.given.items()}

    def body(self, text: str, **more: Any) -> dict[str, Any]:
        return {"query": text, "variables": self.values, **more}

    def whole(self, selection: str, after: str = "", name: str = "A") -> dict[str, Any]:
        return self.body(f"{self.kind} {name}({self.declared}) {{ {selection} }} {after}")


Trick = Callable[[Ask], Attempt]


def _text(make: Callable[[Ask], Any]) -> Trick:
    return lambda ask: Attempt(ask.name, body=make(ask))


def _raw(make: Callable[[Ask], bytes], **headers: str) -> Trick:
    return lambda ask: Attempt(ask.name, content=make(ask), headers=headers)


TRICKS: Mapping[str, Trick] = {
    "plain": _text(lambda a: a.whole(a.field)),
    "alias": _text(lambda a: a.whole(f"version: {a.field}")),
    "two aliases": _text(lambda a: a.whole(f"a: {a.field} b: {a.field}")),
    "forty aliases": _text(lambda a: a.whole(" ".join(f"a{i}: {a.field}" for i in range(40)))),
    "fragment": _text(lambda a: a.whole("...F", f"fragment F on {a.root} {{ {a.field} }}")),
    "fragments in fragments": _text(lambda a: a.whole("...F", f"fragment F on {a.root} {{ ...G }} fragment G on {a.root} {{ {a.field} }}")),
    "inline fragment": _text(lambda a: a.whole(f"... {{ ... on {a.root} {{ {a.field} }} }}")),
    "included": _text(lambda a: a.whole(f"... @include(if: true) {{ {a.field} }}")),
    "not skipped": _text(lambda a: a.whole(f"x: {a.name}({a.passed}) @skip(if: false) {{ __typename }}")),
    "operation name chooses": _text(
        lambda a: a.body(f"query Nice {{ version }} {a.kind} A({a.declared}) {{ {a.field} }}", operationName="A")
    ),
    "operation named like introspection": _text(lambda a: a.whole(a.field, name="IntrospectionQuery")),
    "after something harmless": _text(lambda a: a.whole(f"__typename {a.field}")),
    "among comments and commas": _text(lambda a: a.whole(f",,# {{ version }}\n{a.name},,({a.passed}),#\n{{,__typename,}}")),
    "byte order mark": _text(lambda a: a.body("\ufeff" + a.whole(a.field)["query"])),
    "variables as text": _text(lambda a: {**a.whole(a.field), "variables": json.dumps(a.values)}),
    "batch": _text(lambda a: [{"query": "{version}"}, a.whole(a.field)]),
    "by GET": lambda a: Attempt(
        a.name, method="GET", query={"query": a.whole(a.field)["query"], "variables": json.dumps(a.values), "operationName": "A"}
    ),
    "by GET that says it is POST": lambda a: Attempt(
        a.name, method="GET", query={"query": a.whole(a.field)["query"], "variables": json.dumps(a.values)},
        headers={"x-http-method-override": "POST", "accept": "application/json"},
    ),
    "harmless in the address, harm in the body": lambda a: Attempt(a.name, body=a.whole(a.field), query={"query": "{version}"}),
    "escaped letters": _raw(lambda a: json.dumps(a.whole(a.field)).replace("a", "\\u0061").encode()),
    "key twice": _raw(lambda a: (json.dumps({"query": "{version}"})[:-1] + ", " + json.dumps(a.whole(a.field))[1:]).encode()),
    "another type of content": _raw(lambda a: json.dumps(a.whole(a.field)).encode(), **{"content-type": "text/plain"}),
    "a form": _raw(lambda a: b"query=" + a.whole(a.field)["query"].encode(), **{"content-type": "application/x-www-form-urlencoded"}),
    "graphql as content": _raw(lambda a: a.whole(a.field)["query"].encode(), **{"content-type": "application/graphql"}),
    "headers that claim": lambda a: Attempt(
        a.name, body=a.whole(a.field),
        headers={"x-forwarded-user": "platform", "x-remote-user": "root", "x-polyceph-principal": "platform", "authorization": "Bearer x"},
    ),
    "UTF-16": _raw(lambda a: json.dumps(a.whole(a.field)).encode("utf-16")),
    "fields of one name merged": _text(lambda a: a.whole(f"{a.field} {a.field}")),
    "typename of the root beside it": _text(lambda a: a.whole(f"a: __typename {a.field} b: __typename")),
}  # fmt: skip
"""Twenty-eight ways for each of the ten requests."""


def by_hand(stand: Stand) -> Iterator[tuple[str, Attempt]]:
    """Yield every evasion with what it is."""
    for name, kind in HARMFUL.items():
        ask = Ask(name, kind, arguments_of(stand, name, OTHER))
        for said, trick in TRICKS.items():
            yield f"{name}: {said}", trick(ask)
