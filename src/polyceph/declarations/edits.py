"""Edits of declaration files that people wrote: the same text with a few values changed, comments and order kept. Text in, text out."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from polyceph.core.model.drift import Edit
from polyceph.core.policies.naming import suggested_name
from polyceph.errors import Conflict

REVIEW = "came with the source; say what it means, classify it, mark personal data"
_WIDTH = 4096


def edited_contract(text: str, edits: Iterable[Edit], version: str) -> str:
    """Return a contract with edits of its columns and a new version; a new column is left for review and confidential until then.

    Raises:
        Conflict: a column that is to be changed is not in it.
    """
    yaml, document = _read(text)
    document["version"] = version
    properties = document["schema"][0]["properties"]
    for edit in edits:
        if not edit.in_entry:
            _edit_column(properties, edit)
    return _written(yaml, document)


def edited_entry(text: str, dataset: str, edits: Iterable[Edit]) -> str:
    """Return a component file with edits of the options of one dataset's entry.

    Raises:
        Conflict: the file has no entry of this dataset, or more than one.
    """
    yaml = _yaml()
    documents = list(yaml.load_all(text))
    entries = [one for document in documents for one in _entries(document) if one.get("name") == dataset]
    if len(entries) != 1:
        raise Conflict(f"{len(entries)} entries load {dataset}, and not one", hint="edit its options by hand")
    for edit in edits:
        if edit.in_entry:
            _edit_entry(entries[0], edit)
    out = io.StringIO()
    yaml.dump_all(documents, out)
    return out.getvalue()


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _read(text: str) -> tuple[YAML, Any]:
    yaml = _yaml()
    return yaml, yaml.load(text)


def _written(yaml: YAML, document: Any) -> str:
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _edit_column(properties: CommentedSeq, edit: Edit) -> None:
    at = next((i for i, one in enumerate(properties) if one.get("name") == edit.column), None)
    if edit.action == "add":
        if at is None:
            properties.append(_new_column(edit))
        return
    if at is None:
        raise Conflict(f"the contract has no column {edit.column} any more", hint="look at the drift again")
    if edit.action == "remove":
        del properties[at]
    elif edit.action == "drop":
        properties[at].pop(edit.key, None)
    elif edit.key in properties[at]:
        properties[at][edit.key] = edit.value
    else:
        properties[at].insert(1, edit.key, edit.value)


def _new_column(edit: Edit) -> CommentedMap:
    name = suggested_name(edit.column)
    made = CommentedMap(name=name)
    if name != edit.column:
        made["physicalName"] = edit.column
    made[edit.key] = edit.value
    made["classification"] = "confidential"
    made["description"] = REVIEW
    made.yaml_add_eol_comment("to review: until then nobody sees it", "classification")
    return made


def _entries(document: Any) -> list[Any]:
    attributes = document.get("attributes") if isinstance(document, dict) else None
    datasets = attributes.get("datasets") if isinstance(attributes, dict) else None
    return [one for one in datasets if isinstance(one, dict)] if isinstance(datasets, list) else []


def _edit_entry(entry: Any, edit: Edit) -> None:
    if edit.action == "drop":
        entry.pop(edit.key, None)
    elif edit.action == "append":
        listed = entry.setdefault(edit.key, CommentedSeq())
        if edit.value not in listed:
            listed.append(edit.value)
    else:
        entry[edit.key] = edit.value
