"""Options of a dataset that comes as files: which files, and how to read them. What is left out is detected and reported."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from polyceph.connectors.tabular.findings import SHOWN
from polyceph.sdk import Options

Format = Literal["csv", "tsv", "fixed", "json", "ndjson", "xml", "geojson", "geopackage", "parquet", "arrow", "xlsx", "xls", "ods"]
WORKBOOKS = ("xlsx", "xls", "ods")
_SAME_ROWS = {"sheet", "ignore_columns", "date_format", "decimal"}
_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?([1-9]\d{0,6})(?::\$?([A-Z]{1,3})\$?([1-9]\d{0,6}))?")


_LATER: Mapping[str, object] = {"columns": (), "rows": None, "namespaces": {}, "geometry": "wkt", "crs": "EPSG:4326", "layer": None}
"""Options that came later, and what they are when left out: they then leave the digest of files that are loaded as it was."""
_NO_READING = {"path", "may_be_absent", "problems_shown", "whole", "stable_s", "archive", "quarantine"}
"""Options that decide nothing about the rows of a file."""
_CRS = re.compile(r"[A-Za-z]+:\w+")


class FixedColumn(Options):
    """Where one column stands in each line of a fixed-width text."""

    name: str = Field(min_length=1, description="name or physicalName of the contract's column")
    start: int | None = Field(default=None, ge=1, description="its first character, from 1; behind the one before when left out")
    length: int = Field(ge=1, description="how many characters it takes")


class FilesDataset(Options):
    """Which files make the dataset and how they are read."""

    path: str = Field(description="file or glob below the source's folder or URL, e.g. pupils_*.csv")
    may_be_absent: bool = Field(default=False, description="no file is no error: nothing is loaded")
    format: Format | None = Field(default=None, description="guessed from the file's name; xlsx stands for xlsm and xlsb too")
    compression: Literal["none", "gz", "zip"] | None = Field(default=None, description="guessed from the file's name")
    member: str | None = Field(
        default=None, description="the file inside a zip that holds several; a glob makes each that matches a delivery of its own"
    )
    encoding: str | None = Field(default=None, description="character encoding of a text file, e.g. windows-1252")
    delimiter: str | None = Field(default=None, min_length=1, max_length=1, description="character between two cells")
    quote: str | None = Field(default=None, max_length=1, description='character around a cell; "" for none')
    escape: str | None = Field(default=None, min_length=1, max_length=1, description="character before a quote inside a quoted cell")
    comment: str | None = Field(default=None, min_length=1, description="lines that begin with this are skipped")
    header: Literal["none"] | int | tuple[int, int] | None = Field(
        default=None, description="none, the row number, or [first, last] of a header in several rows; searched when left out"
    )
    skip_rows: int = Field(default=0, ge=0, description="rows to skip at the top")
    skip_footer: int = Field(default=0, ge=0, description="rows to skip at the end")
    stop_at: str | None = Field(default=None, min_length=1, description="stop at the first row whose first filled cell begins with this")
    sheet: str | int | None = Field(default=None, description="name or number (from 1) of the sheet; needed when there are several")
    table_at: str | None = Field(default=None, description="first cell (B5) or range (B5:F40) of a table in a sheet")
    records: str | None = Field(default=None, min_length=1, description="dotted path to the rows inside a JSON document, e.g. data.items")
    columns: tuple[FixedColumn, ...] = Field(default=(), description="columns of a fixed-width text, each with name, start and length")
    rows: str | None = Field(default=None, min_length=2, description="path to the rows of an XML document, e.g. /export/dossiers/dossier")
    namespaces: dict[str, str] = Field(
        default_factory=dict, description="prefix: address of a namespace, for paths such as x:dossier; without them any namespace fits"
    )
    layer: str | None = Field(default=None, min_length=1, description="layer of a GeoPackage; needed when there are several")
    geometry: Literal["wkt", "geojson"] = Field(default="wkt", description="how the text of the column geometry is written")
    crs: str = Field(default="EPSG:4326", description="the coordinate reference system that is expected; a file in another one is refused")
    decimal: Literal[".", ","] | None = Field(default=None, description="decimal separator")
    thousands: Literal[".", ",", " ", "'", ""] | None = Field(
        default=None, description='thousands separator; " " means every kind of space'
    )
    date_format: str | None = Field(default=None, description="e.g. %d/%m/%Y or %d %B %Y (month names in French, Dutch, German, English)")
    timezone: str | None = Field(default=None, description="time zone of times that state none, e.g. Europe/Brussels")
    true_values: tuple[str, ...] = Field(default=(), description="texts that mean true")
    false_values: tuple[str, ...] = Field(default=(), description="texts that mean false")
    null_values: tuple[str, ...] = Field(default=(), description="texts that mean nothing, besides the empty cell")
    ignore_columns: tuple[str, ...] = Field(
        default=(), description='columns of the file that are left out on purpose; "" stands for those without a header'
    )

    whole: bool = Field(
        default=False,
        description="each file is the whole as it was then: only differences to the one before are kept, and a file counts even"
        " when its content was loaded under another name",
    )
    stable_s: int = Field(default=0, ge=0, description="leave a file that was written within so many seconds for the next load")
    archive: str | None = Field(default=None, min_length=1, description="folder of the source into which a loaded file is moved")
    quarantine: str | None = Field(
        default=None, min_length=1, description="folder of the source into which a refused file is moved, with the reason beside it"
    )
    problems_shown: int = Field(
        default=SHOWN, ge=1, le=10_000, description="how many problems of a file are listed; the others are counted"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.decimal is not None and self.decimal == self.thousands:
            raise ValueError("decimal and thousands are the same character")
        if bool(self.true_values) != bool(self.false_values):
            raise ValueError("give true_values and false_values together")
        if self.table_at is not None:
            cell_range(self.table_at)
        if isinstance(self.header, tuple) and not 1 <= self.header[0] <= self.header[1] <= self.header[0] + 9:
            raise ValueError("header [first, last] are two row numbers from 1, at most ten rows")
        if isinstance(self.header, int) and self.header < 1:
            raise ValueError("header is a row number from 1")
        if self.timezone is not None:
            _check_zone(self.timezone)
        return self

    @model_validator(mode="after")
    def _paths_consistent(self) -> Self:
        if self.rows is not None and not re.fullmatch(r"(/[^/@]+)+", self.rows):
            raise ValueError("rows is a path from the root such as /export/dossiers/dossier")
        if not _CRS.fullmatch(self.crs):
            raise ValueError(f"crs {self.crs!r} is none; write e.g. EPSG:31370")
        for name in ("archive", "quarantine"):
            folder = getattr(self, name)
            if folder is not None and (folder.startswith("/") or ".." in folder.split("/") or any(sign in folder for sign in "*?[")):
                raise ValueError(f"{name} {folder!r} is no folder below the source's")
        if self.archive is not None and self.archive == self.quarantine:
            raise ValueError("archive and quarantine are the same folder")
        if len({column.name for column in self.columns}) != len(self.columns):
            raise ValueError("columns names a column twice")
        return self

    def header_rows(self) -> tuple[int, int] | None:
        """Return first and last row number of a declared header, None when it is none or to be searched."""
        if isinstance(self.header, int):
            return (self.header, self.header)
        return self.header if isinstance(self.header, tuple) else None


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, OSError) as error:
        raise ValueError(f"timezone {name!r} is unknown; write e.g. Europe/Brussels") from error


def reading_digest(dataset: FilesDataset) -> str:
    """Return the SHA-256 over the options that decide how bytes become rows.

    Names and formats of columns are not among them, nor is the contract: a new version of it, or a sheet's new name, must not load
    what is loaded already once more.
    """
    left_out = {name for name, value in _LATER.items() if getattr(dataset, name) == value}
    return hashlib.sha256(dataset.model_dump_json(exclude=_NO_READING | _SAME_ROWS | left_out).encode()).hexdigest()


def cell_range(text: str) -> tuple[tuple[int, int], tuple[int, int] | None]:
    """Return (row, column) of the first and, when given, last cell of `B5` or `B5:F40`, counted from 1; ValueError otherwise."""
    found = _RANGE.fullmatch(text.strip().upper())
    if found is None:
        raise ValueError(f"table_at {text!r} is neither a cell (B5) nor a range (B5:F40)")
    first = (int(found[2]), column_number(found[1]))
    last = (int(found[4]), column_number(found[3])) if found[3] else None
    if last is not None and (last[0] < first[0] or last[1] < first[1]):
        raise ValueError(f"table_at {text!r} ends before it begins")
    return first, last


def column_number(letters: str) -> int:
    """Return 1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def column_letters(number: int) -> str:
    """Return A for 1, AA for 27."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
