"""How a client tells who commits and why, when it cannot say so itself (dbt, a shell command, a person's own SQL).

The stamp travels as a setting of the PostgreSQL session that DuckLake commits through; a trigger of the catalogue (`provision`)
writes it into the snapshot, and refuses a snapshot that has none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from polyceph.core.model.commit import LakeCommit

SETTING = "polyceph.stamp"
_LIMIT_BYTES = 8000
"""PostgreSQL refuses a startup packet beyond 10,000 bytes."""
_SHORT_MESSAGE = 500


def stamp_environment(commit: LakeCommit) -> dict[str, str]:
    """Return the environment variables by which every lake commit of a child process carries this stamp."""
    return {"PGOPTIONS": session_option(commit)}


def session_option(commit: LakeCommit) -> str:
    """Return the `options` of a PostgreSQL connection that carry a stamp.

    When the stamp is too long for that, the message is cut and the number of contracts and the SHA-256 of their canonical JSON stand in
    for their versions; the code commit still names them all.
    """
    option = _option(commit, commit.extra())
    if len(option) <= _LIMIT_BYTES:
        return option
    shorter = replace(commit, message=commit.message[:_SHORT_MESSAGE])
    return _option(shorter, {**commit.extra(), "contracts": _digest(commit.contracts)})


def _option(commit: LakeCommit, extra: Mapping[str, object]) -> str:
    stamp = {"author": commit.author, "message": commit.message, "extra": extra}
    text = json.dumps(stamp, separators=(",", ":"))
    # The server splits options at blanks and takes a backslash as the escape of the next character.
    return f"-c {SETTING}=" + text.replace("\\", "\\\\").replace(" ", "\\ ")


def _digest(contracts: Mapping[str, str]) -> dict[str, object]:
    canonical = json.dumps(dict(sorted(contracts.items())), separators=(",", ":")).encode()
    return {"number": len(contracts), "sha256": hashlib.sha256(canonical).hexdigest()}
