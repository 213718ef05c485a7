"""Asks every cell of the gateway's matrix and writes what came out as the table that people review."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway_matrix import STATES, fields, path_for, principal, request_of, routes
from gateway_selections import schema_of
from gateway_stand import Stand, person
from graphql import get_named_type, is_leaf_type

from polyceph.core.model.access import FEDERATION, Principal, Role
from polyceph.gateway.fields import Answer, Rule
from polyceph.gateway.sight import Sight
from polyceph.gateway.subjects import Facts
from polyceph.gateway.verdicts import judge

TABLE = Path(__file__).parent / "matrix.txt"
_NEEDS_EVALUATION = frozenset({"truePartitionsForAutomationConditionEvaluationNode", "assetConditionEvaluationForPartition"})
"""Dagster itself fails when there is no evaluation of the number: the door let it through all the same."""
_HEAD = """# Who may do what at Dagster's doors, asked cell by cell; `make test` compares it with what the gateway answers.
# A line: kind and name, then by state the roles that are answered. Everybody else is refused.
# own: the role is held in the domain that is asked about. other: it is held in another one. none: no role. expired: signed out.
# federation: the role is held for the federation. A `~` means answered with less: what is not hers to see is left out.
"""


def outcomes(stand: Stand) -> Iterator[tuple[str, str, str, Role, str]]:
    """Yield every cell: kind, name, state, role, and `yes`, `less` or `no`."""
    schema = schema_of(stand)
    roots = {"mutation": schema.mutation_type, "query": schema.query_type, "subscription": schema.subscription_type}
    for kind, name, rule in fields():
        root = roots[kind]
        assert root
        leaf = is_leaf_type(get_named_type(root.fields[name].type))
        for state in (*STATES, "federation"):
            for role in Role:
                yield kind, name, state, role, _field(stand, kind, name, rule, leaf=leaf, state=state, role=role)
    for method, route in routes():
        for state in (*STATES, "federation"):
            for role in Role:
                answer = stand.ask(_who(role, state), method, path_for(stand, route), headers={"accept": "*/*"})
                assert answer.status_code < 500, (route, answer.status_code)
                yield "route", f"{method} {route}", state, role, "yes" if answer.status_code < 400 else "no"


def _who(role: Role, state: str) -> Principal:
    return person(f"{role} {state}", {FEDERATION: role}) if state == "federation" else principal(role, state)


def _field(stand: Stand, kind: str, name: str, rule: Rule, *, leaf: bool, state: str, role: Role) -> str:
    who = _who(role, state)
    request = request_of(stand, kind, name, leaf=leaf)
    if kind == "mutation" and state == "federation":
        return _judged(stand, name, rule, who, request)
    if kind == "subscription":
        return _said(stand.subscribed(who, request), rule)
    answer = stand.ask(who, "POST", "/dagster/graphql", json=request)
    if answer.status_code in {401, 403}:
        return "no"
    assert answer.status_code == 200, (name, answer.text)
    body = answer.json()
    codes = {one["extensions"]["code"] for one in body.get("errors") or ()}
    found = (body.get("data") or {}).get(name)
    if "FORBIDDEN" in codes or (isinstance(found, dict) and found.get("__typename") == "UnauthorizedError"):
        return "no"
    assert not codes or (name in _NEEDS_EVALUATION and codes == {"INTERNAL"}), (name, who, body)
    return _word(rule)


def _judged(stand: Stand, name: str, rule: Rule, who: Principal, request: Mapping[str, Any]) -> str:
    """Return the verdict without acting on it: a right for the federation may stop the servers of the stand."""
    context = stand.app.context
    whole = context.get_current_workspace()
    sight = Sight(context.doors, who, whole.code_location_entries)
    verdict = judge(rule, request["variables"], sight, Facts(whole, stand.instance, context.instigators(whole)))
    return "yes" if verdict.allowed else "no"


def _said(message: Mapping[str, Any], rule: Rule) -> str:
    if message["type"] == "closed":
        return "no"
    errors = message.get("payload", {}).get("errors") or ([message["payload"]] if message["type"] == "error" else [])
    if any(one.get("extensions", {}).get("code") == "FORBIDDEN" for one in errors):
        return "no"
    assert not errors or message["id"] == "2", message
    return _word(rule)


def _word(rule: Rule) -> str:
    return "less" if rule.answer is Answer.LESS else "yes"


def table(found: Iterator[tuple[str, str, str, Role, str]]) -> tuple[str, int]:
    """Return the cells as the lines of the table, and their number."""
    lines: dict[str, dict[str, list[str]]] = {}
    number = 0
    for kind, name, state, role, outcome in found:
        number += 1
        roles = lines.setdefault(f"{kind} {name}", {}).setdefault(state, [])
        if outcome != "no":
            roles.append(("~" if outcome == "less" else "") + str(role).replace(" ", "_"))
    said = [f"{name} | " + " | ".join(f"{state}: {_roles(roles)}" for state, roles in by.items()) for name, by in lines.items()]
    return _HEAD + "\n".join(said) + "\n", number


def _roles(roles: list[str]) -> str:
    if len(roles) == len(Role):
        return "~everybody" if roles[0].startswith("~") else "everybody"
    return " ".join(roles) or "nobody"


if __name__ == "__main__":
    import tempfile

    sys.path.insert(0, str(Path(__file__).parent))
    from gateway_planted import plant
    from gateway_stand import standing

    with tempfile.TemporaryDirectory() as folder, standing(Path(folder)) as stood:
        plant(stood)
        text, cells = table(outcomes(stood))
    TABLE.write_text(text)
    print(f"{cells} cells written at {datetime.now(UTC):%H:%M}: review {TABLE}", file=sys.stderr)  # noqa: T201
