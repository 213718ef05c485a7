"""Public files with known defects: each is read or refused with a reason, never a crash.

`expectations.json` holds the columns asked of each file and what comes out; a difference is to be looked at, not to be overwritten.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.options import WORKBOOKS, FilesDataset, Format
from polyceph.connectors.tabular.reading import SourceFile, job_of
from polyceph.connectors.tabular.worker import read_job
from polyceph.errors import Invalid, NotFound
from polyceph.sdk import Column

HERE = Path(__file__).parent
FOLDERS = {"tabular": "corpora/tabular/data", "workbooks": "corpora/workbooks/tests"}
TABLES: dict[str, dict[str, Any]] = {
    name: json.loads((HERE.parent / name / "expectations.json").read_text(encoding="utf-8")) for name in FOLDERS
}
CASES = [(corpus, name) for corpus, table in TABLES.items() for name in table]
OUTCOMES = {"tabular": (58, 12), "workbooks": (36, 30)}
"""How many files are read and how many refused; the refused ones are ragged, empty, protected, doubled or uncertain."""


@pytest.fixture(scope="module")
def corpora(shared_data: Path) -> Path:
    if not (shared_data / "corpora").is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail("the public corpora are not here")
        pytest.skip("the public corpora are not here: set POLYCEPH_SHARED to the folder that holds corpora/")
    return shared_data


def read(path: Path, names: list[str], folder: Path) -> dict[str, Any]:
    kinds: dict[str, Format] = {".csv": "csv", ".tsv": "tsv", ".xls": "xls", ".ods": "ods"}
    kind = kinds.get(path.suffix, "xlsx")
    dataset = FilesDataset(path=path.name, sheet=1 if kind in WORKBOOKS else None, format=kind, compression="none")
    columns = tuple(Column(f"c{i}", "string", source_name=name) for i, name in enumerate(names))
    findings = Findings(path.name)
    try:
        rows = read_job(job_of(SourceFile(path, path.name, kind), columns, dataset), folder, findings)
    except (Invalid, NotFound) as error:
        return {"refused": (error.problems[0].message if error.problems else error.message)[:90]}
    with pa.memory_map(str(folder / "rows.arrow")) as source:
        assert pa.ipc.open_file(source).read_all().num_rows == rows
    subjects = ("encoding", "delimiter", "quote", "blank rows", "columns")
    return {"rows": rows, "found": [f"{n.subject}: {n.value}" for n in findings.notes if n.subject in subjects]}


@pytest.mark.parametrize(("corpus", "name"), CASES)
def test_a_public_file_comes_out_as_expected(corpora: Path, tmp_path: Path, corpus: str, name: str) -> None:
    expected = dict(TABLES[corpus][name])
    assert read(corpora / FOLDERS[corpus] / name, expected.pop("columns"), tmp_path) == expected


@pytest.mark.parametrize("corpus", FOLDERS)
def test_as_many_files_are_read_as_before(corpus: str) -> None:
    table = TABLES[corpus].values()
    assert (sum("rows" in e for e in table), sum("refused" in e for e in table)) == OUTCOMES[corpus]


@pytest.mark.parametrize("corpus", FOLDERS)
def test_a_public_file_asked_for_what_it_does_not_hold_is_refused(corpora: Path, tmp_path: Path, corpus: str) -> None:
    for number, path in enumerate(sorted(p for p in (corpora / FOLDERS[corpus]).rglob("*") if p.is_file())):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert "refused" in read(path, ["no such header", "nor this one"], folder), path.name
