"""Fetching one file of a library without tearing it: the version before and after, its size and its checksum are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from polyceph.connectors.sharepoint_library import DriveFile
from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.quick_xor import quick_xor_hash
from polyceph.sdk import Conflict, Unavailable

_ATTEMPTS = 3
_ADDRESS = "@microsoft.graph.downloadUrl"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Downloads:
    """Fetches files of one drive; a file may have at most `limit` bytes."""

    client: WebClient
    drive: str
    limit: int

    def fetch(self, file: DriveFile, target: Path) -> None:
        """Write a file's content to `target`.

        Raises:
            NotFound: the file is gone meanwhile.
            Conflict: it changes each time it is fetched.
            Unavailable: what arrives is not what the library's checksum says.
            Denied: the library sends to a host that is not declared.
        """
        broken = False
        for _ in range(_ATTEMPTS):
            before = self._item(file)
            self.client.fetch(self._call(file, before), target, limit=self.limit)
            if _version(self._item(file)) != _version(before):
                continue
            if _is_whole(target, before):
                return
            broken = True
        if broken:
            raise Unavailable(
                f"{file.path} does not arrive as the library has it: size or checksum differ", hint="nothing was loaded of it"
            )
        raise Conflict(f"{file.path} is being written", hint="load again when the writing has ended")

    def _item(self, file: DriveFile) -> Mapping[str, Any]:
        found, _ = self.client.json(Call(self._path(file)))
        return found if isinstance(found, Mapping) else {}

    def _path(self, file: DriveFile) -> str:
        return f"drives/{quote(self.drive, safe='!')}/items/{quote(file.id, safe='!')}"

    def _call(self, file: DriveFile, item: Mapping[str, Any]) -> Call:
        address = item.get(_ADDRESS)
        # The address carries its own permission and lies on another host: our token is for Graph alone.
        return Call(str(address), is_open=True) if address else Call(f"{self._path(file)}/content")


def _version(item: Mapping[str, Any]) -> tuple[Any, ...]:
    return item.get("cTag") or item.get("eTag"), item.get("size"), item.get("lastModifiedDateTime")


def _is_whole(path: Path, item: Mapping[str, Any]) -> bool:
    """Tell whether a copy has the size and the checksums that the library says; those it does not say are passed over."""
    hashes = (item.get("file") or {}).get("hashes") or {}
    if "size" in item and path.stat().st_size != item["size"]:
        return False
    if hashes.get("sha256Hash") and _digest(path, "sha256") != str(hashes["sha256Hash"]).casefold():
        return False
    if hashes.get("sha1Hash") and _digest(path, "sha1") != str(hashes["sha1Hash"]).casefold():
        return False
    return not hashes.get("quickXorHash") or quick_xor_hash(path) == hashes["quickXorHash"]


def _digest(path: Path, kind: str) -> str:
    made = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as source:
        while block := source.read(_BLOCK):
            made.update(block)
    return made.hexdigest()
