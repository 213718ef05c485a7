"""Reads the limits that a contract sets to the values of a column: `logicalTypeOptions`, and `invalidValues` under `quality`."""

from __future__ import annotations

from collections.abc import Iterator

from polyceph.core.model.contract import ValueRule
from polyceph.core.policies.value_rules import list_rule, rules_of
from polyceph.declarations.findings import Findings
from polyceph.declarations.positions import Document


def column_rules(document: Document, path: tuple[str | int, ...], *, name: str, findings: Findings) -> tuple[ValueRule, ...]:
    """Return the rules of the column at `path`; what makes no sense goes to the findings."""
    logical = str(document.get(*path, "logicalType"))
    options = document.get(*path, "logicalTypeOptions")
    rules, refused = rules_of(options if isinstance(options, dict) else {}, logical, column=name)
    for option, decision in refused:
        where = (*path, "logicalTypeOptions", option)
        findings.refuse(decision, document.place(*where), value=document.written(*where))
    for where in _lists(document, path):
        values = document.get(*where)
        rule, decision = list_rule(values if isinstance(values, list) else [], logical, column=name)
        if findings.refuse(decision, document.place(*where)) and rule is not None:
            rules.append(rule)
    return tuple(rules)


def _lists(document: Document, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield where lists of good values stand: a check `invalidValues` that tolerates none."""
    checks = document.get(*path, "quality")
    for number, check in enumerate(checks if isinstance(checks, list) else []):
        if isinstance(check, dict) and check.get("metric") == "invalidValues" and check.get("mustBe") == 0:
            arguments = check.get("arguments")
            if isinstance(arguments, dict) and "validValues" in arguments:
                yield (*path, "quality", number, "arguments", "validValues")
