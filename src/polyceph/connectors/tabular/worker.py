"""The throw-away process that reads one file: `python -m polyceph.connectors.tabular.worker job.json`.

Files come from outside, so they are opened here, under limits of memory, processor time and written bytes, without secrets in the
environment. What comes out is an Arrow file and a report.
"""

from __future__ import annotations

import gzip
import json
import resource
import shutil
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from polyceph.connectors.tabular.conversion import Conversion
from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.form import FormSeen, look
from polyceph.connectors.tabular.formats import decide
from polyceph.connectors.tabular.options import WORKBOOKS, FilesDataset
from polyceph.connectors.tabular.spool import Locate, Portion, Spool
from polyceph.sdk import Column, Invalid, NotFound, Problem, Tolerance

OUT_OF_MEMORY = 86
REJECTS = pa.schema([("row", pa.int64()), ("place", pa.string()), ("column", pa.string()), ("value", pa.string()), ("rule", pa.string())])


def main(arguments: list[str]) -> int:
    """Read the file that the job names; write `report.json` and, when nothing is wrong, `rows.arrow` beside the job."""
    job_path = Path(arguments[0])
    job = json.loads(job_path.read_text(encoding="utf-8"))
    folder = job_path.parent
    _limit(job["memory_mb"], job["seconds"], job["disk_mb"])
    try:
        report = report_on(job, folder)
    except MemoryError:
        return OUT_OF_MEMORY
    (folder / "report.json").write_text(json.dumps(report, ensure_ascii=False), encoding="utf-8")
    return 0


def report_on(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Read the file of a job into `folder` and return what is said of it: rows and notes, or why it is refused; and its form."""
    findings = Findings(job["name"], shown=job["options"]["problems_shown"])
    report: dict[str, Any]
    try:
        rows = read_job(job, folder, findings)
        report = {"rows": rows, "notes": [asdict(note) for note in findings.notes]}
    except (Invalid, NotFound) as error:
        report = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
        report["problems"] = [asdict(problem) for problem in error.problems]
        if findings.form.names and not findings.form.looks:
            _look_at_all(job, folder, findings.form)
    if findings.form.is_told(len(job["columns"])):
        report["form"] = asdict(findings.form.form())
    return report


def _limit(memory_mb: int, seconds: int, disk_mb: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (disk_mb << 20, disk_mb << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_job(job: dict[str, Any], folder: Path, findings: Findings) -> int:
    """Read the file of a job into `rows.arrow` in `folder` and return the number of rows.

    Raises:
        Invalid, NotFound: the file is refused.
    """
    columns = tuple(Column(**column) for column in job["columns"])
    dataset = FilesDataset.model_validate(job["options"])
    path = _unpacked(Path(job["path"]), dataset, folder)
    tolerance = Tolerance(**job["tolerance"])
    portions, locate = _portions(path, job["format"], columns, dataset, findings)
    spool = Spool(folder / "texts.arrow", columns)
    spool.write(portions, dataset)
    formats = decide(spool, dataset, findings)
    conversion = Conversion(spool, formats, dataset, locate, findings)
    try:
        rows = _convert(conversion, folder)
    finally:
        look(findings.form, spool, formats, findings.cells)
    findings.settle(rows + len(findings.rejected_rows), tolerance)
    _write_rejects(folder / "rejects.arrow", findings)
    return rows


def _convert(conversion: Conversion, folder: Path) -> int:
    rows = 0
    with pa.OSFile(str(folder / "rows.arrow"), "wb") as sink, pa.ipc.new_file(sink, conversion.schema()) as writer:
        for batch in conversion.batches():
            rows += len(batch)
            writer.write_batch(batch)
    return rows


def _look_at_all(job: dict[str, Any], folder: Path, seen: FormSeen) -> None:
    """Look at the values of a file whose columns are not those that are promised, so that a renamed or new column is known by them."""
    columns = tuple(Column(name, "string") for name in dict.fromkeys(seen.names))
    apart = Findings(job["name"])
    try:
        dataset = FilesDataset.model_validate(job["options"])
        portions, _ = _portions(_unpacked(Path(job["path"]), dataset, folder), job["format"], columns, dataset, apart)
        spool = Spool(folder / "looked.arrow", columns)
        spool.write(portions, dataset)
        apart.form.names, apart.form.of = list(seen.names), {i: seen.names.index(c.name) for i, c in enumerate(columns)}
        look(apart.form, spool, (), apart.cells)
    except (Invalid, NotFound):
        return
    seen.looks, seen.rows = apart.form.looks, apart.form.rows


def _write_rejects(path: Path, findings: Findings) -> None:
    if findings.rejects:
        table = pa.Table.from_pylist([asdict(reject) for reject in findings.rejects], schema=REJECTS)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, REJECTS) as writer:
            writer.write_table(table)


def _portions(
    path: Path, kind: str, columns: tuple[Column, ...], dataset: FilesDataset, findings: Findings
) -> tuple[Iterator[Portion], Locate]:
    # Each reader imports a large library, and a process reads one file.
    if kind in WORKBOOKS:
        from polyceph.connectors.tabular.workbook import read_workbook

        return read_workbook(path, columns, dataset, findings)
    if kind in ("json", "ndjson"):
        from polyceph.connectors.tabular.records import read_records

        return read_records(path, columns, dataset, is_lines=kind == "ndjson", findings=findings)
    if kind == "parquet":
        from polyceph.connectors.tabular.columnar import read_parquet

        return read_parquet(path, columns, dataset, findings)
    from polyceph.connectors.tabular.delimited import read_delimited

    return read_delimited(path, columns, dataset, findings)


def _unpacked(path: Path, dataset: FilesDataset, folder: Path) -> Path:
    if dataset.compression in (None, "none"):
        return path
    target = folder / "unpacked"
    try:
        if dataset.compression == "gz":
            with gzip.open(path) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
        else:
            with zipfile.ZipFile(path) as archive, archive.open(_member(archive, dataset)) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
    except (EOFError, zipfile.BadZipFile, gzip.BadGzipFile, RuntimeError, NotImplementedError) as error:
        raise Invalid(f"the file cannot be unpacked as {dataset.compression}: {error}") from error
    except OSError as error:
        raise Invalid(
            f"the file cannot be unpacked: {error.strerror or error}", hint="it may unpack to more than the disk limit"
        ) from error
    return target


def _member(archive: zipfile.ZipFile, dataset: FilesDataset) -> str:
    names = [info.filename for info in archive.infolist() if not info.is_dir() and not info.filename.startswith("__MACOSX/")]
    if dataset.member is not None:
        if dataset.member in names:
            return dataset.member
        raise NotFound("the zip does not hold the member", problems=[Problem(f"no {dataset.member!r}", allowed=tuple(names[:20]))])
    if len(names) != 1:
        problem = Problem(f"the zip holds {len(names)} files", allowed=tuple(f"member: {name}" for name in names[:20]))
        raise Invalid("the zip does not hold exactly one file", problems=[problem])
    return names[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
