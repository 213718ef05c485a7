"""What is new in a document library: its delta query, the tree of its folders, and what is kept of both from one load to the next.

Graph gives no paths here, for whoever renames a folder changes those of all its files; they are made from the folders' identifiers.
Documentation followed: Microsoft Graph REST API v1.0, "driveItem: delta".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.links import own_link
from polyceph.connectors.web.odata_pages import pages
from polyceph.sdk import Invalid, NotFound

_ROOT = ""
_TOP = "root"
"""What Graph calls the top of a drive."""
_KEPT = ("id", "name", "parentReference", "root", "folder", "file", "deleted", "cTag", "eTag", "lastModifiedDateTime")
"""What is needed of an item: a library may have a hundred thousand of them."""


@dataclass(frozen=True)
class DriveFile:
    """A file of a library. `mark` changes with its content."""

    id: str
    path: str
    modified: str
    mark: str


@dataclass(frozen=True)
class LibraryState:
    """What a cursor remembers: the link for changes, where the folders are, which files have yet to be read, which were in which state."""

    reading: str
    link: str | None = None
    folders: Mapping[str, str] = field(default_factory=dict)
    waiting: tuple[DriveFile, ...] = ()
    seen: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, cursor: str | None, reading: str) -> LibraryState:
        """Return what a cursor remembers; nothing when the files were read in another way then."""
        try:
            kept = json.loads(cursor) if cursor else {}
        except ValueError:
            kept = {}
        if not isinstance(kept, dict) or kept.get("reading") != reading:
            return cls(reading)
        waiting = tuple(DriveFile(*one) for one in kept["waiting"])
        return cls(reading, kept["link"], kept["folders"], waiting, kept["seen"])

    def text(self) -> str:
        """Return the cursor."""
        waiting = [[one.id, one.path, one.modified, one.mark] for one in self.waiting]
        kept = {"reading": self.reading, "link": self.link, "folders": self.folders, "waiting": waiting, "seen": self.seen}
        return json.dumps(kept, sort_keys=True, separators=(",", ":"))

    def without(self, file: DriveFile) -> LibraryState:
        """Return the state after a file was read."""
        waiting = tuple(one for one in self.waiting if one.id != file.id)
        return replace(self, waiting=waiting, seen={**self.seen, file.id: file.mark})


class _BeginAgainError(Exception):
    """The changes cannot be told: the link has expired, or a folder is elsewhere now, with all that is in it."""


def looked_at(client: WebClient, drive: str, state: LibraryState) -> LibraryState:
    """Return the state with the files that are new or changed added to those that wait, oldest first.

    Raises:
        Denied: a link leads to another host.
        NotFound, Unavailable, Misconfigured: as the client raises them.
    """
    if state.link is not None:
        try:
            return _with(client, state, Call(own_link(client, state.link)), is_whole=False)
        except (NotFound, _BeginAgainError):  # 410 resyncRequired; 404 where the drive was made anew
            pass
    whole = replace(state, link=None, folders={}, waiting=())
    try:
        return _with(client, whole, Call(f"drives/{quote(drive, safe='!')}/{_TOP}/delta"), is_whole=True)
    except _BeginAgainError as error:
        raise Invalid(
            "the library names a folder that it does not list", hint="load again; a folder may have been moved meanwhile"
        ) from error


def _with(client: WebClient, state: LibraryState, call: Call, *, is_whole: bool) -> LibraryState:
    link, entries = None, dict[str, Mapping[str, Any]]()
    for page in pages(client, call):
        # The last word on an item counts; it takes the place of the last one, too.
        for one in page.rows:
            if not isinstance(one, Mapping) or not one.get("id"):
                raise Invalid(f"{page.where} has an item without id", hint="check url: it must be that of Microsoft Graph")
            entries.pop(str(one["id"]), None)
            entries[str(one["id"])] = {name: one[name] for name in _KEPT if name in one}
        link = page.delta
    if link is None:
        raise Invalid("the library tells no link for its next changes", hint="check url: it must be that of Microsoft Graph")
    folders = _folders(entries, state.folders, is_whole=is_whole)
    gone = {key for key, one in entries.items() if "deleted" in one}
    found = [_file(one, folders) for one in entries.values() if "file" in one and "deleted" not in one]
    new = [one for one in found if state.seen.get(one.id) != one.mark]
    kept = [one for one in state.waiting if one.id not in gone and one.id not in entries]
    waiting = tuple(sorted([*kept, *new], key=lambda one: (one.modified, one.path)))
    seen = {key: mark for key, mark in state.seen.items() if key not in gone}  # that no file is left has to be said
    return replace(state, link=link, folders=folders, waiting=waiting, seen=seen)


def _folders(entries: Mapping[str, Mapping[str, Any]], known: Mapping[str, str], *, is_whole: bool) -> dict[str, str]:
    """Return the paths of all folders by identifier."""
    changed = {key: one for key, one in entries.items() if ("folder" in one or "root" in one) and "deleted" not in one}
    found = {key: path for key, path in known.items() if "deleted" not in entries.get(key, {})}
    for key in changed:
        path = _path(key, changed, found, depth=0)
        if not is_whole and known.get(key, path) != path:
            raise _BeginAgainError
        found[key] = path
    return found


def _path(key: str, changed: Mapping[str, Mapping[str, Any]], known: Mapping[str, str], *, depth: int) -> str:
    one = changed.get(key)
    if one is None or depth > len(changed):
        if key not in known:
            raise _BeginAgainError
        return known[key]
    if "root" in one:
        return _ROOT
    return _below(_path(_parent(one), changed, known, depth=depth + 1), one)


def _file(one: Mapping[str, Any], folders: Mapping[str, str]) -> DriveFile:
    parent = _parent(one)
    if parent not in folders:
        raise _BeginAgainError
    mark = str(one.get("cTag") or one.get("eTag") or one.get("lastModifiedDateTime") or "")
    return DriveFile(str(one["id"]), _below(folders[parent], one), str(one.get("lastModifiedDateTime", "")), mark)


def _parent(one: Mapping[str, Any]) -> str:
    return str((one.get("parentReference") or {}).get("id", ""))


def _below(folder: str, one: Mapping[str, Any]) -> str:
    name = str(one.get("name", ""))
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise Invalid("the library has an item whose name cannot be that of a file", hint="rename it in SharePoint")
    return f"{folder}/{name}" if folder else name
