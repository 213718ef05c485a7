"""The calendar of school years and holidays: one JSON document on a share, published some years ahead."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from polyceph.testing.federation.pieces import Piece, document

HOLIDAYS = ("congé d'automne", "vacances d'hiver", "congé de détente", "vacances de printemps")
YEARS = {
    "2021-2022": ("2021-09-01", "2022-06-30", ("2021-11-01", "2021-12-27", "2022-02-28", "2022-04-04"), (1, 2, 1, 2)),
    "2022-2023": ("2022-08-29", "2023-07-07", ("2022-10-24", "2022-12-26", "2023-02-20", "2023-05-01"), (2, 2, 2, 2)),
    "2023-2024": ("2023-08-28", "2024-07-05", ("2023-10-23", "2023-12-25", "2024-02-26", "2024-04-29"), (2, 2, 2, 2)),
    "2024-2025": ("2024-08-26", "2025-07-04", ("2024-10-21", "2024-12-23", "2025-02-24", "2025-04-28"), (2, 2, 2, 2)),
    "2025-2026": ("2025-08-25", "2026-07-03", ("2025-10-20", "2025-12-22", "2026-02-16", "2026-04-27"), (2, 2, 2, 2)),
    "2026-2027": ("2026-08-24", "2027-07-02", ("2026-10-19", "2026-12-21", "2027-02-08", "2027-04-26"), (2, 2, 2, 2)),
}
"""By school year: its first and last day, the Mondays on which holidays begin, and their weeks."""


def build() -> Piece:
    """Return the calendar; it is the same for all scenarios."""
    years, holidays = [], []
    for year, (first, last, mondays, weeks) in YEARS.items():
        years.append(
            {
                "annee_scolaire": year,
                "premier_jour": _written(date.fromisoformat(first)),
                "dernier_jour": _written(date.fromisoformat(last)),
            }
        )
        for name, monday, length in zip(HOLIDAYS, map(date.fromisoformat, mondays), weeks, strict=True):
            end = monday + timedelta(days=7 * length - 3)
            holidays.append({"annee_scolaire": year, "conge": name, "du": _written(monday), "au": _written(end)})
    content = {"source": "Calendrier scolaire", "annees": years, "conges": holidays}
    return Piece("share/education_calendar/calendrier.json", document(content), datetime(2021, 11, 2, 6, tzinfo=UTC))


def first_day(year: int) -> date:
    """Return the first day of the school year that begins in `year`."""
    return date.fromisoformat(YEARS[f"{year}-{year + 1}"][0])


def _written(day: date) -> str:
    return f"{day:%d/%m/%Y}"
