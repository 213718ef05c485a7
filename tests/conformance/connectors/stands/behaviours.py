"""The thirty behaviours that are asked of every connector, and which of them a stand can show. No server, no connector here."""

from __future__ import annotations

from enum import StrEnum


class Behaviour(StrEnum):
    """What a connector has to do right; the value is the sentence that people read."""

    TYPES = "values of every type arrive as they are: whole numbers to 2^63−1, decimals of 38 digits, instants when clocks change"
    NULLS = "what is not there stays not there, in every type"
    EMPTY = "a table without rows is loaded as such, or refused in words"
    UNICODE = "emoji, combining marks and right-to-left text stay what they are; NUL is kept or refused in words"
    WIDE = "500 columns"
    LARGE = "many rows in flat memory"
    KILLED = "a load killed in the middle and run again: no row lost, none doubled"
    ADDED = "a column is added"
    REMOVED = "a column is removed"
    RENAMED = "a column is renamed"
    NUMBER_TO_TEXT = "a number becomes a text"
    TEXT_TO_NUMBER = "a text becomes a number"
    DATE_FORMAT = "dates are written in another way"
    DECIMAL_SEPARATOR = "the decimal separator changes"
    REORDERED = "columns change places"
    RECODED = "the encoding of texts changes"
    RESHAPED = "the delimiter or the form of the answer changes"
    EMPTIED = "all rows are gone"
    DOUBLED = "every row comes twice"
    RESPELT = "case or accents of a column's name change"
    MOVED = "the table, file or entity set gets another name"
    CURSOR = "only what is new is read, none is lost, and the state is committed with the rows"
    DUPLICATES = "the same delivery twice, and an old run again, change nothing"
    BAD_CREDENTIALS = "wrong credentials are told, without the secret"
    UNREACHABLE = "a source that is not there is told, with what to do"
    SLOW = "a source that drips is read right"
    SILENT = "a source that never answers is given up within the declared time"
    ODD_NAMES = "names with spaces, quotes and accents"
    RESERVED = "reserved words as names"
    MISFIT = "a value that does not fit is set aside with column, value and rule where that is tolerated, else refused; never cut"


NUMBERS = {behaviour: number for number, behaviour in enumerate(Behaviour, 1)}
FAKE = "needs a server, and there is none: a fake of the driver would only show itself"
"""The reason for what only a server of SQL Server, Oracle or Db2 could show."""
