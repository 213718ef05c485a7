"""Writes a synthetic federation's systems into a folder, with the truth beside them. Deterministic: same scenario, same bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath

from polyceph.testing.federation import moves
from polyceph.testing.federation import truth as truths
from polyceph.testing.federation.pieces import LONG_AGO, Piece
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth

DOMAINS = ("data_office", "education", "higher_education", "culture", "sport", "youth_care")
Builder = Callable[[Scenario, Truth], Iterable[Piece]]


@dataclass(frozen=True)
class Generated:
    """What was written: how many files and bytes, and the truth."""

    folder: Path
    files: int
    bytes: int
    truth: Truth


def generate(folder: Path, scenario: Scenario) -> Generated:
    """Write the systems of a scenario into `folder` and `truth.json` beside them.

    A file that already has its bytes is left alone; one that the scenario does not have is removed, so that a folder can be moved
    on by a month, or to another seed.
    """
    truth = Truth()
    written: set[Path] = set()
    size = 0
    for piece in pieces(scenario, truth):
        path = folder / _checked(piece.path)
        if path in written:
            raise ValueError(f"two pieces are called {piece.path}")
        written.add(path)
        size += len(piece.content)
        _write(path, piece)
    truth_path = folder / truths.FILE
    _write(truth_path, Piece(truths.FILE, truth.text(scenario).encode(), LONG_AGO))
    _remove_others(folder, written | {truth_path})
    return Generated(folder, len(written), size, truth)


def pieces(scenario: Scenario, truth: Truth) -> Iterator[Piece]:
    """Yield every piece of every domain's systems, and write down what is planted in them."""
    moves.plant(scenario, truth)
    for name in DOMAINS:
        build: Builder = import_module(f"polyceph.testing.federation.domains.{name}").build
        yield from build(scenario, truth)


def _checked(path: str) -> str:
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or len(parts) < 2:
        raise ValueError(f"{path} is no path below a system")
    return path


def _write(path: Path, piece: Piece) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != piece.content:
        path.write_bytes(piece.content)
        moment = piece.arrived.timestamp()
        os.utime(path, (moment, moment))


def _remove_others(folder: Path, kept: set[Path]) -> None:
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path not in kept and path.parts[len(folder.parts)] not in _NOT_OURS:
            path.unlink()


_NOT_OURS = frozenset({"running", "received"})
"""Below the folder, what the servers keep: their own state, and the messages they got."""
