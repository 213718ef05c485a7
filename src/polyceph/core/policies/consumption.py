"""What a domain may read of another: only what its `consumes` declares, only gold and output, never in a circle."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.decision import Decision
from polyceph.core.policies.nearest import did_you_mean

SHARED = (Zone.GOLD, Zone.OUTPUT)


def read_is_declared(reader: str, target: DatasetId, *, consumes: Collection[DatasetId]) -> Decision:
    """Refuse a read of another domain's dataset that the reader's domain.yaml does not declare."""
    if target.domain == reader or target in consumes:
        return Decision(True, "consumption", f"{reader} may read {target}")
    reason = f"{reader} reads {target} of another domain and does not declare it"
    return Decision(False, "consumption", reason, hint=f"add - {target} under consumes in domains/{reader}/domain.yaml")


def dataset_may_be_consumed(consumer: str, target: DatasetId) -> Decision:
    """Refuse to consume one's own datasets, and the inner zones of another domain."""
    if target.domain == consumer:
        reason = f"{consumer} consumes its own {target}; consumes is for the datasets of other domains"
        return Decision(False, "consumption", reason, hint="remove the line")
    if target.zone in SHARED:
        return Decision(True, "consumption", f"{target} is shared")
    good = tuple(zone.value for zone in SHARED)
    reason = f"zone {target.zone.value!r} of {target} is the inner affair of {target.domain}; other domains read gold or output"
    return Decision(False, "consumption", reason, good=good, hint=f"ask the steward of {target.domain} for a gold dataset")


def consumed_exists(target: DatasetId, known: Mapping[str, Collection[DatasetId]]) -> Decision:
    """Refuse to consume a dataset or a domain that nobody declares; `known` is datasets by domain."""
    if target.domain not in known:
        domains = tuple(sorted(known))
        reason = f"domain {target.domain!r} of {target} is unknown"
        return Decision(False, "consumption", reason, good=domains[:12], hint=did_you_mean(target.domain, domains))
    if target in known[target.domain]:
        return Decision(True, "consumption", f"{target} exists")
    shared = tuple(sorted(str(d) for d in known[target.domain] if d.zone in SHARED))
    hint = did_you_mean(str(target), shared) or f"domain {target.domain} shares what is in its zones gold and output"
    return Decision(False, "consumption", f"dataset {target} does not exist", good=shared[:12], hint=hint)


def circles(reads: Mapping[str, Collection[str]]) -> tuple[tuple[str, ...], ...]:
    """Return the circles of domains that read each other, each once, from its first name in alphabetical order.

    `reads` is domain → domains it consumes. One circle per group of entangled domains is reported: the shortest.
    """
    found: list[tuple[str, ...]] = []
    entangled: set[str] = set()
    for start in sorted(reads):
        path = None if start in entangled else _way_back(start, reads)
        if path:
            found.append(path)
            entangled.update(path)
    return tuple(found)


def _way_back(start: str, reads: Mapping[str, Collection[str]]) -> tuple[str, ...] | None:
    queue: list[tuple[str, ...]] = [(start,)]
    seen: set[str] = set()
    while queue:
        path = queue.pop(0)
        for following in sorted(reads.get(path[-1], ())):
            if following == start and len(path) > 1:
                return path
            if following not in seen and following != start:
                seen.add(following)
                queue.append((*path, following))
    return None


def domains_form_no_circle(circle: tuple[str, ...]) -> Decision:
    """Refuse a circle of domains: no order of runs could satisfy it."""
    way = " → ".join((*circle, circle[0]))
    reason = f"domains consume each other in a circle: {way}"
    return Decision(not circle, "circle", reason, hint="remove one of these lines, or move the shared dataset to a domain of its own")
