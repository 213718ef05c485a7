"""What was planted, as a machine-readable document beside the data. The product never reads it; tests compare with it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import jsonschema_rs

from polyceph.testing.federation.scenario import Month, Scenario

FILE = "truth.json"
VERSION = 1


@dataclass(frozen=True)
class Kind:
    """A kind of planted fact. `fields` are the keys of each entry with the words that document them; text where `forms` is silent."""

    name: str
    what: str
    fields: Mapping[str, str]
    optional: frozenset[str] = frozenset()
    forms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


_LIST: Mapping[str, Any] = {"type": "array", "items": {"type": "object"}}
_MAPPING: Mapping[str, Any] = {"type": "object"}
_NUMBER: Mapping[str, Any] = {"type": "integer"}


KINDS = (
    Kind(
        "workbook_cell",
        "A wrong cell in a workbook that somebody filled in",
        {
            "file": "path of the workbook below the folder of systems",
            "sheet": "name of the sheet",
            "cell": "address as Excel shows it, `F17`",
            "fault": "what is wrong with it, one of the faults that the page names",
            "column": "column of the contract",
            "written": "what stands in the cell, as text",
            "right": "what belongs there, as text; absent when nothing is known",
        },
        frozenset({"right"}),
    ),
    Kind(
        "quality",
        "A row or a file that breaks what its dataset promises",
        {
            "dataset": "`domain.zone.name` where it is first seen",
            "fault": "`duplicate`, `orphan`, `out_of_range`, `late_file` or `volume_drop`",
            "column": "column that shows it; absent for files",
            "key": "values of the dataset's key, or the file's path",
            "month": "month in which it came, `YYYY-MM`",
            "detail": "in words",
        },
        frozenset({"column"}),
        {"key": {"type": ["object", "string"]}},
    ),
    Kind(
        "series",
        "A series by month, with its two anomalies or without any",
        {
            "dataset": "`domain.zone.name` that holds it",
            "series": "values that pick its rows",
            "measure": "the column that is summed by month",
            "anomalies": "list of `{month, kind: spike|drop, factor}`; empty for a clean series",
        },
        forms={"series": _MAPPING, "anomalies": _LIST},
    ),
    Kind(
        "person",
        "Somebody who is known to several domains, each of which writes her name in its own way",
        {
            "person": "a number of her own",
            "national_number": "eleven digits",
            "appearances": "list of `{dataset, column, key, first_name, last_name}`, one for each place",
        },
        forms={"person": _NUMBER, "appearances": _LIST},
    ),
    Kind(
        "personal_data",
        "A column with personal data",
        {
            "dataset": "`domain.zone.name`",
            "column": "name in the contract",
            "category": "`national_number`, `iban`, `name`, `address`, `e-mail`, `telephone`, `birth_date`, `belief`, `health`, "
            "`free_text`, `sex` or `career`",
            "marked": "whether the contract says so",
        },
        forms={"marked": {"type": "boolean"}},
    ),
    Kind(
        "drift",
        "A change of a source's form",
        {
            "dataset": "`domain.raw.name` that meets it",
            "month": "from when on, `YYYY-MM`",
            "change": "`column_added`, `column_renamed`, `type_changed` or `column_missing`",
            "column": "column of the source as it was called before, or the new one",
            "becomes": "its new name or form; absent when it is missing",
        },
        frozenset({"becomes"}),
    ),
    Kind(
        "move",
        "A data owner or steward who leaves",
        {
            "person": "id in federation.yaml",
            "left": "first day without the person, ISO date",
            "roles": "list of `{domain, role}` that are left behind",
            "successor": "id of who follows",
            "successor_from": "day from which on the declarations name the successor, ISO date",
        },
        forms={"roles": _LIST},
    ),
    Kind(
        "lineage",
        "A path by which a column of a source reaches another domain's output",
        {
            "path": "list of `{dataset, column}` from the source to the end",
        },
        forms={"path": _LIST},
    ),
    Kind(
        "unknown_code",
        "A code that is in no reference list",
        {
            "dataset": "`domain.zone.name` where it is first seen",
            "column": "column that holds it",
            "key": "values of the dataset's key",
            "code": "what is written",
            "list": "dataset of the list it should be in",
            "meant": "the code that was meant",
        },
        forms={"key": _MAPPING},
    ),
    Kind(
        "small_cell",
        "A count of so few that it must not be published",
        {
            "dataset": "`domain.gold.name` that counts",
            "cell": "values that pick the row",
            "measure": "column that counts",
            "count": "how many",
        },
        forms={"cell": _MAPPING, "count": _NUMBER},
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}


class Known(Protocol):
    """Somebody whom several domains know."""

    @property
    def number(self) -> int:
        """Tell her from the others."""
        ...

    @property
    def national_number(self) -> str:
        """Her national number as on a card."""
        ...


@dataclass
class Truth:
    """Collects what is planted. An entry of an unknown kind, or with other fields than its kind has, is refused at once."""

    entries: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {kind.name: [] for kind in KINDS})

    def add(self, kind: str, **fields: Any) -> None:
        """Write down one planted fact; values are text, numbers, lists or mappings that JSON can hold."""
        known = BY_NAME[kind]
        if set(fields) - set(known.fields) or set(known.fields) - known.optional - set(fields):
            raise ValueError(f"{kind} has the fields {', '.join(known.fields)}, not {', '.join(fields)}")
        self.entries[kind].append(fields)

    def appears(self, person: Known, appearance: dict[str, Any]) -> None:
        """Write down that somebody appears in one more place."""
        for entry in self.entries["person"]:
            if entry["person"] == person.number:
                entry["appearances"].append(appearance)
                return
        digits = "".join(filter(str.isdecimal, person.national_number))
        self.add("person", person=person.number, national_number=digits, appearances=[appearance])

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the entries of a kind."""
        return self.entries[BY_NAME[kind].name]

    def counts(self) -> Mapping[str, int]:
        """Return how many entries of each kind there are, in the order of the kinds."""
        return {name: len(found) for name, found in self.entries.items()}

    def faults(self, kind: str) -> Mapping[str, int]:
        """Return how many entries of a kind there are by fault."""
        return Counter(str(entry["fault"]) for entry in self.of(kind))

    def text(self, scenario: Scenario) -> str:
        """Return the document: sorted, so that the same truth has the same bytes."""
        planted = {name: sorted(found, key=lambda entry: json.dumps(entry, sort_keys=True)) for name, found in self.entries.items()}
        document = {
            "version": VERSION,
            "seed": scenario.seed,
            "scale": scenario.scale,
            "month": str(scenario.month),
            "planted": planted,
        }
        return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def reached(folder: Path) -> Scenario | None:
    """Return the scenario whose systems were written into `folder`, None when none was written to its end."""
    path = folder / FILE
    if not path.exists():
        return None
    document = json.loads(path.read_text(encoding="utf-8"))
    return Scenario(document["seed"], document["scale"], Month.parse(document["month"]))


def read(folder: Path) -> Truth:
    """Return the truth beside the systems in `folder`, checked against its schema; raise `ValueError` when it is something else."""
    document = json.loads((folder / FILE).read_text(encoding="utf-8"))
    problems = [f"{error.instance_path}: {error.message}" for error in jsonschema_rs.validator_for(schema()).iter_errors(document)]
    if problems:
        raise ValueError(f"{folder / FILE} is not a truth file: {'; '.join(problems[:5])}")
    return Truth({name: list(entries) for name, entries in document["planted"].items()})


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the document."""
    whole = {"type": "integer"}
    planted = {kind.name: {"type": "array", "description": kind.what, "items": _entry(kind)} for kind in KINDS}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What was planted in a synthetic federation",
        "type": "object",
        "additionalProperties": False,
        "required": ["version", "seed", "scale", "month", "planted"],
        "properties": {
            "version": {"const": VERSION},
            "seed": whole,
            "scale": whole,
            "month": {"type": "string", "pattern": r"^\d{4}-\d{2}$"},
            "planted": {"type": "object", "additionalProperties": False, "required": list(planted), "properties": planted},
        },
    }


def _entry(kind: Kind) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": sorted(set(kind.fields) - kind.optional),
        "properties": {name: {"description": said, **kind.forms.get(name, {"type": "string"})} for name, said in kind.fields.items()},
    }
