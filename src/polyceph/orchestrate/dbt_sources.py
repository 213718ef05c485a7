"""Which datasets of other domains dbt's nodes read, as its manifest declares them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from polyceph.core.model.dataset import DatasetId, Zone

_LOOKED_THROUGH = ("ephemeral", "view")
"""Models without rows of their own: who reads one reads what is behind it."""


def sources_of_others(manifest: Mapping[str, Any], nodes: Collection[str], domain: str) -> tuple[DatasetId, ...]:
    """Return the datasets of domains other than `domain` that these nodes read, sorted; `nodes` are ids of the manifest."""
    found: set[DatasetId] = set()
    seen: set[str] = set()
    left = list(nodes)
    while left:
        node = left.pop()
        for parent in manifest["nodes"][node].get("depends_on", {}).get("nodes", ()):
            source = manifest["sources"].get(parent)
            if source is not None and (source.get("database") or domain) != domain:
                found.add(DatasetId(source["database"], Zone(source["schema"]), str(source.get("identifier") or source["name"])))
            elif parent not in seen and _is_looked_through(manifest, parent):
                seen.add(parent)
                left.append(parent)
    return tuple(sorted(found))


def _is_looked_through(manifest: Mapping[str, Any], node: str) -> bool:
    return manifest["nodes"].get(node, {}).get("config", {}).get("materialized") in _LOOKED_THROUGH
