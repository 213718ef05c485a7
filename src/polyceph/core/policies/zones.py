"""Which zone a dataset is in, and that folder, contract and name agree about it."""

from __future__ import annotations

from polyceph.core.model.dataset import Zone
from polyceph.core.model.decision import Decision
from polyceph.core.policies.nearest import did_you_mean

ZONES = tuple(zone.value for zone in Zone)
BUILT = (Zone.BRONZE.value, Zone.SILVER.value, Zone.GOLD.value)
"""The zones that transformations write."""


def zone_is_known(zone: str, subject: str) -> Decision:
    """Refuse a zone that is none of the five."""
    if zone in ZONES:
        return Decision(True, "zone", f"{zone} is a zone")
    reason = f"zone {zone!r} of {subject} is unknown; zones are {', '.join(ZONES)}"
    return Decision(False, "zone", reason, good=ZONES, hint=did_you_mean(zone, ZONES))


def folder_agrees_with_zone(folder: str, zone: str, *, subject: str) -> Decision:
    """Refuse a contract in a folder named like another zone; folders with other names are free."""
    if folder not in ZONES or folder == zone:
        return Decision(True, "zone", f"{subject} stands where its zone says")
    reason = f"the contract of {subject} says zone {zone!r} and stands in the folder {folder!r}"
    return Decision(False, "zone", reason, hint=f"move the file to {zone}/ or write zone {folder}")


def zone_is_built(zone: Zone, builder: str) -> Decision:
    """Refuse a builder that writes raw (only loaded, append-only) or output (only served)."""
    if zone.value in BUILT:
        return Decision(True, "zone", f"{builder} builds {zone}")
    reason = f"{builder} writes into zone {zone.value!r}; raw is only loaded (Ingest) and output only served (Output)"
    return Decision(False, "zone", reason, good=BUILT)


def model_folder_is_zone(folder: str | None, model: str) -> Decision:
    """Refuse a dbt model outside models/bronze, models/silver and models/gold."""
    if folder in BUILT:
        return Decision(True, "zone", f"{model} is built in {folder}")
    where = f"in the folder {folder!r}" if folder else "in no folder"
    reason = f"dbt model {model!r} stands {where}; a transformation builds {', '.join(BUILT)}"
    near = did_you_mean(folder, BUILT) if folder else None
    return Decision(False, "zone", reason, good=BUILT, hint=near or "put it under models/bronze, models/silver or models/gold")
