"""Arguments that name several assets, narrowed to those that may be found: a list gets shorter instead of being refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polyceph.gateway.sight import Sight

_BY_KEYS = frozenset(
    {"assetNodes", "assetsOrError", "assetsLatestInfo", "assetNodeAdditionalRequiredKeys", "assetNodeDefinitionCollisions"}
)
_ASSET_KEYS = "assetKeys"


def narrowed(field: str, given: Mapping[str, Any], sight: Sight) -> dict[str, Any]:
    """Return the arguments of a query without the assets that may not be described."""
    keys = given.get(_ASSET_KEYS)
    if field not in _BY_KEYS or keys is None:
        return dict(given)
    return {**given, _ASSET_KEYS: [one for one in keys if sight.describes(tuple(one["path"]))]}
