"""A domain: an administration with its own head, people, sources and datasets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from polyceph.core.model.access import RoleGrant
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.place import Place


@dataclass(frozen=True)
class Source:
    """A source of a domain: the connector's name and its options as declared (secrets are names, never values)."""

    name: str
    connector: str
    options: Mapping[str, object]
    place: Place


@dataclass(frozen=True)
class Serving:
    """What an output serves, and as what: `postgres` is a table, every other form a file (`csv`, `parquet`, `xlsx`)."""

    of: DatasetId
    form: str


@dataclass(frozen=True)
class Dataset:
    """A dataset with the persons who answer for it; contract is None only in bronze and silver."""

    id: DatasetId
    owner: str
    steward: str
    contract: Contract | None
    produced_by: Place | None = None
    """Where the component or model that makes it is declared; None when nothing makes it."""
    serves: Serving | None = None
    """What it serves when it is an output."""


@dataclass(frozen=True)
class Domain:
    """One domain as declared in `domains/<name>/domain.yaml` and its contracts. Persons are ids of the federation's people."""

    name: str
    title: Mapping[str, str]
    owner: str
    steward: str
    interim_owner: str | None
    contact: str
    folder: str
    """Folder of the domain, relative to the federation folder."""
    place: Place
    sources: Mapping[str, Source] = field(default_factory=dict)
    consumes: tuple[DatasetId, ...] = ()
    contracts: Mapping[DatasetId, Contract] = field(default_factory=dict)
    datasets: Mapping[DatasetId, Dataset] = field(default_factory=dict)
    witness: str | None = None
    """Verifier key by which the domain signs heads of the journal."""
    roles: tuple[RoleGrant, ...] = ()
    """Roles in this domain that its own domain.yaml gives; owner and steward hold theirs besides."""
