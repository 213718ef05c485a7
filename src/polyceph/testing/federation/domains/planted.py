"""Short ways to write down what domains plant: unknown codes, columns about people, paths of columns. The facts are each domain's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from polyceph.testing.federation.truth import Truth

CODES = "data_office.gold.codes"


def unknown_code(truth: Truth, place: tuple[str, str], key: Mapping[str, object], *, code: str, meant: str) -> None:
    """Write down a code of a column (dataset, column) that stands in no list of the data office."""
    dataset, column = place
    truth.add("unknown_code", dataset=dataset, column=column, key=dict(key), code=code, list=CODES, meant=meant)


def personal(truth: Truth, dataset: str, columns: Mapping[str, str], *, unmarked: Iterable[str] = ()) -> None:
    """Write down a dataset's columns about people with their categories; the contract says nothing of the `unmarked` ones."""
    silent = frozenset(unmarked)
    for column, category in columns.items():
        truth.add("personal_data", dataset=dataset, column=column, category=category, marked=column not in silent)


def path(truth: Truth, *steps: str) -> None:
    """Write down a path of columns, each step `<domain>.<zone>.<dataset>.<column>`."""
    pairs = [step.rsplit(".", 1) for step in steps]
    truth.add("lineage", path=[{"dataset": dataset, "column": column} for dataset, column in pairs])
