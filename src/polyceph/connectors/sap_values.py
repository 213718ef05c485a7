"""Values of OData's JSON as plain JSON: dates and times in ISO 8601, decimals as numbers with all their digits; and keys of entities.

Documentation followed: OASIS "OData JSON Format 4.01", "OData URL Conventions", and odata.org on the JSON format and literals of 2.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote

from polyceph.connectors.sap_metadata import EntitySet, Property
from polyceph.sdk import Invalid

_DATE = re.compile(r"/Date\((-?\d+)([+-]\d+)?\)/")
_TIME = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(\.\d+)?S)?")
_KEY = re.compile(r"(?:(?P<name>\w+)\s*=\s*)?(?P<value>[a-zA-Z]*'(?:[^']|'')*'|[^',=()]+)\s*(?:,|$)")
_TYPED = re.compile(r"(?:datetimeoffset|datetime|time|guid|binary|X)?'(.*)'", re.DOTALL)
_SUFFIX = re.compile(r"(-?\d+(?:\.\d+)?)[LlMmDdFf]")
_FINE = re.compile(r"(\.\d{6})(\d+)")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- a moment without a zone, as Edm.DateTime is
_NUMBERS = ("Edm.Decimal", "Edm.Int64", "Edm.Double", "Edm.Single", "Edm.Int32", "Edm.Int16", "Edm.Byte", "Edm.SByte")
_MOMENTS = ("Edm.DateTime", "Edm.DateTimeOffset", "Edm.TimeOfDay", "Edm.Time")


def plain(value: Any, one: Property) -> Any:
    """Return a property's value; a text that is no value of the property's type stays as it is, for the contract to refuse."""
    if isinstance(value, Mapping | list):
        return _without_annotations(value)
    if not isinstance(value, str):
        return value
    if one.edm_type in _NUMBERS:
        return _number(value)
    if one.edm_type in _MOMENTS:
        return _exact(_moment(value, one), one)
    return value


def _number(text: str) -> Any:
    try:
        found = Decimal(text)
    except InvalidOperation:
        return text
    return found if found.is_finite() else text


def _moment(text: str, one: Property) -> str:
    found = _DATE.fullmatch(text)
    if found is not None:
        try:
            # The milliseconds count in UTC; an offset says only where the moment was written.
            moment = _EPOCH + timedelta(milliseconds=int(found[1]))
        except OverflowError:
            return text
        if one.is_day and not moment.time().isoformat().strip("0:"):
            return moment.date().isoformat()
        return moment.isoformat() + ("Z" if one.edm_type == "Edm.DateTimeOffset" else "")
    time = _TIME.fullmatch(text) if one.edm_type == "Edm.Time" else None
    if time is not None:
        return ":".join(f"{int(part or 0):02d}" for part in time.groups()[:3]) + (time[4] or "")
    return text


def _exact(text: str, one: Property) -> str:
    """Return a moment; raise `Invalid` when it is finer than a microsecond, which no column of time can hold."""
    found = _FINE.search(text)
    if found is None:
        return text
    if found[2].strip("0"):
        raise Invalid(f"property {one.name} has a moment that is finer than a microsecond", hint="promise it as string in the contract")
    return text.replace(found[0], found[1])


def _without_annotations(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_annotations(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) == {"results"}:
        return _without_annotations(value["results"])
    return {name: _without_annotations(one) for name, one in value.items() if "@" not in name and name not in ("__metadata", "__deferred")}


def key_of(identity: str, entity_set: EntitySet) -> dict[str, Any]:
    """Return the key that an entity's identifier holds: `…/Lines(Year=2025,Article='11.01')`.

    Raises:
        Invalid: it holds another key than that of the entity set.
    """
    inside = re.search(r"\((.*)\)$", unquote(identity), re.DOTALL)
    found: dict[str, Any] = {}
    for match in _KEY.finditer(inside[1]) if inside else ():
        name = match["name"] or (entity_set.key[0] if len(entity_set.key) == 1 else "")
        if name in entity_set.properties:
            found[name] = plain(_literal(match["value"].strip()), entity_set.properties[name])
    if set(found) != set(entity_set.key):
        raise Invalid(
            f"{entity_set.name} names what is gone by another key than {', '.join(entity_set.key)}", hint="declare changes: whole"
        )
    return found


def _literal(text: str) -> Any:
    quoted = _TYPED.fullmatch(text)
    if quoted is not None:
        return quoted[1].replace("''", "'")
    number = _SUFFIX.fullmatch(text)
    return {"true": True, "false": False}.get(text, number[1] if number else text)


def literal(text: str, one: Property, *, is_v4: bool) -> str:
    """Return a value as `$filter` writes it."""
    if one.edm_type in _NUMBERS:
        return text
    if one.edm_type in ("Edm.DateTime", "Edm.DateTimeOffset", "Edm.Date"):
        prefix = {"Edm.DateTime": "datetime", "Edm.DateTimeOffset": "datetimeoffset"}.get(one.edm_type, "datetime")
        return text if is_v4 else f"{prefix}'{text}'"
    return "'" + text.replace("'", "''") + "'"
