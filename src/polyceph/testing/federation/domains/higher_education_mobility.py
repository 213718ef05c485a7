"""Students who go abroad: a CSV on an FTP server each January, with one line a stay of the academic year."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyceph.testing.federation import codes
from polyceph.testing.federation.domains.data_office_lists import COUNTRIES
from polyceph.testing.federation.domains.higher_education_faults import Delivery, Fault, misspelt, spoil, written
from polyceph.testing.federation.domains.higher_education_institutions import institutions
from polyceph.testing.federation.domains.higher_education_students import Cohorts, cohorts
from polyceph.testing.federation.pieces import Piece, amount, delimited
from polyceph.testing.federation.scenario import Month, Scenario
from polyceph.testing.federation.truth import Truth

FOLDER = "ftp/higher_education_mobility"
DATASET, COUNTED = "higher_education.raw.mobility", "higher_education.gold.mobility_by_study_domain"
FIRST_FILE = Month(2022, 1)
LATE, LATE_DAY = Month(2024, 1), 20
"""One file came on the twentieth instead of the third."""
ADDED, COLUMN = Month(2026, 1), "Programme"
HEADER = (
    *("Numéro", "Année académique", "Nom", "Prénom", "Établissement", "Domaine", "Pays", "Université d'accueil"),
    *("Départ", "Durée (mois)", "Bourse (€)", "Remarque"),
)
LEAST, SHARE = 14, 0.2
"""A study domain sends a fifth of its students, and never fewer than fourteen in a year."""
SMALL = {("2022-2023", "theology"): 3, ("2024-2025", "dance"): 2}
_FAULTS = {
    2022: (Fault("unknown_code", "study_domain", 5, misspelt(5)),),
    2023: (Fault("duplicate", "mobility_id", 0), Fault("out_of_range", "months", 9, written(9, "96,0", "ninety-six months abroad"))),
    2025: (Fault("orphan", "institution_id", 4, written(4, "HE96", "no institution has the code HE96")),),
}


def build(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield the files that have come."""
    drawn = cohorts(scenario)
    for month in scenario.months(FIRST_FILE):
        if month.number == FIRST_FILE.number:
            path = f"{FOLDER}/mobilite_{month.school_year}.csv"
            rows = _stays(scenario, drawn, month)
            _spoil(scenario, truth, month, rows)
            yield Piece(path, _content(rows, month), month.arrival(days=LATE_DAY if month == LATE else 3))
    detail = f"came on {LATE.arrival(days=LATE_DAY):%Y-%m-%d} instead of {LATE.arrival():%Y-%m-%d}"
    late = {"dataset": DATASET, "key": f"{FOLDER}/mobilite_{LATE.school_year}.csv", "month": str(LATE)}
    truth.add("quality", **late, fault="late_file", detail=detail)
    for (year, domain), count in SMALL.items():
        truth.add("small_cell", dataset=COUNTED, cell={"academic_year": year, "study_domain": domain}, measure="students", count=count)
    if scenario.month >= ADDED:
        truth.add("drift", dataset=DATASET, month=str(ADDED), change="column_added", column=COLUMN)
    for column, marked in (("last_name", True), ("first_name", True), ("remark", False)):
        category = "name" if marked else "free_text"
        truth.add("personal_data", dataset=DATASET, column=column, category=category, marked=marked)


def _stays(scenario: Scenario, drawn: Cohorts, month: Month) -> list[list[str]]:
    """Return the stays of the academic year in which `month` lies as lines of the file, in no order of subjects."""
    numbers = scenario.numbers("mobility", month)
    abroad = _who_goes(scenario, drawn, month, numbers)
    count = len(abroad)
    last_names, first_names = (drawn.person[name].take(pa.array(abroad)).to_pylist() for name in ("last_name", "first_name"))
    domains, known = codes.values("study_domain"), institutions(scenario)
    countries = numbers.choice([code for code, *_ in COUNTRIES if code != "BE"], count).tolist()
    days, halves = numbers.integers(0, 150, count).tolist(), numbers.integers(4, 21, count).tolist()
    rows = []
    for at, student in enumerate(abroad.tolist()):
        leaves = date(month.year - 1, 9, 1) + timedelta(days=days[at])
        rows.append(
            [
                f"M{month.year - 1}-{at + 1:06d}",
                month.school_year,
                last_names[at].replace("ı", "i"),  # the office's old code page has no dotless i
                first_names[at],
                known[int(drawn.institution[student])].code,
                domains[int(drawn.domain[student])],
                countries[at].lower() if at % 23 == 0 else countries[at],
                f"Université {at * 7 % 90 + 1} ({countries[at]})",
                f"{leaves:%d/%m/%Y}",
                amount(halves[at] / 2, decimals=1),
                amount(halves[at] * (190 + at % 60), thousands="."),
                f"contact sur place : {first_names[(at + 1) % count]}, +32 470 00 {at % 90 + 10} {at % 80 + 10}" if at % 31 == 0 else "",
            ]
        )
    return rows


def _who_goes(scenario: Scenario, drawn: Cohorts, month: Month, numbers: np.random.Generator) -> NDArray[np.int64]:
    """Return the positions of the students who leave, shuffled."""
    enrolled = drawn.enrolled(month.year - 1)
    chosen = []
    for at, domain in enumerate(codes.values("study_domain")):
        here = enrolled[drawn.domain[enrolled] == at]
        wanted = SMALL.get((month.school_year, domain)) or max(LEAST * scenario.scale, round(SHARE * len(here)))
        chosen.append(numbers.choice(here, wanted, replace=False))
    return numbers.permutation(np.concatenate(chosen))


def _spoil(scenario: Scenario, truth: Truth, month: Month, rows: list[list[str]]) -> None:
    """Plant this file's faults in lines whose cell is not a small one."""
    fitting = [at for at, row in enumerate(rows) if (row[1], row[5]) not in SMALL]
    delivery = Delivery(DATASET, month, "mobility_id", 0, rows)
    spoil(truth, scenario.random("mobility", "faults", month), delivery, _FAULTS.get(month.year, ()), fitting)


def _content(rows: list[list[str]], month: Month) -> bytes:
    """Return the file; from 2026 on it tells the programme too, in front of the remark."""
    if month < ADDED:
        return delimited(HEADER, rows, delimiter=";", encoding="cp1252")
    longer = [[*row[:-1], "Erasmus+" if at % 5 else "Bourse régionale", row[-1]] for at, row in enumerate(rows)]
    return delimited((*HEADER[:-1], COLUMN, HEADER[-1]), longer, delimiter=";", encoding="cp1252")
