"""A source looked into before there is a contract: what it offers, and what the first rows tell. Nothing is loaded.

`answer` runs in a process of the domain's own, so it sees the domain's secrets and code and none of the platform's.
Loads Arrow and a connector's driver: import it where something runs.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from polyceph import plugins
from polyceph.core.model.classification import PersonalData
from polyceph.core.model.profile import ColumnProfile, TableProfile
from polyceph.core.source_ports import Explorer, Sample
from polyceph.errors import Invalid, Misconfigured, PolycephError, Problem
from polyceph.quality.profile import profile

LARGEST_LIST = 5_000
"""Tables that are listed of one source."""
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Question:
    """What to look into: a connector with a source's options, and a dataset's options or nothing, for a list of what there is."""

    connector: str
    options: Mapping[str, object]
    base: Path
    dataset: Mapping[str, object] | None = None
    rows: int = 10
    shown: int = 10


@dataclass(frozen=True)
class Look:
    """What a sample tells: the profile, and its first rows as texts with personal columns masked."""

    profile: TableProfile
    preview: tuple[tuple[str | None, ...], ...]
    notes: tuple[str, ...]


def explorer(question: Question) -> Explorer:
    """Return the connector of a question; raise `Misconfigured` when it cannot be looked into."""
    found = plugins.load(plugins.CONNECTORS, question.connector)
    options = checked(found.source_options, question.options, f"options of a source of connector {question.connector}")
    connector = found(options, base=question.base)
    if not (hasattr(connector, "tables") and hasattr(connector, "sample")):
        raise Misconfigured(f"connector {question.connector} cannot be looked into", hint="its author has to add tables() and sample()")
    looked: Explorer = connector
    return looked


def look(question: Question) -> Look:
    """Return what the first rows of a question's dataset tell; raises what the connector raises."""
    with tempfile.TemporaryDirectory(prefix="polyceph-look-") as workspace:
        sample = explorer(question).sample(question.dataset or {}, rows=question.rows, workspace=Path(workspace))
        rows = pa.RecordBatchReader.from_stream(sample.rows).read_all().slice(0, question.rows)
        found = profile(Sample(sample.columns, rows, sample.notes, sample.description))
    notes = tuple(f"{note.subject}: {note.text}" + (f" ({note.value})" if note.value else "") for note in sample.notes)
    return Look(found, tuple(_preview(rows.slice(0, question.shown), found.columns)), notes)


def answer() -> None:
    """Answer the question on standard input with one JSON document on standard output; an error of ours is an answer too."""
    given = json.load(sys.stdin)
    question = Question(**{**given, "base": Path(given["base"])})
    # A driver that prints must not spoil the answer.
    out, sys.stdout = sys.stdout, sys.stderr
    try:
        if question.dataset is None:
            tables = [asdict(table) for table in islice(explorer(question).tables(), LARGEST_LIST)]
            found: dict[str, Any] = {"tables": tables}
        else:
            found = asdict(look(question))
    except PolycephError as error:
        problems = [problem.as_dict() for problem in error.problems]
        found = {"error": type(error).__name__, "message": error.message, "problems": problems, "hint": error.hint}
    out.write(json.dumps(found, ensure_ascii=False, default=str))


def checked(model: type[BaseModel], given: Mapping[str, object], what: str) -> Any:
    """Return options as their model; raise `Invalid` naming each wrong key. pydantic's own error repeats values, which may be secrets."""
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        parts = error.errors(include_input=False, include_url=False)
        problems = [Problem(part["msg"], place=".".join(map(str, part["loc"])) or None) for part in parts]
        raise Invalid(f"{what} are wrong", problems=problems, hint="polyceph connector show NAME tells them") from None


def _preview(rows: pa.Table, columns: Sequence[ColumnProfile]) -> list[tuple[str | None, ...]]:
    texts = [_shown(rows.column(column.source_name).to_pylist(), column) for column in columns]
    return list(zip(*texts, strict=True)) if texts else []


def _shown(values: Sequence[object], column: ColumnProfile) -> list[str | None]:
    """Return values as texts a person may see without a purpose: of a column about persons, only that something is there."""
    is_masked = column.personal_data is not PersonalData.NONE
    return [None if value is None else "•••" if is_masked else _short(str(value)) for value in values]


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN_CHARACTERS else flat[: _SHOWN_CHARACTERS - 1] + "…"
