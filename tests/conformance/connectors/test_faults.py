"""Behaviours when a source cannot be entered, is not there, is slow, or never answers."""

from __future__ import annotations

import time
from typing import Any

import pytest
from stands.behaviours import Behaviour
from stands.proxy import dripping, silent
from stands.registry import behaviour
from stands.stand import Stand, Table

from polyceph.errors import Denied, Misconfigured, PolycephError, Unavailable
from polyceph.sdk import Column

COLUMNS = (Column("id", "integer", required=True, primary_key=True), Column("label", "string"))
ROWS = [(number, f"étiquette {number} 👍") for number in range(1, 201)]
LONGEST_S = 15.0
"""Stands declare two seconds or less; a source is looked at more than once, and this machine may be busy."""


def published(stand: Stand, loading: Any) -> Table:
    table = Table(loading.name, COLUMNS, ROWS)
    stand.publish(table)
    return table


def failure(stand: Stand, loading: Any, table: Table, source: dict[str, object]) -> PolycephError:
    contract = loading.contract(*COLUMNS)
    with pytest.raises(PolycephError) as caught:
        loading.load(stand.connect(source), contract, stand.dataset(table))
    assert loading.lake.cursor(contract.dataset) is None
    return caught.value


def said(error: BaseException) -> str:
    """Return all that a log could show of an error: itself and what caused it."""
    parts, here = list[str](), [error]
    while here:
        one = here.pop()
        parts += [str(one), repr(one)]
        here += [cause for cause in (one.__cause__, None if one.__suppress_context__ else one.__context__) if cause is not None]
    return "\n".join(parts)


@behaviour(Behaviour.BAD_CREDENTIALS)
def test_wrong_credentials_are_told_without_the_secret(stand: Stand, loading: Any) -> None:
    source, word = stand.wrong_credentials()
    error = failure(stand, loading, published(stand, loading), source)
    assert isinstance(error, Misconfigured | Denied), repr(error)
    assert word not in said(error)
    assert error.hint


@behaviour(Behaviour.UNREACHABLE)
def test_a_source_that_is_not_there_is_told_with_what_to_do(stand: Stand, loading: Any) -> None:
    error = failure(stand, loading, published(stand, loading), stand.unreachable())
    assert isinstance(error, Unavailable), repr(error)
    assert error.hint


@behaviour(Behaviour.SLOW)
def test_a_source_that_drips_is_read_right(stand: Stand, loading: Any) -> None:
    table = published(stand, loading)
    contract = loading.contract(*COLUMNS)
    with dripping(stand.port()) as port:
        loading.load(stand.connect(stand.at_port(port)), contract, stand.dataset(table))
    assert loading.current(contract) == ROWS


@behaviour(Behaviour.SILENT)
def test_a_source_that_never_answers_is_given_up_in_time(stand: Stand, loading: Any) -> None:
    table = published(stand, loading)
    with silent() as port:
        began = time.monotonic()
        error = failure(stand, loading, table, stand.at_port(port))
    assert isinstance(error, Unavailable), repr(error)
    assert time.monotonic() - began < LONGEST_S
    assert error.hint
