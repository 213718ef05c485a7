"""How a site, its drive, its lists and their items are shown in JSON, and what their identifiers are.

Documentation followed: the resource types site, drive, driveItem, list and listItem of the Microsoft Graph REST API v1.0.
"""

from __future__ import annotations

import mimetypes
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from polyceph.testing.federation.servers.graph_drive import ROOT, Item
from polyceph.testing.federation.servers.rows import Row
from polyceph.testing.federation.servers.systems import inside
from polyceph.testing.federation.servers.web import Source

HOST_NAME = "federation.example"
_DOWNLOAD_SECONDS = 300


def as_list_item(row: Row, number: int, changed: str, columns: list[str] | None) -> dict[str, Any]:
    """Return an item of a list; `columns` None: without fields, empty: with all of them."""
    identity, modified = str(row.get("id", number)), row.get("Modified", row.get("lastModifiedDateTime", changed))
    item = {"id": identity, "createdDateTime": changed, "lastModifiedDateTime": modified, "eTag": f'"{identity},1"'}
    if columns is None:
        return item
    # The moment of the change is the item's own, and no field, unless the row has it as one.
    whole: Row = {"id": identity, **{name: found for name, found in row.items() if name != "lastModifiedDateTime"}}
    return item | {"fields": {name: whole.get(name) for name in columns or whole}}


def as_site(source: Source) -> dict[str, Any]:
    """Return the site."""
    web = f"https://{HOST_NAME}/sites/{source.name}"
    return {"id": site_id(source), "name": source.name, "displayName": source.name, "webUrl": web}


def as_drive(source: Source) -> dict[str, Any]:
    """Return the site's library."""
    web = f"https://{HOST_NAME}/sites/{source.name}/Documents"
    return {"id": drive_id(source), "driveType": "documentLibrary", "name": "Documents", "webUrl": web}


def as_list(source: Source, name: str) -> dict[str, Any]:
    """Return a list."""
    changed = shown_moment(inside(source.root, f"lists/{name}.ndjson").stat().st_mtime)
    shown = {"id": uuid_of(source, f"list {name}"), "name": name, "displayName": name, "lastModifiedDateTime": changed}
    return shown | {"list": {"template": "genericList", "hidden": False, "contentTypesEnabled": False}}


def as_item(source: Source, item: Item, items: Mapping[str, Item]) -> dict[str, Any]:
    """Return a file or folder, or what is left of a deleted one. `items` are all of the library by path."""
    reference: dict[str, str] = {"driveId": drive_id(source), "driveType": "documentLibrary", "siteId": uuid_of(source, "site")}
    if item.path != ROOT:
        parent = items.get(item.parent)
        reference |= {
            "id": parent.id if parent else "",
            "path": f"/drives/{drive_id(source)}/root:" + (f"/{item.parent}" if item.parent else ""),
        }
    shown: dict[str, Any] = {"id": item.id, "name": item.name, "parentReference": reference}
    if item.is_deleted:
        return shown | {"deleted": {"state": "deleted"}}
    shown |= {"eTag": f'"{{{item.id}}},{item.version}"', "cTag": f'"c:{{{item.id}}},{item.version}"', "size": item.size}
    shown["lastModifiedDateTime"] = shown_moment(item.changed)
    shown |= {"root": {}} if item.path == ROOT else {}
    if item.is_folder:
        count = sum(one.parent == item.path and one.path != ROOT and not one.is_deleted for one in items.values())
        return shown | {"folder": {"childCount": count}}
    return shown | {"file": {"mimeType": mime(item)}, "@microsoft.graph.downloadUrl": download_url(source, item)}


def download_url(source: Source, item: Item) -> str:
    """Return an address of a file's content that needs no token for some minutes."""
    token = source.tokens.issue(f"{source.name} {item.id}", time.time() + _DOWNLOAD_SECONDS)
    return f"{source.url}/download/{token}/{item.id}"


def site_id(source: Source) -> str:
    """Return the identifier of the site."""
    return f"{HOST_NAME},{uuid_of(source, 'site')},{uuid_of(source, 'web')}"


def drive_id(source: Source) -> str:
    """Return the identifier of the library."""
    return f"b!{uuid_of(source, 'drive').replace('-', '')}"


def tenant(source: Source) -> str:
    """Return the identifier of the tenant."""
    return uuid_of(source, "tenant")


def uuid_of(source: Source, thing: str) -> str:
    """Return the identifier of a thing of a source, always the same."""
    return str(uuid5(NAMESPACE_URL, f"{source.name} {thing}"))


def mime(item: Item) -> str:
    """Return the media type of a file."""
    return mimetypes.guess_type(item.name)[0] or "application/octet-stream"


def shown_moment(seconds: float) -> str:
    """Return seconds since 1970 as Graph writes a moment."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
