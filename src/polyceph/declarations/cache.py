"""Keeps what contract files said, by the digest of their bytes, so that unchanged files are not parsed again. Safe to delete."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from polyceph.core.model.classification import Classification, PersonalData
from polyceph.core.model.contract import Column, ValueRule
from polyceph.core.model.place import Place
from polyceph.declarations.contracts import SUFFIX
from polyceph.declarations.facts import ContractFacts, Member, Text

FORMAT = 2
"""Raise it when reading contracts changes between releases: entries of another format or release are ignored."""

_TEXTS = ("id", "name", "version", "status", "domain", "zone", "classification")


class ContractCache:
    """The entries of one domain. Only contracts without a problem are kept; a damaged file counts as empty.

    The first line of the file is the SHA-256 of the rest, so that a flipped bit cannot become a classification.
    """

    def __init__(self, folder: Path | None, domain: str, standard: str) -> None:
        self._file = folder / f"contracts-{domain}.json" if folder else None
        self._key = f"{version('polyceph')}:{FORMAT}:{hashlib.sha256(standard.encode()).hexdigest()[:16]}"
        self._entries: dict[str, Any] = _read(self._file, self._key) if self._file else {}
        self._used: dict[str, Any] = {}

    def get(self, file: str, digest: str) -> ContractFacts | None:
        """Return what a file with these bytes says, None when it is not kept."""
        entry = self._entries.get(digest)
        if entry is None:
            return None
        with suppress(KeyError, TypeError, ValueError, IndexError):
            facts = _from_entry(entry, file, digest=digest)
            self._used[digest] = entry
            return facts
        return None

    def put(self, facts: ContractFacts) -> None:
        """Keep what a problem-free file says."""
        self._used[facts.digest] = _to_entry(facts)

    def save(self) -> None:
        """Write the entries used since it was opened, atomically, if they changed; a full or read-only disk costs only time."""
        if self._file is None or self._used.keys() == self._entries.keys():
            return
        payload = json.dumps({"key": self._key, "entries": self._used}, ensure_ascii=False, separators=(",", ":"))
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            _write(self._file, hashlib.sha256(payload.encode()).hexdigest() + "\n" + payload)


def _read(file: Path, key: str) -> dict[str, Any]:
    try:
        digest, _, payload = file.read_bytes().partition(b"\n")
        if hashlib.sha256(payload).hexdigest().encode() != digest:
            return {}
        content = json.loads(payload)
        return content["entries"] if content["key"] == key else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write(file: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=file.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(temporary).replace(file)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _to_entry(facts: ContractFacts) -> dict[str, Any]:
    return {
        "texts": [_pack(getattr(facts, name)) for name in _TEXTS],
        "team": [facts.team.line, facts.team.column],
        "members": [[_pack(m.username), _pack(m.role), m.since, m.until] for m in facts.members],
        "columns": list(_pack_columns(facts.columns)),
        "title": facts.title,
        "description": facts.description,
        "links": dict(facts.links),
    }


def _pack(text: Text | None) -> list[object] | None:
    return None if text is None else [text.value, text.place.line, text.place.column]


def _pack_columns(columns: Iterable[Column]) -> Iterable[list[object]]:
    for c in columns:
        place = [c.place.line, c.place.column] if c.place else [1, 1]
        flags = [c.required, c.unique, c.primary_key]
        rules = [[rule.name, *rule.values] for rule in c.rules]
        yield [
            c.name,
            c.logical_type,
            c.physical_type,
            c.description,
            *flags,
            c.classification,
            c.personal_data,
            c.source_name,
            *place,
            rules,
        ]


def _from_entry(entry: Mapping[str, Any], file: str, *, digest: str) -> ContractFacts:
    texts = [_unpack(packed, file) for packed in entry["texts"]]
    members = [(_unpack(user, file), _unpack(role, file), since, until) for user, role, since, until in entry["members"]]
    named = dict(zip(_TEXTS, texts, strict=True))
    return ContractFacts(
        file=file,
        digest=digest,
        stem=PurePosixPath(file).name.removesuffix(SUFFIX),
        team=Place(file, *entry["team"]),
        members=tuple(Member(user, role, since, until) for user, role, since, until in members if user and role),
        columns=tuple(_column(packed, file) for packed in entry["columns"]),
        title=entry["title"],
        description=entry["description"],
        links=entry["links"],
        **named,
    )


def _unpack(packed: list[Any] | None, file: str) -> Text | None:
    return None if packed is None else Text(packed[0], Place(file, packed[1], packed[2]))


def _column(packed: list[Any], file: str) -> Column:
    name, logical, physical, description, required, unique, primary, level, personal, source, line, column, rules = packed
    return Column(
        name=name,
        logical_type=logical,
        physical_type=physical,
        description=description,
        required=required,
        unique=unique,
        primary_key=primary,
        classification=Classification(level) if level else None,
        personal_data=PersonalData(personal),
        source_name=source,
        place=Place(file, line, column),
        rules=tuple(ValueRule(rule[0], tuple(rule[1:])) for rule in rules),
    )
