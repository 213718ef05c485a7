"""What people get wrong when they fill in a workbook: twenty-six faults of a cell, each with the way it is written.

Nothing here knows which of them a reader finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from random import Random

ERRORS = {"#N/A": "=NA()", "#REF!": "=#REF!", "#DIV/0!": "=1/0", "#VALUE!": '="a"+1'}
"""Error values and a formula that gives each."""
_WORDS = ("n.c.", "idem", "voir annexe", "à compléter", "?")
_NEVER = ("31/09/2025", "30/02/2025", "00/09/2025", "31/11/2025", "32/09/2025")
_SOMEWHEN = ("mi-septembre", "fin septembre", "semaine 38", "rentrée")
_NO_CODE: Mapping[str, tuple[str, ...]] = {
    "level": ("fondamental", "lower", "primar"),
    "network": ("provincial", "communal", "libre"),
    "grade": ("P7", "M4", "1P"),
    "nis_code": ("25999", "92000", "6200"),
}
_GARBAGE = ("*", " ?", " (bis)", ".", " (à vérifier)")
_NEIGHBOUR = {
    "nis_code": "network",
    "level": "grade",
    "grade": "level",
    "girls": "counted_on",
    "counted_on": "girls",
    "periods": "fees_eur",
    "attendance_percent": "periods",
}
_REQUIRED = ("class_code", "site_code", "level", "grade", "nis_code", "network", "counted_on", "girls", "boys", "pupils", "periods")
_CODES = ("site_code", "level", "grade", "nis_code", "network")


@dataclass(frozen=True)
class Broken:
    """A cell that shows an error value, `#N/A`."""

    shown: str


Cell = str | int | float | date | Broken | None
Line = Mapping[str, Cell]
"""What a line of a return holds, by column of the contract."""


@dataclass(frozen=True)
class Fault:
    """A kind of wrong cell. `sentence` says what happens, `count` how many are planted, `columns` where.

    `write` gives what stands in the cell instead, from chance, the column and the right line; None where the line as a whole is
    what is wrong. `fits` tells whether a line and a column can have it.
    """

    name: str
    sentence: str
    count: int
    columns: tuple[str, ...]
    write: Callable[[Random, str, Line], Cell] | None = None
    fits: Callable[[str, Line], bool] = lambda _column, _line: True


def text(value: Cell) -> str:
    """Return what stands in a cell as text: a day in ISO form, nothing for an empty cell."""
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    return value.shown if isinstance(value, Broken) else str(value)


def _month_first(column: str, line: Line) -> str:
    day, month, year = str(line[column]).split("/")
    return f"{month}/{day}/{year}"


def _day(column: str, line: Line) -> int:
    return int(str(line[column])[:2])


def _with_unit(random: Random, column: str, line: Line) -> str:
    units = {"girls": (" filles", " él."), "boys": (" garçons", " él."), "periods": (" h", " périodes"), "attendance_percent": (" %",)}
    return f"{line[column]}{random.choice(units[column])}"


def _thousands(random: Random, column: str, line: Line) -> str:
    euros, cents = str(line[column]).replace(" ", "").split(",")
    head, tail = euros[:-3], euros[-3:]
    if cents == "00":
        return f"{head}{random.choice('.,')}{tail}"
    return f"{head},{tail}.{cents}"


def _two(random: Random, column: str, line: Line) -> str:
    value = str(line[column])
    if column == "counted_on":
        return f"{value} et 29/09/2025"
    return random.choice((f"{value}/{random.randrange(5, 20)}", f"{value} + {random.randrange(1, 5)}"))


def _mistaken_day(_random: Random, column: str, line: Line) -> date:
    day = datetime.strptime(f"{line[column]},2025", "%d,%m,%Y").replace(tzinfo=None)  # noqa: DTZ007  Excel's dates have no zone
    return day.date()


def _other_total(random: Random, column: str, line: Line) -> int:
    return int(str(line[column])) + random.choice((-2, -1, 1, 2, 9, 10))


def _letter(_random: Random, column: str, line: Line) -> str:
    return str(line[column]).replace("1", "l", 1).replace("0", "O", 1)


FAULTS: tuple[Fault, ...] = (
    Fault(
        "text_in_number",
        "Words stand where a number belongs: `n.c.`, `idem`, `voir annexe`.",
        12,
        ("girls", "boys", "periods", "fees_eur"),
        lambda random, _column, _line: random.choice(_WORDS),
    ),
    Fault(
        "unit_in_number",
        "The number has its unit behind it: `14 filles`, `24,5 h`, `94,5 %`.",
        12,
        ("girls", "boys", "periods", "attendance_percent"),
        _with_unit,
    ),
    Fault(
        "letter_for_digit",
        "A letter stands for a digit that looks like it: `1O`, `l2`.",
        4,
        ("girls", "boys"),
        _letter,
        lambda column, line: bool({"0", "1"} & set(str(line[column]))),
    ),
    Fault(
        "decimal_point",
        "A decimal point in a column of decimal commas: `24.5`, which who reads points as thousands takes for 245.",
        12,
        ("periods", "attendance_percent"),
        lambda _random, column, line: str(line[column]).replace(",", "."),
        lambda column, line: "," in str(line[column]),
    ),
    Fault(
        "thousands_separator",
        "Thousands are written with a point or an English comma: `1.234`, `1,234.50` for 1 234,50.",
        8,
        ("fees_eur",),
        _thousands,
        lambda column, line: " " in str(line[column]),
    ),
    Fault(
        "number_became_date",
        "Excel has made a day of a number: `24.5` typed, 24 May kept.",
        4,
        ("periods",),
        _mistaken_day,
        lambda column, line: str(line[column]).endswith(",5"),
    ),
    Fault(
        "swapped_no_date",
        "Month before day, and the result is no date: `09/18/2025`.",
        8,
        ("counted_on", "paid_on"),
        lambda _random, column, line: _month_first(column, line),
        lambda column, line: _day(column, line) > 12,
    ),
    Fault(
        "swapped_but_a_date",
        "Month before day, and the result is another date: `09/05/2025` for 5 September.",
        5,
        ("paid_on",),
        lambda _random, column, line: _month_first(column, line),
        lambda column, line: _day(column, line) <= 12 and _day(column, line) != 9,
    ),
    Fault(
        "impossible_date",
        "A day that no calendar has: `31/09/2025`.",
        8,
        ("counted_on", "paid_on"),
        lambda random, _column, _line: random.choice(_NEVER),
    ),
    Fault(
        "words_for_date",
        "Words stand where a date belongs: `mi-septembre`.",
        6,
        ("counted_on", "paid_on"),
        lambda random, _column, _line: random.choice(_SOMEWHEN),
    ),
    Fault(
        "absurd_year",
        "A date of another century: `18/09/2052`.",
        5,
        ("counted_on",),
        lambda random, column, line: str(line[column]).replace("2025", random.choice(("2052", "1925", "2205"))),
    ),
    Fault("missing_value", "A required cell is empty.", 16, _REQUIRED, lambda _random, _column, _line: None),
    Fault(
        "negative_count",
        "A count below zero.",
        7,
        ("girls", "boys", "pupils"),
        lambda _random, column, line: -int(str(line[column])),
        lambda column, line: int(str(line[column])) > 0,
    ),
    Fault("fraction_of_a_person", "Half a pupil.", 2, ("girls", "boys"), lambda _random, column, line: int(str(line[column])) + 0.5),
    Fault(
        "percent_above_100",
        "A share above a hundred.",
        7,
        ("attendance_percent",),
        lambda random, _column, _line: f"{random.randrange(101, 160)},{random.randrange(10)}",
    ),
    Fault(
        "unknown_code",
        "A code that is in no list: a network, a level, a grade, a municipality.",
        14,
        tuple(_NO_CODE),
        lambda random, column, _line: random.choice(_NO_CODE[column]),
    ),
    Fault(
        "trailing_garbage",
        "Something stands behind a code: `25005*`, `official ?`.",
        8,
        _CODES,
        lambda random, column, line: f"{line[column]}{random.choice(_GARBAGE)}",
    ),
    Fault(
        "lost_zero",
        "Excel has made a number of a code and its zeros are gone: 412 for `0412`.",
        8,
        ("site_code",),
        lambda _random, column, line: int(str(line[column])),
    ),
    Fault(
        "error_value",
        "A formula failed and its error stands there: `#N/A`, `#REF!`.",
        12,
        ("nis_code", "periods", "attendance_percent", "fees_eur"),
        lambda random, _column, _line: Broken(random.choice(sorted(ERRORS))),
    ),
    Fault(
        "formula_as_text", "A formula was kept as text: `=SOMME(I9:J9)`.", 2, ("pupils",), lambda _random, _column, _line: "=SOMME(I9:J9)"
    ),
    Fault(
        "two_values", "Two values in one cell: `12/14`, `18/09/2025 et 29/09/2025`.", 8, ("girls", "boys", "counted_on", "periods"), _two
    ),
    Fault(
        "wrong_column",
        "The cell holds what belongs in another column: a network under the municipality, a date under the girls.",
        8,
        tuple(_NEIGHBOUR),
        lambda _random, column, line: line[_NEIGHBOUR[column]],
    ),
    Fault("wrong_total", "The total of a line is not the sum of its counts.", 8, ("pupils",), _other_total),
    Fault("wrong_grand_total", "The total below a column was typed and is not its sum.", 4, ("girls", "boys", "pupils")),
    Fault("repeated_line", "A line stands there twice; the cell is the first of the second one.", 6, ("class_code",)),
    Fault("merged_over", "A cell is merged with the one above, whose value covers its own.", 6, ("nis_code", "counted_on", "paid_on")),
)
"""Every kind of wrong cell, with a sentence for whoever reads about it."""
