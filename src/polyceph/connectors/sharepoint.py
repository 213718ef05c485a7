"""The connector `sharepoint`: files of document libraries and items of lists, of SharePoint and OneDrive, through Microsoft Graph."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import ClassVar

from polyceph.connectors.files import FilesConnector
from polyceph.connectors.files_formats import FORMATS
from polyceph.connectors.files_places import is_match
from polyceph.connectors.sharepoint_download import Downloads
from polyceph.connectors.sharepoint_library import DriveFile, LibraryState, looked_at
from polyceph.connectors.sharepoint_lists import KEY, ListReading, column_of
from polyceph.connectors.sharepoint_options import SharepointDataset, SharepointSource
from polyceph.connectors.sharepoint_site import Site, SiteDrive
from polyceph.connectors.tabular.options import reading_digest
from polyceph.connectors.validation import meant, nearest, validated
from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.odata_pages import pages
from polyceph.connectors.web.samples import sampled
from polyceph.sdk import Delivery, Demand, NotFound, Options, Problem, Sample, SourceColumn, SourceTable

_SHOWN_FILES = 500


class SharepointConnector:
    """Reads what a site holds, with the rights of an application and of nobody else.

    Files are found by the library's delta query and read as the connector `files` does: one delivery a file, known by its bytes. Items of
    a list come by its delta query, those that were deleted included. An expired link means looking at everything anew; what was loaded
    already is not loaded again.
    """

    source_options: ClassVar[type[Options]] = SharepointSource
    dataset_options: ClassVar[type[Options]] = SharepointDataset
    summary: ClassVar[str] = "Files of document libraries and items of lists, of SharePoint and OneDrive, through Microsoft Graph."

    def __init__(self, options: Options, *, base: Path) -> None:
        self._source = validated(SharepointSource, options, "source of connector sharepoint")
        self._base = base

    def deliveries(self, demand: Demand) -> Iterator[Delivery]:
        """Yield one delivery for each new file, oldest first; or one with what changed in a list.

        Raises:
            Invalid: options are wrong, or a file or list does not keep the contract; files before it have been yielded.
            NotFound: there is no such site, library or list, or no file matches.
            Denied, Misconfigured: the application may not, or Graph sends to a host that is not declared.
            Conflict: a file is being written all the time.
            Unavailable: Graph does not answer, or a file does not arrive whole.
        """
        dataset = validated(SharepointDataset, demand.options, f"options of {demand.dataset}")
        with WebClient(self._source, base=self._base) as client:
            site = Site(client, self._source)
            if dataset.list is None:
                yield from _Files(client, self._source, demand, dataset, site.drive(dataset.library)).deliveries()
                return
            found = site.list_named(dataset.list)
            delivery = ListReading(client, self._source, demand, dataset, found, site.columns(found)).changed()
            if delivery is not None:
                yield delivery

    def tables(self) -> Iterator[SourceTable]:
        """Yield the lists, and the files of the libraries that can be read as tables, the first 500 of each library."""
        with WebClient(self._source, base=self._base) as client:
            site = Site(client, self._source)
            if self._source.drive is not None:
                yield from _tables(client, site.drive(None), {})
                return
            for one in site.lists():
                yield SourceTable(f"lists/{one.name}", {"list": one.name}, one.title if one.title != one.name else "")
            for drive in site.drives():
                yield from _tables(client, drive, {"library": drive.name})

    def sample(self, options: Mapping[str, object], *, rows: int, workspace: Path) -> Sample:
        """Return the first items of a list, or the first rows of a file as the connector `files` samples it; raises like `deliveries`."""
        dataset = validated(SharepointDataset, options, "options of the sample")
        with WebClient(self._source, base=self._base) as client:
            site = Site(client, self._source)
            if dataset.list is not None:
                return _list_sample(client, site, dataset.list, rows)
            drive = site.drive(dataset.library)
            matching = [one for one in _everything(client, drive) if is_match(one.path, dataset.path)]
            if not matching:
                raise NotFound(f"no file {dataset.path} in the library", hint="name a file that is there")
            folder = workspace / "library"
            place = _placed(folder, matching[-1])
            Downloads(client, drive.id, self._source.disk_limit_mb << 20).fetch(matching[-1], place)
            return _file_sample(self._source, dataset, matching[-1], folder=folder, rows=rows, workspace=workspace)


@dataclass(frozen=True)
class _Files:
    """One load of the files of a library."""

    client: WebClient
    source: SharepointSource
    demand: Demand
    dataset: SharepointDataset
    drive: SiteDrive

    def deliveries(self) -> Iterator[Delivery]:
        """Yield the files that wait; the cursor of each delivery says which are left, so that a broken load goes on with those."""
        reading = f"{reading_digest(self.dataset.as_file(''))[:16]} {self.drive.id} {self.dataset.path}"
        state = looked_at(self.client, self.drive.id, LibraryState.parse(self.demand.cursor, reading))
        waiting = [one for one in state.waiting if is_match(one.path, self.dataset.path)]
        state = replace(state, waiting=tuple(waiting))
        if not waiting and not state.seen and not self.dataset.may_be_absent:
            raise self._nothing()
        downloads = Downloads(self.client, self.drive.id, self.source.disk_limit_mb << 20)
        for number, file in enumerate(waiting):
            folder = self.demand.workspace / f"library_{number}"
            state = state.without(file)
            try:
                downloads.fetch(file, _placed(folder, file))
            except NotFound:  # deleted since the library was looked at
                continue
            yield from self._read(file, folder, state)
            shutil.rmtree(folder, ignore_errors=True)

    def _read(self, file: DriveFile, folder: Path, state: LibraryState) -> Iterator[Delivery]:
        """Yield what the connector `files` makes of a file; that the file is done goes with the last delivery of it."""
        connector = FilesConnector(self.source.folder(str(folder / "files")), base=folder)
        options = self.dataset.as_file(file.path).model_dump(exclude_unset=True) | {"path": file.path}
        inner, waiting = folder / "read", None
        inner.mkdir()
        for delivery in connector.deliveries(replace(self.demand, options=options, workspace=inner, cursor=None)):
            if waiting is not None:
                yield waiting
            waiting = delivery
        if waiting is not None:
            yield replace(waiting, cursor=state.text())

    def _nothing(self) -> NotFound:
        names = [one.path for one in _everything(self.client, self.drive)]
        pattern = self.dataset.path
        problem = Problem(f"{pattern} matches none", value=pattern, allowed=nearest(pattern, names), hint=meant(pattern, names))
        return NotFound(f"no file {pattern} in the library", problems=[problem], hint="set may_be_absent: true if that is normal")


def _placed(folder: Path, file: DriveFile) -> Path:
    path = folder / "files" / PurePosixPath(file.path)
    path.parent.mkdir(parents=True)
    return path


def _everything(client: WebClient, drive: SiteDrive) -> list[DriveFile]:
    return list(looked_at(client, drive.id, LibraryState("")).waiting)


def _tables(client: WebClient, drive: SiteDrive, options: Mapping[str, object]) -> Iterator[SourceTable]:
    readable = (one for one in _everything(client, drive) if PurePosixPath(one.path).suffix.lstrip(".").casefold() in FORMATS)
    for one in islice(readable, _SHOWN_FILES):
        yield SourceTable(f"{drive.name}/{one.path}", {**options, "path": one.path})


def _list_sample(client: WebClient, site: Site, name: str, rows: int) -> Sample:
    one = site.list_named(name)
    first = next(pages(client, Call(f"{one.address}/items", {"$expand": "fields", "$top": str(rows)})))
    items = [{KEY: item.get(KEY), **(item.get("fields") or {})} for item in first.rows[:rows]]
    described = site.columns(one) or []
    own = SourceColumn(KEY, "id", "string", required=True, primary_key=True)
    columns = [own, *(column_of(column) for column in described if not column.get("hidden"))]
    if not described:
        names = dict.fromkeys(name for item in items for name in item if name != KEY and not name.startswith("@"))
        columns += [SourceColumn(name, "") for name in names]
    return replace(sampled(columns, items), description=one.title)


def _file_sample(
    source: SharepointSource, dataset: SharepointDataset, file: DriveFile, *, folder: Path, rows: int, workspace: Path
) -> Sample:
    connector = FilesConnector(source.folder(str(folder / "files")), base=folder)
    options = dataset.as_file(file.path).model_dump(exclude_unset=True) | {"path": file.path}
    return connector.sample(options, rows=rows, workspace=workspace)
