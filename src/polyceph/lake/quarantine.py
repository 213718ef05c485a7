"""The quarantine in the lakes' database: a domain's process says which delivery has to wait, the platform says what was decided.

A domain's role adds rows and sees its own; only the platform changes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.drift import SaidSighting, Sighting, State, as_body
from polyceph.errors import Unavailable
from polyceph.lake.locks import catalogue_session
from polyceph.settings import LakeAddress

_RIGHTS = (
    "GRANT INSERT (body) ON polyceph_evidence.drift TO {owner}",
    "GRANT SELECT ON polyceph_evidence.own_drift TO {owner}",
)
_SAY = "INSERT INTO polyceph_evidence.drift (body) VALUES (%s) ON CONFLICT DO NOTHING"
_KNOWN = """
SELECT state FROM polyceph_evidence.own_drift WHERE dataset = %(dataset)s AND digest = %(digest)s AND
    (content = %(content)s OR state IN ('accepted', 'mapped')) ORDER BY content = %(content)s DESC, id DESC LIMIT 1
"""
_WAITING = "SELECT id, role, at, body::text FROM polyceph_evidence.drift WHERE state = 'waiting' ORDER BY id"
_SETTLE = "UPDATE polyceph_evidence.drift SET state = %s WHERE id = ANY(%s) AND state = 'waiting'"


class Quarantine:
    """What one domain's process knows of its own deliveries that drift.

    Args:
        lake: the domain's own lake, entered as the domain's role.
    """

    def __init__(self, lake: LakeAddress) -> None:
        self._lake = lake

    def state(self, dataset: DatasetId, digest: str, content: str) -> State | None:
        """Return what was decided about a delivery, or about others of the same change; None when nobody knows of it.

        A refusal holds for the content it was about: the same change in another delivery is a new question.
        """
        values = {"dataset": str(dataset), "digest": digest, "content": content}
        with self._session() as session:
            row = session.execute(_KNOWN, values).fetchone()
        return State(row[0]) if row and row[0] in set(State) else None

    def say(self, sighting: Sighting) -> None:
        """Let a delivery wait; nothing changes when it does already."""
        with self._session() as session:
            session.execute(_SAY, [Jsonb(as_body(sighting))])

    def originals(self) -> frozenset[str]:
        """Return the paths, below the data path, of the bytes that were kept for a decision."""
        with self._session() as session:
            rows = session.execute("SELECT jsonb_array_elements_text(originals) FROM polyceph_evidence.own_drift").fetchall()
        return frozenset(row[0] for row in rows)

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection[Any]]:
        try:
            with catalogue_session(self._lake) as session:
                yield session
        except psycopg.Error as error:
            raise Unavailable("the quarantine does not answer, so nothing is loaded", hint="polyceph up makes it") from error


def make_quarantine(session: psycopg.Connection[Any], owner: str) -> None:
    """Make the quarantine beside the outbox unless it is there, and let a domain's role use it; in the transaction that makes that one."""
    if session.execute("SELECT to_regclass('polyceph_evidence.drift')").fetchone() == (None,):
        session.execute(files("polyceph.lake").joinpath("quarantine.sql").read_bytes())
    for right in _RIGHTS:
        session.execute(sql.SQL(right).format(owner=sql.Identifier(owner)))


def waiting_sightings(session: psycopg.Connection[Any]) -> list[SaidSighting]:
    """Return the deliveries that wait, in the order of their numbers."""
    return [SaidSighting(*row) for row in session.execute(_WAITING)]


def settle_sightings(session: psycopg.Connection[Any], numbers: Iterable[int], state: str) -> None:
    """Tell the domains what was decided about deliveries; `unreadable` for what cannot be understood."""
    session.execute(_SETTLE, [state, list(numbers)])
