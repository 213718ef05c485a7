"""Refused values of columns about people, or not open to everybody in the house, stand in no message; other columns show theirs."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pyarrow as pa
import pytest
import xlsxwriter
from pyarrow import parquet

from polyceph.connectors.files import FilesConnector
from polyceph.connectors.postgres import PostgresConnector
from polyceph.core.model.classification import Classification, PersonalData
from polyceph.core.model.place import Place
from polyceph.errors import Invalid, PolycephError
from polyceph.sdk import Column, Contract, DatasetId, Demand, Zone
from polyceph.settings import PostgresAddress

PUPILS = DatasetId("education", Zone.RAW, "pupils")
SECRETS = ("Jean", "Dupont", "1.5x", "secret")


def contract(*columns: Column, classification: Classification = Classification.INTERNAL) -> Contract:
    place = Place("domains/education/contracts/pupils.odcs.yaml")
    return Contract(PUPILS, "1", "1.0.0", "active", "a", "b", classification, columns, place, "0" * 64)


PERSONAL = contract(
    Column("code", "integer"),
    Column("born", "date", personal_data=PersonalData.PERSONAL),
    Column("score", "number", classification=Classification.CONFIDENTIAL),
)
ROWS = [("code", "born", "score"), ("x1", "Jean Dupont 12", "1.5x")]


def refusal(tmp_path: Path, name: str, promised: Contract = PERSONAL, **options: object) -> PolycephError:
    demand = Demand(PUPILS, promised, {"path": name, **options}, None, lambda _: False, Path(mkdtemp(dir=tmp_path)), tmp_path)
    connector = FilesConnector(FilesConnector.source_options.model_validate({"folder": "."}), base=tmp_path)
    with pytest.raises(PolycephError) as caught:
        list(connector.deliveries(demand))
    return caught.value


def everything(error: PolycephError) -> str:
    return str(error) + json.dumps([problem.as_dict() for problem in error.problems], ensure_ascii=False)


def put(tmp_path: Path, kind: str) -> str:
    path = tmp_path / f"pupils.{kind}"
    if kind == "csv":
        path.write_text("\n".join(";".join(row) for row in ROWS) + "\n")
    elif kind == "ndjson":
        path.write_text(json.dumps({"code": True, "born": "Jean Dupont 12", "score": [1, "Dupont"]}) + "\n")
    elif kind == "parquet":
        parquet.write_table(pa.table({"code": ["x1"], "born": ["Jean Dupont 12"], "score": ["1.5x"]}), path)
    else:
        with xlsxwriter.Workbook(path) as book:
            sheet = book.add_worksheet("A")
            for number, row in enumerate(ROWS):
                sheet.write_row(number, 0, row)
    return path.name


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet", "xlsx"])
def test_a_refused_value_of_a_closed_column_is_told_by_its_shape(tmp_path: Path, kind: str) -> None:
    error = refusal(tmp_path, put(tmp_path, kind))
    assert not [word for word in SECRETS if word in everything(error)]
    born = next(problem for problem in error.problems if "column born" in problem.message)
    assert "14 characters: letters, digits and spaces" in born.message
    assert "a date" in born.message
    assert born.value is None
    assert born.where()


def test_other_columns_of_the_same_file_show_their_value(tmp_path: Path) -> None:
    error = refusal(tmp_path, put(tmp_path, "csv"))
    code = next(problem for problem in error.problems if "column code" in problem.message)
    assert code.value == "x1"
    assert "'x1'" in code.message


def test_typed_cells_of_a_closed_column_are_told_by_their_shape(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "typed.xlsx") as book:
        sheet = book.add_worksheet("A")
        sheet.write_row(0, 0, ROWS[0])
        sheet.write_row(1, 0, [1.25, 7250117.5, True])
    error = refusal(tmp_path, "typed.xlsx")
    assert "7250117" not in everything(error)
    assert "9 characters: digits and signs" in everything(error)
    assert next(p for p in error.problems if "column code" in p.message).value == "1.25"


def test_columns_of_a_closed_dataset_are_closed_unless_they_say_otherwise(tmp_path: Path) -> None:
    public = Column("score", "number", classification=Classification.PUBLIC)
    promised = contract(Column("code", "integer"), Column("born", "date"), public, classification=Classification.SECRET)
    error = refusal(tmp_path, put(tmp_path, "csv"), promised)
    assert "Dupont" not in everything(error)
    assert "x1" not in everything(error)
    assert next(p for p in error.problems if "column score" in p.message).value == "1.5x"


def test_an_ambiguous_closed_column_shows_no_example(tmp_path: Path) -> None:
    (tmp_path / "days.csv").write_text("code;born;score\n1;03/04/1999;1\n2;05/06/1998;2\n")
    error = refusal(tmp_path, "days.csv")
    assert "1999" not in everything(error)
    assert "can be read in 2 ways" in everything(error)


def test_rows_taken_for_a_header_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "bare.csv").write_text("Jean;Dupont;Namur\nMarie;secret;Mons\n")
    texts = contract(*(Column(name, "string", personal_data=PersonalData.PERSONAL) for name in ("first", "last", "town")))
    for options in ({}, {"header": 1}):
        error = refusal(tmp_path, "bare.csv", texts, **options)
        assert not [word for word in (*SECRETS, "Namur", "Marie") if word in everything(error)]


def test_a_typed_parquet_column_that_does_not_fit_shows_no_value(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"code": [1], "born": [7250117], "score": [1.0]}), tmp_path / "typed.parquet")
    promised = contract(PERSONAL.columns[0], Column("born", "integer", personal_data=PersonalData.PERSONAL), PERSONAL.columns[2])
    parquet.write_table(pa.table({"code": [1], "born": [7250117.5], "score": [1.0]}), tmp_path / "typed.parquet")
    error = refusal(tmp_path, "typed.parquet", promised)
    assert "column born" in everything(error)
    assert "7250117" not in everything(error)


def test_a_value_that_breaks_a_query_is_not_shown(
    database: PostgresAddress, write: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    write.execute("CREATE TABLE pupils AS SELECT 'Jean Dupont' AS name, 1 AS id")
    given = {"host": database.host, "port": database.port, "database": database.database, "user": database.user}
    options = PostgresConnector.source_options.model_validate({**given, "password_env": "SOURCE_PASSWORD"})
    asked = {"query": "SELECT id, name::int AS code FROM pupils", "cursor": "code"}
    demand = Demand(PUPILS, contract(Column("code", "integer")), asked, None, lambda _: False, tmp_path, tmp_path)
    with pytest.raises(Invalid) as caught:
        list(PostgresConnector(options, base=tmp_path).deliveries(demand))
    assert "Dupont" not in str(caught.value)
