"""Server programs that run as processes of their own. They end with this process, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyceph.errors import Unavailable

_PR_SET_PDEATHSIG = 1  # prctl(2)
_GRACE_SECONDS = 8.0
_SHOWN_LOG_BYTES = 2_000


@dataclass(frozen=True)
class Account:
    """The operating-system account of a child; None in both fields: the same as this process's."""

    uid: int | None = None
    gid: int | None = None

    def arguments(self) -> dict[str, object]:
        """Return what `subprocess` needs to run a child as the account."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}


@dataclass(frozen=True)
class Program:
    """A program to start. `held` is an open file that it inherits, so that a lock on it lasts as long as the program."""

    command: Sequence[str]
    folder: Path
    log: Path
    environment: Mapping[str, str]
    held: int
    account: Account = Account()


class Child:
    """A started program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        with program.log.open("wb") as log:
            arguments: dict[str, object] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "cwd": program.folder}
            # A session of its own: Ctrl-C goes to this process, which then stops its children in order.
            arguments |= {"start_new_session": True, "env": dict(program.environment), "pass_fds": (program.held,)}
            arguments |= program.account.arguments() | {"preexec_fn": _ends_with_parent()}
            self._process = subprocess.Popen(list(program.command), **arguments)  # type: ignore[call-overload]

    def check(self) -> None:
        """Raise `Unavailable`, with the end of its log, when it has ended."""
        if self._process.poll() is not None:
            raise Unavailable(f"{Path(self._program.command[0]).name} ended with {self._process.returncode}", hint=self.last_words())

    def last_words(self) -> str:
        """Return the end of its log."""
        return self._program.log.read_bytes()[-_SHOWN_LOG_BYTES:].decode(errors="replace").strip()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """Stop it: SIGTERM, and SIGKILL after a grace time."""
        self._process.terminate()
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _ends_with_parent() -> Callable[[], None]:
    # Loaded here and not in the child: between fork and exec nothing may be imported. The kernel watches the thread that forks,
    # so children are started from the main thread only.
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask
