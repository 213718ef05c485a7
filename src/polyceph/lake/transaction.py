"""One stamped DuckLake transaction, and why it failed in one line. What happens inside it is the caller's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import duckdb

from polyceph.core.model.commit import LakeCommit
from polyceph.errors import Invalid, Unavailable
from polyceph.lake.engine import quote
from polyceph.lake.locks import AGAIN, UNKNOWN, TableLock

_VALUE = re.compile(r'(?<=: )"[^"]*"?$|(?<=\)=)\(.*\)|(?<=string )"[^"]*"')
"""Where PostgreSQL quotes a value: `invalid input syntax for type integer: "x"`, `Key (id)=(x)`."""


@contextmanager
def stamped(
    connection: duckdb.DuckDBPyConnection, domain: str, commit: LakeCommit, *, lock: TableLock, load: Mapping[str, object] | None = None
) -> Iterator[None]:
    """Commit what happens inside, stamped, while the lock is held; anything else rolls back.

    `load` goes into the stamp; the catalogue's trigger then refuses a second commit of the same dataset and key.

    Raises:
        Invalid: a statement inside names what does not exist.
        Unavailable: the catalogue or the storage does not take the change, or broke off at the commit, which may be done then.
        Conflict: the lock was lost.
    """
    extra = {**commit.extra(), "load": load} if load else commit.extra()
    is_committing = False
    connection.execute("BEGIN")
    try:
        yield
        stamp = [commit.author, commit.message, json.dumps(extra)]
        connection.execute(f"CALL {quote(domain)}.set_commit_message(?, ?, extra_info => ?)", stamp)
        lock.still_held()
        is_committing = True
        connection.execute("COMMIT")
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException) as error:
        _roll_back(connection)
        raise Invalid(f"the statement does not fit the lake of {domain}: {str(error).splitlines()[0]}") from error
    except duckdb.Error as error:
        _roll_back(connection)
        if is_committing and not _is_refusal(error):
            raise Unavailable(f"the lake of {domain} broke off at the commit: {reason(error)}; {UNKNOWN}", hint=AGAIN) from error
        raise Unavailable(f"the lake of {domain} did not take the change: {reason(error)}") from error
    except BaseException:
        _roll_back(connection)
        raise


def reason(error: duckdb.Error) -> str:
    """Return why DuckDB failed, in one line, without the values that an error of conversion quotes."""
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException | duckdb.InvalidInputException):
        return type(error).__name__
    text = str(error)
    line = (text.rpartition("ERROR:")[2].strip() or text).splitlines()[0][:300]
    return _VALUE.sub("…", line)


def _is_refusal(error: duckdb.Error) -> bool:
    """Tell a commit that was answered with no, which rolls back, from one that was not answered."""
    text = str(error)
    return "ERROR:" in text or "conflict" in text.casefold()


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        return  # a failed COMMIT has already ended the transaction
