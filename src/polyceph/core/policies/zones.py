"""Which zone a dataset is in, and that folder, contract and name agree about it."""

from __future__ import annotations

from polyceph.core.model.dataset import Zone
from polyceph.core.model.decision import Decision
from polyceph.core.policies.nearest import did_you_mean

ZONES = tuple(zone.value for zone in Zone)


def zone_is_known(zone: str, subject: str) -> Decision:
    """Refuse a zone that is none of the five."""
    if zone in ZONES:
        return Decision(True, "zone", f"{zone} is a zone")
    reason = f"zone {zone!r} of {subject} is unknown; zones are {', '.join(ZONES)}"
    return Decision(False, "zone", reason, good=ZONES, hint=did_you_mean(zone, ZONES))


def folder_agrees_with_zone(folder: str, zone: str, subject: str) -> Decision:
    """Refuse a contract in a folder named like another zone; folders with other names are free."""
    if folder not in ZONES or folder == zone:
        return Decision(True, "zone", f"{subject} stands where its zone says")
    reason = f"the contract of {subject} says zone {zone!r} and stands in the folder {folder!r}"
    return Decision(False, "zone", reason, hint=f"move the file to {zone}/ or write zone {folder}")


def model_folder_is_zone(folder: str | None, model: str) -> Decision:
    """Refuse a dbt model outside models/bronze, models/silver and models/gold: raw is only loaded, output only served."""
    built = (Zone.BRONZE.value, Zone.SILVER.value, Zone.GOLD.value)
    if folder in built:
        return Decision(True, "zone", f"{model} is built in {folder}")
    where = f"in the folder {folder!r}" if folder else "in no folder"
    reason = f"dbt model {model!r} stands {where}; a transformation builds {', '.join(built)}"
    near = did_you_mean(folder, built) if folder else None
    return Decision(False, "zone", reason, good=built, hint=near or "put it under models/bronze, models/silver or models/gold")
