"""A new source in a domain's files: its block in domain.yaml, entries of an Ingest, a draft contract for each dataset.

Comments and order of what is there stay. Everything is written or nothing, and no contract is written over.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from polyceph.core.model.classification import PersonalData
from polyceph.core.model.profile import ColumnProfile, TableProfile
from polyceph.core.policies.naming import name_is_allowed, suggested_name
from polyceph.errors import Conflict, Invalid, Problem

_INGEST = "polyceph.orchestrate.components.Ingest"
_TO_DESCRIBE = "To be described."


@dataclass(frozen=True)
class NewDataset:
    """A dataset to add: its name, the connector's options, and what a sample told."""

    name: str
    options: Mapping[str, object]
    profile: TableProfile


@dataclass(frozen=True)
class NewSource:
    """A source to add to a domain. `connector` is None when the source is declared already and only datasets come to it."""

    domain: str
    name: str
    connector: str | None
    options: Mapping[str, object]
    owner: str
    steward: str


def drafted(folder: Path, source: NewSource, datasets: Sequence[NewDataset]) -> dict[Path, str]:
    """Return the files of a domain's folder as they will be, those that change and those that are new.

    Raises:
        Invalid: a name cannot be used, or a file that has to change is no YAML mapping.
        Conflict: the source or a contract is already there.
    """
    _check_names(source, datasets)
    files: dict[Path, str] = {}
    if source.connector is not None:
        files[folder / "domain.yaml"] = _with_source(folder / "domain.yaml", source)
    if datasets:
        defs = folder / "defs" / source.name / "defs.yaml"
        files[defs] = _with_datasets(defs, source.name, datasets)
    contracts = {folder / "contracts" / "raw" / f"{one.name}.odcs.yaml": _contract(source, one) for one in datasets}
    there = [path for path in contracts if path.exists()]
    if there:
        problems = [Problem("is already there", file=str(path.relative_to(folder))) for path in there]
        raise Conflict("some datasets have a contract; nothing was written", problems=problems, hint="choose another name with --as")
    return files | contracts


def dataset_name(table: str) -> str:
    """Return a dataset's name for a table, a file or an entity set as its source calls it."""
    last = table.rstrip("/").split("/")[-1]
    plain = last.rsplit(".", 1)[0] if "/" in table or (last.count(".") == 1 and len(last.rsplit(".", 1)[1]) <= 4) else last.split(".")[-1]
    return suggested_name(plain.strip('"'))


def _check_names(source: NewSource, datasets: Sequence[NewDataset]) -> None:
    decisions = [name_is_allowed(source.name, "source"), *(name_is_allowed(one.name, "dataset") for one in datasets)]
    problems = [Problem(one.reason, hint=one.hint) for one in decisions if not one.allowed]
    names = [one.name for one in datasets]
    problems += [Problem(f"dataset {name} is named twice") for name in sorted({name for name in names if names.count(name) > 1})]
    if problems:
        raise Invalid("names cannot be used; nothing was written", problems=problems)


def _with_source(path: Path, source: NewSource) -> str:
    document = _read(path)
    sources = document.setdefault("sources", CommentedMap())
    if source.name in sources:
        hint = "leave out --connector to add datasets to it, or choose another name"
        raise Conflict(f"source {source.name} of {source.domain} is declared already", hint=hint)
    sources[source.name] = CommentedMap({"connector": source.connector, **{key: _plain(value) for key, value in source.options.items()}})
    return _text(document)


def _with_datasets(path: Path, source: str, datasets: Sequence[NewDataset]) -> str:
    entries = [CommentedMap({"name": one.name, **{key: _plain(value) for key, value in one.options.items()}}) for one in datasets]
    if not path.exists():
        attributes = CommentedMap({"source": source, "schedule": "0 5 * * *", "datasets": CommentedSeq(entries)})
        attributes.yaml_add_eol_comment("Europe/Brussels", "schedule")
        return _text(CommentedMap({"type": _INGEST, "attributes": attributes}))
    document = _read(path)
    there = document.get("attributes", {})
    if document.get("type") != _INGEST or there.get("source") != source:
        raise Conflict(f"{path.name} in {path.parent.name} is no Ingest of source {source}", hint="move it to another folder below defs")
    there.setdefault("datasets", CommentedSeq()).extend(entries)
    return _text(document)


def _contract(source: NewSource, dataset: NewDataset) -> str:
    identity = f"{source.domain}.raw.{dataset.name}"
    described = dataset.profile.description or _TO_DESCRIBE
    document = CommentedMap(
        {
            "apiVersion": "v3.1.0",
            "kind": "DataContract",
            "id": identity,
            "name": dataset.name,
            "version": "0.1.0",
            "status": "draft",
            "domain": source.domain,
            "description": CommentedMap({"purpose": described}),
            "team": CommentedMap(
                {"members": _flow([{"username": source.owner, "role": "owner"}, {"username": source.steward, "role": "steward"}])}
            ),
            "customProperties": _flow(
                [{"property": "zone", "value": "raw"}, {"property": "classification", "value": _level(dataset.profile)}]
            ),
            "schema": CommentedSeq([CommentedMap({"name": dataset.name, "properties": CommentedSeq(_properties(dataset.profile))})]),
        }
    )
    document["customProperties"].yaml_add_eol_comment("public, internal, confidential or secret: review it", 1)
    head = (
        f"Drafted from a sample of {dataset.profile.rows} rows of {source.name}: review types, keys, personal data; write the descriptions."
    )
    document.yaml_set_start_comment(head)
    return _text(document)


def _level(profile: TableProfile) -> str:
    kinds = {column.personal_data for column in profile.columns}
    return "confidential" if kinds - {PersonalData.NONE} else "internal"


def _properties(profile: TableProfile) -> Iterator[CommentedMap]:
    names: set[str] = set()
    for column in profile.columns:
        name = suggested_name(column.source_name)
        while name in names:
            name = f"{name[:60]}_2" if not name[-1].isdigit() else name[:-1] + str(int(name[-1]) + 1)
        names.add(name)
        yield _property(column, name)


def _property(column: ColumnProfile, name: str) -> CommentedMap:
    made = CommentedMap({"name": name})
    if name != column.source_name:
        made["physicalName"] = column.source_name
    made["logicalType"] = column.logical_type
    if column.physical_type:
        made["physicalType"] = column.physical_type
    if column.required:
        made["required"] = True
    if column.primary_key:
        made["primaryKey"] = True
        if column.is_key_guessed:
            made.yaml_add_eol_comment("guessed: never missing and never repeated in the sample", "primaryKey")
    if column.pattern:
        made["logicalTypeOptions"] = CommentedMap({"pattern": column.pattern})
    if column.personal_data is not PersonalData.NONE:
        made["customProperties"] = _flow([{"property": "personalData", "value": column.personal_data.value}])
        made["customProperties"].yaml_add_eol_comment(f"guessed: {column.why_personal}", 0)
    made["description"] = column.description or _TO_DESCRIBE
    return made


def _flow(entries: Sequence[Mapping[str, str]]) -> CommentedSeq:
    made = CommentedSeq()
    for entry in entries:
        one = CommentedMap(entry)
        one.fa.set_flow_style()
        made.append(one)
    return made


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        made = CommentedMap({str(key): _plain(one) for key, one in value.items()})
        made.fa.set_flow_style()
        return made
    return CommentedSeq([_plain(one) for one in value]) if isinstance(value, list | tuple) else value


def _yaml() -> YAML:
    made = YAML()
    made.indent(mapping=2, sequence=4, offset=2)
    made.width = 140
    made.preserve_quotes = True
    return made


def _read(path: Path) -> Any:
    try:
        document = _yaml().load(path.read_text(encoding="utf-8"))
    except (YAMLError, OSError) as error:
        raise Invalid(f"{path} cannot be read as YAML", hint="polyceph check says where") from error
    if not isinstance(document, CommentedMap):
        raise Invalid(f"{path} holds no mapping", hint="polyceph check says what is expected")
    return document


def _text(document: Any) -> str:
    sink = io.StringIO()
    _yaml().dump(document, sink)
    return sink.getvalue()
