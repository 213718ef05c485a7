"""Options of the connector `sharepoint`: the site or drive, and which files or which list make a dataset."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from polyceph.connectors.environment import FromEnvironment
from polyceph.connectors.files_options import FilesSource
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.web.options import WebSource
from polyceph.connectors.web.records import RecordsReading

_NEEDED = set(FilesDataset.model_fields)


class SharepointSource(WebSource):
    """A site of SharePoint, or one drive of OneDrive, behind Microsoft Graph."""

    url: str | FromEnvironment = Field(
        default="https://graph.microsoft.com/v1.0", description="address of Microsoft Graph, with its version, or {env: NAME}"
    )
    site: str | FromEnvironment | None = Field(
        default=None, description="the site as host:/sites/name, e.g. contoso.sharepoint.com:/sites/inspection, or {env: NAME}"
    )
    drive: str | FromEnvironment | None = Field(
        default=None, description="identifier of a drive, instead of a site: a OneDrive; or {env: NAME}"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.site is None) == (self.drive is None):
            raise ValueError("give exactly one of site and drive")
        if isinstance(self.site, str) and not self.site.partition(":/")[2]:
            raise ValueError("site is written host:/sites/name")
        return self

    def folder(self, path: str) -> FilesSource:
        """Return a local folder as a source of files, with this source's limits."""
        limits = {"memory_limit_mb": self.memory_limit_mb, "time_limit_s": self.time_limit_s, "disk_limit_mb": self.disk_limit_mb}
        return FilesSource.model_validate({"folder": path} | limits)


class SharepointDataset(FilesDataset):
    """Files of a document library, read like those of the connector `files`, or the items of a list."""

    path: str = Field(default="", description="file or glob below the library's root, e.g. Reports/**/*.xlsx")
    library: str | None = Field(default=None, description="name of the document library; the site's default one when left out")
    list: str | None = Field(default=None, description="name of a list, instead of path: its items are the rows, their id is id")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.path) == (self.list is not None):
            raise ValueError("give exactly one of path and list")
        if self.list is not None and self.library is not None:
            raise ValueError("library goes with path")
        return self

    def as_file(self, path: str) -> FilesDataset:
        """Return how one file is read."""
        return FilesDataset.model_validate({name: getattr(self, name) for name in _NEEDED} | {"path": path})

    def as_records(self) -> RecordsReading:
        """Return how the items of a list are read."""
        return RecordsReading.model_validate({name: getattr(self, name) for name in RecordsReading.model_fields})
