"""Who and why of one change to a lake; written into the snapshot in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LakeCommit:
    """The stamp of a snapshot: author, message, run, code commit and contract versions by dataset."""

    author: str
    message: str
    run: str
    code: str
    contracts: Mapping[str, str] = field(default_factory=dict)
    door: str = "dagster"

    def extra(self) -> dict[str, object]:
        """Return what goes into the snapshot's extra information as JSON."""
        return {"run": self.run, "code": self.code, "door": self.door, "contracts": dict(self.contracts)}
