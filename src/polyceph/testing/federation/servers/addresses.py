"""Where each source is served, and what stays the same from one start to the next: ports and credentials. Serves nothing."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
_PORTS = range(15_000, 32_000)


@dataclass(frozen=True)
class SourceAddress:
    """A served source: its kind, and the environment variables of its domain's process by their suffix.

    `missing` says why a source cannot be served on this machine; its environment is empty then.
    """

    kind: str
    environment: Mapping[str, str] = field(repr=False)  # it holds passwords
    missing: str = ""


@dataclass(frozen=True)
class Running:
    """The folder `running` below the folder of systems: what the servers keep for themselves, closed to other accounts."""

    folder: Path

    @property
    def addresses(self) -> Path:
        """The file that says where everything is served; it exists while everything is ready."""
        return self.folder / "addresses.json"

    @property
    def log(self) -> Path:
        """What the servers' own process says."""
        return self.folder / "servers.log"

    def make(self) -> None:
        """Make the folder."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def publish(self, found: Mapping[str, SourceAddress]) -> None:
        """Write the addresses for others to read: all at once, for this account alone."""
        content = {
            name: {"kind": address.kind, "environment": dict(address.environment)}
            | ({"missing": address.missing} if address.missing else {})
            for name, address in sorted(found.items())
        }
        write(self.addresses, json.dumps(content, indent=1) + "\n")

    def read(self) -> dict[str, SourceAddress]:
        """Return the published addresses; empty when nothing is ready."""
        try:
            content = json.loads(self.addresses.read_text())
        except FileNotFoundError:
            return {}
        return {name: SourceAddress(entry["kind"], entry["environment"], entry.get("missing", "")) for name, entry in content.items()}


class Remembered:
    """Ports and words (passwords, keys) by name: made at the first request and kept at once, the same at every later start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        content = json.loads(path.read_text()) if path.exists() else {}
        self._ports: dict[str, int] = content.get("ports", {})
        self._words: dict[str, str] = content.get("words", {})

    def port(self, name: str) -> int:
        """Return a port of 127.0.0.1 that is free now: the one of the last start when it still is."""
        if name not in self._ports or not _is_free(self._ports[name]):
            self._ports[name] = self._another_port()
            self._keep()
        return self._ports[name]

    def word(self, name: str) -> str:
        """Return the secret of that name, 32 random characters that fit into an address."""
        return self.text(name, secrets.token_hex(16))

    def text(self, name: str, fresh: str) -> str:
        """Return what is kept under the name, `fresh` the first time."""
        return self._words[name] if name in self._words else self.replace(name, fresh)

    def known(self, name: str) -> str | None:
        """Return what is kept under the name."""
        return self._words.get(name)

    def replace(self, name: str, text: str) -> str:
        """Keep a text under the name and return it."""
        self._words[name] = text
        self._keep()
        return text

    def _keep(self) -> None:
        write(self._path, json.dumps({"ports": self._ports, "words": self._words}, indent=1) + "\n")

    def _another_port(self) -> int:
        """Below the range from which the system takes the ports of outgoing connections: none of them can take it meanwhile."""
        taken = set(self._ports.values())
        while True:
            port = _PORTS[secrets.randbelow(len(_PORTS))]
            if port not in taken and _is_free(port):
                return port


def write(path: Path, text: str) -> None:
    """Replace a file by one that only this account can read: written beside it, then renamed."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:  # noqa: PTH123
        out.write(text)
    beside.replace(path)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: connections of the last start that are only waiting for their end are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
