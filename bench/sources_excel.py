"""sources.excel: a workbook of 100,000 rows x 20 columns by the connector files, against the bare reader that opens it (calamine)."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import xlsxwriter
from harness import alternate, finish, progress

from polyceph.connectors.files import FilesConnector
from polyceph.core.model.classification import Classification
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.place import Place
from polyceph.core.source_ports import Demand

ALLOWED_RATIO = 1.3
_KINDS = ("integer", "number", "string", "date", "timestamp")
_COLUMNS = tuple(Column(f"{kind}_{number}", kind) for number in range(4) for kind in _KINDS)
_BARE = (
    "import sys, python_calamine as c; print(sum(1 for _ in c.CalamineWorkbook.from_path(sys.argv[1]).get_sheet_by_index(0).to_python()))"
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=100_000)
    rows = arguments.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "book.xlsx", rows)
        contenders = {
            "polyceph": lambda number: ours(folder, number, rows),
            "calamine": lambda _: bare(folder / "book.xlsx"),
            "pandas with calamine": lambda _: pandas(folder / "book.xlsx"),
        }
        medians = alternate(contenders)
    finish("sources.excel", medians, ours="polyceph", limit="calamine", allowed_ratio=ALLOWED_RATIO, more={"rows": rows})


def write(path: Path, rows: int) -> None:
    """Write the workbook: numbers, texts, days and moments."""
    progress(f"writing {rows:,} rows x {len(_COLUMNS)} columns")
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Data")
        day, moment = book.add_format({"num_format": "dd/mm/yyyy"}), book.add_format({"num_format": "dd/mm/yyyy hh:mm:ss"})
        sheet.write_row(0, 0, [column.name for column in _COLUMNS])
        for row in range(1, rows + 1):
            for at in range(0, len(_COLUMNS), 5):
                sheet.write_number(row, at, row * 7)
                sheet.write_number(row, at + 1, row * 0.37)
                sheet.write_string(row, at + 2, f"rue de la Loi {row % 300}")
                sheet.write_datetime(row, at + 3, date(2000, 1, 1) + timedelta(days=row % 9000), day)
                sheet.write_datetime(row, at + 4, datetime(2020, 1, 1) + timedelta(seconds=row * 61), moment)  # noqa: DTZ001


def ours(folder: Path, number: int, rows: int) -> None:
    """Read, type and check the workbook as a load does, in its throw-away process, to Arrow."""
    dataset, place = DatasetId("bench", Zone.RAW, "book"), Place("book.odcs.yaml")
    promise = Contract(dataset, "book", "1.0.0", "active", "owner", "steward", Classification.INTERNAL, _COLUMNS, place, "")
    connector = FilesConnector(FilesConnector.source_options(folder="."), base=folder)
    demand = Demand(dataset, promise, {"path": "book.xlsx"}, None, lambda _: False, folder / f"work_{number}", folder)
    [delivery] = connector.deliveries(demand)
    assert pa.RecordBatchReader.from_stream(delivery.rows).read_all().num_rows == rows  # type: ignore[arg-type]


def bare(path: Path) -> None:
    subprocess.run([sys.executable, "-c", _BARE, str(path)], check=True, stdout=subprocess.DEVNULL)


def pandas(path: Path) -> None:
    code = "import sys, pandas; print(len(pandas.read_excel(sys.argv[1], engine='calamine')))"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
