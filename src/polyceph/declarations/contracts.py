"""Reads contract files (*.odcs.yaml): the standard, then what polyceph needs of each; rules across files are elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from polyceph.core.model.classification import Classification, PersonalData
from polyceph.core.model.contract import Column
from polyceph.core.policies.columns import ColumnName, columns_are_distinct
from polyceph.core.policies.contracts import (
    CLASSIFICATIONS,
    LOGICAL_TYPES,
    PERSONAL_DATA,
    STATUSES,
    special_category_is_not_public,
    value_is_known,
    version_is_semantic,
)
from polyceph.core.policies.naming import column_name_is_allowed, name_is_allowed
from polyceph.core.policies.nearest import nearest
from polyceph.core.policies.zones import folder_agrees_with_zone, zone_is_known
from polyceph.declarations.facts import ContractFacts, Member, Text
from polyceph.declarations.findings import Findings
from polyceph.declarations.odcs import check_standard
from polyceph.declarations.positions import Document
from polyceph.declarations.value_rules import column_rules
from polyceph.declarations.yaml_files import RawFile, parse_one

API_VERSION = "v3.1.0"
SUFFIX = ".odcs.yaml"
_OWN_PROPERTIES = ("zone", "classification")


def read_contract(raw: RawFile, findings: Findings) -> ContractFacts | None:
    """Return what one contract file says, whatever its path; None when it is no YAML mapping. What is wrong goes to the findings."""
    document = parse_one(raw, findings)
    if document is None:
        return None
    _check_version_of_standard(document, findings)
    check_standard(document, findings)
    stem = PurePosixPath(raw.file).name.removesuffix(SUFFIX)
    zone = custom_property(document, "zone", path=(), findings=findings)
    classification = custom_property(document, "classification", path=(), findings=findings)
    _check_single_values(document, zone, classification=classification, findings=findings)
    return ContractFacts(
        file=raw.file,
        digest=raw.digest,
        stem=stem,
        id=_text(document, "id"),
        name=_required(document, "name", findings=findings, meaning="the name of the dataset"),
        version=_text(document, "version"),
        status=_required(document, "status", findings=findings, meaning=f"one of {', '.join(STATUSES)}"),
        domain=_required(document, "domain", findings=findings, meaning="the name of the domain's folder"),
        zone=zone,
        classification=classification,
        team=document.key_place("team"),
        members=tuple(_members(document)),
        columns=_columns(document, classification, findings=findings),
        title=str(document.get("schema", 0, "businessName") or ""),
        description=str(document.get("description", "purpose") or ""),
        links=_links(document),
    )


def custom_property(document: Document, name: str, *, path: tuple[str | int, ...], findings: Findings) -> Text | None:
    """Return the value of a custom property under `path`; a second one and a misspelt one are findings."""
    entries = document.get(*path, "customProperties")
    if not isinstance(entries, list):
        return None
    found: Text | None = None
    for number, entry in enumerate(entries):
        where = (*path, "customProperties", number)
        given = entry.get("property") if isinstance(entry, dict) else None
        if given == name and found is not None:
            findings.error(f"custom property {name!r} is given twice", document.place(*where, "property"), value=name, hint="keep one")
        elif given == name:
            found = Text(document.written(*where, "value") or "", document.place(*where, "value"))
        elif isinstance(given, str) and given not in _OWN_PROPERTIES and nearest(given, [name], cutoff=0.85):
            place = document.place(*where, "property")
            findings.error(f"custom property {given!r} is unknown", place, value=given, hint=f"did you mean {name}?")
    return found


def _check_version_of_standard(document: Document, findings: Findings) -> None:
    given = _text(document, "apiVersion")
    if given is not None:
        findings.refuse(value_is_known(given.value, (API_VERSION,), what="apiVersion"), given.place, value=given.value)


def _check_single_values(document: Document, zone: Text | None, *, classification: Text | None, findings: Findings) -> None:
    for key, known in (("status", STATUSES), ("kind", ("DataContract",))):
        text = _text(document, key)
        if text is not None:
            findings.refuse(value_is_known(text.value, known, what=key), text.place, value=text.value)
    if classification is not None:
        decision = value_is_known(classification.value, CLASSIFICATIONS, what="classification")
        findings.refuse(decision, classification.place, value=classification.value)
    if zone is None:
        place = document.key_place("customProperties")
        findings.error("the contract has no zone", place, hint="add {property: zone, value: raw} under customProperties")


def check_names(facts: ContractFacts, findings: Findings) -> bool:
    """Hold name, domain, zone and version against the place of the file; it depends on the path, so no cache spares it.

    Return whether the zone is sure: when it is not, nothing should be concluded from it.
    """
    path = PurePosixPath(facts.file)
    domain, folders = path.parts[1] if len(path.parts) > 3 else "", path.parts[3:-1]
    subject = f"{domain}.{facts.stem}"
    if facts.name is not None:
        if facts.name.value != facts.stem:
            hint = f"write name: {facts.stem}, or call the file {facts.name.value}{SUFFIX}"
            message = f"contract name {facts.name.value!r} is not the name of its file {path.name}"
            findings.error(message, facts.name.place, value=facts.name.value, hint=hint)
        findings.refuse(name_is_allowed(facts.name.value, "dataset"), facts.name.place, value=facts.name.value)
    if facts.domain is not None and facts.domain.value != domain:
        message = f"domain {facts.domain.value!r} is not the folder it stands in, {domain!r}"
        findings.error(message, facts.domain.place, value=facts.domain.value, hint=f"write domain: {domain}")
    if facts.version is not None:
        findings.refuse(version_is_semantic(facts.version.value, subject), facts.version.place, value=facts.version.value)
    if facts.zone is None or not findings.refuse(zone_is_known(facts.zone.value, subject), facts.zone.place, value=facts.zone.value):
        return False
    decisions = [folder_agrees_with_zone(folder, facts.zone.value, subject=subject) for folder in folders]
    return all(findings.refuse(decision, facts.zone.place, value=facts.zone.value) for decision in decisions)


def _members(document: Document) -> Iterator[Member]:
    path: tuple[str | int, ...] = ("team", "members") if isinstance(document.get("team"), dict) else ("team",)
    entries = document.get(*path)
    for number, entry in enumerate(entries if isinstance(entries, list) else []):
        username, role = _text(document, *path, number, "username"), _text(document, *path, number, "role")
        if isinstance(entry, dict) and username is not None and role is not None:
            since, until = entry.get("dateIn"), entry.get("dateOut")
            yield Member(username, role, str(since) if since else None, str(until) if until else None)


def _columns(document: Document, classification: Text | None, *, findings: Findings) -> tuple[Column, ...]:
    objects = document.get("schema")
    if not isinstance(objects, list) or len(objects) != 1:
        if not isinstance(objects, list) and objects is not None:
            return ()  # the standard has said so
        count = len(objects) if isinstance(objects, list) else 0
        hint = "one contract is about one dataset: write one entry with its columns under properties"
        findings.error(f"schema must hold exactly one object, not {count}", document.key_place("schema"), hint=hint)
        return ()
    properties = document.get("schema", 0, "properties")
    if not isinstance(properties, list) or not properties:
        findings.error("the contract promises no column", document.key_place("schema", 0, "properties"), hint="list them under properties")
        return ()
    columns = {number: _column(document, number, dataset=classification, findings=findings) for number in range(len(properties))}
    found = {number: column for number, column in columns.items() if column is not None}
    _check_distinct(document, found, findings=findings)
    return tuple(found.values())


def _column(document: Document, number: int, *, dataset: Text | None, findings: Findings) -> Column | None:
    path: tuple[str | int, ...] = ("schema", 0, "properties", number)
    entry, name = document.get(*path), _text(document, *path, "name")
    if not isinstance(entry, dict) or name is None:
        return None
    findings.refuse(column_name_is_allowed(name.value), name.place, value=name.value)
    _check_type(document, path, name=name, findings=findings)
    level = _known(
        _text(document, *path, "classification"), CLASSIFICATIONS, what=f"classification of column {name.value}", findings=findings
    )
    personal_text = custom_property(document, "personalData", path=path, findings=findings)
    personal = _known(personal_text, PERSONAL_DATA, what=f"personalData of column {name.value}", findings=findings)
    place = personal_text.place if personal_text else name.place
    findings.refuse(
        special_category_is_not_public(name.value, personal, classification=dataset.value if dataset else None), place, value=personal
    )
    return Column(
        name=name.value,
        logical_type=str(entry.get("logicalType")),
        physical_type=_plain_text(entry.get("physicalType")),
        description=_plain_text(entry.get("description")) or "",
        required=entry.get("required") is True,
        unique=entry.get("unique") is True,
        primary_key=entry.get("primaryKey") is True,
        classification=Classification(level) if level else None,
        personal_data=PersonalData(personal or "none"),
        source_name=_plain_text(entry.get("physicalName")),
        place=name.place,
        rules=column_rules(document, path, name=name.value, findings=findings),
    )


def _check_type(document: Document, path: tuple[str | int, ...], *, name: Text, findings: Findings) -> None:
    logical = _text(document, *path, "logicalType")
    if logical is None:
        if not document.has(*path, "logicalType"):
            hint = f"add logicalType: one of {', '.join(LOGICAL_TYPES)}"
            findings.error(f"column {name.value!r} has no logicalType", name.place, hint=hint)
        return
    decision = value_is_known(logical.value, LOGICAL_TYPES, what=f"logicalType of column {name.value}")
    findings.refuse(decision, logical.place, value=logical.value)


def _check_distinct(document: Document, columns: Mapping[int, Column], *, findings: Findings) -> None:
    names = []
    for number, column in columns.items():
        source = _text(document, "schema", 0, "properties", number, "physicalName") if column.source_name else None
        if column.place is not None:
            names.append(ColumnName(column.name, column.place, column.source_name, source.place if source else None))
    for decision, place in columns_are_distinct(names):
        findings.refuse(decision, place)


def _known(text: Text | None, known: tuple[str, ...], *, what: str, findings: Findings) -> str | None:
    if text is None or not findings.refuse(value_is_known(text.value, known, what=what), text.place, value=text.value):
        return None
    return text.value


def _links(document: Document) -> dict[str, str]:
    entries = document.get("authoritativeDefinitions")
    found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {str(entry.get("type")): str(entry.get("url")) for entry in found if entry.get("url")}


def _required(document: Document, key: str, *, findings: Findings, meaning: str) -> Text | None:
    if not document.has(key):
        findings.error(f"key {key!r} is missing", document.key_place(), hint=f"write {meaning}")
    return _text(document, key)


def _text(document: Document, *path: str | int) -> Text | None:
    value = document.get(*path)
    return Text(value, document.place(*path)) if isinstance(value, str) else None


def _plain_text(value: object) -> str | None:
    return value if isinstance(value, str) else None
