"""Options of the connector `ckan`: which resource of a portal, from its DataStore or as the file it is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.web.options import WebSource


class CkanSource(WebSource):
    """A portal of CKAN. Its token goes into the header Authorization. Hosts that keep files for it stand under `hosts`."""


class CkanDataset(FilesDataset):
    """Which resource of the portal, and how its file is read."""

    path: str = Field(default="", max_length=0, description="stays empty: the resource names its file")
    package: str | None = Field(
        default=None, min_length=1, description="identifier or name of the package; not needed when resource is an identifier"
    )
    resource: str = Field(min_length=1, description="identifier of the resource, or with package its name")
    read: Literal["file", "datastore"] = Field(
        default="file", description="the file as it was published, or the portal's own table of it, whose types the portal has guessed"
    )

    def as_file(self) -> FilesDataset:
        """Return what is said of the file's reading."""
        return FilesDataset.model_validate(self.model_dump(exclude={"package", "resource", "read"}))
