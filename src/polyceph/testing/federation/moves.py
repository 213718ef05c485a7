"""The year of staff moves: which owners and stewards leave, when, and who follows. `federation.yaml` itself is the examples'."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth


@dataclass(frozen=True)
class Move:
    """Somebody leaves her roles of a domain to a successor; between the two days the interim owner or nobody stands in."""

    person: str
    left: date
    domain: str
    roles: tuple[str, ...]
    successor: str
    successor_from: date


MOVES = (
    Move("sophie.renard", date(2025, 11, 15), "culture", ("steward",), "karim.zaidi", date(2025, 12, 1)),
    Move("anne.dupont", date(2025, 12, 20), "education", ("owner",), "isabelle.georges", date(2026, 2, 1)),
    Move("pierre.collard", date(2026, 1, 10), "sport", ("steward",), "julie.masson", date(2026, 1, 10)),
    Move("helene.dumont", date(2026, 2, 1), "higher_education", ("steward",), "yves.lambert", date(2026, 3, 1)),
    Move("catherine.noel", date(2026, 3, 1), "youth_care", ("owner",), "david.wauters", date(2026, 3, 15)),
    Move("luc.baudouin", date(2026, 4, 1), "culture", ("owner",), "martine.piron", date(2026, 5, 1)),
    Move("olivier.marchal", date(2026, 5, 1), "data_office", ("steward",), "lena.schmitz", date(2026, 5, 1)),
    Move("marc.leroy", date(2026, 6, 1), "education", ("steward",), "sarah.benoit", date(2026, 7, 1)),
    Move("nadia.benali", date(2026, 7, 1), "sport", ("owner",), "thomas.evrard", date(2026, 8, 1)),
    Move("vincent.claes", date(2026, 8, 1), "youth_care", ("steward",), "fatima.idrissi", date(2026, 9, 1)),
    Move("paul.gregoire", date(2026, 9, 1), "higher_education", ("owner",), "anouk.peeters", date(2026, 10, 1)),
    Move("karim.zaidi", date(2026, 10, 1), "culture", ("steward",), "emilie.charlier", date(2026, 11, 1)),
)


def happened(scenario: Scenario) -> tuple[Move, ...]:
    """Return the moves up to the day of the federation."""
    return tuple(move for move in MOVES if move.left <= scenario.today)


def plant(scenario: Scenario, truth: Truth) -> None:
    """Write down the moves that have happened."""
    for move in happened(scenario):
        roles = [{"domain": move.domain, "role": role} for role in move.roles]
        days = {"left": move.left.isoformat(), "successor_from": move.successor_from.isoformat()}
        truth.add("move", person=move.person, roles=roles, successor=move.successor, **days)
