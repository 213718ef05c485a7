"""Real Belgian files, read with options alone and checked against what is known about them (SOURCES.md beside the files)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from polyceph.connectors.files import FilesConnector
from polyceph.core.model.classification import Classification
from polyceph.core.model.place import Place
from polyceph.errors import Invalid
from polyceph.sdk import Column, Contract, DatasetId, Delivery, Demand, Zone

DATASET = DatasetId("education", Zone.RAW, "real")


def column(text: str) -> Column:
    """Make a column of `name=header:type`; header and type may be left out."""
    name, _, kind = text.partition(":")
    name, _, header = name.partition("=")
    return Column(name, kind or "string", source_name=header or None)


def deliver(folder: Path, workspace: Path, columns: list[str], **options: object) -> Delivery:
    place = Place("domains/education/contracts/real.odcs.yaml")
    promised = tuple(column(text) for text in columns)
    contract = Contract(DATASET, "1", "1.0.0", "active", "a", "b", Classification.PUBLIC, promised, place, "0" * 64)
    connector = FilesConnector(FilesConnector.source_options.model_validate({"folder": str(folder)}), base=folder)
    [delivery] = connector.deliveries(Demand(DATASET, contract, options, None, lambda _: False, workspace, folder))
    return delivery


def table(delivery: Delivery) -> list[dict[str, Any]]:
    return pa.RecordBatchReader.from_stream(delivery.rows).read_all().to_pylist()


def noted(delivery: Delivery, subject: str) -> list[str | None]:
    return [note.value for note in delivery.notes if note.subject == subject]


@pytest.fixture
def belgium(shared_data: Path) -> Path:
    return shared_data / "data" / "belgium"


SITES = ["name", "street", "postcode", "latitude:integer", "longitude:integer", "level"]


def test_school_sites_without_a_header(belgium: Path, tmp_path: Path) -> None:
    delivery = deliver(belgium, tmp_path, SITES, path="fwb_school_sites_2014.csv", header="none")
    rows = table(delivery)
    assert len(rows) == 6805
    assert sum(not row["latitude"] for row in rows) == 192
    assert {row["level"] for row in rows} == {"Maternel ordinaire", "Primaire ordinaire"}
    assert rows[0] | {"_row": 1} == rows[0]
    assert rows[0]["latitude"] == 503529965


def test_the_absence_of_a_header_is_found_and_reported(belgium: Path, tmp_path: Path) -> None:
    assert noted(deliver(belgium, tmp_path, SITES, path="fwb_school_sites_2014.csv"), "header") == ["none"]


@pytest.mark.parametrize(("level", "total"), [("preschool", 143_330), ("primary", 257_514)])
def test_pupils_by_municipality_add_up_to_their_first_line(belgium: Path, tmp_path: Path, level: str, total: int) -> None:
    path = f"fwb_{level}_pupils_by_municipality.csv"
    rows = table(deliver(belgium, tmp_path, ["nis", "name", "pupils:integer"], path=path, header="none"))
    assert len(rows) == 263
    assert rows[0]["pupils"] == total == sum(row["pupils"] for row in rows[1:])


MUNICIPALITIES = ["nis_code", "municipality_nl", "municipality_fr", "arrondissement_nl", "arrondissement_fr", "province_nl", "province_fr"]
MUNICIPALITIES += ["region_nl", "region_fr", "inhabitants:integer", "zip"]


@pytest.mark.parametrize(
    ("year", "count", "aartselaar", "separator"), [(2018, 589, 14304, [","]), (2019, 581, 14293, [" "]), (2020, 581, 14427, [])]
)
def test_the_three_thousands_separators_are_read(
    belgium: Path, tmp_path: Path, year: int, count: int, aartselaar: int, separator: list[str]
) -> None:
    delivery = deliver(belgium, tmp_path, MUNICIPALITIES, path=f"municipalities_{year}.csv")
    rows = table(delivery)
    assert len(rows) == count
    assert rows[0]["inhabitants"] == aartselaar
    assert 11_300_000 < sum(row["inhabitants"] for row in rows) < 11_600_000
    assert noted(delivery, "number") == separator


def test_the_same_separator_in_a_column_of_numbers_is_refused(belgium: Path, tmp_path: Path) -> None:
    columns = [c.replace("inhabitants:integer", "inhabitants:number") for c in MUNICIPALITIES]
    with pytest.raises(Invalid) as caught:
        deliver(belgium, tmp_path, columns, path="municipalities_2018.csv")
    assert set(caught.value.problems[0].allowed) == {"decimal: ','", "thousands: ','"}


def test_population_by_age(belgium: Path, tmp_path: Path) -> None:
    rows = table(deliver(belgium, tmp_path, ["nis", "sex", "age:integer", "quantity:integer"], path="population_2013*.csv"))
    assert len(rows) == 26_880
    assert len({row["nis"] for row in rows}) == 640


def test_a_byte_order_mark_is_no_part_of_the_first_header(belgium: Path, tmp_path: Path) -> None:
    columns = ["nis=NIS code", "name=Woonplaats", "men=Mannen:integer", "women=Vrouwen:integer", "total=Totaal:integer"]
    rows = table(deliver(belgium, tmp_path, columns, path="bevolking_per_gemeente_2020.csv"))
    assert len(rows) == 638
    assert rows[0]["nis"] == "01000"
    assert rows[0]["total"] == 11_492_641
    assert all(row["men"] + row["women"] == row["total"] for row in rows)


def test_semicolons_and_trailing_empty_columns(belgium: Path, tmp_path: Path) -> None:
    columns = ["code=Code INS", "entity=Entités administratives", "language=Langue", "nis=Code NIS"]
    columns += ["eenheid=Administratieve eenheden", "taal=Taal"]
    delivery = deliver(belgium, tmp_path, columns, path="REFNIS_2019.csv")
    rows = table(delivery)
    assert len(rows) == 638
    assert rows[0]["code"] == rows[0]["nis"] == "01000"
    assert noted(delivery, "columns") == ["9"]
    assert noted(delivery, "delimiter") == [";"]


FLEMISH = ["id=nummer_instelling", "name=naam instelling", "street=adres", "municipality=fusiegemeente", "postcode=postnummer"]
FLEMISH += ["preschool=Gewoon kleuteronderwijs:integer", "primary=Gewoon lager onderwijs:integer"]
FLEMISH += ["special_preschool=Buitengewoon kleuteronderwijs:integer", "special_primary=Buitengewoon lager onderwijs:integer"]
FLEMISH += ["total=Totaal:integer"]


def test_flemish_schools_below_a_blank_row(belgium: Path, tmp_path: Path) -> None:
    delivery = deliver(belgium, tmp_path, FLEMISH, path="Ecoles primaire-maternelle 2012_FLANDRE.csv")
    rows = table(delivery)
    assert len(rows) == 2554
    assert noted(delivery, "header") == ["2"]
    assert rows[0]["_row"] == 3
    assert '"De Lettertuin"' in next(row["name"] for row in rows if row["id"] == "2139")
    parts = ("preschool", "primary", "special_preschool", "special_primary")
    assert all(sum(row[p] or 0 for p in parts) == row["total"] for row in rows)


def test_localities(belgium: Path, tmp_path: Path) -> None:
    rows = table(deliver(belgium, tmp_path, ["name=Nom", "postcode=postal", "nis=INS"], path="localities_postcode_nis.csv"))
    assert len(rows) == 2799


STAFF = ["sector=Sectors of the survey", "telework:number", "mixed=mix telework-workplace:number", "at_work=at workplace:number"]
STAFF += ["unemployed=temporary unemployed:number", "absent:number"]


def test_a_sheet_of_a_workbook_below_its_title(belgium: Path, tmp_path: Path) -> None:
    options = {"path": "Staff distribution by sector.xlsx", "sheet": "Original data", "ignore_columns": ["Industry breakdown"]}
    rows = table(deliver(belgium, tmp_path, STAFF, **options))
    assert len(rows) == 28
    assert rows[0]["_row"] == 4
    assert all(abs(sum(row[c.partition(":")[0].partition("=")[0]] for c in STAFF[1:]) - 100) < 0.5 for row in rows)


def test_a_workbook_of_several_sheets_asks_for_one(belgium: Path, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        deliver(belgium, tmp_path, STAFF, path="Staff distribution by sector.xlsx")
    assert caught.value.problems[0].allowed == ("sheet: Original data", "sheet: Formated data")


def test_national_accounts_with_titles_and_a_remark_at_the_end(belgium: Path, tmp_path: Path) -> None:
    columns = ["industry=Time", *(f"y{year}={year}:number" for year in range(2014, 2019))]
    options: dict[str, object] = {"path": "Employment*.xlsx", "stop_at": "Data extracted"}
    rows = table(deliver(belgium, tmp_path, columns, **options))
    total = next(row for row in rows if row["industry"] == "Domestic total")
    assert total["y2014"] == 4577.2
    assert total["_row"] == 8
    assert not any((row["industry"] or "").startswith("Data extracted") for row in rows)
