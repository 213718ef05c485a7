"""How datasets come to be: one producer and one contract each, and outputs that serve gold."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.decision import Decision
from polyceph.core.model.place import Place
from polyceph.core.policies.nearest import did_you_mean


def dataset_is_made_once(dataset: DatasetId, places: Sequence[Place], *, what: str) -> Decision:
    """Refuse a second producer or a second contract (`what`) of the same dataset; `places` are all of them, first to last."""
    if len(places) < 2:
        return Decision(True, "single producer", f"{dataset} has one {what}")
    return Decision(False, "single producer", f"{dataset} has a second {what}; the first is at {places[0]}", hint="keep one of them")


def dataset_is_produced(dataset: DatasetId, *, is_produced: bool) -> Decision:
    """Doubt a contract that no component or model fulfils (a warning: a Python asset may do it)."""
    if is_produced:
        return Decision(True, "produced", f"{dataset} is produced")
    makers = {Zone.RAW: "an Ingest dataset", Zone.OUTPUT: "an Output", Zone.GOLD: f"models/gold/{dataset.name}.sql"}
    maker = makers.get(dataset.zone, f"models/{dataset.zone}/{dataset.name}.sql")
    return Decision(False, "produced", f"nothing declared produces {dataset}", hint=f"add {maker}, or a Python asset in defs")


def output_serves_gold(output: str, served: DatasetId, *, known: Collection[DatasetId]) -> Decision:
    """Refuse an output of anything but an existing gold dataset of its own domain."""
    gold = tuple(sorted(f"gold.{d.name}" for d in known if d.zone is Zone.GOLD and d.domain == served.domain))
    if served.zone is not Zone.GOLD:
        reason = f"output {output!r} serves {served.zone}.{served.name}; only gold datasets are served"
        return Decision(False, "output", reason, good=gold[:12])
    if served in known:
        return Decision(True, "output", f"{output} serves {served}")
    hint = did_you_mean(f"gold.{served.name}", gold)
    return Decision(False, "output", f"output {output!r} serves {served}, which does not exist", good=gold[:12], hint=hint)
