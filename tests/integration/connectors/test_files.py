from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import duckdb
import pyarrow as pa
import pytest
import xlsxwriter
import xlwt
from moto.server import ThreadedMotoServer
from pyarrow import parquet

from polyceph.connectors.files import FilesConnector
from polyceph.connectors.tabular.findings import Findings
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.reading import SourceFile, job_of
from polyceph.connectors.tabular.worker import read_job
from polyceph.core.model.classification import Classification
from polyceph.core.model.place import Place
from polyceph.errors import Invalid, Misconfigured, NotFound, PolycephError, Unavailable
from polyceph.sdk import Column, Contract, DatasetId, Delivery, Demand, Zone

PUPILS = DatasetId("education", Zone.RAW, "pupils")
COLUMNS = (Column("code", "string"), Column("pupils", "integer", source_name="Élèves"), Column("day", "date", source_name="Jour"))
CSV = "code;Élèves;Jour\n00123;1 234;31/12/2024\n00124;56;01/02/2024\n"


def ask(folder: Path, options: dict[str, object], *, columns: tuple[Column, ...] = COLUMNS, **more: Any) -> list[Delivery]:
    place = Place("domains/education/contracts/pupils.odcs.yaml")
    contract = Contract(PUPILS, "1", "1.0.0", "active", "a", "b", Classification.INTERNAL, columns, place, "0" * 64)
    loaded = more.get("loaded", set())
    workspace = folder / f".workspace-{time.monotonic_ns()}"
    workspace.mkdir()
    demand = Demand(
        PUPILS, contract, options, more.get("cursor"), loaded.__contains__, workspace, folder, last_key=more.get("last", {}).get
    )
    source = FilesConnector.source_options.model_validate(more.get("source", {"folder": "in"}))
    return list(FilesConnector(source, base=folder).deliveries(demand))


def refusal(folder: Path, options: dict[str, object], **more: Any) -> PolycephError:
    with pytest.raises(PolycephError) as caught:
        ask(folder, options, **more)
    return caught.value


def rows(delivery: Delivery) -> list[dict[str, Any]]:
    return pa.RecordBatchReader.from_stream(delivery.rows).read_all().to_pylist()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path


def put(folder: Path, name: str, content: str | bytes = CSV, *, age_s: float = 0) -> Path:
    path = folder / "in" / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    os.utime(path, (1_700_000_000 - age_s, 1_700_000_000 - age_s))
    return path


def test_a_text_file_becomes_the_contracts_columns_and_a_row_number(folder: Path) -> None:
    put(folder, "pupils.csv")
    [delivery] = ask(folder, {"path": "pupils.csv"})
    assert rows(delivery) == [
        {"code": "00123", "pupils": 1234, "day": date(2024, 12, 31), "_row": 2},
        {"code": "00124", "pupils": 56, "day": date(2024, 2, 1), "_row": 3},
    ]
    assert rows(delivery) == rows(delivery)
    assert delivery.origin == "pupils.csv"
    assert {n.subject for n in delivery.notes} == {"arrival", "encoding", "delimiter", "number", "date"}


def test_duckdb_reads_the_stream(folder: Path) -> None:
    put(folder, "pupils.csv")
    [delivery] = ask(folder, {"path": "pupils.csv"})
    with duckdb.connect() as connection:
        stream = pa.RecordBatchReader.from_stream(delivery.rows)  # noqa: F841 - DuckDB finds it by name
        assert connection.sql("SELECT sum(pupils) FROM stream").fetchone() == (1290,)


def test_the_original_bytes_come_along(folder: Path) -> None:
    path = put(folder, "pupils.csv")
    [delivery] = ask(folder, {"path": "pupils.csv"})
    [original] = delivery.originals
    assert original.path.read_bytes() == path.read_bytes()
    assert original.path != path
    assert original.name == "pupils.csv"
    assert delivery.key.startswith(original.sha256)


def test_files_come_oldest_first_and_then_by_name(folder: Path) -> None:
    for name, age in (("c.csv", 10), ("b.csv", 5), ("a.csv", 5), ("d.csv", 0)):
        put(folder, name, f"code;Élèves;Jour\n{name};1;2024-01-01\n", age_s=age)
    assert [d.origin for d in ask(folder, {"path": "*.csv"})] == ["c.csv", "a.csv", "b.csv", "d.csv"]


def test_unchanged_files_are_not_delivered_again_and_new_bytes_are(folder: Path) -> None:
    put(folder, "pupils.csv")
    [first] = ask(folder, {"path": "pupils.csv"})
    assert ask(folder, {"path": "pupils.csv"}, loaded={first.key}) == []
    put(folder, "pupils.csv", CSV + "9;9;2024-01-01\n")
    [second] = ask(folder, {"path": "pupils.csv"}, loaded={first.key})
    assert second.key != first.key
    assert len(rows(second)) == 3


def test_content_that_comes_back_is_a_delivery_of_its_own_once(folder: Path) -> None:
    put(folder, "pupils.csv")
    [first] = ask(folder, {"path": "pupils.csv"})
    put(folder, "pupils.csv", CSV + "9;9;2024-01-01\n")
    [second] = ask(folder, {"path": "pupils.csv"}, loaded={first.key}, last={"pupils.csv": first.key})
    put(folder, "pupils.csv")
    both = {first.key, second.key}
    [third] = ask(folder, {"path": "pupils.csv"}, loaded=both, last={"pupils.csv": second.key})
    [again] = ask(folder, {"path": "pupils.csv"}, loaded=both, last={"pupils.csv": second.key})
    assert third.key == again.key not in both
    assert ask(folder, {"path": "pupils.csv"}, loaded=both | {third.key}, last={"pupils.csv": third.key}) == []


def test_another_way_of_reading_is_another_delivery(folder: Path) -> None:
    put(folder, "pupils.csv")
    [first] = ask(folder, {"path": "pupils.csv"})
    [second] = ask(folder, {"path": "*.csv"})
    [third] = ask(folder, {"path": "pupils.csv", "skip_footer": 1})
    assert first.key == second.key != third.key


def test_a_file_that_is_written_all_the_time_is_a_conflict(folder: Path) -> None:
    path = put(folder, "pupils.csv", CSV + "1;1;2024-01-01\n" * 200_000)
    script = (
        "import sys,time\nend=time.time()+60\nwhile time.time()<end: open(sys.argv[1],'ab').write(b'1;1;2024-01-01\\n'); time.sleep(0.001)"
    )
    writer = subprocess.Popen([sys.executable, "-c", script, str(path)])
    try:
        time.sleep(0.3)
        error = refusal(folder, {"path": "pupils.csv"})
    finally:
        writer.kill()
        writer.wait()
    assert type(error).__name__ == "Conflict"
    assert "is being written" in str(error)


@pytest.mark.parametrize("path", ["../secret.csv", "/etc/passwd", "a/../../x.csv", "s3://other/x.csv"])
def test_a_path_cannot_leave_the_folder(folder: Path, path: str) -> None:
    assert isinstance(refusal(folder, {"path": path}), Invalid)


def test_a_link_out_of_the_folder_is_not_followed(folder: Path) -> None:
    (folder / "secret.csv").write_text(CSV)
    (folder / "in" / "link.csv").symlink_to(folder / "secret.csv")
    assert isinstance(refusal(folder, {"path": "link.csv"}), NotFound)


def test_a_missing_file_names_the_nearest(folder: Path) -> None:
    put(folder, "pupils_2024.csv")
    error = refusal(folder, {"path": "pupil_2024.csv"})
    assert isinstance(error, NotFound)
    assert error.problems[0].hint == "did you mean pupils_2024.csv?"
    assert ask(folder, {"path": "none_*.csv", "may_be_absent": True}) == []
    assert isinstance(refusal(folder, {"path": "x.csv"}, source={"folder": "nowhere"}), NotFound)


def test_globs_enter_folders_and_leave_hidden_files_out(folder: Path) -> None:
    (folder / "in" / "2024").mkdir()
    for name in ("2024/a.csv", "b.csv", ".hidden.csv", "~$b.csv", "[c].csv"):
        put(folder, name, f"code;Élèves;Jour\n{name};1;2024-01-01\n")
    assert {d.origin for d in ask(folder, {"path": "**/*.csv"})} == {"2024/a.csv", "b.csv", "[c].csv"}
    assert [d.origin for d in ask(folder, {"path": "[c].csv"})] == ["[c].csv"]


def test_packed_files_are_unpacked(folder: Path) -> None:
    put(folder, "a.csv.gz", gzip.compress(CSV.encode()))
    with zipfile.ZipFile(folder / "in" / "b.zip", "w") as archive:
        archive.writestr("b.csv", CSV)
        archive.writestr("readme.txt", "hello")
    assert len(rows(ask(folder, {"path": "a.csv.gz"})[0])) == 2
    error = refusal(folder, {"path": "b.zip", "format": "csv"})
    assert error.problems[0].allowed == ("member: b.csv", "member: readme.txt")
    assert len(rows(ask(folder, {"path": "b.zip", "member": "b.csv"})[0])) == 2
    put(folder, "bad.csv.gz", b"no gzip")
    assert isinstance(refusal(folder, {"path": "bad.csv.gz"}), Invalid)


def test_what_unpacks_to_more_than_the_limit_is_refused(folder: Path) -> None:
    put(folder, "bomb.csv.gz", gzip.compress(b"x" * (8 << 20)))
    error = refusal(folder, {"path": "bomb.csv.gz"}, source={"folder": "in", "disk_limit_mb": 1})
    assert isinstance(error, Invalid)
    assert "unpack" in str(error) or "larger" in str(error)


def test_an_unknown_format_lists_the_known_ones(folder: Path) -> None:
    put(folder, "pupils.doc")
    error = refusal(folder, {"path": "pupils.doc"})
    assert "format: csv" in error.problems[0].allowed


def test_wrong_options_are_refused_with_the_nearest(folder: Path) -> None:
    error = refusal(folder, {"path": "x.csv", "delimeter": ";"})
    assert error.problems[0].hint == "did you mean delimiter?"


def test_each_wrong_value_is_named_with_its_line(folder: Path) -> None:
    put(folder, "pupils.csv", 'code;Élèves;Jour\n"a\nb";x;31/12/2024\nc;1;2024-02-30\nd;2;ok\n')
    error = refusal(folder, {"path": "pupils.csv"})
    assert [(p.line, p.value) for p in error.problems] == [(2, "x"), (4, "2024-02-30"), (5, "ok")]
    assert all(p.file == "pupils.csv" for p in error.problems)


def test_at_most_twenty_problems_are_shown_and_all_are_counted(folder: Path) -> None:
    put(folder, "pupils.csv", "code;Élèves;Jour\n" + "a;x;2024-01-01\n" * 100_000)
    error = refusal(folder, {"path": "pupils.csv"})
    assert len(error.problems) == 20
    assert "100000 problems" in error.message


def test_rows_that_are_too_short_or_too_long_are_refused(folder: Path) -> None:
    put(folder, "pupils.csv", "code;Élèves;Jour\na;1;2024-01-01\nb;2\nc;3;2024-01-01;x\n")
    assert [p.line for p in refusal(folder, {"path": "pupils.csv"}).problems] == [3, 4]


def test_missing_and_unexpected_columns_are_refused_with_the_nearest(folder: Path) -> None:
    put(folder, "pupils.csv", "code;Elèvess;Jour\na;1;2024-01-01\n")
    error = refusal(folder, {"path": "pupils.csv"})
    assert [p.value for p in error.problems] == ["Élèves", "Elèvess"]
    assert error.problems[0].hint == "did you mean Elèvess?"
    put(folder, "extra.csv", "code;Élèves;Jour;Extra\na;1;2024-01-01;x\n")
    assert [p.value for p in refusal(folder, {"path": "extra.csv"}).problems] == ["Extra"]
    assert len(ask(folder, {"path": "extra.csv", "ignore_columns": ["extra"]})) == 1


def test_a_date_or_number_with_two_readings_is_refused_with_the_choices(folder: Path) -> None:
    columns = (Column("a", "date"), Column("b", "number"))
    put(folder, "x.csv", "a;b\n01/02/2024;14,304\n03/04/2024;15,201\n")
    error = refusal(folder, {"path": "x.csv"}, columns=columns)
    assert error.problems[0].allowed == ("date_format: %d/%m/%Y", "date_format: %m/%d/%Y")
    assert set(error.problems[1].allowed) == {"decimal: ','", "thousands: ','"}
    [delivery] = ask(folder, {"path": "x.csv", "date_format": "%d/%m/%Y", "thousands": ","}, columns=columns)
    assert rows(delivery)[0] == {"a": date(2024, 2, 1), "b": 14304.0, "_row": 2}


def test_an_ambiguous_column_follows_the_certain_ones_of_its_file(folder: Path) -> None:
    columns = (Column("a", "date"), Column("b", "date"), Column("c", "number"), Column("d", "number"))
    put(folder, "x.csv", "a;b;c;d\n01/02/2024;25/12/2024;14,304;0,5\n")
    [delivery] = ask(folder, {"path": "x.csv"}, columns=columns)
    assert rows(delivery) == [{"a": date(2024, 2, 1), "b": date(2024, 12, 25), "c": 14.304, "d": 0.5, "_row": 2}]


def test_bad_quotes_are_refused_with_the_line(folder: Path) -> None:
    put(folder, "pupils.csv", CSV + 'x;"1"2;2024-01-01\n')
    assert "quote" in str(refusal(folder, {"path": "pupils.csv"}))
    put(folder, "open.csv", CSV + 'x;1;"2024-01-01\n')
    assert "quote" in str(refusal(folder, {"path": "open.csv"}))


def test_a_text_of_only_strings_without_a_known_header_is_refused(folder: Path) -> None:
    columns = (Column("code", "string"), Column("name", "string"))
    put(folder, "x.csv", "kode;naam\n1;a\n")
    assert "header: none" in str(refusal(folder, {"path": "x.csv"}, columns=columns))
    [delivery] = ask(folder, {"path": "x.csv", "header": "none", "delimiter": ";"}, columns=columns)
    assert [r["code"] for r in rows(delivery)] == ["kode", "1"]


def test_footers_and_ends_are_left_out_where_declared(folder: Path) -> None:
    text = "Liste des écoles\n\n" + CSV + "Total;1 290;\nSource: FWB\n"
    put(folder, "x.csv", text)
    assert [p.line for p in refusal(folder, {"path": "x.csv"}).problems] == [7]
    assert len(rows(ask(folder, {"path": "x.csv", "stop_at": "total"})[0])) == 2
    assert len(rows(ask(folder, {"path": "x.csv", "skip_footer": 2})[0])) == 2
    [delivery] = ask(folder, {"path": "x.csv", "skip_footer": 1})
    assert next(n for n in delivery.notes if n.subject == "total").value == "line 6"
    assert rows(delivery)[0]["_row"] == 4


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_found_and_reported(folder: Path, encoding: str) -> None:
    put(folder, "x.csv", CSV.replace("00123", "Liège, l’été à Ciney — «œuvre»").encode(encoding))
    [delivery] = ask(folder, {"path": "x.csv"})
    assert rows(delivery)[0]["code"] == "Liège, l’été à Ciney — «œuvre»"
    assert any(n.subject == "encoding" for n in delivery.notes)


def test_an_uncertain_encoding_is_refused_with_choices(folder: Path) -> None:
    put(folder, "x.csv", CSV.encode() + "Ελληνικά γράμματα;1;2024-01-01\n".encode("iso8859-7"))
    error = refusal(folder, {"path": "x.csv"})
    assert any(choice.startswith("encoding: ") for choice in error.problems[0].allowed)
    put(folder, "y.csv", CSV.encode("iso8859-15"))
    assert len(ask(folder, {"path": "y.csv", "encoding": "iso-8859-15"})) == 1
    assert isinstance(refusal(folder, {"path": "y.csv", "encoding": "utf-8"}), Invalid)
    assert isinstance(refusal(folder, {"path": "y.csv", "encoding": "klingon"}), Invalid)


def test_json_rows_keep_their_types_and_refuse_what_is_not_certain(folder: Path) -> None:
    columns = (
        Column("id", "integer"),
        Column("city", "string", source_name="address.city"),
        Column("tags", "array"),
        Column("ok", "boolean"),
    )
    put(
        folder,
        "a.json",
        '{"data": {"items": [{"id": 1, "address": {"city": "Mons"}, "tags": ["x"], "ok": true}, {"id": 2, "address": null}]}}',
    )
    [delivery] = ask(folder, {"path": "a.json", "records": "data.items"}, columns=columns)
    assert rows(delivery)[0] == {"id": 1, "city": "Mons", "tags": '["x"]', "ok": True, "_row": 1}
    assert rows(delivery)[1] == {"id": 2, "city": None, "tags": None, "ok": None, "_row": 2}
    only_id = (Column("id", "integer"),)
    bad = [
        '[{"id": 1, "id": 2}]',
        '[{"id": NaN}]',
        '[{"id": 99999999999999999999}]',
        '[{"id": 1}, {"id": "x"}]',
        '[{"id": 1.5}]',
        "[1]",
        "{",
        "3",
    ]
    for text in bad:
        path = put(folder, "bad.json", text)
        job = job_of(SourceFile(path, "bad.json", "json"), only_id, FilesDataset(path="bad.json"))
        with pytest.raises(Invalid):
            read_job(job, folder, Findings("bad.json"))


def test_lines_of_json_name_the_wrong_line(folder: Path) -> None:
    put(folder, "a.ndjson", '{"id": 1}\n\n{"id": "2"}\n')
    columns = (Column("id", "integer"),)
    assert [r["_row"] for r in rows(ask(folder, {"path": "a.ndjson"}, columns=columns)[0])] == [1, 3]
    put(folder, "b.ndjson", '{"id": 1}\n{"id": true}\n')
    assert [p.line for p in refusal(folder, {"path": "b.ndjson"}, columns=columns).problems] == [2]
    put(folder, "c.ndjson", '{"id": 1}\n{"id":\n[]\n')
    assert [p.line for p in refusal(folder, {"path": "c.ndjson"}, columns=columns).problems] == [2, 3]


def test_parquet_is_read_and_lossy_types_are_refused(folder: Path) -> None:
    table = pa.table({"code": ["a", None], "Élèves": pa.array([1, 2], pa.int16()), "Jour": pa.array([date(2024, 1, 1), None])})
    parquet.write_table(table, folder / "in" / "a.parquet")
    assert rows(ask(folder, {"path": "a.parquet"})[0])[1] == {"code": None, "pupils": 2, "day": None, "_row": 2}
    parquet.write_table(table.set_column(1, "Élèves", pa.array([1.5, 2.0])), folder / "in" / "b.parquet")
    assert isinstance(refusal(folder, {"path": "b.parquet"}), Invalid)
    put(folder, "c.parquet", b"PAR1 no")
    assert isinstance(refusal(folder, {"path": "c.parquet"}), Invalid)


def workbook(folder: Path, name: str = "x.xlsx") -> xlsxwriter.Workbook:
    return xlsxwriter.Workbook(folder / "in" / name, {"default_date_format": "dd/mm/yyyy"})


def test_a_workbook_with_title_merged_header_and_total_is_read(folder: Path) -> None:
    with workbook(folder) as book:
        sheet = book.add_worksheet("Janvier")
        sheet.merge_range("B2:E2", "Élèves par école")
        sheet.merge_range("C4:D4", "Élèves")
        sheet.write_row("B4", ["Code"])
        sheet.write_row("B5", ["", "Filles", "Garçons", "Jour"])
        sheet.write_row("B6", ["00123", 10, "1 234", date(2024, 1, 31)])
        sheet.write_row("B7", [124, "12,0", 3, "31/01/2024"])
    columns = (
        Column("code", "string"),
        Column("girls", "number", source_name="Élèves / Filles"),
        Column("boys", "integer", source_name="Élèves / Garçons"),
        Column("day", "date", source_name="Jour"),
    )
    [delivery] = ask(folder, {"path": "x.xlsx", "header": [4, 5]}, columns=columns)
    assert rows(delivery) == [
        {"code": "00123", "girls": 10.0, "boys": 1234, "day": date(2024, 1, 31), "_row": 6},
        {"code": "124", "girls": 12.0, "boys": 3, "day": date(2024, 1, 31), "_row": 7},
    ]


def test_every_error_in_a_workbook_names_sheet_and_cell(folder: Path) -> None:
    with workbook(folder) as book:
        sheet = book.add_worksheet("Janvier")
        sheet.write_row("B3", ["code", "Élèves", "Jour"])
        sheet.write_row("B4", ["a", 1.5, "31/01/2024"])
        sheet.write_row("B5", ["b", "many", 12])
        sheet.write_formula("C6", "=NA()", None, "#N/A")
        sheet.write("B6", "c")
    error = refusal(folder, {"path": "x.xlsx"})
    assert sorted(p.place or "" for p in error.problems) == [f"sheet Janvier, cell {cell}" for cell in ("C4", "C5", "C6", "D5")]
    error = refusal(folder, {"path": "x.xlsx", "skip_footer": 1})
    assert {p.place for p in error.problems} == {"sheet Janvier, cell C4", "sheet Janvier, cell D5", "sheet Janvier, cell C5"}


def test_an_empty_required_cell_is_named_once(folder: Path) -> None:
    columns = (Column("code", "string", primary_key=True), Column("n", "integer", required=True), Column("m", "integer"))
    with workbook(folder) as book:
        sheet = book.add_worksheet("S")
        sheet.write_row("A1", ["code", "n", "m"])
        sheet.write_row("A2", ["a", 1])
        sheet.write_row("A3", ["", 1.5])
        sheet.write_row("A4", ["c", " "])
        sheet.write_formula("B5", "=NA()", None, "#N/A")
        sheet.write("A5", "d")
    error = refusal(folder, {"path": "x.xlsx"}, columns=columns)
    told = {(p.place or "").removeprefix("sheet S, cell "): p.message for p in error.problems}
    assert told == {
        "A3": "column code is required and its value is missing",
        "B3": "column n: '1.5' is not a whole number",
        "B4": "column n is required and its value is missing",
        "B5": "the cell holds the error #N/A",
    }
    assert len(error.problems) == 4


def old_workbook(folder: Path, rows: list[list[str]]) -> Path:
    """Write an XLS; a cell of `#N/A` becomes that error."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("S")
    for at, row in enumerate(rows):
        for column, text in enumerate(row):
            if text == "#N/A":
                sheet.row(at).set_cell_error(column, 42)
            else:
                sheet.write(at, column, text)
    path = folder / "in" / "x.xls"
    book.save(str(path))
    return path


def test_an_error_in_an_old_workbook_is_named_by_its_cell(folder: Path) -> None:
    old_workbook(folder, [["code", "name"], ["a", "b"], ["c", "#N/A"], ["", "e"]])
    columns = (Column("code", "string"), Column("name", "string"))
    [problem] = refusal(folder, {"path": "x.xls"}, columns=columns).problems
    assert (problem.place, problem.message) == ("sheet S, cell B3", "the cell holds the error #N/A")


def test_an_old_workbook_whose_readers_do_not_agree_is_refused(folder: Path) -> None:
    columns = (Column("code", "string"), Column("name", "string"))
    path = old_workbook(folder, [["code", "name"], ["a", "b"], ["c", "d"]])
    assert [(row["code"], row["name"]) for row in rows(ask(folder, {"path": "x.xls"}, columns=columns)[0])] == [("a", "b"), ("c", "d")]
    data = bytearray(path.read_bytes())
    last = data.rindex(b"\xfd\x00\x0a\x00\x02\x00\x01\x00")  # the cell in row 2 and column 1: a text by its number
    data[last + 10 : last + 14] = (5_000_000).to_bytes(4, "little")
    path.write_bytes(data)
    error = refusal(folder, {"path": "x.xls"}, columns=columns)
    assert "the two readers of x.xls do not agree" in error.message


def test_a_total_is_told_of_in_a_column_that_is_left_out_too(folder: Path) -> None:
    with workbook(folder) as book:
        sheet = book.add_worksheet("S")
        for at, row in enumerate([["province", "n"], ["Liège", 1], ["Total", 1]]):
            sheet.write_row(at, 0, row)
    [delivery] = ask(folder, {"path": "x.xlsx", "ignore_columns": ["province"]}, columns=(Column("n", "integer"),))
    assert [note.value for note in delivery.notes if note.subject == "total"] == ["row 3"]


def test_an_empty_required_field_of_a_text_names_its_line(folder: Path) -> None:
    (folder / "in" / "x.csv").write_text("code;n\na;1\n;2\n")
    columns = (Column("code", "string", required=True), Column("n", "integer"))
    [problem] = refusal(folder, {"path": "x.csv"}, columns=columns).problems
    assert (problem.line, problem.message) == (3, "column code is required and its value is missing")


def test_a_percent_sign_among_plain_values_is_named_by_its_cell(folder: Path) -> None:
    with workbook(folder) as book:
        book.add_worksheet("S").write_column("A1", ["share", "94,5", "82,1 %", "90,0"])
    [problem] = refusal(folder, {"path": "x.xlsx"}, columns=(Column("share", "number"),)).problems
    assert problem.place == "sheet S, cell A3"


def test_one_column_that_can_be_read_in_two_ways_hides_no_other(folder: Path) -> None:
    columns = (Column("a", "number"), Column("b", "integer"))
    (folder / "in" / "x.csv").write_text("a;b\n1,234;x\n")
    first, second = refusal(folder, {"path": "x.csv"}, columns=columns).problems
    assert "can be read in 2 ways" in first.message
    assert second.message == "column b: 'x' is not a whole number"


def test_more_problems_are_listed_when_the_dataset_asks_for_them(folder: Path) -> None:
    (folder / "in" / "x.csv").write_text("n\n" + "x\n" * 30)
    columns = (Column("n", "integer"),)
    error = refusal(folder, {"path": "x.csv"}, columns=columns)
    assert len(error.problems) == 20
    assert error.message.endswith("30 problems (the first 20 are shown)")
    error = refusal(folder, {"path": "x.csv", "problems_shown": 25}, columns=columns)
    assert len(error.problems) == 25
    assert len(refusal(folder, {"path": "x.csv", "problems_shown": 50}, columns=columns).problems) == 30


def test_a_table_of_several_in_a_sheet_is_chosen_by_its_place(folder: Path) -> None:
    with workbook(folder) as book:
        sheet = book.add_worksheet("S")
        for at in ("A1", "E3"):
            sheet.write_row(at, ["code", "Élèves", "Jour"])
        sheet.write_row("A2", ["first", 1, date(2024, 1, 1)])
        sheet.write_row("E4", ["second", 2, date(2024, 1, 1)])
        sheet.write_row("E5", ["third", 3, date(2024, 1, 1)])
        sheet.write("E7", "a remark")
    assert [r["code"] for r in rows(ask(folder, {"path": "x.xlsx", "table_at": "E3"})[0])] == ["second", "third"]
    assert [(r["code"], r["_row"]) for r in rows(ask(folder, {"path": "x.xlsx", "table_at": "E3:G4"})[0])] == [("second", 4)]


def test_the_sheet_is_asked_for_when_there_are_several(folder: Path) -> None:
    with workbook(folder) as book:
        for name in ("Janvier", "Février"):
            sheet = book.add_worksheet(name)
            sheet.write_row("A1", ["code", "Élèves", "Jour"])
            sheet.write_row("A2", [name, 1, date(2024, 1, 1)])
    assert refusal(folder, {"path": "x.xlsx"}).problems[0].allowed == ("sheet: Janvier", "sheet: Février")
    assert isinstance(refusal(folder, {"path": "x.xlsx", "sheet": "Mars"}), NotFound)
    for sheet in ("Février", 2, "février "):
        assert rows(ask(folder, {"path": "x.xlsx", "sheet": sheet})[0])[0]["code"] == "Février"


def _book_of(path: Path, cells: list[bytes]) -> None:
    """Write the smallest XLSX with the given raw XML of its sheet."""
    relations = '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "_rels/.rels", f'{relations}<Relationship Id="r" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
        )
        book = f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="S" sheetId="1" r:id="r"/></sheets></workbook>'
        archive.writestr("xl/workbook.xml", book)
        target = f'{relations}<Relationship Id="r" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
        archive.writestr("xl/_rels/workbook.xml.rels", target)
        with archive.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write(f'<worksheet xmlns="{main}"><sheetData>'.encode())
            for cell in cells:
                sheet.write(cell)
            sheet.write(b"</sheetData></worksheet>")


HOSTILE = {
    "seventeen giga cells": [
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>code</t></is></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    ],
    "a cell that unpacks to half a gigabyte": [
        b'<row r="1"><c r="A1" t="inlineStr"><is><t>',
        *[b"a" * (1 << 20)] * 512,
        b"</t></is></c></row>",
    ],
    "broken xml": [b'<row r="1"><c r="A1"><v>1</row>'],
}


@pytest.mark.parametrize("cells", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_workbook_is_refused(folder: Path, cells: list[bytes]) -> None:
    _book_of(folder / "in" / "x.xlsx", cells)
    assert isinstance(refusal(folder, {"path": "x.xlsx"}, source={"folder": "in", "memory_limit_mb": 768}), Invalid)


def test_a_reading_that_takes_too_long_is_ended(folder: Path) -> None:
    put(folder, "pupils.csv", CSV + "1;1;2024-01-01\n" * 3_000_000)
    error = refusal(folder, {"path": "pupils.csv"}, source={"folder": "in", "time_limit_s": 1})
    assert isinstance(error, Invalid)
    assert "time_limit_s" in str(error)


def test_the_reading_process_gets_no_secret(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDUCATION_PASSWORD", "word")
    (folder / "spy").mkdir()
    (folder / "spy" / "sitecustomize.py").write_text(f"import os; open({str(folder / 'seen')!r}, 'a').write(repr(dict(os.environ)))")
    monkeypatch.setenv("PYTHONPATH", str(folder / "spy"))
    put(folder, "pupils.csv")
    ask(folder, {"path": "pupils.csv"})
    assert "PYTHONPATH" in (folder / "seen").read_text()
    assert "EDUCATION_PASSWORD" not in (folder / "seen").read_text()


BUCKET = {"url": "s3://drop/incoming", "key_env": "DROP_KEY", "secret_env": "DROP_SECRET", "region": "us-east-1"}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, dict[str, object]]]:
    monkeypatch.setenv("DROP_KEY", "key")
    monkeypatch.setenv("DROP_SECRET", "secret")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret")
    client.create_bucket(Bucket="drop")
    yield client, {**BUCKET, "endpoint": endpoint}
    server.stop()


def test_a_bucket_is_read_and_an_unchanged_object_is_not_fetched_again(folder: Path, s3: tuple[Any, dict[str, object]]) -> None:
    client, source = s3
    client.put_object(Bucket="drop", Key="incoming/a.csv", Body=CSV.encode())
    client.put_object(Bucket="drop", Key="elsewhere/a.csv", Body=b"x")
    [first] = ask(folder, {"path": "*.csv"}, source=source)
    assert len(rows(first)) == 2
    assert first.origin == "a.csv"
    # Nothing is loaded according to `is_loaded`; only the remembered state of the object keeps it away.
    assert ask(folder, {"path": "*.csv"}, source=source, cursor=first.cursor) == []
    client.put_object(Bucket="drop", Key="incoming/a.csv", Body=(CSV + "9;9;2024-01-01\n").encode())
    [second] = ask(folder, {"path": "*.csv"}, source=source, cursor=first.cursor)
    assert len(rows(second)) == 3


def test_a_bucket_that_does_not_answer_is_unavailable_and_keeps_its_secret(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROP_KEY", "key")
    monkeypatch.setenv("DROP_SECRET", "very-secret-word")
    error = refusal(folder, {"path": "*.csv"}, source={**BUCKET, "endpoint": "http://127.0.0.1:9"})
    assert isinstance(error, Unavailable)
    assert "very-secret-word" not in str(error)
    monkeypatch.delenv("DROP_SECRET")
    assert isinstance(refusal(folder, {"path": "*.csv"}, source=BUCKET), Misconfigured)


def test_the_workspace_holds_all_that_is_written(folder: Path) -> None:
    put(folder, "pupils.csv")
    before = {p for p in folder.rglob("*") if ".workspace" not in str(p)}
    ask(folder, {"path": "pupils.csv"})
    assert {p for p in folder.rglob("*") if ".workspace" not in str(p)} == before
    for found in folder.glob(".workspace*"):
        shutil.rmtree(found)
