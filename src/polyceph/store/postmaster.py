"""The server process itself: launching it, finding one that runs, waiting for it, ending it."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from polyceph.errors import Unavailable
from polyceph.store.programs import Account

READY_SECONDS = 120.0
"""Recovery after a crash replays up to a checkpoint's worth of changes before the server is ready."""

_GRACE_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1  # prctl(2)
_KEPT_LOG_BYTES = 10_000_000
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # A statement or an error's detail may hold a person's data: neither goes to the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
_UNSAFE_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class Refusal:
    """Why a server did not come up: the end of its log."""

    text: str

    @property
    def port_is_taken(self) -> bool:
        """Tell whether another process holds the port."""
        return "could not bind" in self.text or "could not create any TCP/IP sockets" in self.text

    @property
    def is_passing(self) -> bool:
        """Tell whether another try may succeed: the remains of a killed server are going away, or another port is free."""
        return self.port_is_taken or "pre-existing shared memory block" in self.text or "lock file" in self.text


class Postmaster:
    """A running server process on a data folder. `process` is given when this object's maker is its parent."""

    def __init__(self, data: Path, pid: int, process: subprocess.Popen[bytes] | None = None) -> None:
        self.data = data
        self.pid = pid
        self._process = process

    @classmethod
    def find(cls, data: Path) -> Self | None:
        """Return the server that runs on the data folder, also while it starts or stops."""
        pid = _pid(data)
        if pid is None or not _runs_in(pid, data):
            return None
        return cls(data, pid)

    @staticmethod
    def clear_remains(data: Path, *, seconds: float = 20.0) -> None:
        """Wait until a killed server's sessions are gone; end them when they are still busy after a second: nobody gets their answer.

        They hold its shared memory, and no server starts beside them. The file of a dead server whose number now belongs to
        another process is removed, only when nothing runs in the data folder any more.

        Raises:
            Unavailable: they do not go away.
        """
        begin = time.monotonic()
        while left := _processes_in(data):
            waited = time.monotonic() - begin
            if waited > seconds:
                numbers = ", ".join(str(p.pid) for p in left)
                raise Unavailable(f"processes {numbers} of a killed server still use {data}", hint="end them, then start again")
            for process in left if waited > _GRACE_SECONDS else []:
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGQUIT)
            time.sleep(0.05)
        pid = _pid(data)
        if pid is not None and psutil.pid_exists(pid):
            (data / "postmaster.pid").unlink(missing_ok=True)

    def wait_until_ready(self) -> bool:
        """Wait for a server that starts; return False when it is gone, which a stopping server soon is.

        Raises:
            Unavailable: neither happens within `READY_SECONDS`.
        """
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                return False
            if self._process is None and not _runs_in(self.pid, self.data):
                return False
            lines = _lock_file(self.data)
            if len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready":
                return True
            time.sleep(0.02)
        raise Unavailable(f"the PostgreSQL server {self.pid} of {self.data} is neither ready nor gone after {READY_SECONDS:.0f} s")

    def port(self) -> int:
        """Return the port it listens on."""
        lines = _lock_file(self.data)
        if len(lines) < 4:
            raise Unavailable(f"the PostgreSQL server of {self.data} is just starting or stopping", hint="try again")
        return int(lines[3])

    def stop(self) -> None:
        """End all sessions and write everything (fast mode); after a minute stop at once, which the next start repairs.

        Raises:
            Unavailable: it is still there.
        """
        for number, seconds in ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0)):
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
            if self.is_gone_within(seconds):
                return
        raise Unavailable(f"the PostgreSQL server {self.pid} of {self.data} does not stop")

    def is_gone_within(self, seconds: float) -> bool:
        """Wait at most so long for the server's end and tell whether it came."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                return True
            if self._process is None and not _runs_in(self.pid, self.data):
                return True
            time.sleep(0.02)
        return False


@dataclass(frozen=True)
class Launch:
    """All that is needed to launch a server except its port."""

    programs: Path
    account: Account
    home: Path
    socket: Path
    fsync: bool
    stop_with_parent: bool

    @property
    def log(self) -> Path:
        """The file that holds what the server says."""
        return self.home / "server.log"

    def start(self, port: int) -> Postmaster | Refusal:
        """Launch the server and wait until it is ready or has given up."""
        self._turn_log()
        handle = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(handle, "ab") as log:
            begin = log.seek(0, os.SEEK_END)
            process = self._spawn(port, log.fileno())
        server = Postmaster(self.home / "data", process.pid, process)
        if server.wait_until_ready():
            return server
        with self.log.open("rb") as written:
            written.seek(begin)
            return Refusal(written.read()[-2000:].decode(errors="replace").strip())

    def _spawn(self, port: int, log: int) -> subprocess.Popen[bytes]:
        # The kernel's promise is about the thread that forks, not about its process (prctl(2)).
        is_watched = self.stop_with_parent and threading.current_thread() is threading.main_thread()
        settings = _SETTINGS | ({} if self.fsync else _UNSAFE_SETTINGS)
        command = [str(self.programs / "postgres"), "-D", str(self.home / "data"), "-p", str(port), "-k", str(self.socket)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        arguments: dict[str, object] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "cwd": self.home}
        # A session of its own: Ctrl-C in the terminal must not stop the store before those who write to it.
        arguments |= {"start_new_session": True, "env": {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}}
        arguments |= self.account.options() | ({"preexec_fn": _ends_with_parent()} if is_watched else {})
        return subprocess.Popen(command, **arguments)  # type: ignore[call-overload, no-any-return]

    def _turn_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > _KEPT_LOG_BYTES:
            self.log.rename(self.log.with_name("server.log.1"))


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ends_with_parent() -> Callable[[], None]:
    # Loaded here and not in the child: between fork and exec nothing may be imported or allocated for long.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _lock_file(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _pid(data: Path) -> int | None:
    lines = _lock_file(data)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _runs_in(pid: int, data: Path) -> bool:
    """Tell whether the process lives and works in the data folder: a number alone may belong to somebody else by now."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == data.resolve()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _processes_in(data: Path) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["name"]) if p.info["name"] == "postgres" and _runs_in(p.pid, data)]
