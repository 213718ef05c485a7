"""The reference lists of the data office as its folders hold them: municipalities, postcodes, countries (CSV), codes (a workbook)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import xlsxwriter

from polyceph.testing.federation import codes, places, workbooks
from polyceph.testing.federation.pieces import Piece, delimited
from polyceph.testing.federation.truth import Truth

LISTS, CODES = "share/data_office_lists", "share/data_office_codes"
# ISO 3166-1 alpha-2, French and Dutch name, whether a member of the European Union: the countries that students come from and go to.
_COUNTRIES = """
AR|Argentine|Argentinië|0
AT|Autriche|Oostenrijk|1
AU|Australie|Australië|0
BA|Bosnie-Herzégovine|Bosnië en Herzegovina|0
BE|Belgique|België|1
BF|Burkina Faso|Burkina Faso|0
BG|Bulgarie|Bulgarije|1
BI|Burundi|Burundi|0
BJ|Bénin|Benin|0
BR|Brésil|Brazilië|0
CA|Canada|Canada|0
CD|République démocratique du Congo|Democratische Republiek Congo|0
CH|Suisse|Zwitserland|0
CL|Chili|Chili|0
CM|Cameroun|Kameroen|0
CN|Chine|China|0
CO|Colombie|Colombia|0
CY|Chypre|Cyprus|1
CZ|Tchéquie|Tsjechië|1
DE|Allemagne|Duitsland|1
DK|Danemark|Denemarken|1
DZ|Algérie|Algerije|0
EE|Estonie|Estland|1
ES|Espagne|Spanje|1
FI|Finlande|Finland|1
FR|France|Frankrijk|1
GB|Royaume-Uni|Verenigd Koninkrijk|0
GR|Grèce|Griekenland|1
HR|Croatie|Kroatië|1
HT|Haïti|Haïti|0
HU|Hongrie|Hongarije|1
IE|Irlande|Ierland|1
IN|Inde|India|0
IS|Islande|IJsland|0
IT|Italie|Italië|1
JP|Japon|Japan|0
KR|Corée du Sud|Zuid-Korea|0
LB|Liban|Libanon|0
LI|Liechtenstein|Liechtenstein|0
LT|Lituanie|Litouwen|1
LU|Luxembourg|Luxemburg|1
LV|Lettonie|Letland|1
MA|Maroc|Marokko|0
MT|Malte|Malta|1
MX|Mexique|Mexico|0
NL|Pays-Bas|Nederland|1
NO|Norvège|Noorwegen|0
PE|Pérou|Peru|0
PL|Pologne|Polen|1
PT|Portugal|Portugal|1
RO|Roumanie|Roemenië|1
RS|Serbie|Servië|0
RW|Rwanda|Rwanda|0
SE|Suède|Zweden|1
SI|Slovénie|Slovenië|1
SK|Slovaquie|Slowakije|1
SN|Sénégal|Senegal|0
TN|Tunisie|Tunesië|0
TR|Turquie|Turkije|0
UA|Ukraine|Oekraïne|0
US|États-Unis|Verenigde Staten|0
VN|Viêt Nam|Vietnam|0
"""
COUNTRIES: tuple[tuple[str, str, str, bool], ...] = tuple(
    (code, name_fr, name_nl, member == "1")
    for code, name_fr, name_nl, member in (line.split("|") for line in _COUNTRIES.split("\n") if line)
)
"""Code, French name, Dutch name and whether the country is in the European Union, by code."""
_TITLES = {
    "school_network": ("Réseaux d'enseignement", "Onderwijsnetten"),
    "school_level": ("Niveaux d'enseignement", "Onderwijsniveaus"),
    "grade": ("Années d'études", "Leerjaren"),
    "study_domain": ("Domaines d'études", "Studiegebieden"),
    "institution_type": ("Types d'établissement", "Soorten instellingen"),
    "discipline": ("Disciplines sportives", "Sporttakken"),
    "heritage_kind": ("Catégories de patrimoine", "Erfgoedcategorieën"),
    "care_measure": ("Mesures d'aide à la jeunesse", "Jeugdhulpmaatregelen"),
    "care_place": ("Lieux de vie", "Verblijfplaatsen"),
    "library_kind": ("Types de bibliothèque", "Soorten bibliotheken"),
    "event_kind": ("Types d'événement", "Soorten evenementen"),
}
_KEEPERS = {
    "school_network": "Marc Leroy, marc.leroy@example.org",
    "school_level": "Marc Leroy, marc.leroy@example.org",
    "grade": "Marc Leroy, marc.leroy@example.org",
    "study_domain": "Hélène Dumont (tél. 081 00 04 12)",
    "institution_type": "Hélène Dumont (tél. 081 00 04 12)",
    "discipline": "Pierre Collard",
    "heritage_kind": "Sophie Renard, bureau 3.14",
    "care_measure": "Vincent Claes ; à défaut Fatima Idrissi",
    "care_place": "Vincent Claes ; à défaut Fatima Idrissi",
    "library_kind": "Sophie Renard, bureau 3.14",
    "event_kind": "Sophie Renard, bureau 3.14",
}


def build(truth: Truth) -> Iterator[Piece]:
    """Yield the lists; they are the same for every scenario."""
    known = places.municipalities()
    named = [(p.nis_code, p.name_fr, p.name_nl, places.province_name(p), places.region_name(p)) for p in known]
    yield Piece(f"{LISTS}/municipalities.csv", delimited(("nis_code", "name_fr", "name_nl", "province", "region"), named))
    postcodes = sorted((code, place.nis_code) for place in known for code in place.postcodes)
    yield Piece(f"{LISTS}/postal_codes.csv", delimited(("postcode", "nis_code"), postcodes))
    countries = [(code, name_fr, name_nl, "true" if member else "false") for code, name_fr, name_nl, member in COUNTRIES]
    yield Piece(f"{LISTS}/countries.csv", delimited(("country", "name_fr", "name_nl", "is_eu_member"), countries))
    yield Piece(f"{CODES}/codes.xlsx", workbooks.xlsx(_draw))
    truth.add("personal_data", dataset="data_office.raw.code_lists", column="kept_by", category="name", marked=False)


def _draw(book: xlsxwriter.Workbook) -> None:
    """Write what every office knows: a page to read, a sheet of all lists, a sheet of all codes with the list in merged cells."""
    bold = book.add_format({"bold": True})
    _read_me(book.add_worksheet("Lisez-moi"), bold)
    _contents(book.add_worksheet("Listes"), bold)
    sheet = book.add_worksheet("Codes")
    sheet.write(0, 0, "Codes et libellés bilingues", bold)
    sheet.write_row(2, 0, ("Liste", "Code", "Libellé français", "Nederlandse benaming"), bold)
    line = 3
    for name, found in codes.LISTS.items():
        sheet.merge_range(line, 0, line + len(found) - 1, 0, name)
        for code in found:
            sheet.write_row(line, 1, (code.code, code.label_fr, code.label_nl))
            line += 1


def _read_me(sheet: Any, bold: Any) -> None:
    sheet.write(0, 0, "Listes de codes du bureau des données", bold)
    sheet.write(2, 0, "La feuille « Listes » dit combien de codes a chaque liste et qui la tient.")
    sheet.write(3, 0, "La feuille « Codes » a une ligne par code ; le nom de la liste n'est écrit qu'une fois.")


def _contents(sheet: Any, bold: Any) -> None:
    sheet.write_row(0, 0, ("Liste", "Intitulé", "Titel", "Nombre de codes", "Tenue par"), bold)
    for line, (name, found) in enumerate(codes.LISTS.items(), 1):
        title_fr, title_nl = _TITLES[name]
        sheet.write_row(line, 0, (name, title_fr, title_nl, len(found), _KEEPERS[name]))
