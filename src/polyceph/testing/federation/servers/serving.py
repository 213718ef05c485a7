"""Starting the servers of a folder from another process: a test, the demo. The servers themselves are in `process`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from polyceph.errors import Unavailable
from polyceph.testing.federation.servers.addresses import Running, SourceAddress

_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
_SHOWN_LOG_BYTES = 2_000


@contextmanager
def serve(folder: Path) -> Iterator[Mapping[str, SourceAddress]]:
    """Serve a folder of systems in a child process; give the addresses by source, and stop it at the end.

    Raises:
        Unavailable: the servers do not come up; the hint is the end of their log.
    """
    running = Running(folder.resolve() / "running")
    running.make()
    process = launch(folder, running.log)
    try:
        yield wait_ready(running, process)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def command(folder: Path) -> list[str]:
    """Return the command that serves a folder."""
    return [sys.executable, "-m", "polyceph.testing.federation.servers", "--folder", str(folder)]


def launch(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start the servers as a child of this process."""
    with log.open("wb") as out:
        return subprocess.Popen([*command(folder), "--parent", str(os.getpid())], stdin=subprocess.DEVNULL, stdout=out, stderr=out)


def wait_ready(running: Running, process: subprocess.Popen[bytes]) -> dict[str, SourceAddress]:
    """Return the addresses as soon as the process has published them; raise `Unavailable` when it does not."""
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        found = running.read()
        if found and found["control"].environment["PID"] == str(process.pid):
            return found
        time.sleep(0.05)
    words = running.log.read_bytes()[-_SHOWN_LOG_BYTES:].decode(errors="replace").strip()
    process.terminate()
    raise Unavailable("the servers of the federation's systems do not come up", hint=words)
