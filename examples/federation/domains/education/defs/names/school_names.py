"""A dataset written in Python: school names as they should be printed."""

from __future__ import annotations

import dagster as dg
import polars as pl

from polyceph.orchestrate.resources import Lake

SMALL_WORDS = ("de", "du", "des", "la", "le", "les", "en", "sur", "sous", "lez")


@dg.asset(key=["education", "silver", "school_names"], deps=[["education", "bronze", "schools"]])
def school_names(lake: Lake) -> dg.MaterializeResult:
    """School names in print: reading from the lake is one line, writing to it another."""
    schools = lake.query("select school_id, name from education.bronze.schools order by school_id").to_polars()
    return lake.replace("silver.school_names", schools.with_columns(pl.col("name").map_elements(printed, return_dtype=pl.String)))


def printed(name: str) -> str:
    """Return a name typed in capitals as it is printed; leave the others alone."""
    if not name.isupper():
        return name
    words = [word.lower() if word.lower() in SMALL_WORDS else word.title() for word in name.split()]
    return " ".join(words)
