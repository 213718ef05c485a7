"""The sources of the demo federation: one call writes them all, the same for the same seed. Nobody in them is real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from polyceph.errors import Invalid
from polyceph.settings import PostgresAddress
from polyceph.testing import demo_files, demo_places, demo_register


@dataclass(frozen=True)
class DemoSources:
    """What was generated: files (absolute paths) and rows by table of the register."""

    files: tuple[Path, ...]
    rows: Mapping[str, int]
    register_was_there: bool


def generate(folder: Path, register: PostgresAddress, *, seed: int = 2025, scale: int = 1) -> DemoSources:
    """Write the demo's files below the federation `folder` and fill the `register` database.

    Files go to `domains/<domain>/sources`, where the demo's `domain.yaml` files expect them. The register holds
    50,000 rows at scale 1 (schools, pupils, staff) and is left alone when this seed and scale already filled it;
    anything else in its tables of these names is replaced.

    Raises:
        Invalid: the scale is below 1.
    """
    if scale < 1:
        raise Invalid(f"scale {scale} of the demo sources is too small", hint="give 1 or more; 1 means 50,000 rows")
    places = demo_places.municipalities()
    towns = demo_places.french_speaking(places)
    files = demo_files.write(folder.resolve(), places, towns, seed=seed)
    rows, was_there = demo_register.write(register, towns, seed=seed, scale=scale)
    return DemoSources(files, rows, was_there)
