"""Holds a contract file against the official JSON Schema of the Open Data Contract Standard, offline, with positions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs

from polyceph.core.model.decision import Decision
from polyceph.core.policies.nearest import did_you_mean, nearest
from polyceph.declarations.findings import Findings
from polyceph.declarations.positions import Document
from polyceph.declarations.shapes import quoting_advice

_JSON_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list (lines that start with -)",
    "object": "keys and values (key: value)",
    "null": "empty",
}


@cache
def official_schema_text() -> str:
    """Return the official JSON Schema as the wheel `open-data-contract-standard` ships it."""
    return files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8")


@cache
def official_schema() -> dict[str, Any]:
    """Return the official JSON Schema; do not change it."""
    schema: dict[str, Any] = json.loads(official_schema_text())
    return schema


@cache
def _validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(official_schema())


def check_standard(document: Document, findings: Findings) -> None:
    """Add to the findings where the document does not follow the standard."""
    for error in _validator().iter_errors(document.value):
        _report(document, error, findings=findings)


def _is_misspelt(document: Document, path: tuple[str | int, ...], *, name: str) -> bool:
    """Tell whether a missing key is there under a wrong spelling, which is refused in its own words."""
    value = document.get(*path)
    return isinstance(value, dict) and nearest(name, [key for key in value if key not in _known_anywhere()], cutoff=0.7) is not None


def _report(document: Document, error: Any, *, findings: Findings) -> None:
    kind, path = error.kind.name, tuple(error.instance_path)
    details = error.kind.as_dict()
    if kind in ("additionalProperties", "unevaluatedProperties"):
        _report_unknown(document, error, unexpected=details["unexpected"], findings=findings)
    elif kind == "required" and "then" in error.schema_path and not document.has(*path, "logicalType"):
        return  # edition 3.2 of the schema asks a column without logicalType for what a map needs; 3.1 does not
    elif kind == "required":
        _report_missing(document, path, name=str(details["property"]), findings=findings)
    elif kind in ("oneOf", "anyOf") and details.get("context"):
        for inner in _nearest_branch(details["context"]):
            _report(document, inner, findings=findings)
    else:
        _report_value(document, path, kind=kind, error=error, findings=findings)


def _report_missing(document: Document, path: tuple[str | int, ...], *, name: str, findings: Findings) -> None:
    if _is_misspelt(document, path, name=name):
        return
    findings.error(f"key {name!r} is missing{_inside(path)}", document.key_place(*path), hint="the Open Data Contract Standard asks for it")


def _report_unknown(document: Document, error: Any, *, unexpected: Iterable[str], findings: Findings) -> None:
    path = tuple(error.instance_path)
    known = tuple(sorted(_known_keys(tuple(error.schema_path[:-1]))))
    for name in unexpected:
        if name in known:  # a mistake elsewhere in the same value makes the schema forget that it knows this key
            continue
        hint = did_you_mean(name, known) or "put your own keys under customProperties"
        decision = Decision(False, "odcs", f"key {name!r} is unknown{_inside(path)}", known if len(known) <= 12 else (), hint)
        findings.refuse(decision, document.key_place(*path, name))


def _report_value(document: Document, path: tuple[str | int, ...], *, kind: str, error: Any, findings: Findings) -> None:
    key = next((str(part) for part in reversed(path) if isinstance(part, str)), "the document")
    written = document.written(*path)
    shown = f" {written!r}" if written is not None else ""
    details = error.kind.as_dict()
    good: tuple[str, ...] = ()
    hint = None
    if kind == "type":
        expected = " or ".join(_JSON_TYPES.get(name, name) for name in details["types"])
        reason = f"{key} must be {expected}" + (f", not{shown}" if shown else "")
        hint = quoting_advice(document.get(*path), written) if "string" in details["types"] else None
    elif kind in ("enum", "const"):
        good = tuple(map(str, details.get("options", [details.get("expected_value", "")])))
        reason, hint = f"{key}{shown} is unknown", did_you_mean(written or "", good)
    else:
        reason = f"{key}{shown} is wrong: {_short(error.message)}"
    findings.refuse(Decision(False, "odcs", reason, good, hint), document.place(*path), value=written or "")


def _nearest_branch(context: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Return the errors of the alternative that was most likely meant: not refused for its type, and with the fewest errors."""
    return min(context, key=lambda errors: (any(e.kind.name == "type" and len(errors) == 1 for e in errors), len(errors)), default=())


def _short(message: str) -> str:
    return message if len(message) <= 160 else "…" + message[-150:]


def _inside(path: Sequence[str | int]) -> str:
    names = [part if isinstance(part, str) else f"entry {part + 1}" for part in path]
    return f" in {' of '.join(reversed(names[-2:]))}" if names else ""


@cache
def _known_keys(pointer: tuple[str | int, ...]) -> frozenset[str]:
    node: Any = official_schema()
    for part in pointer:
        node = node[part]
    return frozenset(_keys_of(node, 0))


@cache
def _known_anywhere() -> frozenset[str]:
    schema = official_schema()
    return frozenset().union(*(_keys_of(node, 0) for node in (schema, *schema["$defs"].values())))


def _keys_of(node: Any, depth: int) -> set[str]:
    if not isinstance(node, dict) or depth > 12:
        return set()
    found = set(node.get("properties", {}))
    if str(node.get("$ref", "")).startswith("#/"):
        target: Any = official_schema()
        for part in node["$ref"][2:].split("/"):
            target = target[part]
        found |= _keys_of(target, depth + 1)
    branches = [*node.get("allOf", ()), *node.get("anyOf", ()), *node.get("oneOf", ()), node.get("if"), node.get("then"), node.get("else")]
    for branch in branches:
        found |= _keys_of(branch, depth + 1)
    return found
