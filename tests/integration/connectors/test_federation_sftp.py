"""The SFTP sources of the synthetic federation, served by its own server and loaded into a lake: row for row what was sent."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from polyceph.connectors.files import FilesConnector
from polyceph.sdk import Column
from polyceph.testing.federation.domains.youth_care_services import LAYOUT
from polyceph.testing.federation.pieces import Piece
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.servers.addresses import SourceAddress
from polyceph.testing.federation.servers.serving import serve
from polyceph.testing.federation.truth import Truth

if TYPE_CHECKING:
    from conftest import Home

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sent() -> dict[str, Piece]:
    """The pieces that the federation puts on SFTP, by their path."""
    scenario, truth = Scenario(), Truth()
    domains = [import_module(f"polyceph.testing.federation.domains.{name}") for name in ("data_office", "sport", "youth_care")]
    found = (piece for domain in domains for piece in domain.build(scenario, truth) if piece.path.startswith("sftp/"))
    return {piece.path: piece for piece in found}


@pytest.fixture(scope="module")
def served(sent: dict[str, Piece]) -> Iterator[Mapping[str, SourceAddress]]:
    folder = Path(tempfile.mkdtemp(prefix="polyceph-systems-"))
    try:
        for name, piece in sent.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(piece.content)
            os.utime(path, (piece.arrived.timestamp(), piece.arrived.timestamp()))
        with serve(folder) as addresses:
            yield addresses
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def source(served: Mapping[str, SourceAddress], name: str, monkeypatch: pytest.MonkeyPatch, base: Path) -> FilesConnector:
    """Return the connector as the domain's declaration writes it: every value of the address from the environment."""
    for suffix, value in served[name].environment.items():
        monkeypatch.setenv(f"{name.upper()}_{suffix}", value)
    own = name.upper()
    declared = {
        "url": {"env": f"{own}_URL"},
        "key_env": f"{own}_USER",
        "secret_env": f"{own}_PASSWORD",
        "host_key": {"env": f"{own}_HOST_KEY"},
    }
    return FilesConnector(FilesConnector.source_options.model_validate(declared), base=base)


def files(sent: dict[str, Piece], name: str) -> list[Piece]:
    return sorted((piece for path, piece in sent.items() if path.startswith(f"sftp/{name}/")), key=lambda piece: piece.arrived)


def table(piece: Piece, encoding: str) -> list[dict[str, str | None]]:
    """Read a delimited text with Python's own reader: the truth does not come from the product."""
    lines = csv.reader(io.StringIO(piece.content.decode(encoding), newline=""), delimiter=";")
    header = next(lines)
    return [{name: cell or None for name, cell in zip(header, cells, strict=True)} for cells in lines]


def day(text: str | None, form: str = "%d/%m/%Y") -> date | None:
    return datetime.strptime(text, form).replace(tzinfo=UTC).date() if text else None


def ordered(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, default=str, sort_keys=True, ensure_ascii=False) for row in rows)


DIRECTORY = {
    "number": "Matricule",
    "person": "Identifiant",
    "last_name": "Nom",
    "first_name": "Prénom",
    "email": "Courriel",
    "telephone": "Téléphone",
    "service": "Service",
    "title": "Fonction",
    "role": "Rôle",
    "entered_on": "Entrée",
    "remark": "Remarque",
}


def test_the_directory_is_loaded_month_by_month(
    home: Home, served: Mapping[str, SourceAddress], sent: dict[str, Piece], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [
        Column(name, "date" if name == "entered_on" else "string", source_name=written, primary_key=name == "number")
        for name, written in DIRECTORY.items()
    ]
    contract, connector = home.contract(*columns), source(served, "data_office_directory", monkeypatch, home.folder)
    options: dict[str, object] = {"path": "annuaire_*.csv", "delimiter": ";", "encoding": "utf-8", "date_format": "%d/%m/%Y"}
    options["whole"] = True
    pieces = files(sent, "data_office_directory")
    reports = home.load(connector, contract, options)
    assert [report.origin for report in reports] == [piece.path.rsplit("/", 1)[1] for piece in pieces]
    expected = []
    for row in table(pieces[-1], "utf-8-sig"):
        made: dict[str, Any] = {name: row[written] for name, written in DIRECTORY.items()}
        expected.append(made | {"entered_on": day(row["Entrée"])})
    assert ordered(home.rows(contract)) == ordered(expected)
    assert home.load(connector, contract, options) == []


CAMPS = {
    "code": "Code",
    "club": "Club",
    "discipline": "Discipline",
    "municipality": "INS",
    "begins_on": "Du",
    "ends_on": "Au",
    "places": "Places",
    "registered": "Inscrits",
    "price": "Prix (€)",
    "manager": "Responsable",
    "telephone": "Téléphone",
}


def test_the_camps_are_loaded_year_by_year(
    home: Home, served: Mapping[str, SourceAddress], sent: dict[str, Piece], monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {"begins_on": "date", "ends_on": "date", "places": "integer", "registered": "integer", "price": "number"}
    columns = [
        Column(name, kinds.get(name, "string"), "decimal(8,2)" if name == "price" else None, source_name=written)
        for name, written in CAMPS.items()
    ]
    contract, connector = home.contract(*columns), source(served, "sport_camps", monkeypatch, home.folder)
    options: dict[str, object] = {
        "path": "stages_*.csv",
        "delimiter": ";",
        "encoding": "windows-1252",
        "decimal": ",",
        "date_format": "%d/%m/%Y",
    }
    home.load(connector, contract, options)
    expected = []
    for row in (row for piece in files(sent, "sport_camps") for row in table(piece, "cp1252")):
        made: dict[str, Any] = {name: row[written] for name, written in CAMPS.items()}
        made |= {"begins_on": day(row["Du"]), "ends_on": day(row["Au"])}
        made |= {"places": int(row["Places"] or 0), "registered": int(row["Inscrits"] or 0)}
        expected.append(made | {"price": Decimal((row["Prix (€)"] or "").replace(".", "").replace(",", "."))})
    assert len(expected) > 100
    assert ordered(home.rows(contract)) == ordered(expected)


def test_foster_families_of_a_fixed_width_are_loaded_year_by_year(
    home: Home, served: Mapping[str, SourceAddress], sent: dict[str, Piece], monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {"places": "integer", "accredited_on": "date"}
    columns = [Column(name, kinds.get(name, "string"), primary_key=name == "number") for name, _ in LAYOUT]
    contract, connector = home.contract(*columns), source(served, "youth_care_foster", monkeypatch, home.folder)
    options: dict[str, object] = {
        "path": "familles_*.txt",
        "format": "fixed",
        "columns": [{"name": name, "length": length} for name, length in LAYOUT],
        "encoding": "windows-1252",
        "date_format": "%d%m%Y",
    }
    pieces = files(sent, "youth_care_foster")
    assert len(home.load(connector, contract, {**options, "whole": True})) == len(pieces) > 1
    expected = []
    for line in pieces[-1].content.decode("cp1252").split("\r\n")[:-1]:
        row: dict[str, Any] = {}
        at = 0
        for name, length in LAYOUT:
            row[name] = line[at : at + length].strip() or None
            at += length
        expected.append(row | {"places": int(row["places"]), "accredited_on": day(row["accredited_on"], "%d%m%Y")})
    assert len(expected) > 100
    assert ordered(home.rows(contract)) == ordered(expected)
