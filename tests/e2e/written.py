"""What the generator wrote, dataset by dataset, read with other libraries than the product's: what a load is held against.

What belongs here: finding a source's files by its declaration, and reading them into rows. Values become comparable in `values`.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import sqlglot
import yaml
from python_calamine import CalamineWorkbook
from sqlglot import exp

from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.federation import Federation

Row = dict[str, Any]
Options = Mapping[str, Any]
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")


@dataclass(frozen=True)
class Loaded:
    """A raw dataset: its contract, the options of its Ingest entry, and the folder of the system that it comes from."""

    contract: Contract
    options: Options
    system: Path

    @property
    def kind(self) -> str:
        """How the system is served: `rest`, `sftp`."""
        return self.system.parent.name

    def rows(self) -> list[Row]:
        """Return the rows as they were written, by the source's own names."""
        return _READERS.get(self.kind, _of_files)(self.system, self.options)


def loaded(federation: Federation, folder: Path) -> Iterator[Loaded]:
    """Yield every dataset that an Ingest component of the federation in `folder` loads."""
    for name, domain in sorted(federation.domains.items()):
        for path in sorted((folder / "domains" / name / "defs").rglob("defs.yaml")):
            for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                if document["type"].endswith(".Ingest"):
                    [system] = (folder / "systems").glob(f"*/{name}_{document['attributes']['source']}")
                    for entry in document["attributes"]["datasets"]:
                        yield Loaded(domain.contracts[DatasetId(name, Zone.RAW, entry["name"])], entry, system)


def _lines(path: Path) -> list[Row]:
    return [json.loads(line, parse_float=Decimal) for line in path.read_text(encoding="utf-8").splitlines()]


def _of_database(system: Path, options: Options) -> list[Row]:
    """Return the rows of a table: its CSV has no header, the DDL names its columns."""
    table = options["table"].rpartition(".")[2]
    dialect = {"mariadb": "mysql"}.get(system.parent.name, "postgres")
    statements = sqlglot.parse((system / "schema.sql").read_text(encoding="utf-8"), dialect=dialect)
    [made] = [one for one in statements if isinstance(one, exp.Create) and one.kind == "TABLE" and one.this.this.name == table]
    names = [column.name for column in made.this.expressions if isinstance(column, exp.ColumnDef)]
    with (system / f"{table}.csv").open(encoding="utf-8", newline="") as text:
        return [dict(zip(names, cells, strict=True)) for cells in csv.reader(text)]


def _of_site(system: Path, options: Options) -> list[Row]:
    if "list" in options:
        return _lines(system / "lists" / f"{options['list']}.ndjson")
    texts = (path.read_text(encoding="utf-8") for path in sorted((system / "library").glob(options["path"])))
    return [{"line": line} for text in texts for line in text.splitlines() if line]


def _of_portal(system: Path, options: Options) -> list[Row]:
    known = json.loads((system / "package.json").read_text(encoding="utf-8"))["resources"]
    [path] = [system / one["path"] for one in known if one["id"] == options["resource"]]
    return _of_json(path, options) if path.suffix == ".json" else _of_text(path.read_bytes(), {"delimiter": ";"})


def _of_files(system: Path, options: Options) -> list[Row]:
    """Return the rows of all files of the pattern, each content once; of files that are each the whole, those of the newest."""
    found = sorted(system.glob(options["path"]), key=lambda path: (path.stat().st_mtime, path.name))
    chosen = found[-1:] if options.get("whole") else list({hashlib.sha256(p.read_bytes()).digest(): p for p in found}.values())
    return [row for path in chosen for row in _of_file(path, options)]


def _of_file(path: Path, options: Options) -> list[Row]:
    if path.suffix in WORKBOOKS:
        return _of_sheet(path, options)
    if path.suffix == ".parquet":
        rows: list[Row] = pq.read_table(path).to_pylist()
        return rows
    if path.suffix in (".json", ".geojson"):
        return _of_json(path, options)
    if path.name.endswith(".ndjson.gz"):
        return [json.loads(line, parse_float=Decimal) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            [member] = archive.namelist()
            return _of_text(archive.read(member), options)
    return _of_widths(path, options) if "columns" in options else _of_text(path.read_bytes(), options)


def _of_json(path: Path, options: Options) -> list[Row]:
    found: Any = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    for step in options["records"].split("."):
        found = found[step]
    return list(found)


def _of_text(content: bytes, options: Options) -> list[Row]:
    encoding = {"utf-8": "utf-8-sig"}.get(options.get("encoding", "utf-8"), options.get("encoding", ""))
    text = io.StringIO(content.decode(encoding), newline="")
    return list(csv.DictReader(text, delimiter=options.get("delimiter", ","), strict=True))


def _of_widths(path: Path, options: Options) -> list[Row]:
    rows = []
    for line in path.read_bytes().decode(options["encoding"]).splitlines():
        row, at = {}, 0
        for column in options["columns"]:
            row[column["name"]] = line[at : at + column["length"]].strip()
            at += column["length"]
        rows.append(row)
    return rows


def _of_sheet(path: Path, options: Options) -> list[Row]:
    """Return the rows of a table in a sheet: from below its header to its end, its total or the first line that is empty."""
    sheet = CalamineWorkbook.from_path(path).get_sheet_by_name(options["sheet"])
    cells = [list(row) for row in sheet.to_python(skip_empty_area=False)]
    left, top, right = _area(options)
    header = options.get("header", top)
    first, last = header if isinstance(header, list) else (header, header)
    cells = [row[left:right] for row in cells]
    names = _header(cells[first - 1 : last])
    rows = []
    for row in cells[last:]:
        filled = [cell for cell in row[: len(names)] if cell not in ("", None)]
        if not filled or str(filled[0]).startswith(options.get("stop_at", "\0")):
            break
        rows.append({name: cell for name, cell in zip(names, row, strict=False) if name})
    return rows


def _area(options: Options) -> tuple[int, int, int | None]:
    """Return the first column (from 0), the first row (from 1) and the column behind the last, where one is told."""
    said = re.fullmatch(r"([A-Z])(\d+)(?::([A-Z])\d+)?", options.get("table_at", "A1"))
    assert said is not None
    return ord(said[1]) - ord("A"), int(said[2]), ord(said[3]) - ord("A") + 1 if said[3] else None


def _header(lines: list[list[Any]]) -> list[str]:
    """Return the names of the columns up to the first that has none; a group's name stands only above its first column."""
    names, group = [], ""
    for upper, lower in zip(lines[0], lines[-1], strict=False):
        if lower in ("", None):
            break
        group = str(upper or group)
        names.append(f"{group} / {lower}" if len(lines) > 1 else str(lower))
    return names


_READERS: Mapping[str, Callable[[Path, Options], list[Row]]] = {
    "postgres": _of_database,
    "mariadb": _of_database,
    "rest": lambda system, options: _lines(system / f"{options['path']}.ndjson"),
    "explore": lambda system, options: _lines(system / f"{options['dataset']}.ndjson"),
    "odata": lambda system, options: _lines(system / f"{options['entity_set']}.ndjson"),
    "soap": lambda system, options: _lines(system / f"{options['operation']}.ndjson"),
    "graph": _of_site,
    "ckan": _of_portal,
}
