"""What was read, with its places, before it is held against the rules: texts, contracts, producers and reads of a domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from polyceph.core.model.access import RoleGrant
from polyceph.core.model.contract import Column
from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.domain import Source
from polyceph.core.model.place import Place


@dataclass(frozen=True)
class Text:
    """A text and where it stands."""

    value: str
    place: Place


@dataclass(frozen=True)
class Member:
    """A person in a contract's team; `since` and `until` are ODCS's dateIn and dateOut (ISO dates)."""

    username: Text
    role: Text
    since: str | None = None
    until: str | None = None

    def is_in_force(self, today: date) -> bool:
        """Tell whether the membership has begun and not ended on `today`."""
        day = today.isoformat()
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)


@dataclass(frozen=True)
class ContractFacts:
    """What polyceph acts on in one contract file. A text is None when it is missing or unreadable."""

    file: str
    digest: str
    stem: str
    id: Text | None
    name: Text | None
    version: Text | None
    status: Text | None
    domain: Text | None
    zone: Text | None
    classification: Text | None
    team: Place
    members: tuple[Member, ...]
    columns: tuple[Column, ...]
    title: str = ""
    description: str = ""
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Return where the contract names itself."""
        return self.name.place if self.name else Place(self.file)


@dataclass(frozen=True)
class Produced:
    """A dataset that a component or model makes; `by` is what makes it, in words."""

    dataset: DatasetId
    place: Place
    by: str


@dataclass(frozen=True)
class Read:
    """A dataset that a component or model reads."""

    dataset: DatasetId
    place: Place
    by: str


@dataclass(frozen=True)
class Served:
    """An output: its name, the dataset it serves and as what (`postgres`, `csv` …)."""

    output: str
    of: DatasetId
    form: str
    place: Place


@dataclass(frozen=True)
class DomainFacts:
    """One domain folder as read. `is_whole` is False when its domain.yaml could not be read, so that no rule guesses."""

    name: str
    file: str
    is_whole: bool
    title: Mapping[str, str]
    texts: Mapping[str, Text]
    """The single texts of domain.yaml by key: name, owner, steward, interim_owner, contact, witness."""
    sources: Mapping[str, Source]
    consumes: tuple[tuple[DatasetId, Place], ...]
    contracts: tuple[ContractFacts, ...]
    produced: tuple[Produced, ...]
    reads: tuple[Read, ...]
    served: tuple[Served, ...]
    digests: tuple[str, ...]
    roles: tuple[RoleGrant, ...] = ()
    unreadable: frozenset[str] = frozenset()
    """Names of datasets whose contract could not be understood: nothing is concluded from their absence."""
