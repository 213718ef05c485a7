"""Spoiling lines of a file before it is written, each fault in a line of its own, and writing down what was done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from random import Random
from typing import Any

from polyceph.testing.federation.scenario import Month
from polyceph.testing.federation.truth import Truth

CODES = "data_office.gold.codes"


@dataclass(frozen=True)
class Delivery:
    """Lines of one file: lists of cells, or objects. `key` is the column of the contract that tells them apart, `at` where it stands."""

    dataset: str
    month: Month
    key: str
    at: Any
    lines: list[Any]


@dataclass(frozen=True)
class Fault:
    """One way to spoil a line. `change` does it in place and returns what is to be said of it, for an unknown code the one that was meant.

    `at` is where the spoiled cell stands. A `duplicate` needs no change: the line is written twice.
    """

    kind: str
    column: str
    at: Any
    change: Callable[[Any], str] = lambda line: "the line stands there twice"  # noqa: ARG005  a line is not looked at


def spoil(truth: Truth, random: Random, delivery: Delivery, faults: Sequence[Fault], fitting: Sequence[int] = ()) -> None:
    """Plant faults in lines drawn among `fitting` (positions; all when it is empty) and write them down."""
    chosen = random.sample(fitting or range(len(delivery.lines)), len(faults))
    for at, fault in sorted(zip(chosen, faults, strict=True), key=lambda pair: pair[0], reverse=True):
        line = delivery.lines[at]
        said = fault.change(line)
        entry = {"dataset": delivery.dataset, "column": fault.column, "key": {delivery.key: line[delivery.at]}}
        if fault.kind == "unknown_code":
            truth.add("unknown_code", **entry, code=line[fault.at], list=CODES, meant=said)
            continue
        if fault.kind == "duplicate":
            delivery.lines.insert(at + 1, copy(line))
        truth.add("quality", **entry, fault=fault.kind, month=str(delivery.month), detail=said)


def written(at: Any, value: object, said: str) -> Callable[[Any], str]:
    """Return a change that writes a value into a cell and says why it is wrong."""

    def change(line: Any) -> str:
        line[at] = value
        return said

    return change


def misspelt(at: Any) -> Callable[[Any], str]:
    """Return a change that loses the last letter of a code and says what was meant."""

    def change(line: Any) -> str:
        meant = str(line[at])
        line[at] = meant[:-1]
        return meant

    return change
