"""What a dataset reads of a database, and how its columns match the contract's. Finding it out is each database's own affair."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from polyceph.connectors.sql.options import TableDataset
from polyceph.connectors.validation import meant, nearest
from polyceph.sdk import Column, Form, FormColumn, Invalid, Note, NotFound, Problem

Matched = tuple[tuple[Column, str], ...]
"""Each promised column with its source column."""


@dataclass(frozen=True)
class Relation:
    """A table or a query: `columns` are the source's columns with the names of their types, in order."""

    columns: dict[str, str]
    shown: str
    schema: str = ""
    table: str = ""
    query: str = ""
    oid: int = 0


def relation_form(relation: Relation, dataset: TableDataset, word: Callable[[str], str] = str) -> Form:
    """Return what a relation looks like, to be held against the contract and the last load.

    A column that the dataset's options map has the contract's name; `word` makes of a type the source's own word for its kind.
    """
    mapped = {source: name for name, source in dataset.columns.items()}
    columns = tuple(FormColumn(mapped.get(name, name), word(kind)) for name, kind in relation.columns.items())
    return Form(columns, table=relation.shown, is_open=True, is_exact=True)


def source_names(form: Form, dataset: TableDataset) -> set[str]:
    """Return the columns of a form as the source calls them."""
    return {dataset.columns.get(one.name, one.name) for one in form.columns}


def missing_form(wanted: str, there: tuple[str, ...]) -> Form:
    """Return the form of a table that is not there, with the tables that may be it now, the likeliest first."""
    return Form((), table=there[0] if there else "", asked=wanted, is_open=True, is_exact=True)


def match_columns(promised: tuple[Column, ...], relation: Relation, dataset: TableDataset) -> Matched:
    """Return each promised column with its source column; raise `Invalid` with one problem for each that the source does not have."""
    names = [c.name for c in promised]
    stray = sorted(set(dataset.columns) - set(names))
    problems = [
        Problem(f"columns names {name!r}, which the contract does not promise", value=name, hint=meant(name, names)) for name in stray
    ]
    matched: list[tuple[Column, str]] = []
    for column in promised:
        wanted = dataset.columns.get(column.name) or column.source_name or column.name
        matched.append((column, wanted))
        if wanted not in relation.columns:
            problems.append(_no_column(wanted, column.name, relation))
    if dataset.cursor is not None and dataset.cursor not in relation.columns:
        problems.append(_no_column(dataset.cursor, "cursor", relation))
    if problems:
        raise Invalid(f"{relation.shown} does not have the columns that are asked of it", problems=problems)
    return tuple(matched)


def no_table(wanted: str, known: Iterable[str]) -> NotFound:
    """Return the error for a table that is not there, with the nearest that are."""
    names = list(known)
    problem = Problem(f"table {wanted} does not exist", value=wanted, allowed=nearest(wanted, names), hint=meant(wanted, names))
    return NotFound(f"table {wanted} does not exist in the database, or the account may not know of it", problems=[problem])


def refuse_doubled(names: list[str]) -> None:
    """Raise `Invalid` when a query gives two columns the same name."""
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise Invalid(f"the query returns column {', '.join(doubled)} more than once", hint="give each column its own name with AS")


def left_out(relation: Relation, columns: Matched) -> tuple[Note, ...]:
    """Return the note about columns of the source that the contract leaves out."""
    others = sorted(set(relation.columns) - {source for _, source in columns})
    return (Note("columns", f"{relation.shown} has columns that the contract leaves out", ", ".join(others)),) if others else ()


def _no_column(wanted: str, purpose: str, relation: Relation) -> Problem:
    known = tuple(relation.columns)
    text = f"column {wanted!r} (for {purpose}) is not in {relation.shown}"
    return Problem(text, value=wanted, allowed=nearest(wanted, known), hint=meant(wanted, known))
