"""The items of a SharePoint list as rows: the whole, or what the list says has changed; and its columns with their types.

Documentation followed: Microsoft Graph REST API v1.0 on listItem ("List items", "listItem: delta") and columnDefinition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from polyceph.connectors.sharepoint_options import SharepointDataset, SharepointSource
from polyceph.connectors.sharepoint_site import SiteList
from polyceph.connectors.validation import meant, nearest
from polyceph.connectors.web.bookmarks import Bookmarks
from polyceph.connectors.web.changes import demand_of_changes, gone, keys_differ, source_name, stays
from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.links import own_link
from polyceph.connectors.web.odata_pages import pages
from polyceph.connectors.web.records import RecordFile
from polyceph.sdk import Column, Delivery, Demand, Follows, Invalid, LoadMode, Note, NotFound, Problem, SourceColumn

KEY = "id"
_OF_ITEM = (KEY, "createdDateTime", "lastModifiedDateTime", "eTag", "webUrl")
"""What an item says of itself beside its columns."""
_CURRENCY = "decimal(19,4)"


@dataclass(frozen=True)
class ListReading:
    """One load of one list. `known` are its columns; None when Graph does not tell them."""

    client: WebClient
    source: SharepointSource
    demand: Demand
    dataset: SharepointDataset
    items: SiteList
    known: list[Mapping[str, Any]] | None

    def changed(self) -> Delivery | None:
        """Return what changed since the last load, or the whole when there is no link to ask with, or an expired one."""
        self._check_columns()
        bookmarks = Bookmarks.of(self.demand.contract, self.items.id, self.dataset.timezone)
        link = bookmarks.read("link", self.demand.cursor)
        if link is not None:
            try:
                return self._since_link(bookmarks, link)
            except NotFound:  # 410 resyncRequired
                pass
        return self._whole(bookmarks)

    def _whole(self, bookmarks: Bookmarks) -> Delivery | None:
        # The link is asked for before the rows are: what changes while they are read comes once more with the next load.
        link, notes = self._link_from_now()
        with RecordFile(self.demand, self.dataset.as_records(), self.source) as file:
            for page in pages(self.client, Call(f"{self.items.address}/items", {"$expand": self._expanded()})):
                file.add([self._row(item, page.where) for item in page.rows], page.where)
            if link is None:
                found = file.delivery(self._origin(), notes=notes)
            else:
                follows = Follows(self.demand.cursor)
                found = file.delivery(self._origin(), cursor=bookmarks.write("link", link), follows=follows, notes=notes)
        return replace(found, mode=LoadMode.DIFF) if found else None

    def _since_link(self, bookmarks: Bookmarks, link: str) -> Delivery | None:
        following = None
        with RecordFile(demand_of_changes(self.demand), self.dataset.as_records(), self.source) as file:
            for page in pages(self.client, Call(own_link(self.client, link))):
                file.add([self._change(item, page.where) for item in page.rows], page.where)
                following = page.delta
            if following is None:
                raise Invalid(f"{self._origin()} tells changes and no link for the next ones", hint="load again")
            if not file.rows and following == link:
                return None
            cursor = bookmarks.write("link", following)
            found = file.delivery(self._origin(), cursor=cursor, follows=Follows(self.demand.cursor))
        return replace(found, mode=LoadMode.MERGE) if found else None

    def _link_from_now(self) -> tuple[str | None, tuple[Note, ...]]:
        if keys_differ(self.demand.contract.columns, (KEY,), self.items.title) is not None:
            return None, (
                Note("changes", "the list is read as a whole: its changes are told by id, which is not the contract's primary key"),
            )
        try:
            call = Call(f"{self.items.address}/items/delta", {"token": "latest", "$expand": self._expanded()})
            links = [page.delta for page in pages(self.client, call)]
        except (NotFound, Invalid):  # not every cloud has it
            return None, (Note("changes", "the list is read as a whole: this service tells no changes of lists"),)
        return links[-1], ()

    def _change(self, item: Any, where: str) -> dict[str, Any]:
        if not isinstance(item, Mapping) or not item.get(KEY):
            raise Invalid(f"{where} has an item without id")
        if "deleted" in item or "@removed" in item:
            return gone({KEY: str(item[KEY])}, self.demand.contract.columns)
        if "fields" not in item:
            try:
                path = f"{self.items.address}/items/{quote(str(item[KEY]))}"
                item, _ = self.client.json(Call(path, {"$expand": self._expanded()}))
            except NotFound:
                return gone({KEY: str(item[KEY])}, self.demand.contract.columns)
        return stays(self._row(item, where))

    def _row(self, item: Any, where: str) -> dict[str, Any]:
        fields = item.get("fields") if isinstance(item, Mapping) else None
        if not isinstance(fields, Mapping):
            raise Invalid(f"{where} has an item without fields", hint="check url: it must be that of Microsoft Graph")
        row = {}
        for column in self.demand.contract.columns:
            name = source_name(column)
            if name in _OF_ITEM and name not in fields:
                row[name] = item.get(name)
            elif name in fields or self.known is not None:  # Graph leaves empty values out
                row[name] = _value(fields.get(name), column, self.dataset.timezone)
        return row

    def _expanded(self) -> str:
        names = [source_name(column) for column in self.demand.contract.columns]
        return f"fields($select={','.join(name for name in names if name not in _OF_ITEM[1:])})"

    def _origin(self) -> str:
        return f"lists/{self.items.name}"

    def _check_columns(self) -> None:
        if self.known is None:
            return
        names = [str(one.get("name", "")) for one in self.known]
        there = {*names, *(f"{name}LookupId" for name in names), *_OF_ITEM}
        problems = [
            Problem(f"column {column.name} is not there", value=name, allowed=nearest(name, names), hint=meant(name, names))
            for column in self.demand.contract.columns
            if (name := source_name(column)) not in there
        ]
        if problems:
            raise Invalid(f"list {self.items.title} does not have what the contract promises", problems=problems)


def _value(value: Any, column: Column, zone: str | None) -> Any:
    """Return a value; a day comes as the moment at which it begins where the site is, written in UTC."""
    if column.logical_type != "date" or zone is None or not isinstance(value, str) or "T" not in value:
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    there = moment.astimezone(ZoneInfo(zone)) if moment.tzinfo else moment
    return there.date().isoformat() if there.time() == time() else value


def column_of(one: Mapping[str, Any]) -> SourceColumn:
    """Return a column of a list as its description says."""
    name, title = str(one.get("name", "")), str(one.get("displayName") or "")
    described = " ".join(filter(None, (title if title != name else "", str(one.get("description") or ""))))
    kind, logical, physical = _type(one)
    return SourceColumn(name, kind, logical, physical, bool(one.get("required")), False, described)


def _type(one: Mapping[str, Any]) -> tuple[str, str | None, str | None]:
    if "dateTime" in one:
        is_day = (one["dateTime"] or {}).get("format") == "dateOnly"
        return ("date", "date", None) if is_day else ("dateTime", "timestamp", "timestamptz")
    if "choice" in one:
        return ("choices", "array", None) if (one["choice"] or {}).get("displayAs") == "checkBoxes" else ("choice", "string", None)
    if "currency" in one:
        return "currency", "number", _CURRENCY
    plain = {"number": "number", "boolean": "boolean", "text": "string", "hyperlinkOrPicture": "object"}
    found = next((kind for kind in plain if kind in one), None)
    return (
        (found, plain[found], None)
        if found
        else (next((k for k in ("lookup", "personOrGroup", "calculated") if k in one), "?"), None, None)
    )
