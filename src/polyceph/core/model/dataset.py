"""Datasets, their identifiers and the five zones they live in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Zone(StrEnum):
    """Stage of refinement of a dataset."""

    RAW = "raw"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    OUTPUT = "output"

    @property
    def needs_contract(self) -> bool:
        """Tell whether a dataset of this zone must state contract, owner, steward and classification itself."""
        return self in (Zone.RAW, Zone.GOLD, Zone.OUTPUT)


@dataclass(frozen=True, order=True)
class DatasetId:
    """A dataset named by its domain, zone and name; unique in the federation."""

    domain: str
    zone: Zone
    name: str

    def __str__(self) -> str:
        return f"{self.domain}.{self.zone}.{self.name}"
