"""Wall-clock times of a time zone as instants, in DuckDB's SQL. A time that clocks skip or show twice is never shifted silently."""

from __future__ import annotations

from sqlglot import exp, parse_one

_TEMPLATE = """
CASE WHEN wall IS NULL OR NOT isfinite(wall) THEN CAST(wall AS VARCHAR)
WHEN timezone('zone', timezone('zone', wall)) <> wall THEN CAST(wall AS VARCHAR) || ' does not exist in zone'
WHEN timezone('zone', timezone('zone', wall) - INTERVAL 1 HOUR) = wall THEN earlier
WHEN timezone('zone', timezone('zone', wall) + INTERVAL 1 HOUR) = wall THEN later
ELSE CAST(timezone('UTC', timezone('zone', wall)) AS VARCHAR) || '+00' END
"""
_SHIFTED = "CAST(timezone('UTC', timezone('zone', wall) {0} INTERVAL 1 HOUR) AS VARCHAR) || '+00'"
_SAME = "CAST(timezone('UTC', timezone('zone', wall)) AS VARCHAR) || '+00'"
_TWICE = "CAST(wall AS VARCHAR) || ' comes twice in zone'"
_CHOICES = {  # what is found, when the hour before shows the same time; when the hour after does
    "refuse": (_TWICE, _TWICE),
    "earlier": (_SHIFTED.format("-"), _SAME),
    "later": (_SAME, _SHIFTED.format("+")),
}


def instant(wall: exp.Expr, *, zone: str, ambiguous: str) -> exp.Expr:
    """Return a wall-clock TIMESTAMP as the text of its instant in UTC, for the lake to cast and check.

    A time that does not exist, or exists twice without a choice (`earlier`, `later`), becomes a text that says so: it fits no
    TIMESTAMPTZ, so its row is refused or set aside like any value that does not fit.
    """
    earlier, later = _CHOICES[ambiguous]
    template = _TEMPLATE.replace(" earlier\n", f" {earlier}\n").replace(" later\n", f" {later}\n")
    # The zone is a name that `zoneinfo` knows.
    found = parse_one(template.replace("'zone'", exp.Literal.string(zone).sql("duckdb")).replace(" zone'", f" {zone}'"), dialect="duckdb")
    return found.transform(lambda node: wall.copy() if isinstance(node, exp.Column) and node.name == "wall" else node)
