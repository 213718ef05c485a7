"""The connector `sap`: entity sets of OData services, versions 2 and 4, of SAP and others. Read only; message queues are none of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from polyceph.connectors.sap_metadata import EntitySet, Property, Service, service_of
from polyceph.connectors.sap_options import SapDataset, SapSource
from polyceph.connectors.sap_since import Newest
from polyceph.connectors.sap_values import key_of, plain
from polyceph.connectors.validation import validated
from polyceph.connectors.web.bookmarks import Bookmarks
from polyceph.connectors.web.changes import demand_of_changes, gone, keys_differ, source_name, stays
from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.links import own_link
from polyceph.connectors.web.odata_pages import Page, pages
from polyceph.connectors.web.records import RecordFile
from polyceph.connectors.web.samples import sampled
from polyceph.connectors.web.xml_documents import parsed
from polyceph.sdk import Delivery, Demand, Follows, Invalid, LoadMode, Note, NotFound, Options, Problem, Sample, SourceTable

_MEMBERS_OF_KEY = ("id", "@id", "@odata.id")


class SapConnector:
    """Reads entity sets and asks for what the contract promises, nothing more.

    With a delta link each later load reads only the changes, deletions among them; the link is kept with the rows it belongs to. A link
    that has expired means reading the whole, which is compared by key, so that nothing is lost and nothing comes twice.
    """

    source_options: ClassVar[type[Options]] = SapSource
    dataset_options: ClassVar[type[Options]] = SapDataset
    summary: ClassVar[str] = "Entity sets of OData services, versions 2 and 4, of SAP and others."

    def __init__(self, options: Options, *, base: Path) -> None:
        self._source = validated(SapSource, options, "source of connector sap")
        self._base = base

    def deliveries(self, demand: Demand) -> Iterator[Delivery]:
        """Yield what is new: one delivery, or nothing.

        Raises:
            Invalid: options are wrong, the contract asks for what the entity set does not have, or rows do not keep it.
            NotFound: there is no such service or entity set.
            Denied, Misconfigured: the service refuses the account, or sends to a host that is not declared.
            Unavailable: it does not answer in spite of every attempt.
        """
        dataset = validated(SapDataset, demand.options, f"options of {demand.dataset}")
        with WebClient(self._source, base=self._base) as client:
            service = _service(client, dataset.service)
            entity_set = service.needed(dataset.entity_set, client.shown(Call(_path(dataset.service))))
            reading = _Reading(client, self._source, demand, dataset, service, entity_set)
            delivery = reading.newer() if dataset.since else reading.changed()
            if delivery is not None:
                yield delivery

    def tables(self) -> Iterator[SourceTable]:
        """Yield the entity sets of the declared services."""
        with WebClient(self._source, base=self._base) as client:
            for path in self._source.services:
                for one in _service(client, path).sets.values():
                    options = {"service": path} if path else {}
                    yield SourceTable(f"{path}/{one.name}".lstrip("/"), {**options, "entity_set": one.name}, one.label)

    def sample(self, options: Mapping[str, object], *, rows: int, workspace: Path) -> Sample:  # noqa: ARG002  nothing is kept
        """Return the first entities of a set, with its properties as columns; raises like `deliveries`."""
        dataset = validated(SapDataset, options, "options of the sample")
        with WebClient(self._source, base=self._base) as client:
            service = _service(client, dataset.service)
            entity_set = service.needed(dataset.entity_set, client.shown(Call(_path(dataset.service))))
            params = {"$top": str(rows), "$format": "json"} | ({"$filter": dataset.filter} if dataset.filter else {})
            call = Call(_path(dataset.service, dataset.entity_set), params, headers={"Accept": "application/json"})
            first = next(pages(client, call))
            found = [{p.name: plain(row.get(p.name), p) for p in entity_set.properties.values()} for row in first.rows[:rows]]
            return replace(sampled(entity_set.columns(), found), description=entity_set.label)


@dataclass(frozen=True)
class _Reading:
    """One load of one dataset."""

    client: WebClient
    source: SapSource
    demand: Demand
    dataset: SapDataset
    service: Service
    entity_set: EntitySet

    def changed(self) -> Delivery | None:
        """Return what changed since the last load, or the whole when there is no link to ask with, or an expired one."""
        bookmarks = self._bookmarks()
        link = bookmarks.read("link", self.demand.cursor) if self._asks_for_changes() else None
        if link is None:
            return self._whole(bookmarks)
        try:
            return self._since_link(bookmarks, link)
        except NotFound:  # 410 Gone: the service no longer knows what has changed since
            expired = Note("changes", "the link for changes had expired: the whole was read and compared by key")
            return self._whole(bookmarks, notes=(expired,))

    def newer(self) -> Delivery | None:
        """Return the entities whose property `since` is not older than where the last load stopped, less the overlap."""
        name = self.dataset.since or ""
        one, bookmarks = self.entity_set.needed(name, "since"), self._bookmarks()
        newest = Newest(one, bookmarks.read("since", self.demand.cursor), self.dataset.overlap_seconds)
        conditions = [f"({self.dataset.filter})"] * bool(self.dataset.filter) + newest.conditions(is_v4=self.service.is_v4)
        params = {"$filter": " and ".join(conditions)} if conditions else {}
        order = ",".join(dict.fromkeys((name, *self.entity_set.key)))
        with RecordFile(self.demand, self.dataset, self.source) as file:
            for page in pages(self.client, self._call(params | {"$orderby": order}, also=one)):
                rows = [self._row(row, page, also=one) for row in page.rows]
                newest.see(row[name] for row in rows)
                promised = set(self._names())
                file.add([{key: value for key, value in row.items() if key in promised} for row in rows], page.where)
            if newest.value is None or not file.rows:
                return None
            cursor = bookmarks.write("since", newest.value)
            found = file.delivery(self._origin(), cursor=cursor, follows=Follows(self.demand.cursor), notes=self._notes())
            return replace(found, mode=LoadMode.NEW) if found else None

    def _whole(self, bookmarks: Bookmarks, *, notes: tuple[Note, ...] = ()) -> Delivery | None:
        params = {"$filter": self.dataset.filter} if self.dataset.filter else {}
        delta = None
        with RecordFile(self.demand, self.dataset, self.source) as file:
            for page in pages(self.client, self._call(params)):
                file.add([self._row(row, page) for row in page.rows], page.where)
                delta = page.delta
            told = (*notes, *self._notes())
            if delta is None or not self._asks_for_changes():
                found = file.delivery(self._origin(), notes=told)
            else:
                self._check_key()
                follows = Follows(self.demand.cursor)
                found = file.delivery(self._origin(), cursor=bookmarks.write("link", delta), follows=follows, notes=told)
            return replace(found, mode=LoadMode.DIFF) if found else None

    def _since_link(self, bookmarks: Bookmarks, link: str) -> Delivery | None:
        self._check_key()
        delta = None
        with RecordFile(demand_of_changes(self.demand), self.dataset, self.source) as file:
            call = replace(self._call({}), url=own_link(self.client, link), params=None)
            for page in pages(self.client, call):
                file.add([self._change(row, page) for row in page.rows if not _is_link(row)], page.where)
                delta = page.delta
            if delta is None:
                raise Invalid(f"{self._origin()} tells changes and no link for the next ones", hint="declare changes: whole")
            if not file.rows and delta == link:
                return None
            cursor, follows = bookmarks.write("link", delta), Follows(self.demand.cursor)
            found = file.delivery(self._origin(), cursor=cursor, follows=follows, notes=self._notes())
            return replace(found, mode=LoadMode.MERGE) if found else None

    def _call(self, params: Mapping[str, str], *, also: Property | None = None) -> Call:
        chosen = dict.fromkeys((*self._names(), *([also.name] if also else [])))
        prefers = ["odata.track-changes"] if self._asks_for_changes() else []
        prefers += [f"odata.maxpagesize={self.dataset.page_size}"] if self.dataset.page_size else []
        headers = {"Accept": "application/json"} | ({"Prefer": ", ".join(prefers)} if prefers else {})
        if not self.service.is_v4:
            headers |= {"MaxDataServiceVersion": "2.0"}
        form = {} if self.service.is_v4 else {"$format": "json"}
        return Call(_path(self.dataset.service, self.dataset.entity_set), {**params, "$select": ",".join(chosen), **form}, headers=headers)

    def _row(self, row: Any, page: Page, *, also: Property | None = None) -> dict[str, Any]:
        """Return the wanted properties of an entity; raise `Invalid` when one is missing: an absent property is not an empty one."""
        if not isinstance(row, Mapping):
            raise Invalid(f"{page.where}: an entity is no object but {type(row).__name__}")
        made = {}
        for name in dict.fromkeys((*self._names(), *([also.name] if also else []))):
            if name not in row:
                raise Invalid(
                    f"{page.where}: an entity comes without {name}", hint="declare changes: whole if the service sends parts only"
                )
            made[name] = plain(row[name], self.entity_set.properties[name])
        return made

    def _change(self, row: Any, page: Page) -> dict[str, Any]:
        if isinstance(row, Mapping) and _is_gone(row):
            return gone(self._gone_key(row, page), self.demand.contract.columns)
        return stays(self._row(row, page))

    def _gone_key(self, row: Mapping[str, Any], page: Page) -> dict[str, Any]:
        if all(name in row for name in self.entity_set.key):
            return {name: plain(row[name], self.entity_set.properties[name]) for name in self.entity_set.key}
        identity = next((str(row[name]) for name in _MEMBERS_OF_KEY if row.get(name)), None)
        if identity is None:
            raise Invalid(f"{page.where}: an entity is gone and its key is not told", hint="declare changes: whole")
        return key_of(identity, self.entity_set)

    def _names(self) -> tuple[str, ...]:
        """Return the properties that the contract promises; raise `Invalid` for one that the entity set does not have."""
        heads = []
        for column in self.demand.contract.columns:
            name = source_name(column)
            heads.append(
                self.entity_set.needed(name if name in self.entity_set.properties else name.split(".")[0], f"column {column.name}")
            )
        return tuple(dict.fromkeys(one.name for one in heads))

    def _asks_for_changes(self) -> bool:
        if self.dataset.since is not None or self.dataset.changes == "whole":
            return False
        return self.dataset.changes == "delta" or (self.service.is_v4 and self._other_key() is None)

    def _other_key(self) -> Problem | None:
        return keys_differ(self.demand.contract.columns, self.entity_set.key, self.entity_set.name)

    def _check_key(self) -> None:
        problem = self._other_key()
        if problem is not None:
            message = f"changes of {self.entity_set.name} cannot be told from the contract's key"
            raise Invalid(message, problems=[problem], hint="promise the key of the entity set, or declare changes: whole")

    def _bookmarks(self) -> Bookmarks:
        own = self.dataset
        return Bookmarks.of(self.demand.contract, own.service, own.entity_set, own.filter, own.since)

    def _origin(self) -> str:
        return _path(self.dataset.service, self.dataset.entity_set)

    def _notes(self) -> tuple[Note, ...]:
        unread = ", ".join(name for name in self.entity_set.properties if name not in self._names())
        notes = [Note("columns", "properties that the contract does not promise are not read", unread)] if unread else []
        if not self.service.is_v4 and self.dataset.changes == "delta":
            notes.append(Note("changes", "OData 2 does not tell deletions in JSON: what is gone stays until the whole is read"))
        return tuple(notes)


def _service(client: WebClient, path: str) -> Service:
    call = Call(_path(path, "$metadata"), headers={"Accept": "application/xml"})
    content, _ = client.read(call)
    return service_of(parsed(content, f"the answer of {client.shown(call)}"), client.shown(Call(_path(path))))


def _path(*parts: str) -> str:
    return "/".join(part.strip("/") for part in parts if part.strip("/"))


def _is_gone(row: Mapping[str, Any]) -> bool:
    """Tell whether an entry of a list of changes is a deletion: `@removed` (4.01, Graph) or a context of `$deletedEntity` (4.0)."""
    return "@removed" in row or "@odata.removed" in row or str(row.get("@odata.context", "")).endswith("/$deletedEntity")


def _is_link(row: Any) -> bool:
    """Tell whether an entry says that two entities are linked, or no longer: no entity has changed by that."""
    context = str(row.get("@odata.context", row.get("@context", ""))) if isinstance(row, Mapping) else ""
    return context.endswith(("/$link", "/$deletedLink"))
