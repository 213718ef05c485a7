"""Wall-clock times of a time zone as instants, in DuckDB's SQL and in Arrow. What clocks skip or show twice is never shifted silently."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
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


def instants(walls: pa.Array, *, zone: str, ambiguous: str) -> pa.Array:
    """Return the same for Arrow: texts of wall-clock times as texts of instants; what is no time at all stays as it is."""
    # A source may write more digits than Arrow takes; the lake refuses them, so such a text stays as well.
    texts = pc.replace_substring(walls, "T", " ")
    is_time = pc.match_substring_regex(texts, r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{1,6}0*)?$")
    short = pc.replace_substring_regex(texts, r"(\.\d{6})0+$", r"\1")
    naive = pc.if_else(is_time, short, None).cast(pa.timestamp("us"))
    early = pc.assume_timezone(naive, zone, ambiguous="earliest", nonexistent="earliest")
    late = pc.assume_timezone(naive, zone, ambiguous="latest", nonexistent="latest")
    is_skipped = pc.not_equal(pc.local_timestamp(late), naive)
    is_twice = pc.and_(pc.not_equal(early, late), pc.invert(is_skipped))
    chosen = late if ambiguous == "later" else early
    told = pc.binary_join_element_wise(chosen.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us")).cast(pa.string()), "+00", "")
    if ambiguous == "refuse":
        told = pc.if_else(is_twice, pc.binary_join_element_wise(texts, f" comes twice in {zone}", ""), told)
    told = pc.if_else(is_skipped, pc.binary_join_element_wise(texts, f" does not exist in {zone}", ""), told)
    return pc.if_else(pc.fill_null(is_time, False), told, walls)
