"""Reads the names of datasets as people write them: gold.pupils, education.gold.pupils."""

from __future__ import annotations

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.place import Place
from polyceph.core.policies.naming import name_is_allowed
from polyceph.core.policies.zones import zone_is_known
from polyceph.declarations.findings import Findings


def dataset_reference(text: str, place: Place, *, findings: Findings, domain: str | None) -> DatasetId | None:
    """Return the dataset a text names, None with a finding when it names none.

    `domain` completes <zone>.<dataset>; None means that the text must name the domain itself.
    """
    parts = text.split(".")
    if len(parts) == 2 and domain is not None:
        parts = [domain, *parts]
    if len(parts) != 3 or not all(parts):
        shape = "<domain>.<zone>.<dataset>" if domain is None else "<zone>.<dataset> or <domain>.<zone>.<dataset>"
        findings.error(f"{text!r} is not the name of a dataset", place, value=text, hint=f"write {shape}")
        return None
    if not findings.refuse(zone_is_known(parts[1], text), place, value=text):
        return None
    if not findings.refuse(name_is_allowed(parts[2], "dataset"), place, value=text):
        return None
    return DatasetId(parts[0], Zone(parts[1]), parts[2])
