"""What `files` says of a source before there is a contract: its files, sheets and layers, and the first rows with their columns."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import xlsxwriter
from pyarrow import feather, parquet

from polyceph.connectors.files import FilesConnector
from polyceph.errors import Invalid, NotFound
from polyceph.sdk import Sample


def connector(folder: Path) -> FilesConnector:
    return FilesConnector(FilesConnector.source_options.model_validate({"folder": "."}), base=folder)


def sample(folder: Path, rows: int = 2, **options: object) -> Sample:
    return connector(folder).sample(options, rows=rows, workspace=Path(tempfile.mkdtemp(dir=folder, prefix=".workspace-")))


def rows(found: Sample) -> list[dict[str, Any]]:
    return pa.RecordBatchReader.from_stream(found.rows).read_all().to_pylist()


def types(found: Sample) -> dict[str, tuple[str | None, str | None]]:
    return {column.name: (column.logical_type, column.physical_type) for column in found.columns}


def notes(found: Sample) -> dict[str, str | None]:
    return {note.subject: note.value for note in found.notes}


def workbook(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        sheet = book.add_worksheet("Schools")
        sheet.write_row(0, 0, ["List of schools"])
        sheet.write_row(2, 0, ["Code", "Pupils", "Share", "Opened", "Open"])
        for at, code in enumerate(("00123", "00124", "00125"), 3):
            sheet.write_row(at, 0, [code, at, at / 2])
            sheet.write_datetime(at, 3, datetime(2020, 1, at, tzinfo=UTC).replace(tzinfo=None), day)
            sheet.write_boolean(at, 4, True)
        book.add_worksheet("Notes").write_row(0, 0, ["a", "b"])


def test_files_sheets_and_layers_are_listed_with_what_reads_them(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.csv").write_text("a;b\n1;2\n")
    (tmp_path / "letter.docx").write_text("x")
    (tmp_path / "broken.xlsx").write_text("x")
    workbook(tmp_path / "book.xlsx")
    found = {table.name: table for table in connector(tmp_path).tables()}
    assert {name: dict(table.options) for name, table in found.items()} == {
        "deep/a.csv": {"path": "deep/a.csv"},
        "broken.xlsx": {"path": "broken.xlsx"},
        "book.xlsx Schools": {"path": "book.xlsx", "sheet": "Schools"},
        "book.xlsx Notes": {"path": "book.xlsx", "sheet": "Notes"},
    }
    assert found["deep/a.csv"].description.startswith("8 bytes, written 20")
    assert "no workbook that can be opened" in found["broken.xlsx"].description


def test_a_delimited_text_is_shown_as_texts_with_its_dialect(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes('Élèves;Prix;Nom\n001;1,5;"a;b"\n002;2,5;é\n003;;z\n'.encode("cp1252"))
    found = sample(tmp_path, path="*.csv")
    assert rows(found) == [{"Élèves": "001", "Prix": "1,5", "Nom": "a;b"}, {"Élèves": "002", "Prix": "2,5", "Nom": "é"}]
    assert set(types(found).values()) == {(None, None)}
    assert (notes(found)["delimiter"], notes(found)["header"], notes(found)["encoding"]) == (";", "1", "windows-1252")
    (tmp_path / "b.txt").write_text("1|2\n3|4\n")
    bare = sample(tmp_path, path="b.txt")
    assert rows(bare) == [{"column_1": "1", "column_2": "2"}, {"column_1": "3", "column_2": "4"}]
    assert notes(bare)["header"] == "none"
    (tmp_path / "c.csv").write_text("Title of all\n\ncode,name\n1,x\n2,y\n3,z\n")
    assert rows(sample(tmp_path, rows=1, path="c.csv")) == [{"code": "1", "name": "x"}]


def test_workbook_cells_have_types(tmp_path: Path) -> None:
    workbook(tmp_path / "book.xlsx")
    found = sample(tmp_path, path="book.xlsx", sheet="Schools")
    assert rows(found)[0] == {"Code": "00123", "Pupils": 3, "Share": 1.5, "Opened": date(2020, 1, 3), "Open": True}
    assert [kind for kind, _ in types(found).values()] == [None, "integer", "number", "date", "boolean"]
    with pytest.raises(Invalid) as caught:
        sample(tmp_path, path="book.xlsx")
    assert caught.value.problems[0].allowed == ("sheet: Schools", "sheet: Notes")


def test_columnar_files_keep_their_types(tmp_path: Path) -> None:
    made = pa.table({"id": [1, 2, 3], "price": [Decimal("1.10")] * 3, "at": [datetime(2024, 1, 1, tzinfo=UTC)] * 3, "tags": [["a"]] * 3})
    parquet.write_table(made, tmp_path / "a.parquet")
    feather.write_feather(made, tmp_path / "a.feather")
    for name in ("a.parquet", "a.feather"):
        found = sample(tmp_path, path=name)
        assert types(found)["price"] == ("number", "decimal(3,2)")
        assert types(found)["at"] == ("timestamp", "timestamptz")
        assert types(found)["tags"][0] == "array"
        assert rows(found)[1]["price"] == Decimal("1.10")
        assert len(rows(found)) == 2


def test_documents_show_lists_as_lists(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_text('{"id": 7, "tags": ["x"], "place": {"city": "Namur"}}\n{"id": 8, "more": null}\n')
    found = sample(tmp_path, path="a.ndjson")
    assert rows(found)[0] == {"id": "7", "tags": '["x"]', "place": '{"city": "Namur"}', "more": None}
    assert (types(found)["tags"][0], types(found)["place"][0], types(found)["id"][0]) == ("array", "object", None)
    (tmp_path / "a.xml").write_text('<r><row id="1"><a>x</a><t>1</t><t>2</t></row></r>')
    assert rows(sample_xml(tmp_path)) == [{"@id": "1", "a": "x", "t": '["1", "2"]'}]
    with pytest.raises(Invalid) as caught:
        sample(tmp_path, path="a.xml")
    assert "rows: /r/row" in caught.value.problems[0].allowed


def sample_xml(folder: Path) -> Sample:
    workspace = Path(tempfile.mkdtemp(dir=folder, prefix=".workspace-"))
    return connector(folder).sample({"path": "a.xml", "rows": "/r/row"}, rows=5, workspace=workspace)


def test_geometries_are_shown_with_their_reference_system(tmp_path: Path) -> None:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::31370"}}
    feature = {"type": "Feature", "properties": {"code": "1"}, "geometry": {"type": "Point", "coordinates": [1, 2]}}
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))
    found = sample(tmp_path, path="a.geojson")
    assert rows(found) == [{"code": "1", "geometry": "POINT (1 2)"}]
    assert notes(found)["crs"] == "EPSG:31370"
    with sqlite3.connect(tmp_path / "a.gpkg") as db:
        db.executescript(
            "CREATE TABLE gpkg_contents (table_name TEXT, data_type TEXT);"
            "CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, srs_id INT);"
            "CREATE TABLE gpkg_spatial_ref_sys (srs_id INT, organization TEXT, organization_coordsys_id INT);"
            "INSERT INTO gpkg_spatial_ref_sys VALUES (4326, 'EPSG', 4326);"
        )
        for layer in ("one", "two"):
            db.executescript(
                f"CREATE TABLE {layer} (fid INTEGER PRIMARY KEY, geom BLOB, name TEXT, opened DATE);"
                f"INSERT INTO gpkg_contents VALUES ('{layer}', 'features');"
                f"INSERT INTO gpkg_geometry_columns VALUES ('{layer}', 'geom', 4326);"
                f"INSERT INTO {layer} VALUES (1, NULL, 'x', '2024-01-31');"
            )
    db.close()
    layers = [dict(table.options) for table in connector(tmp_path).tables() if table.name.startswith("a.gpkg")]
    assert layers == [{"path": "a.gpkg", "layer": "one"}, {"path": "a.gpkg", "layer": "two"}]
    layer = sample(tmp_path, path="a.gpkg", layer="two")
    assert rows(layer) == [{"fid": 1, "geometry": None, "name": "x", "opened": date(2024, 1, 31)}]
    assert types(layer)["opened"] == ("date", None)


def test_a_sample_says_what_is_missing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.csv", "a;b\n1;2\n")
        archive.writestr("y.csv", "a;b\n3;4\n")
    with pytest.raises(Invalid):
        sample(tmp_path, path="a.zip", format="csv")
    assert rows(sample(tmp_path, path="a.zip", member="x.csv")) == [{"a": "1", "b": "2"}]
    with pytest.raises(NotFound):
        sample(tmp_path, path="none.csv")
