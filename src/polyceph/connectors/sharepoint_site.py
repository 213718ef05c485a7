"""Finding things of a site by name: the site itself, its document libraries, its lists and their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from polyceph.connectors.sharepoint_options import SharepointSource
from polyceph.connectors.validation import meant, nearest
from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.odata_pages import pages
from polyceph.connectors.web.options import text_of
from polyceph.sdk import Invalid, NotFound, Problem

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class SiteDrive:
    """A document library: its identifier and name."""

    id: str
    name: str


@dataclass(frozen=True)
class SiteList:
    """A list: its identifier, the name in addresses and the name that people see."""

    id: str
    name: str
    title: str
    address: str
    """Path of the list below Graph's address."""


class Site:
    """A site, or a drive without one."""

    def __init__(self, client: WebClient, source: SharepointSource) -> None:
        self._client = client
        self._source = source
        self._id: str | None = None

    @property
    def path(self) -> str:
        """Return the path of the site below Graph's address; raise `NotFound` when there is none, `Invalid` for a drive without one."""
        if self._source.site is None:
            raise Invalid("the source is a drive, which has no lists and no libraries", hint="declare site instead of drive")
        if self._id is None:
            host, _, below = text_of(self._source.site).partition(":/")
            found, _ = self._client.json(Call(f"sites/{quote(host)}:/{quote(below.strip('/'))}"))
            self._id = _text(found, "id", "the site")
        return f"sites/{quote(self._id, safe=',')}"

    def drive(self, library: str | None) -> SiteDrive:
        """Return a document library by name, the default one without; raise `NotFound` with the names there are."""
        if self._source.drive is not None:
            if library is not None:
                raise Invalid("library is of a site, and the source is a drive", hint="leave library out")
            return SiteDrive(text_of(self._source.drive), "drive")
        if library is None:
            found, _ = self._client.json(Call(f"{self.path}/drive"))
            return SiteDrive(_text(found, "id", "the library"), str(found.get("name", "")))
        drives = {one.name: one for one in self.drives()}
        return _known(library, drives, "document library")

    def drives(self) -> Iterator[SiteDrive]:
        """Yield the document libraries."""
        for page in pages(self._client, Call(f"{self.path}/drives")):
            yield from (SiteDrive(_text(one, "id", page.where), str(one.get("name", ""))) for one in page.rows)

    def lists(self) -> Iterator[SiteList]:
        """Yield the lists that people see; document libraries are none of them."""
        for page in pages(self._client, Call(f"{self.path}/lists")):
            for one in page.rows:
                kind = one.get("list") or {}
                if kind.get("hidden") or kind.get("template") == "documentLibrary" or "system" in one:
                    continue
                identity = _text(one, "id", page.where)
                title = str(one.get("displayName") or one.get("name") or "")
                yield SiteList(identity, str(one.get("name") or title), title, f"{self.path}/lists/{quote(identity)}")

    def list_named(self, name: str) -> SiteList:
        """Return a list by either of its names; raise `NotFound` with the names there are."""
        found = list(self.lists())
        known = {one.title: one for one in found} | {one.name: one for one in found}
        return _known(name, known, "list")

    def columns(self, one: SiteList) -> list[Mapping[str, Any]] | None:
        """Return the columns of a list as Graph describes them; None when it does not."""
        try:
            return [column for page in pages(self._client, Call(f"{one.address}/columns")) for column in page.rows]
        except NotFound:
            return None


def _known(name: str, known: Mapping[str, Thing], what: str) -> Thing:
    if name not in known:
        problem = Problem(f"no {what} {name!r}", value=name, allowed=nearest(name, known), hint=meant(name, known))
        raise NotFound(f"the site has no {what} {name!r}", problems=[problem])
    return known[name]


def _text(found: Any, member: str, where: str) -> str:
    value = found.get(member) if isinstance(found, Mapping) else None
    if not isinstance(value, str) or not value:
        raise Invalid(f"{where} comes without {member}", hint="check url: it must be that of Microsoft Graph")
    return value
