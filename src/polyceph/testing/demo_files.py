"""The files of the demo, as administrations send them: CSV, JSON and Excel with all their habits."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random

import xlsxwriter

from polyceph.testing import demo_places
from polyceph.testing.demo_places import Municipality

YEAR = 2024
MONTHS = ("janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre")
LIBRARIES, CLUBS, HALLS = 180, 600, 90
DISCIPLINES = (
    "athlétisme",
    "badminton",
    "basket-ball",
    "cyclisme",
    "escrime",
    "football",
    "gymnastique",
    "hockey",
    "judo",
    "natation",
    "tennis",
    "volley-ball",
)
KINDS = ("hall omnisports", "piscine", "stade", "salle de gymnastique")
CREATED = datetime(2025, 1, 6, 9, 0)  # noqa: DTZ001  a workbook's creation time has no zone; fixed, so that its bytes are


def write(folder: Path, places: tuple[Municipality, ...], towns: tuple[Municipality, ...], *, seed: int) -> tuple[Path, ...]:
    """Write every file below `folder`/domains/<domain>/sources and return their paths; `towns` are where things happen."""
    random = Random(f"files {seed}")
    domains = folder / "domains"
    return (
        *reference_lists(domains / "data_office" / "sources", places),
        *culture(domains / "culture" / "sources", random, towns),
        *sport(domains / "sport" / "sources", random, towns),
    )


def reference_lists(folder: Path, places: tuple[Municipality, ...]) -> Iterable[Path]:
    """Write municipalities and postcodes as plain UTF-8 CSV, the way a reference office does."""
    yield _csv(
        folder / "municipalities.csv",
        ("nis_code", "name_fr", "name_nl", "province", "region"),
        [(p.nis_code, p.name_fr, p.name_nl, demo_places.province_name(p), demo_places.region_name(p)) for p in places],
    )
    codes = [(code, place.nis_code) for place in places for code in place.postcodes]
    yield _csv(folder / "postal_codes.csv", ("postcode", "nis_code"), sorted(codes))


def culture(folder: Path, random: Random, towns: tuple[Municipality, ...]) -> Iterable[Path]:
    """Write the libraries (cp1252, semicolons) and their visits by quarter (UTF-8 with byte-order mark, semicolons, French months)."""
    libraries = [_library(random, number, town) for number, town in enumerate(demo_places.draw(random, towns, LIBRARIES), 1)]
    header = ("Code", "Bibliothèque", "Adresse", "CP", "INS", "Surface (m²)", "Ouverture")
    yield _csv(folder / "bibliotheques.csv", header, libraries, delimiter=";", encoding="cp1252")
    for quarter in range(1, 5):
        months = range(3 * quarter - 2, 3 * quarter + 1)
        visits = [_visits(random, str(library[0]), month) for library in libraries for month in months]
        columns = ("Code", "Mois", "Visites", "Prêts", "Recettes (€)")
        yield _csv(folder / f"frequentation_{YEAR}_T{quarter}.csv", columns, visits, delimiter=";", encoding="utf-8-sig")


def sport(folder: Path, random: Random, towns: tuple[Municipality, ...]) -> Iterable[Path]:
    """Write the clubs (JSON), twelve monthly workbooks of attendance and the workbook of subsidies."""
    clubs = [_club(random, number, town) for number, town in enumerate(demo_places.draw(random, towns, CLUBS), 1)]
    document = {"source": "Registre des clubs sportifs", "etabli_le": f"31/12/{YEAR}", "clubs": clubs}
    yield _bytes(folder / "clubs.json", (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode())
    halls = [
        (f"INF{n:04d}", f"{random.choice(KINDS).capitalize()} {demo_places.of(t)}", t)
        for n, t in enumerate(demo_places.draw(random, towns, HALLS), 1)
    ]
    for month in range(1, 13):
        yield _attendance(folder / f"frequentation_{YEAR}-{month:02d}.xlsx", random, halls, month)
    yield _subsidies(folder / f"subsides_{YEAR}.xlsx", random, clubs)


def amount(value: float, *, decimals: int = 2, thousands: str = "") -> str:
    """Return a number as written in Belgium: `12.345,60` with thousands `.`."""
    return f"{value:,.{decimals}f}".replace(",", "_").replace(".", ",").replace("_", thousands)


def day_in_french(day: date) -> str:
    """Return `1er mars 2024`, `12 mars 2024`."""
    return f"{'1er' if day.day == 1 else day.day} {MONTHS[day.month - 1]} {day.year}"


def _library(random: Random, number: int, town: Municipality) -> tuple[object, ...]:
    opened = date(1960, 1, 1) + timedelta(days=random.randrange(22_000))
    name = f"Bibliothèque {random.choice(('communale', 'publique', 'locale', 'centrale'))} {demo_places.of(town)}"
    surface = amount(random.uniform(80, 2400), decimals=1)
    return (
        f"BIB{number:04d}",
        name,
        f"Grand-Place {random.randrange(1, 60)}",
        town.postcodes[0],
        town.nis_code,
        surface,
        day_in_french(opened),
    )


def _visits(random: Random, code: str, month: int) -> tuple[object, ...]:
    visits = max(0, int(random.gauss(1400, 420) * (0.6 if month in (7, 8) else 1)))
    loans = int(visits * random.uniform(1.1, 2.3))
    return (
        code,
        f"{MONTHS[month - 1]} {YEAR}",
        amount(visits, decimals=0, thousands=" "),
        amount(loans, decimals=0, thousands=" "),
        amount(visits * 0.35),
    )


def _club(random: Random, number: int, town: Municipality) -> dict[str, object]:
    discipline = random.choice(DISCIPLINES)
    founded = date(1920, 1, 1) + timedelta(days=random.randrange(37_000))
    return {
        "numero": f"CLB{number:05d}",
        "nom": f"{random.choice(('Royal', 'Cercle', 'Entente', 'Club'))} {discipline} {town.name_fr}",
        "discipline": discipline,
        "ins": town.nis_code,
        "commune": town.name_fr,
        "membres": random.randrange(12, 640),
        "cotisation": amount(random.randrange(40, 320), decimals=2),
        "fonde_le": f"{founded:%d/%m/%Y}",
        "actif": random.random() < 0.96,
    }


def _attendance(path: Path, random: Random, halls: Sequence[tuple[str, str, Municipality]], month: int) -> Path:
    """Write one month: title, empty line, header on two lines with merged cells, a line per hall, a total, a remark."""
    buffer = io.BytesIO()
    book = _workbook(buffer)
    sheet, bold = book.add_worksheet("Fréquentation"), book.add_format({"bold": True, "align": "center"})
    sheet.write(0, 0, "Direction du Sport — fréquentation des infrastructures", bold)
    sheet.write(1, 0, f"Mois : {MONTHS[month - 1]} {YEAR}")
    for first, last, title in ((0, 2, "Infrastructure"), (4, 6, "Fréquentation")):
        sheet.merge_range(3, first, 3, last, title, bold)
    for column, title in ((3, "Relevé"), (7, "Occupation")):
        sheet.write(3, column, title, bold)
    sheet.write_row(4, 0, ("Code", "Nom", "INS", "Date", "Scolaires", "Clubs", "Public", "%"))
    total = [0, 0, 0]
    for line, (code, name, town) in enumerate(halls, 5):
        counts = [random.randrange(0, 2200), random.randrange(100, 3200), random.randrange(0, 1500)]
        total = [a + b for a, b in zip(total, counts, strict=True)]
        read_on = date(YEAR, month, 28) + timedelta(days=random.randrange(1 if month == 2 else 2))
        share = amount(random.uniform(20, 99.9), decimals=1)
        sheet.write_row(line, 0, (code, name, town.nis_code, f"{read_on:%d/%m/%Y}", *counts, share))
    sheet.write_row(len(halls) + 5, 0, ("TOTAL", "", "", "", *total, ""), bold)
    sheet.write(len(halls) + 7, 0, "Chiffres communiqués par les exploitants.")
    book.close()
    return _bytes(path, buffer.getvalue())


def _subsidies(path: Path, random: Random, clubs: Sequence[dict[str, object]]) -> Path:
    """Write the year's subsidies: the municipality is one merged cell above its clubs' lines, amounts are text, a total ends it."""
    buffer = io.BytesIO()
    book = _workbook(buffer)
    sheet, bold = book.add_worksheet("Subsides"), book.add_format({"bold": True})
    sheet.write(0, 0, f"Subsides aux clubs sportifs — exercice {YEAR}", bold)
    sheet.write_row(2, 0, ("Commune", "N° club", "Club", "Date de paiement", "Montant (€)"), bold)
    chosen = sorted((club for club in clubs if random.random() < 0.5), key=lambda club: (str(club["commune"]), str(club["numero"])))
    line, total, start = 3, 0.0, 3
    for place, club in enumerate(chosen):
        value = random.randrange(25_000, 2_500_000) / 100
        total += value
        paid = date(YEAR, random.randrange(1, 13), random.randrange(1, 29))
        sheet.write_row(line, 1, (club["numero"], club["nom"], f"{paid:%d/%m/%Y}", amount(value, thousands=".")))
        line += 1
        if place + 1 == len(chosen) or chosen[place + 1]["commune"] != club["commune"]:
            _merged(sheet, start, line - 1, str(club["commune"]))
            start = line
    sheet.write_row(line, 0, ("Total général", "", "", "", amount(total, thousands=".")), bold)
    book.close()
    return _bytes(path, buffer.getvalue())


def _merged(sheet: xlsxwriter.worksheet.Worksheet, first: int, last: int, text: str) -> None:
    if first == last:
        sheet.write(first, 0, text)
    else:
        sheet.merge_range(first, 0, last, 0, text)


def _workbook(buffer: io.BytesIO) -> xlsxwriter.Workbook:
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    book.set_properties({"author": "Service des infrastructures", "created": CREATED})
    return book


def _csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return _bytes(path, text.getvalue().encode(encoding))


def _bytes(path: Path, content: bytes) -> Path:
    """Write a file unless it already holds these bytes: its date then tells when it last changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)
    return path
