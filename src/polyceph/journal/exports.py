"""Events as files for a regulator or a SIEM: JSON lines, CSV, Parquet; one flat row an event, written as they come."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from polyceph.core.model.event import CORRELATIONS, JournalEntry
from polyceph.errors import Invalid, Misconfigured, Unavailable

_TEXTS = ("actor_kind", "actor_id", "on_behalf_of", "door", "action", "subject_kind", "subject_id", "subject_version", "domain")
_MORE = ("policy", "reason", "purpose", "agreement")
_BLOCK = 10_000


def flat(entry: JournalEntry) -> dict[str, Any]:
    """Return an event as one flat row; what is nested (before, after) stays JSON."""
    event = entry.event
    return {
        "number": entry.number,
        "index": entry.index,
        "at": entry.at.isoformat(),
        "actor_kind": event.actor.kind.value,
        "actor_id": event.actor.id,
        "on_behalf_of": event.actor.on_behalf_of,
        **{name: getattr(event, name) for name in ("door", "action", "subject_kind", "subject_id", "subject_version", "domain")},
        "allowed": event.allowed,
        **{name: getattr(event, name) for name in _MORE},
        "before": None if event.before is None else dict(event.before),
        "after": None if event.after is None else dict(event.after),
        **{name: event.correlation.get(name) for name in sorted(CORRELATIONS)},
    }


def export(entries: Iterable[JournalEntry], path: Path) -> tuple[int, str]:
    """Write events into a new file whose name ends with .jsonl, .csv or .parquet; return their number and the file's SHA-256.

    Raises:
        Invalid: the ending is none of these.
        Misconfigured: the file exists.
        Unavailable: it cannot be written; nothing is left of it.
    """
    write = _WRITERS.get(path.suffix)
    if write is None:
        raise Invalid(f"{path.name} has no known form", hint=f"end its name with {', '.join(_WRITERS)} (.bundle for one with proofs)")
    if path.exists():
        raise Misconfigured(f"{path} exists", hint="name another file")
    fresh = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        count = write(map(flat, entries), fresh)
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
            digest = _digest(file)
        fresh.rename(path)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}", hint="make room, or name another place") from error
    finally:
        fresh.unlink(missing_ok=True)
    return count, digest


def _write_lines(rows: Iterator[dict[str, Any]], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps({key: value for key, value in row.items() if value is not None}, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write rows as CSV that Excel opens as it is; what is nested becomes JSON. Return how many there were."""
    count = 0
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _harmless(value) for key, value in _texts(row).items()})
            count += 1
    return count


def _write_csv(rows: Iterator[dict[str, Any]], path: Path) -> int:
    return write_table(path, COLUMNS, rows)


def _write_parquet(rows: Iterator[dict[str, Any]], path: Path) -> int:
    count = 0
    with pq.ParquetWriter(path, _SCHEMA, compression="zstd") as writer:
        while block := [_texts(row) for row in islice(rows, _BLOCK)]:
            writer.write_table(pa.Table.from_pylist(block, schema=_SCHEMA))
            count += len(block)
    return count


def _texts(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list) else value for key, value in row.items()}


def _harmless(value: object) -> object:
    """Keep a spreadsheet from taking text for a formula (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _digest(file: Any) -> str:
    found = sha256()
    while block := file.read(1 << 20):
        found.update(block)
    return found.hexdigest()


_SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("index", pa.int64()),
        ("at", pa.string()),
        *((name, pa.string()) for name in _TEXTS),
        ("allowed", pa.bool_()),
        *((name, pa.string()) for name in (*_MORE, "before", "after", *sorted(CORRELATIONS))),
    ]
)
COLUMNS = tuple(field.name for field in _SCHEMA)
"""The columns of a flat row, in order."""
_WRITERS: Mapping[str, Callable[[Iterator[dict[str, Any]], Path], int]] = {
    ".jsonl": _write_lines,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
