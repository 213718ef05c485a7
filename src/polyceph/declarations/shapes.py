"""Checks a document, or a part of one, against a pydantic model and says what is wrong where it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from polyceph.core.model.decision import Decision
from polyceph.core.policies.nearest import did_you_mean, nearest
from polyceph.declarations.findings import Findings
from polyceph.declarations.positions import Document

_TYPE_NAMES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list (lines that start with -)",
    "tuple_type": "a list (lines that start with -)",
    "dict_type": "keys and values (key: value)",
    "mapping_type": "keys and values (key: value)",
    "model_type": "keys and values (key: value)",
    "model_attributes_type": "keys and values (key: value)",
    "date_type": "a date (2026-03-31)",
    "date_parsing": "a date (2026-03-31)",
    "date_from_datetime_parsing": "a date (2026-03-31)",
}
"""What a person calls the types of pydantic's errors."""


def check_shape(document: Document, model: type[BaseModel], *, findings: Findings, path: tuple[str | int, ...] = ()) -> None:
    """Add to the findings how the value at `path` differs from the model."""
    check_value(document, model, value=document.get(*path), findings=findings, path=path)


def check_value(document: Document, model: type[BaseModel], *, value: object, findings: Findings, path: tuple[str | int, ...]) -> None:
    """Like `check_shape`, for a value that is only part of what stands at `path` (a mapping without some keys)."""
    try:
        model.model_validate(value)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
        for detail in _without_renamed(_without_union_noise(document, details, path=path), model):
            _report(document, model, detail=detail, findings=findings, path=path)


def _report(
    document: Document, model: type[BaseModel], *, detail: Mapping[str, Any], findings: Findings, path: tuple[str | int, ...]
) -> None:
    where = _existing(document, (*path, *detail["loc"]))
    kind, name = detail["type"], str(detail["loc"][-1]) if detail["loc"] else ""
    if kind == "extra_forbidden":
        known = tuple(_fields(model, detail["loc"][:-1]))
        hint = did_you_mean(name, known) or "remove it"
        findings.refuse(Decision(False, "shape", f"key {name!r} is unknown{_inside(where[:-1])}", known, hint), document.key_place(*where))
    elif kind == "missing":
        description = _description(model, detail["loc"])
        findings.error(f"key {name!r} is missing{_inside(where)}", document.key_place(*where), hint=description)
    else:
        _report_value(document, detail, findings=findings, where=where)


def _report_value(document: Document, detail: Mapping[str, Any], *, findings: Findings, where: tuple[str | int, ...]) -> None:
    place = document.place(*where)
    written = document.written(*where)
    key = next((str(part) for part in reversed(where) if isinstance(part, str)), "the value")
    shown = f" {written!r}" if written else ""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in ("literal_error", "enum"):
        good = tuple(re.findall(r"'([^']*)'", str(context.get("expected", ""))))
        reason = f"{key}{shown} is unknown"
        findings.refuse(Decision(False, "shape", reason, good, did_you_mean(written or "", good)), place, value=written or "")
    elif kind in _TYPE_NAMES:
        expected = "empty" if written in ("", "~", "null") else f"{written!r}" if written is not None else "a list or keys"
        hint = quoting_advice(detail["input"], written) if kind == "string_type" else None
        findings.error(f"{key} must be {_TYPE_NAMES[kind]}, not {expected}", place, value=written or "", hint=hint)
    else:
        findings.error(f"{key}{shown} is wrong: {_plain(detail)}", place, value=written or "")


def quoting_advice(value: object, written: str | None) -> str | None:
    """Return what to do when YAML read unquoted text as something else, None when that did not happen."""
    if not isinstance(value, bool | int | float) or written is None:
        return None
    read = str(value).lower() if isinstance(value, bool) else str(value)
    return f'YAML reads {written} as {read} here; write "{written}" in quotes'


def _plain(detail: Mapping[str, Any]) -> str:
    message = str(detail["msg"])
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")


def _inside(where: Sequence[str | int]) -> str:
    names = [str(part) if isinstance(part, str) else f"entry {part + 1}" for part in where]
    return f" in {' of '.join(reversed(names[-2:]))}" if names else ""


def _existing(document: Document, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return the parts of a pydantic location that exist in the document: it also names union branches and validators."""
    found: tuple[str | int, ...] = ()
    for part in path:
        if document.has(*found, part):
            found = (*found, part)
    return found


def _without_renamed(details: Sequence[Any], model: type[BaseModel]) -> list[Any]:
    """Drop "missing" where an unknown key beside it is that key, misspelt: its hint says so already."""
    misspelt: set[tuple[str | int, ...]] = set()
    for detail in details:
        if detail["type"] == "extra_forbidden":
            holder = tuple(detail["loc"][:-1])
            near = nearest(str(detail["loc"][-1]), _fields(model, holder))
            misspelt |= {(*holder, near)} if near else set()
    return [detail for detail in details if detail["type"] != "missing" or tuple(detail["loc"]) not in misspelt]


def _without_union_noise(document: Document, details: Sequence[Any], *, path: tuple[str | int, ...]) -> list[Any]:
    """Drop a union branch's "wrong type" when another branch found the real mistake deeper inside the same value."""
    places = [_existing(document, (*path, *detail["loc"])) for detail in details]
    kept = []
    for detail, place in zip(details, places, strict=True):
        is_branch = len(path) + len(detail["loc"]) > len(place) and detail["type"] != "missing"
        if is_branch and any(len(other) > len(place) and other[: len(place)] == place for other in places):
            continue
        kept.append(detail)
    return kept


def _fields(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the keys that are known at a pydantic location."""
    found: list[type[BaseModel]] = [model]
    for part in location:
        following: list[type[BaseModel]] = []
        for candidate in found:
            field = next((f for n, f in candidate.model_fields.items() if part in (n, f.alias)), None)
            following += _models(field.annotation) if field else []
        found = following or found
    return [field.alias or name for candidate in found for name, field in candidate.model_fields.items()]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, Annotated, list, dict, tuple):
        return [model for part in get_args(annotation) for model in _models(part)]
    return []


def _description(model: type[BaseModel], location: Sequence[str | int]) -> str | None:
    holders = [model]
    for part in location[:-1]:
        following = [m for holder in holders if part in holder.model_fields for m in _models(holder.model_fields[str(part)].annotation)]
        holders = following or holders
    for holder in holders:
        field = holder.model_fields.get(str(location[-1]))
        if field is not None and field.description:
            return field.description[0].lower() + field.description[1:].rstrip(".")
    return None
