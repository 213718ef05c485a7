"""The first rows of a file before there is a contract: its header tells the columns, all of them texts; JSON tells its types itself."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import simplejson as json

from polyceph.connectors.tabular.encoding import find_encoding
from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.reading import Limits, SourceFile, read_file
from polyceph.connectors.web.json_samples import json_sample
from polyceph.connectors.web.lines import json_lines
from polyceph.connectors.web.paths import rows_at
from polyceph.sdk import Column, Invalid, Sample, SourceColumn

_DELIMITERS = ";,\t|"


def file_sample(file: SourceFile, reading: FilesDataset, rows: int, limits: Limits) -> Sample:
    """Return the first rows of a JSON or delimited file.

    Raises:
        Invalid: it is of another format, packed, or cannot be read.
    """
    if reading.compression in ("gz", "zip") or file.kind not in ("csv", "tsv", "json", "ndjson"):
        kind = f"{reading.compression} of {file.kind}" if reading.compression in ("gz", "zip") else file.kind
        raise Invalid(
            f"there is no sample of {file.name}: it is {kind}", hint="samples are of csv, tsv, json and ndjson, or read: datastore"
        )
    if file.kind == "ndjson":
        return json_sample(list(islice(json_lines(file.path, file.name), rows)), file.name)
    if file.kind == "json":
        return json_sample(_document(file, reading)[:rows], file.name)
    names = _header(file, reading)
    columns = tuple(Column(name, "string") for name in names)
    read = read_file(file, columns, dataset=reading, folder=file.path.parent, limits=limits)
    table = pa.Table.from_batches(islice(read.rows.reader(), 1), read.rows.reader().schema).select(names).slice(0, rows)
    return Sample(tuple(SourceColumn(name, "text") for name in names), table, read.notes)


def _document(file: SourceFile, reading: FilesDataset) -> list[Any]:
    try:
        document = json.loads(file.path.read_bytes(), use_decimal=True)
    except ValueError as error:
        raise Invalid(f"{file.name} is no JSON", hint="check the format") from error
    return rows_at(document, reading.records, file.name)


def _header(file: SourceFile, reading: FilesDataset) -> list[str]:
    lines = reading.header_rows() or (reading.skip_rows + 1, reading.skip_rows + 1)
    encoding = find_encoding(file.path, reading.encoding, Findings(file.name))
    with Path(file.path).open(encoding=encoding, newline="") as opened:
        first = next(islice(opened, lines[0] - 1, None), "").removeprefix("\ufeff")
    delimiter = reading.delimiter or ("\t" if file.kind == "tsv" else max(_DELIMITERS, key=first.count))
    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter, quotechar=reading.quote or '"'), [])]
    if reading.header == "none" or not all(names) or len(set(names)) != len(names) or not names:
        raise Invalid(f"{file.name} has no header that tells its columns apart", hint="declare header: the number of its row")
    return names
