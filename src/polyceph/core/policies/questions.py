"""Completes a question with what declarations say of its dataset, so that no door can forget it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from polyceph.core.model.access import Principal, Question
from polyceph.core.model.classification import Classification
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.decision import Decision
from polyceph.core.model.domain import Dataset
from polyceph.core.model.federation import Federation
from polyceph.core.policies.authorisation import Decide


def informed(decide: Decide, federation: Callable[[], Federation]) -> Decide:
    """Return `decide` that first looks up the classification, owner and steward of the dataset that is asked about.

    What a door says of them is replaced: it may be old, or about another dataset.
    """

    def decide_informed(who: Principal, question: Question) -> Decision:
        return decide(who, question if question.dataset is None else completed(question, federation()))

    return decide_informed


def completed(question: Question, federation: Federation) -> Question:
    """Return a question with what is declared of its dataset; one that is not declared is hidden as a secret one is."""
    found = _dataset(question.dataset or "", federation)
    if found is None:
        return replace(question, classification=Classification.SECRET, dataset_owner=None, dataset_steward=None)
    level = found.contract.classification if found.contract else None
    return replace(question, classification=level, dataset_owner=found.owner, dataset_steward=found.steward)


def _dataset(text: str, federation: Federation) -> Dataset | None:
    parts = text.split(".")
    domain = federation.domains.get(parts[0])
    if domain is None or len(parts) != 3 or parts[1] not in _ZONES:
        return None
    return domain.datasets.get(DatasetId(parts[0], Zone(parts[1]), parts[2]))


_ZONES = frozenset(zone.value for zone in Zone)
