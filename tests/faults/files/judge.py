"""Loads a mutated file as the platform does, and judges what came of it. `silently wrong` must never happen.

A file may be refused; rows may be set aside; or rows are taken. A taken row is right when it is a row of the original, or when another
reader, which shares no code with ours, finds just this row in the mutated bytes: then the file says so, and nobody can know better.
Anything else is silently wrong. So is a row that such a reader finds and that is neither taken, nor set aside, nor told of in a note.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from polyceph.connectors.files import FilesConnector
from polyceph.core.model.classification import Classification
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.place import Place
from polyceph.core.source_ports import NO_REJECTS, Delivery, Demand, Tolerance
from polyceph.errors import PolycephError

LONGEST_S, MEMORY_MB = 30.0, 512
"""What reading one file may take."""
NAMES = ("id", "name", "amount", "day", "proof")
_SAYS_NOTHING_OF_ROWS = ("arrival", "encoding", "delimiter", "quote", "escape", "header", "number", "date", "version", "columns")
_DATASET = DatasetId("meuse", Zone.RAW, "fuzzed")
_GOOD = ("refused", "as it was", "as it says", "in part")
_DAYS = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y/%m/%d")


@dataclass(frozen=True)
class Verdict:
    """What became of a file: `refused`, `as it was`, `as it says`, `in part`; or what must not be, such as `crash` or `silently wrong`."""

    what: str
    detail: str
    seconds: float

    @property
    def is_bad(self) -> bool:
        return self.what not in _GOOD


@dataclass(frozen=True)
class Case:
    """A file to load: its name, its bytes, the options that read it, and whether wrong rows may be set aside."""

    name: str
    data: bytes
    options: dict[str, Any]
    is_tolerant: bool


Readings = Sequence[Sequence[tuple[str | None, ...]]]


def judge(case: Case, columns: tuple[Column, ...], was: Sequence[tuple[str, ...]], readings: Readings) -> Verdict:
    """Load a case and judge it by the original rows and by what other readers find."""
    with TemporaryDirectory(prefix="polyceph-fuzz-") as name:
        folder = Path(name)
        source, work = folder / "source", folder / "work"
        source.mkdir()
        (source / case.name).write_bytes(case.data)
        started = time.monotonic()
        try:
            delivery = _delivery(case, columns, source, work)
            taken = pa.RecordBatchReader.from_stream(delivery.rows).read_all().to_pylist()  # type: ignore[union-attr]
            set_aside = len({one["row"] for one in _rejected(delivery)})
        except PolycephError as error:
            return _within(Verdict("refused", type(error).__name__, time.monotonic() - started), source, case)
        except Exception as error:  # noqa: BLE001 -- whatever else comes out is what this looks for
            return Verdict("crash", f"{type(error).__name__}: {error}"[:300], time.monotonic() - started)
        seconds = time.monotonic() - started
        return _within(_compared(taken, set_aside, delivery, was=was, readings=readings, seconds=seconds), source, case)


def _delivery(case: Case, columns: tuple[Column, ...], source: Path, work: Path) -> Delivery:
    level, place = Classification.INTERNAL, Place("fuzzed.odcs.yaml")
    contract = Contract(_DATASET, "x", "1.0.0", "active", "owner", "steward", level, columns, place, "")
    options = FilesConnector.source_options.model_validate({"folder": ".", "memory_limit_mb": MEMORY_MB, "time_limit_s": int(LONGEST_S)})
    tolerance = Tolerance(share=1.0) if case.is_tolerant else NO_REJECTS
    demand = Demand(_DATASET, contract, {"path": case.name, **case.options}, None, lambda _: False, work, source, tolerance=tolerance)
    [delivery] = FilesConnector(options, base=source).deliveries(demand)
    return delivery


def _rejected(delivery: Delivery) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pa.RecordBatchReader.from_stream(delivery.rejects).read_all().to_pylist() if delivery.rejects else []
    return found


def _within(verdict: Verdict, source: Path, case: Case) -> Verdict:
    there = sorted(str(path.relative_to(source)) for path in source.rglob("*"))
    if there != [case.name] or (source / case.name).read_bytes() != case.data:
        return Verdict("wrote outside its spool", ", ".join(there)[:300], verdict.seconds)
    if verdict.seconds > LONGEST_S:
        return Verdict("slow", f"{verdict.seconds:.1f} s", verdict.seconds)
    return verdict


def _compared(
    taken: Sequence[dict[str, Any]],
    set_aside: int,
    delivery: Delivery,
    *,
    was: Sequence[tuple[str, ...]],
    readings: Readings,
    seconds: float,
) -> Verdict:
    known = {_key(row): row for row in was}
    said = [cells for reading in readings for cells in reading]
    from_file = 0
    for row in taken:
        values = tuple(row[name] for name in NAMES)
        original = known.get(str(values[0]))
        if original is not None and _says(original, values):
            continue
        if not any(_says(cells, values) for cells in said):
            return Verdict("silently wrong", f"took {values!r}"[:300], seconds)
        from_file += 1
    lost = _lost(taken, set_aside, delivery, readings=readings)
    if lost:
        return Verdict("silently wrong", lost, seconds)
    what = "in part" if set_aside else "as it was" if not from_file and len(taken) == len(was) else "as it says"
    return Verdict(what, f"{len(taken)} taken, {set_aside} set aside", seconds)


def _key(row: tuple[str, ...]) -> str:
    return row[0]


def _lost(taken: Sequence[dict[str, Any]], set_aside: int, delivery: Delivery, *, readings: Readings) -> str:
    """Return what is missing: another reader that finds the rows we took finds more, and neither a reject nor a note tells of them."""
    values = [tuple(row[name] for name in NAMES) for row in taken]
    rows = [[cells for cells in reading if _is_row(cells)] for reading in readings]
    agreeing = [sum(any(_says(cells, one) for cells in reading) for one in values) for reading in rows]
    best = max(agreeing, default=0)
    fewest = min((len(reading) for reading, count in zip(rows, agreeing, strict=True) if count == best and count), default=0)
    is_told = any(note.subject not in _SAYS_NOTHING_OF_ROWS for note in delivery.notes)
    if len(taken) + set_aside >= fewest or is_told:
        return ""
    return f"{fewest} rows found by others, {len(taken)} taken, {set_aside} set aside"


def _is_row(cells: Iterable[str | None]) -> bool:
    first = next(iter(cells), None)
    return bool(first and re.fullmatch(r"\d{1,4}", first.strip()))


def _says(cells: Sequence[str | None], values: Sequence[Any]) -> bool:
    """Tell whether texts of a file mean these values, in one of the ways in which people write them."""
    return len(cells) >= len(values) and all(_means(text, value) for text, value in zip(cells, values, strict=False))


def _means(text: str | None, value: Any) -> bool:
    if value is None:
        return text is None or not text.strip()
    if text is None:
        return False
    if isinstance(value, str):
        return text == value or text.strip() == value.strip()
    if isinstance(value, int | Decimal):
        return value in _numbers(text)
    return value.isoformat() in _days(text)


def _numbers(text: str) -> set[Decimal]:
    bare = re.sub(r"[\s\u00a0\u202f']", "", text).replace("\u2212", "-").removeprefix("+")
    forms = (bare, bare.replace(",", "."), bare.replace(",", ""), bare.replace(".", "").replace(",", "."))
    found = set()
    for form in forms:
        try:
            number = Decimal(form)
        except InvalidOperation:
            continue
        found |= {number} if number.is_finite() else set()
    # A workbook keeps numbers as 64-bit floats.
    return found | {
        number.quantize(Decimal("0.01")) for number in found if abs(number) < 10**12 and abs(number - round(number, 2)) < Decimal("1e-9")
    }


def _days(text: str) -> set[str]:
    day = re.sub(r"[T ]00:00(:00(\.0+)?)?$", "", text.strip())
    found = set()
    for form in _DAYS:
        try:
            found.add(datetime.strptime(day, form).date().isoformat())  # noqa: DTZ007 -- a day has no zone
        except ValueError:
            continue
    return found
