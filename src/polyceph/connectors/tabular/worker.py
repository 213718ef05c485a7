"""What the throw-away process does that reads one file; `warm` forks it.

Files come from outside, so they are opened here, under limits of memory, processor time and written bytes, without secrets in the
environment. What comes out is an Arrow file and a report.
"""

from __future__ import annotations

import json
import resource
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
from polyceph.connectors.tabular.packing import members, unpacked
from polyceph.connectors.tabular.spool import Locate, Portion, Spool
from polyceph.sdk import Column, Invalid, NotFound, Tolerance, ValueRule

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
    """Do a job in `folder` and return what is said of it: what was asked for, or why the file is refused; and the form of its rows."""
    findings = Findings(job["name"], shown=job["options"]["problems_shown"])
    try:
        report = _done(job, folder, findings)
    except (Invalid, NotFound) as error:
        report = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
        report["problems"] = [asdict(problem) for problem in error.problems]
        if job["task"] == "rows" and findings.form.names and not findings.form.looks:
            _look_at_all(job, folder, findings.form)
    if job["task"] == "rows" and findings.form.is_told(len(job["columns"])):
        report["form"] = asdict(findings.form.form())
    return report


def _limit(memory_mb: int, seconds: int, disk_mb: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (disk_mb << 20, disk_mb << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _done(job: dict[str, Any], folder: Path, findings: Findings) -> dict[str, Any]:
    """Do what the job asks for and return the report."""
    if job["task"] == "members":
        return {"members": members(Path(job["path"]), job["pattern"])}
    if job["task"] == "rows":
        return {"rows": read_job(job, folder, findings), "notes": [asdict(note) for note in findings.notes]}
    from polyceph.connectors.tabular.sampling import parts, sample_file

    dataset = FilesDataset.model_validate(job["options"])
    path, kind = unpacked(Path(job["path"]), dataset, folder), job["format"]
    if job["task"] == "parts":
        return {"parts": parts(path, kind, job["name"])}
    read: Any = lambda columns, options, found: _portions(path, kind, columns, options, found)  # noqa: E731
    return sample_file(path, kind, dataset, job["rows"], folder=folder, name=job["name"], read=read)


def read_job(job: dict[str, Any], folder: Path, findings: Findings) -> int:
    """Read the file of a job into `rows.arrow` in `folder` and return the number of rows.

    Raises:
        Invalid, NotFound: the file is refused.
    """
    columns = tuple(map(_column, job["columns"]))
    dataset = FilesDataset.model_validate(job["options"])
    path = unpacked(Path(job["path"]), dataset, folder)
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
        portions, _ = _portions(unpacked(Path(job["path"]), dataset, folder), job["format"], columns, dataset, apart)
        spool = Spool(folder / "looked.arrow", columns)
        spool.write(portions, dataset)
        apart.form.names, apart.form.of = list(seen.names), {i: seen.names.index(c.name) for i, c in enumerate(columns)}
        look(apart.form, spool, (), apart.cells)
    except (Invalid, NotFound):
        return
    seen.looks, seen.rows = apart.form.looks, apart.form.rows


def _column(given: dict[str, Any]) -> Column:
    rules = tuple(ValueRule(rule["name"], tuple(rule["values"])) for rule in given.get("rules", ()))
    return Column(**{**given, "rules": rules})


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
    if kind in ("parquet", "arrow"):
        from polyceph.connectors.tabular.columnar import read_columnar

        return read_columnar(path, columns, dataset, kind=kind, findings=findings)
    if kind in ("geojson", "geopackage"):
        from polyceph.connectors.tabular.features import read_geojson, read_geopackage

        return (read_geojson if kind == "geojson" else read_geopackage)(path, columns, dataset, findings)
    if kind == "xml":
        from polyceph.connectors.tabular.elements import read_xml

        return read_xml(path, columns, dataset, findings)
    if kind == "fixed":
        from polyceph.connectors.tabular.fixed import read_fixed

        return read_fixed(path, columns, dataset, findings)
    from polyceph.connectors.tabular.delimited import read_delimited

    return read_delimited(path, columns, dataset, findings)
