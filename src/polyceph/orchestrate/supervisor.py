"""Starts, watches, restarts and stops the long-lived processes of a federation. Knows nothing of Dagster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from polyceph.errors import Unavailable
from polyceph.logs import log

_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _STEADY_S = 0.5, 30.0, 60.0
_GRACE_S = 10.0
_MEASURED_S = 3.0
"""Between two looks at the memory: the kernel adds up every page of every process, a fifth of a core when it is asked twice a second."""
_SHOWN_LOG_LINES = 15
_LONGEST_LOG = 10_000_000


@dataclass(frozen=True)
class Service:
    """One process to keep alive. `is_ready` is asked until it says yes; `memory_mb` limits the data of each process it becomes.

    `rules` is the file of its confinement (see `confinement`); None leaves it free.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    folder: Path
    is_ready: Callable[[], bool]
    memory_mb: int = 0
    rules: Path | None = None


@dataclass
class _Kept:
    service: Service
    process: subprocess.Popen[bytes]
    started: float
    restarts: int = 0
    pause: float = _FIRST_PAUSE_S
    next_start: float = field(default=0.0)


class Supervisor:
    """Keeps services running until `stop`; one thread looks after all of them."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self._warden: subprocess.Popen[bytes] | None = None
        self.peak_bytes = 0

    def start(self, service: Service) -> None:
        """Start a service; it is restarted with growing pauses whenever it ends by itself."""
        with self._lock:
            self._kept[service.name] = _Kept(service, self._guarded(service), time.monotonic())
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
                self._watcher.start()

    def wait_ready(self, name: str, *, seconds: float = 120.0) -> None:
        """Wait until the service says it is ready; raise `Unavailable` with the end of its log when it does not."""
        kept = self._kept[name]
        service = kept.service
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            # Another program may answer at the same address, so our own process must live as well.
            if kept.process.poll() is None and service.is_ready():
                return
            time.sleep(0.1)
        raise Unavailable(f"{name} is not ready after {seconds:.0f} s", hint=f"end of {service.log}:\n{last_lines(service.log)}")

    def status(self) -> dict[str, dict[str, object]]:
        """Return pid, liveness and restarts by service name."""
        with self._lock:
            return {
                name: {"pid": kept.process.pid, "alive": kept.process.poll() is None, "restarts": kept.restarts}
                for name, kept in self._kept.items()
            }

    def stop(self) -> None:
        """Stop all services, last started first: SIGTERM to the group, SIGKILL to what is left after a grace time."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join(timeout=5)
        with self._lock:
            kept = list(self._kept.values())[::-1]
            for one in kept:
                _signal_group(one.process, signal.SIGTERM)
            end = time.monotonic() + _GRACE_S
            for one in kept:
                try:
                    one.process.wait(timeout=max(0.1, end - time.monotonic()))
                except subprocess.TimeoutExpired:
                    log.warning("%s did not stop in time and is killed", one.service.name)
            for one in kept:
                _signal_group(one.process, signal.SIGKILL)
                one.process.wait()
            self._kept.clear()
            if self._warden is not None:
                self._warden.communicate()  # its input ends, and it finds nothing left to end

    def _guarded(self, service: Service) -> subprocess.Popen[bytes]:
        """Start a process that the warden ends, with all it started, should this process be killed."""
        if self._warden is None or self._warden.poll() is not None:
            command = [sys.executable, "-I", str(Path(__file__).with_name("warden.py"))]
            self._warden = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
            for kept in self._kept.values():
                self._tell_warden(f"+{kept.process.pid}")
        process = _spawn(service)
        self._tell_warden(f"+{process.pid}")
        return process

    def _tell_warden(self, line: str) -> None:
        if self._warden is not None and self._warden.stdin is not None:
            with suppress(BrokenPipeError):  # somebody killed it: the next start of a service makes a new one
                self._warden.stdin.write(line.encode() + b"\n")
                self._warden.stdin.flush()

    def _watch(self) -> None:
        measured = 0.0
        while not self._stopping.wait(0.5):
            with self._lock:
                for kept in self._kept.values():
                    self._look_after(kept)
            if time.monotonic() - measured > _MEASURED_S:
                self.peak_bytes = max(self.peak_bytes, tree_bytes(os.getpid()))
                measured = time.monotonic()

    def _look_after(self, kept: _Kept) -> None:
        now = time.monotonic()
        if kept.process.poll() is None:
            if now - kept.started > _STEADY_S:
                kept.pause = _FIRST_PAUSE_S
            return
        if not kept.next_start:
            self._tell_warden(f"-{kept.process.pid}")
            log.warning("%s ended with %s; next start in %.1f s", kept.service.name, kept.process.returncode, kept.pause)
            kept.next_start = now + kept.pause
            kept.pause = min(kept.pause * 2, _LONGEST_PAUSE_S)
        elif now >= kept.next_start:
            kept.process, kept.started, kept.next_start = self._guarded(kept.service), now, 0.0
            kept.restarts += 1


def tree_bytes(root: int) -> int:
    """Return the proportional set size of a process and all below it, in bytes: shared pages count once."""
    total = 0
    try:
        processes = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            total += _pss_bytes(process.pid)
        except OSError:
            continue
    return total


def _pss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def last_lines(path: Path) -> str:
    """Return the last lines of a log, or a word that there is none."""
    if not path.exists():
        return "(no log was written)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-_SHOWN_LOG_LINES:])


def _spawn(service: Service) -> subprocess.Popen[bytes]:
    service.log.parent.mkdir(parents=True, exist_ok=True)
    if service.log.exists() and service.log.stat().st_size > _LONGEST_LOG:
        service.log.replace(service.log.with_suffix(".old.log"))
    limits = (str(service.memory_mb), str(os.getpid()), str(service.rules or ""))
    wrapped = [sys.executable, "-I", str(Path(__file__).with_name("child.py")), *limits, *service.command]
    with service.log.open("ab") as out:
        return subprocess.Popen(
            wrapped,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=dict(service.environment),
            cwd=service.folder,
            start_new_session=True,
        )


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
