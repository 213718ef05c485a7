"""Our errors as Dagster shows them: what happened first, the problems as metadata, no retry of what cannot succeed."""

from __future__ import annotations

from typing import Any

import dagster as dg

from polyceph.errors import Conflict, PolycephError, Unavailable

_SHOWN = 50


def explained(error: PolycephError) -> dg.Failure:
    """Return the Dagster failure of an error; only what may pass by itself (busy, unreachable) allows retries."""
    problems = "\n".join(f"- {p}" for p in error.problems[:_SHOWN])
    metadata: dict[str, Any] = {"problems": dg.MetadataValue.md(problems)} if problems else {}
    if error.hint:
        metadata["what to do"] = dg.MetadataValue.text(error.hint)
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=isinstance(error, Conflict | Unavailable))
