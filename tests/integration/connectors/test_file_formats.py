"""Formats beyond delimited text: fixed width, XML, Arrow, GeoJSON, GeoPackage, large JSON, and what stands in a zip."""

from __future__ import annotations

import gzip
import io
import json
import sqlite3
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import feather

from polyceph.connectors.files import FilesConnector
from polyceph.connectors.tabular.options import FilesDataset, reading_digest
from polyceph.core.model.classification import Classification
from polyceph.core.model.place import Place
from polyceph.errors import Invalid, NotFound, PolycephError
from polyceph.sdk import Column, Contract, DatasetId, Delivery, Demand, Tolerance, Zone

DATASET = DatasetId("education", Zone.RAW, "dossiers")
COLUMNS = (Column("code", "string"), Column("pupils", "integer"), Column("day", "date"))


def ask(folder: Path, options: dict[str, object], columns: tuple[Column, ...] = COLUMNS, **more: Any) -> list[Delivery]:
    place = Place("domains/education/contracts/dossiers.odcs.yaml")
    contract = Contract(DATASET, "1", "1.0.0", "active", "a", "b", Classification.INTERNAL, columns, place, "0" * 64)
    workspace = Path(tempfile.mkdtemp(dir=folder, prefix=".workspace-"))
    loaded: Iterable[str] = more.get("loaded", ())
    demand = Demand(
        DATASET, contract, options, None, set(loaded).__contains__, workspace, folder, tolerance=more.get("tolerance", Tolerance())
    )
    source = FilesConnector.source_options.model_validate({"folder": ".", **more.get("source", {})})
    return list(FilesConnector(source, base=folder).deliveries(demand))


def refusal(folder: Path, options: dict[str, object], columns: tuple[Column, ...] = COLUMNS, **more: Any) -> PolycephError:
    with pytest.raises(PolycephError) as caught:
        ask(folder, options, columns, **more)
    return caught.value


def rows(delivery: Delivery) -> list[dict[str, Any]]:
    return pa.RecordBatchReader.from_stream(delivery.rows).read_all().to_pylist()


def subjects(delivery: Delivery) -> set[str]:
    return {note.subject for note in delivery.notes}


# Fixed width

FIXED = {"format": "fixed", "columns": [{"name": "code", "length": 5}, {"name": "pupils", "length": 4}, {"name": "day", "length": 8}]}


def test_a_fixed_width_text_is_cut_where_its_columns_are_declared(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("00123  5620241231\r\n001é4   120240201\r\n\r\n".encode("cp1252"))
    [delivery] = ask(tmp_path, {"path": "a.txt", "encoding": "windows-1252", **FIXED})
    assert rows(delivery) == [
        {"code": "00123", "pupils": 56, "day": date(2024, 12, 31), "_row": 1},
        {"code": "001é4", "pupils": 1, "day": date(2024, 2, 1), "_row": 2},
    ]
    assert "blank rows" in subjects(delivery)


def test_a_line_of_another_length_is_refused_or_set_aside(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("00123  5620241231\n00124  5620240201X\n00125  562024\n00126   x20240201\n")
    error = refusal(tmp_path, {"path": "a.txt", **FIXED})
    assert [(p.line, p.column, p.value) for p in error.problems] == [(2, None, None), (3, None, None), (4, 6, "x")]
    assert "18 characters instead of 17" in error.problems[0].message
    [delivery] = ask(tmp_path, {"path": "a.txt", **FIXED}, tolerance=Tolerance(rows=3))
    assert [row["code"] for row in rows(delivery)] == ["00123"]
    rejects = pa.RecordBatchReader.from_stream(delivery.rejects).read_all().to_pylist()
    assert [(r["row"], r["place"]) for r in rejects] == [(2, "line 2"), (3, "line 3"), (4, "column pupils")]


def test_columns_of_a_fixed_width_text_are_checked(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("00123  5620241231\n")
    assert "needs columns" in str(refusal(tmp_path, {"path": "a.txt", "format": "fixed"}))
    overlapping = [{"name": "code", "length": 5}, {"name": "pupils", "start": 5, "length": 4}, {"name": "day", "start": 9, "length": 9}]
    assert "overlap" in str(refusal(tmp_path, {"path": "a.txt", "columns": overlapping}))
    assert "'day' is missing" in str(refusal(tmp_path, {"path": "a.txt", "columns": FIXED["columns"][:2]}))
    apart = [{"name": "day", "start": 10, "length": 8}, {"name": "code", "start": 1, "length": 5}, {"name": "pupils", "length": 4}]
    assert rows(ask(tmp_path, {"path": "a.txt", "columns": apart})[0])[0]["pupils"] == 56
    (tmp_path / "b.txt").write_text("KOPF\n00123  5620241231\nENDE 1\n")
    assert len(rows(ask(tmp_path, {"path": "b.txt", "skip_rows": 1, "stop_at": "ende", **FIXED})[0])) == 1


# XML

XML = """<?xml version="1.0" encoding="ISO-8859-1"?>
<export xmlns="urn:one" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <head><made>2025-01-01</made></head>
  <dossiers>
    <dossier id="00123"><pupils>56</pupils><address kind="home"><city>Li\u00e8ge</city></address>
      <day>2024-12-31</day><tel>1</tel><tel>2</tel></dossier>
    <dossier id="00124"><pupils>7</pupils><address kind="work"><city><![CDATA[Namur & Jambes]]></city></address>
      <day xsi:nil="true"/></dossier>
  </dossiers>
</export>"""
PROMISED = (
    Column("code", "string", source_name="@id"),
    Column("pupils", "integer"),
    Column("city", "string", source_name="address/city"),
    Column("kind", "string", source_name="address/@kind"),
    Column("day", "date"),
    Column("tel", "array"),
)
DOSSIERS = {"path": "a.xml", "rows": "/export/dossiers/dossier"}


def test_rows_of_xml_come_from_attributes_and_nested_elements(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(XML, encoding="latin-1")
    [delivery] = ask(tmp_path, DOSSIERS, PROMISED)
    assert rows(delivery) == [
        {"code": "00123", "pupils": 56, "city": "Liège", "kind": "home", "day": date(2024, 12, 31), "tel": '["1", "2"]', "_row": 1},
        {"code": "00124", "pupils": 7, "city": "Namur & Jambes", "kind": "work", "day": None, "tel": "[]", "_row": 2},
    ]
    prefixed = {**DOSSIERS, "rows": "/x:export/x:dossiers/x:dossier", "namespaces": {"x": "urn:one"}}
    names = (PROMISED[0], *(Column(c.name, c.logical_type, source_name=f"x:{c.name}") for c in (PROMISED[1], PROMISED[4])))
    ignored = ["x:address/x:city", "x:address/@kind", "x:tel"]
    assert [r["pupils"] for r in rows(ask(tmp_path, {**prefixed, "ignore_columns": ignored}, names)[0])] == [56, 7]
    foreign = {**prefixed, "namespaces": {"x": "urn:two"}}
    assert "has no row" in str(refusal(tmp_path, foreign, names))


def test_errors_in_xml_name_line_and_element(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(XML.replace("<pupils>7", "<pupils>seven").replace("2024-12-31", "2024-13-31"), encoding="latin-1")
    error = refusal(tmp_path, DOSSIERS, PROMISED)
    found = {(p.line, p.place, p.value) for p in error.problems}
    assert found == {(5, "/export/dossiers/dossier[1]/day", "2024-13-31"), (7, "/export/dossiers/dossier[2]/pupils", "seven")}
    single = (*PROMISED[:5], Column("tel", "string"))
    (tmp_path / "a.xml").write_text(XML, encoding="latin-1")
    assert "column tel stands there 2 times" in str(refusal(tmp_path, DOSSIERS, single))
    assert "column tel is not in the contract" in str(refusal(tmp_path, DOSSIERS, PROMISED[:5]))
    assert "rows: /export/dossiers/dossier" in refusal(tmp_path, {"path": "a.xml"}, PROMISED).problems[0].allowed
    assert "/export/dossiers" in str(refusal(tmp_path, {**DOSSIERS, "rows": "/export/dossier"}, PROMISED).problems[0].allowed)
    (tmp_path / "a.xml").write_text(XML[:-20], encoding="latin-1")
    assert refusal(tmp_path, DOSSIERS, PROMISED).problems[0].line == 9


@pytest.mark.parametrize(
    ("top", "inside", "word"),
    [
        ('<!DOCTYPE r [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>', "<id>&b;</id>", "DTD"),
        ('<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]>', "<id>&a;</id>", "DTD"),
        ('<!DOCTYPE r SYSTEM "http://127.0.0.1:9/r.dtd">', "<id>1</id>", "DTD"),
        ("", "<id>" + "<a>" * 100 + "</a>" * 100 + "</id>", "deep"),
        ("", "<id>&unknown;</id>", "undefined entity"),
    ],
)
def test_xml_that_is_made_to_harm_is_refused(tmp_path: Path, top: str, inside: str, word: str) -> None:
    (tmp_path / "a.xml").write_text(f"{top}<r><row>{inside}</row></r>")
    error = refusal(tmp_path, {"path": "a.xml", "rows": "/r/row"}, (Column("id", "string"),))
    assert isinstance(error, Invalid)
    assert word in error.problems[0].message


# Arrow


def test_arrow_files_and_streams_are_read_batch_by_batch(tmp_path: Path) -> None:
    table = pa.table(
        {"code": ["00123", None], "pupils": pa.array([1, 2], pa.int16()), "day": [date(2024, 1, 1), None], "price": [Decimal("1.10"), None]}
    )
    columns = (*COLUMNS, Column("price", "number", "decimal(8,2)"))
    feather.write_feather(table, tmp_path / "a.feather", compression="zstd")
    with pa.OSFile(str(tmp_path / "b.arrows"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    for name in ("a.feather", "b.arrows"):
        made = rows(ask(tmp_path, {"path": name}, columns)[0])
        assert made[0] == {"code": "00123", "pupils": 1, "day": date(2024, 1, 1), "price": Decimal("1.10"), "_row": 1}
    (tmp_path / "c.arrow").write_bytes((tmp_path / "a.feather").read_bytes()[:-300])
    assert "no Arrow file" in str(refusal(tmp_path, {"path": "c.arrow"}, columns))
    feather.write_feather(pa.table({"code": ["1"]}), tmp_path / "d.feather", version=1)
    assert "Feather 2" in str(refusal(tmp_path, {"path": "d.feather"}, columns))


# GeoJSON and GeoPackage

FEATURES = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": 7,
            "properties": {"code": "00123", "pupils": 56},
            "geometry": {"type": "Point", "coordinates": [4.35171031234567891, 50.8]},
        },
        {"type": "Feature", "id": 8, "properties": {"code": "00124", "pupils": None}, "geometry": None},
        {
            "type": "Feature",
            "id": 9,
            "properties": {"code": "00125", "pupils": 1},
            "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
        },
    ],
}
PLACES = (Column("id", "integer"), Column("code", "string"), Column("pupils", "integer"), Column("geometry", "string"))


def test_features_become_rows_with_their_geometry_as_text(tmp_path: Path) -> None:
    text = json.dumps(FEATURES).replace("4.351710312345679", "4.35171031234567891")
    (tmp_path / "a.geojson").write_text(text)
    [delivery] = ask(tmp_path, {"path": "a.geojson"}, PLACES)
    found = rows(delivery)
    assert [row["geometry"] for row in found] == ["POINT (4.35171031234567891 50.8)", None, "POLYGON ((0 0, 1 0, 1 1, 0 0))"]
    assert [row["pupils"] for row in found] == [56, None, 1]
    assert next(note for note in delivery.notes if note.subject == "crs").value == "EPSG:4326"
    [delivery] = ask(tmp_path, {"path": "a.geojson", "geometry": "geojson"}, PLACES)
    assert rows(delivery)[0]["geometry"] == '{"type": "Point", "coordinates": [4.35171031234567891, 50.8]}'
    assert "column geometry is not in the contract" in str(refusal(tmp_path, {"path": "a.geojson"}, PLACES[:3]))


def test_features_in_another_reference_system_are_refused(tmp_path: Path) -> None:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::31370"}}
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "crs": crs, **FEATURES}))
    error = refusal(tmp_path, {"path": "a.geojson"}, PLACES)
    assert error.problems[0].allowed == ("crs: EPSG:31370",)
    assert len(rows(ask(tmp_path, {"path": "a.geojson", "crs": "EPSG:31370"}, PLACES)[0])) == 3


def test_features_that_are_none_are_named(tmp_path: Path) -> None:
    wrong = {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"code": "1"}, "geometry": {"type": "Circle"}}, 5]}
    (tmp_path / "a.geojson").write_text(json.dumps(wrong))
    error = refusal(tmp_path, {"path": "a.geojson"}, (PLACES[1], PLACES[3]))
    assert {p.place for p in error.problems} == {"features[0]", "features[1]"}


def geopackage(path: Path, srs: int = 31370) -> None:
    point = b"GP\x00\x01" + struct.pack("<i", srs) + struct.pack("<BIdd", 1, 1, 149000.5, 170000)
    ring = struct.pack("<II8d", 1, 4, 0, 0, 1, 0, 1, 1, 0, 0)
    many = struct.pack("<BII", 1, 6, 1) + struct.pack("<BI", 1, 3) + ring
    polygon = b"GP\x00\x03" + struct.pack("<i", srs) + struct.pack("<4d", 0, 1, 0, 1) + many
    with sqlite3.connect(path) as db:
        db.executescript(
            "CREATE TABLE gpkg_contents (table_name TEXT, data_type TEXT, srs_id INT);"
            "CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, srs_id INT);"
            "CREATE TABLE gpkg_spatial_ref_sys (srs_id INT, organization TEXT, organization_coordsys_id INT);"
            'CREATE TABLE "my sites" (fid INTEGER PRIMARY KEY, geom BLOB, code TEXT, pupils INT, opened DATE);'
            f"INSERT INTO gpkg_contents VALUES ('my sites', 'features', {srs});"
            f"INSERT INTO gpkg_geometry_columns VALUES ('my sites', 'geom', {srs});"
            f"INSERT INTO gpkg_spatial_ref_sys VALUES ({srs}, 'EPSG', {srs});"
        )
        rows = [(1, point, "00123", 56, "2020-01-31"), (2, polygon, "00124", None, None), (3, None, "00125", 1, None)]
        db.executemany('INSERT INTO "my sites" VALUES (?, ?, ?, ?, ?)', rows)
    db.close()


def test_a_geopackage_is_read_with_its_geometry(tmp_path: Path) -> None:
    geopackage(tmp_path / "a.gpkg")
    columns = (Column("fid", "integer"), *PLACES[1:], Column("opened", "date"))
    assert "EPSG:31370" in str(refusal(tmp_path, {"path": "a.gpkg"}, columns))
    [delivery] = ask(tmp_path, {"path": "a.gpkg", "crs": "EPSG:31370"}, columns)
    found = rows(delivery)
    assert [row["geometry"] for row in found] == ["POINT (149000.5 170000)", "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))", None]
    assert found[0]["opened"] == date(2020, 1, 31)
    assert isinstance(refusal(tmp_path, {"path": "a.gpkg", "layer": "none"}, columns), NotFound)
    (tmp_path / "b.gpkg").write_bytes(b"SQLite format 3\x00" + b"x" * 5000)
    assert "no GeoPackage" in str(refusal(tmp_path, {"path": "b.gpkg"}, columns))


def test_a_damaged_geometry_is_named_by_its_row(tmp_path: Path) -> None:
    geopackage(tmp_path / "a.gpkg")
    with sqlite3.connect(tmp_path / "a.gpkg") as db:
        db.execute('UPDATE "my sites" SET geom = substr(geom, 1, 20) WHERE fid = 1')
    db.close()
    ignored = {"path": "a.gpkg", "crs": "EPSG:31370", "ignore_columns": ["fid", "opened"]}
    error = refusal(tmp_path, ignored, PLACES[1:])
    assert error.problems[0].place == "layer my sites, row 1"


# JSON


def test_a_json_list_is_read_in_pieces_with_all_its_checks(tmp_path: Path) -> None:
    items = [{"code": f"{n:05}", "pupils": n, "day": "2024-01-01"} for n in range(20_000)]
    text = json.dumps({"meta": {"a": [1, 2, {"b": "]"}]}, "data": {"items": items, "next": None}, "end": "x"})
    (tmp_path / "a.json").write_text(text)
    [delivery] = ask(tmp_path, {"path": "a.json", "records": "data.items"})
    assert [row["pupils"] for row in rows(delivery)] == list(range(20_000))
    for wrong, word in (
        (text[:-1], "not JSON"),
        (text + "x", "not JSON"),
        (text.replace('"end": "x"', '"end": "x", "end": 1'), "'end' stands there twice"),
        (text.replace('"pupils": 19999', '"pupils": 19999, "pupils": 1'), "'pupils' stands there twice"),
        (text.replace('"pupils": 19999', '"pupils": NaN'), "NaN"),
    ):
        (tmp_path / "b.json").write_text(wrong)
        assert word in str(refusal(tmp_path, {"path": "b.json", "records": "data.items"}))
    (tmp_path / "c.json").write_text('[\n{"code": "1"},\n{"code" "2"}]')
    problem = refusal(tmp_path, {"path": "c.json"}, COLUMNS[:1]).problems[0]
    assert (problem.line, problem.column) == (3, 9)


MEASURED = """
import json, resource, sys
from pathlib import Path
from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.worker import read_job
job = json.loads(Path(sys.argv[1]).read_text())
read_job(job, Path(sys.argv[1]).parent, Findings("x"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ndjson", "json", "xml"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, kind: str) -> None:
    """Rows are 300 bytes: 20 and 120 MB of text, of which the whole as Python objects takes several times as much."""
    peaks = []
    for count in (65_536, 393_216):
        path = tmp_path / f"{count}.{kind}"
        with path.open("w") as out:
            pad = "x" * 250
            if kind == "xml":
                out.write("<r>")
                out.writelines(f'<row id="{n}"><code>{pad}</code></row>\n' for n in range(count))
                out.write("</r>")
            else:
                between = "," if kind == "json" else ""
                out.write("[" if kind == "json" else "")
                out.writelines(f'{between if n else ""}{{"@id": {n}, "code": "{pad}"}}\n' for n in range(count))
                out.write("]" if kind == "json" else "")
        options = FilesDataset(path=path.name, rows="/r/row" if kind == "xml" else None).model_dump(mode="json")
        columns = [{"name": "id", "logical_type": "integer", "source_name": "@id"}, {"name": "code", "logical_type": "string"}]
        job = {"path": str(path), "name": path.name, "format": kind, "columns": columns, "options": options, "tolerance": {}}
        folder = tmp_path / f"job-{count}"
        folder.mkdir()
        (folder / "job.json").write_text(json.dumps(job))
        done = subprocess.run([sys.executable, "-c", MEASURED, str(folder / "job.json")], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    # What is written is in the page cache of the process as mapped pages; the objects of six times as many rows would be 400 MB more.
    assert peaks[1] - peaks[0] < 190, peaks


# Zip


def packed(members: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return made.getvalue()


CSV = "code;pupils;day\n00123;56;2024-12-31\n"


def test_each_member_that_matches_is_a_delivery_known_by_its_own_content(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(packed({"2024/x.csv": CSV, "2025/y.csv": CSV.replace("56", "57"), "readme.md": "x"}))
    options: dict[str, object] = {"path": "*.zip", "member": "*.csv"}
    found = ask(tmp_path, options)
    assert [d.origin for d in found] == ["a.zip/2024/x.csv", "a.zip/2025/y.csv"]
    assert [rows(d)[0]["pupils"] for d in found] == [56, 57]
    (tmp_path / "a.zip").unlink()
    (tmp_path / "b.zip").write_bytes(packed({"2024/x.csv": CSV, "2026/z.csv": CSV.replace("56", "58")}))
    [new] = ask(tmp_path, options, loaded=[d.key for d in found])
    assert new.origin == "b.zip/2026/z.csv"
    assert isinstance(refusal(tmp_path, {"path": "b.zip", "member": "*.xml", "format": "csv"}), NotFound)


def test_every_format_may_be_packed(tmp_path: Path) -> None:
    (tmp_path / "a.geojson.gz").write_bytes(gzip.compress(json.dumps(FEATURES).encode()))
    (tmp_path / "a.xml.zip").write_bytes(packed({"a.xml": XML.replace("ISO-8859-1", "UTF-8")}))
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"00123  5620241231\n"))
    assert len(rows(ask(tmp_path, {"path": "a.geojson.gz"}, PLACES)[0])) == 3
    assert len(rows(ask(tmp_path, {**DOSSIERS, "path": "a.xml.zip"}, PROMISED)[0])) == 2
    assert len(rows(ask(tmp_path, {"path": "a.txt.gz", **FIXED})[0])) == 1


@pytest.mark.parametrize("name", ["../x.csv", "/etc/x.csv", "a/../../x.csv", "C:/x.csv", "..\\x.csv"])
def test_a_zip_whose_names_lead_out_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.zip").write_bytes(packed({name: CSV}))
    error = refusal(tmp_path, {"path": "a.zip", "format": "csv"})
    assert "no honest program" in str(error)
    assert not (tmp_path.parent / "x.csv").exists()


def test_zips_that_are_made_to_harm_or_closed_are_refused(tmp_path: Path) -> None:
    (tmp_path / "nested.zip").write_bytes(packed({"inner.zip": "x"}))
    assert "packed itself" in str(refusal(tmp_path, {"path": "nested.zip", "format": "csv"}))
    (tmp_path / "bomb.zip").write_bytes(packed({"x.csv": "0" * (200 << 20)}))
    assert "times its size" in str(refusal(tmp_path, {"path": "bomb.zip", "format": "csv"}))
    closed = bytearray(packed({"x.csv": CSV}))
    closed[6] |= 1
    closed[closed.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "closed.zip").write_bytes(bytes(closed))
    for options in ({"path": "closed.zip", "format": "csv"}, {"path": "closed.zip", "member": "*.csv"}):
        assert "protected by a password" in str(refusal(tmp_path, options))
    (tmp_path / "broken.zip").write_bytes(packed({"x.csv": CSV})[:-30])
    assert "cannot be unpacked" in str(refusal(tmp_path, {"path": "broken.zip", "member": "*.csv"}))


def test_options_that_came_later_leave_the_digest_of_loaded_files_alone() -> None:
    """The digest of these options before there were fixed width, XML and geometries: what is loaded must not be loaded again."""
    assert reading_digest(FilesDataset(path="a.csv"))[:16] == "8c20a9b607ababcc"
    assert reading_digest(FilesDataset(path="a.csv", crs="EPSG:31370"))[:16] != "8c20a9b607ababcc"
