"""Reading one file in a throw-away process: the job goes in as JSON, rows come out as an Arrow file, refusals as `Invalid`."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from polyceph.connectors.tabular import warm
from polyceph.connectors.tabular.options import FilesDataset, Format
from polyceph.connectors.tabular.shapes import is_any_closed
from polyceph.sdk import NO_REJECTS, Column, Form, Invalid, Note, NotFound, Problem, Sample, SourceColumn, Tolerance, Unavailable, form_of

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "TZ")
_LEAN = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
"""With their own pools Arrow and glibc reserve 1.6 GB of address space for a small file, with these 0.4 GB, so that the limit counts."""
"""All that the process gets of the environment; secrets are not among it."""
_OUT_OF_MEMORY = 86


@dataclass(frozen=True)
class Limits:
    """What the reading of one file may take."""

    memory_mb: int
    seconds: int
    disk_mb: int


@dataclass(frozen=True)
class StoredRows:
    """Rows in an Arrow file, mapped instead of held in memory; can be read as often as needed."""

    path: Path

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a new stream over all rows (Arrow PyCapsule interface)."""
        return self.reader().__arrow_c_stream__(requested_schema)

    def reader(self) -> pa.RecordBatchReader:
        """Return the rows as record batches."""
        file = pa.ipc.open_file(pa.memory_map(str(self.path)))
        return pa.RecordBatchReader.from_batches(file.schema, (file.get_batch(i) for i in range(file.num_record_batches)))


@dataclass(frozen=True)
class Reading:
    """What came out of one file."""

    rows: StoredRows
    count: int
    notes: tuple[Note, ...]
    rejects: StoredRows | None = None
    """The values that did not fit, when the load tolerates them."""
    form: Form | None = None
    """What the file looked like."""


@dataclass(frozen=True)
class Tried:
    """A file that was read, or why it cannot be; either way what it looked like, as far as that can be told."""

    form: Form | None
    reading: Reading | None = None
    refusal: Invalid | NotFound | None = None

    def read(self) -> Reading:
        """Return what came out; raise the refusal when nothing did."""
        if self.reading is None:
            raise self.refusal or Invalid("the file was not read")
        return self.reading


@dataclass(frozen=True)
class SourceFile:
    """A private copy of a file, the name people know it by, and its format."""

    path: Path
    name: str
    kind: Format
    tolerance: Tolerance = NO_REJECTS
    """How many of its rows may be set aside."""


def read_file(file: SourceFile, columns: tuple[Column, ...], *, dataset: FilesDataset, folder: Path, limits: Limits) -> Reading:
    """Read a file into `folder`.

    Raises:
        Invalid: the file does not keep the contract or cannot be read; every problem names a line or a cell.
        NotFound: a sheet or a zip member does not exist.
        Unavailable: the process could not be started.
    """
    return try_file(file, columns, dataset=dataset, folder=folder, limits=limits).read()


def try_file(file: SourceFile, columns: tuple[Column, ...], *, dataset: FilesDataset, folder: Path, limits: Limits) -> Tried:
    """Read a file into `folder` and return what came out, or why it is refused, with its form; raises what is not the file's fault."""
    job = folder / "job.json"
    job.write_text(json.dumps(job_of(file, columns, dataset) | asdict(limits)), encoding="utf-8")
    report = _run_report(job, file.name, limits, may_quote=not is_any_closed(columns))
    form = form_of(report["form"]) if "form" in report else None
    if "error" in report:
        return Tried(form, refusal=_raised(report))
    rejects = folder / "rejects.arrow"
    kept = StoredRows(rejects) if rejects.exists() else None
    notes = tuple(Note(**note) for note in report["notes"])
    return Tried(form, Reading(StoredRows(folder / "rows.arrow"), report["rows"], notes, kept, form))


def packed_members(file: SourceFile, pattern: str, *, folder: Path, limits: Limits) -> dict[str, str]:
    """Return the members of a zip that match a glob, sorted, each with the SHA-256 of its bytes; raises like `read_file`."""
    job = folder / "job.json"
    asked = {"task": "members", "path": str(file.path), "name": file.name, "pattern": pattern, "options": {"problems_shown": 20}}
    job.write_text(json.dumps(asked | asdict(limits)), encoding="utf-8")
    found: dict[str, str] = _reported(job, file.name, limits, may_quote=True)["members"]
    return found


def file_parts(file: SourceFile, dataset: FilesDataset, *, folder: Path, limits: Limits) -> list[str]:
    """Return the sheets of a workbook or the layers of a GeoPackage; raises like `read_file`."""
    found: list[str] = _asked("parts", file, dataset, 0, folder=folder, limits=limits)["parts"]
    return found


def sample_of(file: SourceFile, dataset: FilesDataset, rows: int, *, folder: Path, limits: Limits) -> Sample:
    """Return the first rows of a file and its columns, without a contract; raises like `read_file`."""
    report = _asked("sample", file, dataset, rows, folder=folder, limits=limits)
    columns = tuple(SourceColumn(**column) for column in report["columns"])
    return Sample(columns, StoredRows(folder / "rows.arrow"), tuple(Note(**note) for note in report["notes"]))


def _asked(task: str, file: SourceFile, dataset: FilesDataset, rows: int, *, folder: Path, limits: Limits) -> dict[str, Any]:
    job = folder / "job.json"
    asked = job_of(file, (), dataset) | {"task": task, "rows": rows} | asdict(limits)
    job.write_text(json.dumps(asked), encoding="utf-8")
    return _reported(job, file.name, limits, may_quote=False)


def _reported(job: Path, name: str, limits: Limits, *, may_quote: bool) -> dict[str, Any]:
    report = _run_report(job, name, limits, may_quote=may_quote)
    if "error" in report:
        raise _raised(report)
    return report


def _run_report(job: Path, name: str, limits: Limits, *, may_quote: bool) -> dict[str, Any]:
    """Let the process do the job and return what it says, a refusal too."""
    _run(job, name, limits, may_quote=may_quote)
    report: dict[str, Any] = json.loads((job.parent / "report.json").read_text(encoding="utf-8"))
    return report


def job_of(file: SourceFile, columns: tuple[Column, ...], dataset: FilesDataset) -> dict[str, Any]:
    """Return what the process needs to know, ready for JSON."""
    wanted = ("name", "logical_type", "physical_type", "source_name", "classification", "personal_data", "required", "primary_key")
    promised = [{key: getattr(column, key) for key in wanted} | {"rules": [asdict(rule) for rule in column.rules]} for column in columns]
    options = dataset.model_dump(mode="json")
    own = {"task": "rows", "path": str(file.path), "name": file.name, "format": file.kind, "tolerance": asdict(file.tolerance)}
    return own | {"columns": promised, "options": options}


def _run(job: Path, name: str, limits: Limits, *, may_quote: bool) -> None:
    environment = {key: os.environ[key] for key in _KEPT if key in os.environ} | _LEAN
    try:
        done = warm.run(job, limits.seconds * 2 + 30, environment)
    except OSError as error:
        raise Unavailable(f"the process that reads {name} does not start: {error}") from error
    if done.is_late:
        raise Invalid(f"{name} cannot be read within {limits.seconds} s", hint="raise time_limit_s of the source")
    if done.code == 0 and (job.parent / "report.json").exists():
        return
    # The last line of a traceback is the error's text, which may quote a value; before the colon stands its kind.
    last = (done.said.strip().splitlines() or ["no message"])[-1][:300]
    raise _ended(done.code, done.said, name, limits=limits, last=last if may_quote else last.split(":", 1)[0])


def _ended(code: int, text: str, name: str, *, limits: Limits, last: str) -> Invalid:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return Invalid(f"{name} cannot be read within {limits.seconds} s of processor time", hint="raise time_limit_s of the source")
    memory = code == _OUT_OF_MEMORY or "memory allocation" in text or "MemoryError" in text or "ArrowMemoryError" in text
    if memory:
        return Invalid(f"{name} cannot be read within {limits.memory_mb} MB of memory", hint="raise memory_limit_mb of the source")
    if code == -signal.SIGXFSZ or "File too large" in text:
        return Invalid(f"{name} becomes larger than {limits.disk_mb} MB on disk", hint="raise disk_limit_mb of the source")
    what = f"signal {signal.Signals(-code).name}" if code < 0 else last
    return Invalid(f"{name} breaks the program that reads it ({what})", hint="save it anew in another format")


def _raised(report: dict[str, Any]) -> Invalid | NotFound:
    problems = [Problem(**{**problem, "allowed": tuple(problem["allowed"])}) for problem in report["problems"]]
    kind = NotFound if report["error"] == "NotFound" else Invalid
    return kind(report["message"], problems=problems, hint=report["hint"])
