"""Requests that try to reach another domain: 200 written by hand, and as many as one wants made by chance from a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway_matrix import arguments_of, fields
from gateway_stand import CANARY, OTHER, OWN, Stand

from polyceph.gateway.fields import Answer


@dataclass(frozen=True)
class Attempt:
    """One request as it is sent; `harm` is the field that must not be answered about the other domain."""

    harm: str
    body: Any = None
    method: str = "POST"
    query: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    content: bytes | None = None

    def sent(self) -> dict[str, Any]:
        """Return the arguments of the request."""
        headers = {"content-type": "application/json", **(self.headers or {})}
        if self.method == "GET":
            return {"params": dict(self.query or {}), "headers": dict(self.headers or {})}
        raw = self.content if self.content is not None else json.dumps(self.body).encode()
        return {"content": raw, "headers": headers, "params": dict(self.query or {})}


TARGETS = tuple(name for kind, name, rule in fields() if kind != "subscription" and (kind == "mutation" or rule.answer is Answer.REFUSED)
                and name not in {"version", "scheduler", "permissions", "canBulkTerminate", "shouldShowNux"})  # fmt: skip
"""Every field that somebody without the right is refused."""
_KINDS = {name: kind for kind, name, _ in fields() if kind != "subscription"}
_NO_SELECTION = frozenset({
    "setNuxSeen", "setAutoMaterializePaused", "setConcurrencyLimit", "deleteConcurrencyLimit", "freeConcurrencySlotsForRun",
    "freeConcurrencySlots", "truePartitionsForAutomationConditionEvaluationNode",
})  # fmt: skip


_BELOW = ("{__typename}", "{a: __typename b: __typename}", "{... {__typename}}", "{__typename @include(if: true)}")
_CLAIMS = {"x-http-method-override": "GET", "x-forwarded-user": "platform", "x-polyceph-principal": "x"}


@dataclass
class Made:
    """Builds one request about the other domain, in the way that chance chose."""

    stand: Stand
    chance: random.Random

    def attempt(self) -> Attempt:
        """Return the next attempt."""
        name = self.chance.choice(TARGETS)
        kind = _KINDS[name]
        text, variables = self._operation(name, kind)
        return self._sent(name, text, variables)

    def _operation(self, name: str, kind: str) -> tuple[str, dict[str, Any]]:
        chance = self.chance
        arguments = arguments_of(self.stand, name, OTHER)
        declared, passed, variables = self._arguments(arguments)
        below = "" if name in _NO_SELECTION else self._below()
        field = f"{self._alias()}{name}{passed}{self._directive(declared, variables)}{below}"
        fields_ = [field]
        if chance.random() < 0.3:
            fields_.append(self._harmless(kind))
        if chance.random() < 0.2:
            fields_.append(f"again{chance.randrange(9)}: {name}{passed}{below}")
        if chance.random() < 0.15:
            fields_.insert(0, field)
        chance.shuffle(fields_)
        selection, fragments = self._wrapped(" ".join(fields_), kind.capitalize())
        title = chance.choice(["", "Ask", "IntrospectionQuery", "_"]) or ("Named" if declared else "")
        head = f"{kind} {title}{f'({chr(44).join(declared)})' if declared else ''}"
        return f"{head} {{ {selection} }} {fragments}", variables

    def _arguments(self, arguments: Mapping[str, tuple[str, Any]]) -> tuple[list[str], str, dict[str, Any]]:
        declared: list[str] = []
        variables: dict[str, Any] = {}
        parts = []
        for number, (name, (kind, value)) in enumerate(arguments.items()):
            way = self.chance.randrange(3)
            if way == 0 and kind.strip("!") != "RunsFeedView":
                parts.append(f"{name}: {self._literal(value, kind)}")
            elif way == 1 and kind.strip("!") != "RunsFeedView":
                declared.append(f"$d{number}: {kind.removesuffix('!')} = {self._literal(value, kind)}")
                if kind.endswith("!"):
                    declared[-1] = f"$d{number}: {kind} = {self._literal(value, kind)}"
                parts.append(f"{name}: $d{number}")
            else:
                declared.append(f"$v{number}: {kind}")
                variables[f"v{number}"] = value
                parts.append(f"{name}: $v{number}")
        return declared, f"({', '.join(parts)})" if parts else "", variables

    def _literal(self, value: Any, kind: str) -> str:
        if isinstance(value, dict):
            inner = [f"{key}: {self._literal(one, key)}" for key, one in value.items()]
            self.chance.shuffle(inner)
            return "{" + ", ".join(inner) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self._literal(one, kind) for one in value) + "]"
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str) and kind not in {"strategy", "eventType"}:
            return self._string(value)
        return str(value)

    def _string(self, text: str) -> str:
        if self.chance.random() < 0.4:
            return '"' + "".join(f"\\u{ord(one):04x}" if self.chance.random() < 0.3 else one for one in text) + '"'
        return f'"""{text}"""' if self.chance.random() < 0.2 else json.dumps(text)

    def _alias(self) -> str:
        chosen = self.chance.choice(["", "x: ", "version: ", "__x: ", "a1: ", "data: "])
        return chosen if self.chance.random() < 0.6 else ""

    def _below(self) -> str:
        return self.chance.choice(_BELOW)

    def _directive(self, declared: list[str], variables: dict[str, Any]) -> str:
        chosen = self.chance.randrange(5)
        if chosen == 0:
            return self.chance.choice([" @include(if: true)", " @skip(if: false)", " @include(if: true) @skip(if: false)"])
        if chosen == 1:
            declared.append("$yes: Boolean!" if self.chance.random() < 0.5 else "$yes: Boolean! = true")
            variables["yes"] = True
            return " @include(if: $yes)"
        return ""

    def _harmless(self, kind: str) -> str:
        return "__typename" if kind == "mutation" else self.chance.choice(["version", "__typename", "canBulkTerminate", "instance { id }"])

    def _wrapped(self, selection: str, root: str) -> tuple[str, str]:
        fragments = []
        for depth in range(self.chance.randrange(4)):
            if self.chance.random() < 0.5:
                selection = self.chance.choice(["... {", f"... on {root} {{", "... @include(if: true) {"]) + f" {selection} }}"
            else:
                fragments.append(f"fragment F{depth} on {root} {{ {selection} }}")
                selection = f"...F{depth}"
        self.chance.shuffle(fragments)
        return selection, " ".join(fragments)

    def _sent(self, name: str, text: str, variables: dict[str, Any]) -> Attempt:
        way = self.chance.randrange(20)
        body: dict[str, Any] = {"query": text, "variables": variables}
        if way == 0:
            return Attempt(name, method="GET", query={"query": text, "variables": json.dumps(variables)})
        if way == 1:
            return Attempt(name, body=[body])
        if way == 2:  # two operations, the harmful one is named
            operation = text.split("(", maxsplit=1)[0].split("{", maxsplit=1)[0].split()
            if len(operation) > 1:
                return Attempt(name, body={**body, "query": text + " query Harmless { version }", "operationName": operation[1]})
        if way == 3:
            return Attempt(name, body={**body, "variables": json.dumps(variables)})
        if way == 4:
            return Attempt(name, body={**body, "extensions": {"persistedQuery": {"version": 1}}, "operation_name": "x"})
        if way == 5:
            escaped = json.dumps(body).replace("l", "\\u006c")
            return Attempt(name, content=escaped.encode())
        if way == 6:
            return Attempt(name, body=body, query={"query": "{version}", "operationName": "Other"})
        if way == 7:
            return Attempt(name, body=body, headers=_CLAIMS)
        return Attempt(name, body=body)


def generated(stand: Stand, number: int, seed: int = 20) -> Iterator[Attempt]:
    """Yield attempts made by chance; the same seed makes the same."""
    made = Made(stand, random.Random(seed))
    for _ in range(number):
        yield made.attempt()


def escaped(stand: Stand, attempt: Attempt, answer: Any, before: int) -> str | None:
    """Return how an attempt got through, None when it did not: data about the other domain, or a change that was let through."""
    text = answer.text
    if CANARY in text:
        return f"the canary is in the answer to {attempt.harm}"
    allowed = [one for one in stand.journal.events[before:] if one.action == "change.asked" and one.allowed and one.domain != OWN]
    if allowed:
        return f"{attempt.harm} was allowed in {allowed[0].domain}"
    if _KINDS.get(attempt.harm) != "query" or answer.status_code != 200:
        return None
    body = answer.json()
    refused = any(one.get("extensions", {}).get("code") == "FORBIDDEN" for one in body.get("errors") or ())
    said = json.dumps(body.get("data") or {})
    return None if refused or "UnauthorizedError" in said else f"{attempt.harm} was answered: {said[:200]}"
