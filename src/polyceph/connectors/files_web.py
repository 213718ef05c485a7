"""Files behind an address of HTTP: each is named, since there is no listing; ETag and Last-Modified tell whether one changed."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from polyceph.connectors.files_places import FoundFile, checked_path
from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.options import WebSource
from polyceph.sdk import Conflict, Invalid, NotFound, Original

_ATTEMPTS = 3


@dataclass(frozen=True)
class WebPlace:
    """A folder of a web server. Only its own host and those that the source declares are reached, redirects included."""

    source: WebSource
    base: Path
    limit: int
    """Bytes of one file."""
    is_local: bool = False

    @property
    def shown(self) -> str:
        """The address."""
        return self.source.address()

    def find(self, pattern: str) -> list[FoundFile]:
        """Return the file of that name, nothing when it is not there.

        Raises:
            Invalid: the path is a glob, or leaves the folder.
            Denied, Misconfigured, Unavailable: as the server answers.
        """
        checked_path(pattern, self.shown)
        if any(sign in pattern for sign in "*?["):
            raise Invalid(f"path {pattern!r} is a glob, and {self.shown} has no listing", hint="name the file")
        try:
            return [self._asked(pattern)]
        except NotFound:
            return []

    def nothing(self, pattern: str) -> NotFound:
        """Return the error for a file that is not there."""
        return NotFound(f"no file {pattern} in {self.shown}", hint="set may_be_absent: true if that is normal")

    def fetch(self, file: FoundFile, folder: Path) -> Original:
        """Copy a file; one that changes meanwhile is copied again; raises like `find`, and `Conflict` when it changes each time."""
        target = folder / f"original{PurePosixPath(file.name).suffix}"
        with WebClient(self.source, base=self.base) as client:
            for _ in range(_ATTEMPTS):
                digest = client.fetch(Call(quote(file.path)), target, limit=self.limit)
                after = self._asked(file.path)
                if after.state == file.state or not after.version:
                    return Original(target, PurePosixPath(file.name).name, digest)
                file = after
        raise Conflict(f"{file.name} in {self.shown} is being written", hint="load again when the writing has ended")

    def move(self, file: FoundFile, folder: str, *, mark: str) -> None:  # noqa: ARG002 - nothing can be moved there
        """Refuse: a web server is only read."""
        raise Invalid(f"{self.shown} is only read", hint="leave out archive and quarantine")

    def write(self, name: str, text: str) -> None:  # noqa: ARG002 - nothing can be written there
        """Refuse: a web server is only read."""
        raise Invalid(f"{self.shown} is only read", hint="leave out archive and quarantine")

    def _asked(self, path: str) -> FoundFile:
        """Return what the server says of a file without sending it (RFC 9110, 9.3.2); one that says nothing is new each time."""
        with WebClient(self.source, base=self.base) as client:
            _, headers = client.read(Call(quote(path), method="HEAD"))
        marks = [headers.get(name, "") for name in ("etag", "last-modified", "content-length")]
        state = hashlib.sha256("\n".join(marks).encode()).hexdigest()[:16] if any(marks[:2]) else uuid.uuid4().hex
        moment = _moment(marks[1])
        return FoundFile(path, path, moment.isoformat() if moment else "", state, moment, marks[0].strip('"') or marks[1])


def _moment(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
