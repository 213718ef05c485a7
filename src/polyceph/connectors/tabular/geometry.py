"""Geometries as GeoJSON objects: from the well-known binary of a GeoPackage, and as well-known text. OGC 06-103r4, RFC 7946."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

_NAMES = ("", "Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection")
_DEEPEST = 16
_EWKB_Z, _EWKB_M, _EWKB_SRID = 0x80000000, 0x40000000, 0x20000000
_ENVELOPES = (0, 32, 48, 48, 64)
"""Bytes of the envelope in the header of a GeoPackage's geometry, by its kind (OGC 12-128r18, 2.1.3)."""


class GeometryError(ValueError):
    """Bytes or members that are no geometry, or one of a kind that is not read."""


def from_geopackage(blob: bytes) -> dict[str, Any] | None:
    """Return the geometry of a GeoPackage's cell, None for an empty one.

    Raises:
        GeometryError: the bytes are none, or hold a curve or a measure.
    """
    if len(blob) < 8 or blob[:2] != b"GP":
        raise GeometryError("the cell does not begin as a geometry of a GeoPackage does")
    flags = blob[3]
    kind = flags >> 1 & 7
    if kind >= len(_ENVELOPES):
        raise GeometryError("the envelope of the geometry is of no known kind")
    if flags & 0x10:
        return None
    return from_wkb(blob[8 + _ENVELOPES[kind] :])


def from_wkb(blob: bytes) -> dict[str, Any]:
    """Return the geometry of well-known binary, in two or three dimensions; raise `GeometryError` when it is none."""
    reader = _Bytes(blob)
    try:
        made = reader.geometry(0)
    except struct.error as error:
        raise GeometryError("the geometry ends too early") from error
    if reader.at != len(blob):
        raise GeometryError("bytes stand behind the geometry")
    return made


class _Bytes:
    """Well-known binary that is being read."""

    def __init__(self, blob: bytes) -> None:
        self._blob = blob
        self.at = 0

    def geometry(self, depth: int) -> dict[str, Any]:
        if depth > _DEEPEST:
            raise GeometryError("geometries are nested too deeply")
        order = "<" if self._take("B") else ">"
        code = int(self._take(f"{order}I"))
        is_z, is_m = bool(code & _EWKB_Z), bool(code & _EWKB_M)
        if code & _EWKB_SRID:
            self._take(f"{order}I")
        code &= 0x1FFFFFFF
        dimension, kind = divmod(code, 1000)
        if is_m or dimension >= 2 or not 1 <= kind < len(_NAMES):
            raise GeometryError(f"geometry type {code} is not read: points, lines and polygons without measures are")
        width = 3 if is_z or dimension == 1 else 2
        if kind == 7:
            return {"type": _NAMES[kind], "geometries": [self.geometry(depth + 1) for _ in range(self._count(order))]}
        return {"type": _NAMES[kind], "coordinates": self._coordinates(kind, order, width, depth)}

    def _coordinates(self, kind: int, order: str, width: int, depth: int) -> list[Any]:
        if kind == 1:
            point = self._point(order, width)
            return [] if any(value != value for value in point) else point  # NaN stands for the empty point
        if kind == 2:
            return [self._point(order, width) for _ in range(self._count(order))]
        if kind == 3:
            return [[self._point(order, width) for _ in range(self._count(order))] for _ in range(self._count(order))]
        return [self.geometry(depth + 1)["coordinates"] for _ in range(self._count(order))]

    def _point(self, order: str, width: int) -> list[float]:
        found = struct.unpack_from(f"{order}{width}d", self._blob, self.at)
        self.at += 8 * width
        return list(found)

    def _count(self, order: str) -> int:
        count = int(self._take(f"{order}I"))
        if count > len(self._blob):
            raise GeometryError("the geometry claims more points than its bytes can hold")
        return count

    def _take(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self._blob, self.at)
        self.at += struct.calcsize(form)
        return value


def wkt(geometry: Mapping[str, Any]) -> str:
    """Return a GeoJSON geometry as well-known text, every digit kept; raise `GeometryError` when it is none."""
    kind = geometry.get("type")
    if kind == "GeometryCollection":
        parts = geometry.get("geometries")
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            raise GeometryError("a GeometryCollection without geometries")
        return f"GEOMETRYCOLLECTION ({', '.join(wkt(part) for part in parts)})" if parts else "GEOMETRYCOLLECTION EMPTY"
    depths = {"Point": 0, "LineString": 1, "MultiPoint": 1, "Polygon": 2, "MultiLineString": 2, "MultiPolygon": 3}
    if kind not in depths:
        raise GeometryError(f"{kind!r} is no type of a geometry")
    coordinates = geometry.get("coordinates")
    if not isinstance(coordinates, list):
        raise GeometryError("a geometry without coordinates")
    name = str(kind).upper()
    if not coordinates:
        return f"{name} EMPTY"
    text = _nested(coordinates, depths[str(kind)])
    z = " Z" if _width(coordinates) == 3 else ""
    return f"{name}{z} ({text})" if kind == "Point" else f"{name}{z} {text}"


def _nested(value: Any, depth: int) -> str:
    if not isinstance(value, list):
        raise GeometryError("coordinates of another depth than the type has")
    if depth == 0:
        return _position(value)
    return f"({', '.join(_nested(part, depth - 1) for part in value)})"


def _position(value: Sequence[Any]) -> str:
    if len(value) not in (2, 3) or not all(isinstance(one, int | float | Decimal) and not isinstance(one, bool) for one in value):
        raise GeometryError("a position is two or three numbers")
    return " ".join(_digits(one) for one in value)


def _digits(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value) if isinstance(value, float) else format(value, "f") if isinstance(value, Decimal) else str(value)


def _width(value: Any) -> int:
    while isinstance(value, list) and value and isinstance(value[0], list):
        value = value[0]
    return len(value) if isinstance(value, list) else 0
