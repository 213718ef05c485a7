"""What a connector and a lake say to each other: a demand, its deliveries, what became of them; standard library only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.drift import Form


class ArrowStream(Protocol):
    """Anything that speaks the Arrow PyCapsule interface: record batches, read once."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the stream's capsule."""
        ...


@dataclass(frozen=True)
class Note:
    """Something a connector found out by itself and reports: a delimiter, a skipped row, a decimal comma."""

    subject: str
    text: str
    value: str | None = None


@dataclass(frozen=True)
class Pushdown:
    """A SELECT that DuckDB can run where the data is. `prepare` gets DuckDB's connection (secrets, ATTACH) and returns the SELECT.

    `doubt` is asked once the rows are staged, in the transaction that read them, with what tells whether a column of the contract
    holds a zero: it returns how to read them instead where they may be wrong, None where they are right.

    `careful` is what is read instead where a value did not fit, so that it can be told which, and where rows may be set aside: slower, with
    all values as they are.
    """

    prepare: Callable[[Any], str]
    doubt: Callable[[Any, Callable[[str], bool]], Pushdown | None] | None = None
    careful: Pushdown | None = None


@dataclass(frozen=True)
class Original:
    """Bytes as they came, to keep content-addressed next to the rows they became. `sha256` is hexadecimal."""

    path: Path
    name: str
    sha256: str


@dataclass(frozen=True)
class Follows:
    """The cursor a portion starts behind, as the demand gave it; None is the very beginning of the source."""

    cursor: str | None


PLATFORM_KEYS = frozenset({"name", "load", "rejects"})
"""Keys of a dataset in an `Ingest` that mean the same for every connector; all others are the connector's."""


@dataclass(frozen=True)
class Tolerance:
    """How many rows of a delivery may be set aside: so many, or so large a share of them, whichever is more."""

    rows: int = 0
    share: float = 0.0

    def allows(self, rejected: int, total: int) -> bool:
        """Tell whether so many of so many rows may be rejected."""
        return rejected <= max(self.rows, int(self.share * total))


def tolerance_of(text: object) -> Tolerance:
    """Return the tolerance that a declaration writes: a number of rows, or a share such as `0.5%`.

    Raises:
        ValueError: it is neither; the declarations' own form refuses it before.
    """
    if isinstance(text, str) and text.strip().endswith("%"):
        return Tolerance(share=float(text.strip().removesuffix("%")) / 100)
    return Tolerance(rows=int(str(text)))


NO_REJECTS = Tolerance()
"""Every value fits, or the delivery is refused."""


class LoadMode(StrEnum):
    """How the rows of a delivery join those of its raw table. All but APPEND need the contract's primary key and keep a row's history."""

    APPEND = "append"
    """Every row is new."""
    NEW = "new"
    """Rows equal to the current one of their key are left out: for cursors that are read with an overlap."""
    DIFF = "diff"
    """The delivery is the whole: only differences are kept, and a key that is gone becomes a row `_change = 'removed'`."""
    MERGE = "merge"
    """The delivery is a list of changes: the last of each key counts, and a row `_change = 'removed'` ends its key."""


@dataclass(frozen=True)
class Arrival:
    """What came, before anything of it is loaded: its form, and the bytes to keep when it has to wait."""

    content: str
    """The delivery's key; empty where it does not tell the content, as of a table that is read whole."""
    origin: str
    form: Form
    originals: tuple[Original, ...] = ()


class Admission(StrEnum):
    """Whether an arrival may be loaded now."""

    LOAD = "load"
    WAIT = "wait"
    """It drifts: its data owner has to decide. It is to be offered again."""
    PASS = "pass"  # noqa: S105  no password
    """Its data owner refused it: it is not to be offered again."""


@dataclass(frozen=True)
class Delivery:
    """One portion of a source for one dataset, loaded whole or not at all.

    `key` identifies the content (a file's hash, a cursor range): the same key is never loaded twice.
    `cursor` is kept in the same transaction as the rows and comes back in the next demand.
    """

    key: str
    rows: ArrowStream | Pushdown
    cursor: str | None = None
    originals: tuple[Original, ...] = ()
    notes: tuple[Note, ...] = ()
    origin: str = ""
    """What a person calls it: a file's name, a table, an address."""
    follows: Follows | None = None
    """Set by a source that is read from cursor to cursor: refused when the dataset's last load stopped elsewhere. None: no such bond."""
    mode: LoadMode = LoadMode.APPEND
    rejects: ArrowStream | None = None
    """Values that do not fit and whose rows are not among `rows`: columns row, place, column, value, rule. Only as many as tolerated."""
    tolerance: Tolerance = NO_REJECTS
    """How many of its rows may be set aside in all."""
    form: Form | None = None
    """What it looked like in its source; the lake takes the delivered columns for it where a connector does not say."""


@dataclass(frozen=True)
class Demand:
    """What a load asks of a connector: the dataset's contract, its options, where it stopped, what is already there."""

    dataset: DatasetId
    contract: Contract
    options: Mapping[str, object]
    cursor: str | None
    is_loaded: Callable[[str], bool]
    workspace: Path
    """A private folder for temporary files; removed after the load."""
    base: Path
    """Relative paths in options start here: the domain's folder."""
    last_key: Callable[[str], str | None] = lambda _origin: None
    """The key of the last delivery of an origin, so that content which comes back is seen as new."""
    tolerance: Tolerance = NO_REJECTS
    """How many rows of a delivery may be set aside because a value does not fit; by default none."""
    run: str = ""
    """The run that asks, the same when it is tried again: the key of a source that has no other (a whole table, a query)."""
    admits: Callable[[Arrival], Admission] = lambda _arrival: Admission.LOAD
    """A connector that knows the form of what came asks before it refuses or delivers it; of all others the lake asks."""
    last_form: Callable[[], Form | None] = lambda: None
    """What the last delivery that was loaded looked like."""


@dataclass(frozen=True)
class SourceTable:
    """Something of a source that could become a dataset: a table, a file, an entity set, a resource.

    `options` are the connector's options of a dataset that reads it, as an `Ingest` entry writes them.
    """

    name: str
    options: Mapping[str, object]
    description: str = ""
    rows: int | None = None
    """As the source tells it without counting; None when it does not."""


@dataclass(frozen=True)
class SourceColumn:
    """A column as its source describes it. `source_type` is the source's own word; without a logical type the values have to tell."""

    name: str
    source_type: str
    logical_type: str | None = None
    physical_type: str | None = None
    """As a contract writes it: `decimal(10,2)`, `timestamptz`."""
    required: bool = False
    primary_key: bool = False
    description: str = ""


@dataclass(frozen=True)
class Sample:
    """The first rows of something, and its columns; each column of `rows` stands there under its name, as a text where it has no type."""

    columns: tuple[SourceColumn, ...]
    rows: ArrowStream
    notes: tuple[Note, ...] = ()
    description: str = ""


class Connector(Protocol):
    """Reads one kind of source. Built by its class from validated options; used in one process."""

    def deliveries(self, demand: Demand) -> Iterator[Delivery]:
        """Yield what is new for the demand, oldest first; nothing when nothing is new."""
        ...


class Explorer(Connector, Protocol):
    """A connector that can be looked into before there is a contract; every connector of polyceph's own is one."""

    def tables(self) -> Iterator[SourceTable]:
        """Yield what the source offers, so that `polyceph connector test` shows it; raises like `deliveries`."""
        ...

    def sample(self, options: Mapping[str, object], *, rows: int, workspace: Path) -> Sample:
        """Return the first rows of what a dataset's options name, without a contract; raises like `deliveries`."""
        ...


@dataclass(frozen=True)
class LoadReport:
    """What one delivery became. `is_new` is False when its key was already in the lake."""

    dataset: DatasetId
    key: str
    is_new: bool
    rows: int
    bytes: int
    snapshot: int
    origin: str = ""
    notes: tuple[Note, ...] = ()
    rejected: int = 0
    """Rows that were set aside."""
    admission: Admission = Admission.LOAD
    """Anything else: nothing of it was loaded, for its form drifts."""
