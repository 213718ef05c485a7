"""Which format a file has and how it is packed: from the declaration, else from its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from polyceph.connectors.tabular.options import FilesDataset, Format
from polyceph.sdk import Invalid, Problem

FORMATS: Mapping[str, Format] = {
    "csv": "csv",
    "txt": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "json": "json",
    "ndjson": "ndjson",
    "jsonl": "ndjson",
    "xml": "xml",
    "geojson": "geojson",
    "gpkg": "geopackage",
    "parquet": "parquet",
    "arrow": "arrow",
    "arrows": "arrow",
    "feather": "arrow",
    "ipc": "arrow",
    "xlsx": "xlsx",
    "xlsm": "xlsx",
    "xlsb": "xlsx",
    "xls": "xls",
    "ods": "ods",
}
"""The format that the end of a name tells."""


def kind_of(name: str, dataset: FilesDataset) -> tuple[Format, FilesDataset]:
    """Return the format of a file and the options with format and compression filled in.

    Raises:
        Invalid: neither the declaration nor the name tells the format.
    """
    suffixes = [suffix.lstrip(".").casefold() for suffix in PurePosixPath(name).suffixes]
    packed = dataset.compression or {"gz": "gz", "zip": "zip"}.get(suffixes[-1] if suffixes else "", "none")
    inner = suffixes[:-1] if packed != "none" and suffixes and suffixes[-1] in ("gz", "zip") else suffixes
    if dataset.member and (not inner or inner[-1] not in FORMATS):
        inner = [PurePosixPath(dataset.member).suffix.lstrip(".").casefold()]
    kind = dataset.format or ("fixed" if dataset.columns else FORMATS.get(inner[-1] if inner else ""))
    if kind is None:
        good = ("fixed", *dict.fromkeys(FORMATS.values()))
        problem = Problem("the name does not tell the format", value=name, allowed=tuple(f"format: {one}" for one in good))
        raise Invalid(f"the format of {name} is unknown", problems=[problem], hint="declare the format")
    return kind, dataset.model_copy(update={"compression": packed, "format": kind})


def is_pattern(name: str | None) -> bool:
    """Tell whether a member is named by a glob."""
    return name is not None and any(sign in name for sign in "*?[")
