"""Features with a geometry: GeoJSON (RFC 7946) and GeoPackage (OGC 12-128r18). Runs in the throw-away process only.

The properties of a feature are its columns; the geometry is a column `geometry`, as well-known text or as GeoJSON. Coordinates are never
converted: a file in another reference system than the declared one is refused.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from polyceph.connectors.tabular.documents import JsonText, WrongShapeError
from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.geometry import GeometryError, from_geopackage, wkt
from polyceph.connectors.tabular.headers import Header, check_header, match_header
from polyceph.connectors.tabular.natives import shown
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.records import document_rows, portions, read_twice
from polyceph.connectors.tabular.spool import Locate, Portion
from polyceph.sdk import Column, Invalid, NotFound, Problem

GEOMETRY = "geometry"
_SAME = {"EPSG:4326": "EPSG:4326", "OGC:CRS84": "EPSG:4326"}
"""Both are WGS 84; GeoJSON and GeoPackage write longitude first under either name."""


def read_geojson(path: Path, columns: tuple[Column, ...], dataset: FilesDataset, findings: Findings) -> tuple[Iterator[Portion], Locate]:
    """Return the features of a FeatureCollection.

    Raises:
        Invalid: the text is no such collection, its reference system is another, or columns are missing or not promised.
    """
    _check_crs(_crs_of(path, dataset), dataset, findings)
    return read_twice(partial(_features, path, dataset), columns, dataset, findings, where=lambda row: {"place": f"features[{row - 1}]"})


def _crs_of(path: Path, dataset: FilesDataset) -> str:
    """Return the reference system that a file of the older GeoJSON (2008) names; WGS 84 otherwise, as RFC 7946 has it."""
    found: dict[str, Any] = {}
    try:
        with path.open(encoding=dataset.encoding or "utf-8-sig", newline="\n") as file:
            for _ in JsonText(file).items(("features",), found.__setitem__):
                pass
    except (ValueError, RecursionError, WrongShapeError):
        return "EPSG:4326"  # told by the reading of the rows
    crs = found.get("crs")
    if crs is None:
        return "EPSG:4326"
    name = crs.get("properties", {}).get("name") if isinstance(crs, dict) and isinstance(crs.get("properties"), dict) else None
    return _short(str(name))


def _short(name: str) -> str:
    """Return EPSG:31370 for urn:ogc:def:crs:EPSG::31370."""
    found = re.fullmatch(r"urn:ogc:def:crs:(\w+):[\w.]*:(\w+)", name, re.IGNORECASE)
    return f"{found[1].upper()}:{found[2].upper()}" if found else name.upper()


def _check_crs(found: str, dataset: FilesDataset, findings: Findings) -> None:
    declared = dataset.crs.upper()
    if not findings.is_sample and _SAME.get(found, found) != _SAME.get(declared, declared):
        problem = Problem(f"the coordinates are in {found}, not in {declared}", value=found, allowed=(f"crs: {found}",))
        raise Invalid(
            f"{findings.file} is in another coordinate reference system", problems=[problem], hint="declare crs, or ask for the other one"
        )
    findings.note("crs", "coordinates are in this reference system and are kept as they are", found)


def _features(path: Path, dataset: FilesDataset, findings: Findings) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, feature in document_rows(path, dataset, "features", findings):
        place: dict[str, Any] = {"place": f"features[{number - 1}]", "file": findings.file}
        properties = feature.get("properties") or {}
        if feature.get("type") != "Feature" or not isinstance(properties, dict):
            findings.reject(number, Problem("this is no Feature with properties", **place), text=shown(feature))
            continue
        row = {"id": feature["id"], **properties} if "id" in feature else dict(properties)
        if GEOMETRY in properties:
            raise Invalid(f"{findings.file} has a property called geometry beside its geometry", hint="ask for another name")
        try:
            row[GEOMETRY] = _text(feature.get("geometry"), dataset)
        except GeometryError as error:
            findings.reject(number, Problem(f"the geometry cannot be read: {error}", **place), column=GEOMETRY)
            continue
        yield number, row


def _text(geometry: Mapping[str, Any] | None, dataset: FilesDataset) -> str | None:
    if geometry is None:
        return None
    if not isinstance(geometry, dict):
        raise GeometryError("it is no object")
    text = wkt(geometry)  # checks it as well
    return text if dataset.geometry == "wkt" else shown(geometry)


def read_geopackage(path: Path, columns: tuple[Column, ...], dataset: FilesDataset, findings: Findings) -> tuple[Iterator[Portion], Locate]:
    """Return the features of one layer of a GeoPackage, read-only.

    Raises:
        Invalid: the file is no GeoPackage, needs `layer`, or its reference system or its columns are others.
        NotFound: there is no such layer.
    """
    with closing(opened(path, findings)) as connection, _told(findings):
        layer, geometry, crs = _layer(connection, dataset, findings)
        names = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({quoted(layer)})")]
    _check_crs(crs, dataset, findings)
    shown_names = [GEOMETRY if name == geometry else name for name in names]
    header = Header((1, 1), shown_names, match_header(shown_names, columns, dataset))
    check_header(header, columns, {}, findings)
    findings.check()
    keys = [shown_names[header.match.positions[i]] for i in range(len(columns))]

    def locate(index: int, row: int) -> dict[str, Any]:
        return {"place": f"layer {layer}, row {row}, column {keys[index]}"}

    wanted = {key: names[shown_names.index(key)] for key in keys}
    return portions(_layer_rows(path, layer, wanted, dataset, findings), keys, columns, locate, findings), locate


def opened(path: Path, findings: Findings) -> sqlite3.Connection:
    """Return a read-only connection that runs nothing of the file's own: no trigger, no view with functions, no extension."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA query_only = ON")
    try:
        connection.execute("SELECT count(*) FROM gpkg_contents").fetchone()
    except sqlite3.DatabaseError as error:
        connection.close()
        raise Invalid(f"{findings.file} is no GeoPackage: {error}") from error
    return connection


def layers(connection: sqlite3.Connection) -> list[str]:
    """Return the layers with features."""
    return [str(row[0]) for row in connection.execute("SELECT table_name FROM gpkg_contents WHERE data_type = 'features' ORDER BY 1")]


class _told:  # noqa: N801 - used as a context only
    """Errors of SQLite as what they mean for the file."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.DatabaseError):
            raise Invalid(f"{self._findings.file} is damaged: {error}", hint="save it anew") from error


def _layer(connection: sqlite3.Connection, dataset: FilesDataset, findings: Findings) -> tuple[str, str, str]:
    known = layers(connection)
    if dataset.layer is None and len(known) != 1:
        problem = Problem(f"there are {len(known)} layers and none is chosen", allowed=tuple(f"layer: {name}" for name in known[:20]))
        raise Invalid(f"{findings.file} needs the option layer", problems=[problem])
    layer = dataset.layer or known[0]
    if layer not in known:
        raise NotFound(
            f"{findings.file} has no layer {layer!r}", problems=[Problem("no such layer", value=layer, allowed=tuple(known[:20]))]
        )
    found = connection.execute(
        "SELECT g.column_name, s.organization, s.organization_coordsys_id FROM gpkg_geometry_columns g"
        " JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id WHERE g.table_name = ?",
        (layer,),
    ).fetchone()
    if found is None:
        raise Invalid(f"layer {layer} of {findings.file} does not say which column holds its geometry, or in which reference system")
    return layer, str(found[0]), f"{found[1]}:{found[2]}".upper()


def quoted(name: str) -> str:
    """Return a name as SQLite's identifier."""
    return '"' + name.replace('"', '""') + '"'


def _layer_rows(
    path: Path, layer: str, wanted: Mapping[str, str], dataset: FilesDataset, findings: Findings
) -> Iterator[tuple[int, dict[str, Any]]]:
    fields = ", ".join(quoted(name) for name in wanted.values())
    with closing(opened(path, findings)) as connection, _told(findings):
        select = f"SELECT {fields} FROM {quoted(layer)}"  # noqa: S608 - quoted
        for number, values in enumerate(connection.execute(select), 1):
            row = dict(zip(wanted, values, strict=True))
            try:
                if isinstance(row.get(GEOMETRY), bytes):
                    row[GEOMETRY] = _text(from_geopackage(row[GEOMETRY]), dataset)
            except GeometryError as error:
                problem = Problem(f"the geometry cannot be read: {error}", file=findings.file, place=f"layer {layer}, row {number}")
                findings.reject(number, problem, column=GEOMETRY)
                continue
            blob = next((key for key, value in row.items() if isinstance(value, bytes)), None)
            if blob is not None:
                raise Invalid(f"column {blob} of {findings.file} holds bytes, which no text can show", hint="put it into ignore_columns")
            yield number, row
