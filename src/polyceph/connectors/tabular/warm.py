"""A warm process that forks one throw-away process for each file, so that no file waits half a second for Python's imports.

It is started without secrets, never opens a file itself, and lives as long as the thread that reads files. Its child sets itself the
limits of the job, reads one file and is gone. `python -m polyceph.connectors.tabular.warm` is the process; `run` is what asks it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyceph.hidden import Hidden

_SHOWN_BYTES = 65_536
_BROKEN = 70
"""How a child ends that raised; EX_SOFTWARE of sysexits.h."""


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, negative for a signal; whether its time was over; the end of what it said on standard error."""

    code: int
    is_late: bool
    said: str


class _Warm:
    """The process of one thread."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._owner = os.getpid()
        self._environment = dict(environment)
        command = [sys.executable, "-m", "polyceph.connectors.tabular.warm"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self._environment, cwd="/", text=True
        )

    def is_ours(self) -> bool:
        """Tell whether it was started by this very process: a fork of ours must not share its pipes."""
        return self._owner == os.getpid()

    def serves(self, environment: Mapping[str, str]) -> bool:
        """Tell whether it runs, for us, in this environment."""
        return self.is_ours() and self._environment == environment and self._process.poll() is None

    def ask(self, job: Path, seconds: float) -> dict[str, Any] | None:
        """Return the answer for a job, None when the process is gone."""
        assert self._process.stdin is not None  # noqa: S101 - opened above
        assert self._process.stdout is not None  # noqa: S101
        try:
            self._process.stdin.write(json.dumps({"job": str(job), "seconds": seconds}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            return None
        answer: dict[str, Any] | None = json.loads(line) if line else None
        return answer

    def close(self) -> None:
        """End the process and wait for it."""
        self._let_go()
        self._process.wait()

    def _let_go(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def __del__(self) -> None:
        # A thread that ends closes nothing by itself: subprocess keeps what still runs, with its pipes.
        if self.is_ours():
            self._let_go()


class _Own(threading.local):
    """The warm process of each thread: one file at a time goes through it. It ends with its thread, for then its pipes close."""

    warm: _Warm | None = None
    largest_mb: int = 0


_OWN = _Own()


def run(job: Path, seconds: float, environment: Mapping[str, str]) -> Ended:
    """Read the file of a job in a process of its own, within `seconds` by the clock, and return how that ended.

    Raises:
        OSError: no process can be started.
    """
    for _ in range(2):
        if _OWN.warm is None or not _OWN.warm.serves(environment):
            close()
            _OWN.warm = _Warm(environment)
        answer = _OWN.warm.ask(job, seconds)
        if answer is not None:
            _OWN.largest_mb = max(_OWN.largest_mb, answer["peak_mb"])
            said = job.parent / "said"
            text = said.read_bytes()[-_SHOWN_BYTES:].decode(errors="replace") if said.exists() else ""
            return Ended(answer["code"], answer["is_late"], text)
        close()
    raise OSError("the process that reads files ends at once")


def largest_mb() -> int:
    """Return the most memory, in MiB, that a process took which read a file for this thread."""
    return _OWN.largest_mb


def close() -> None:
    """End the warm process of this thread, if there is one."""
    warm, _OWN.warm = _OWN.warm, None
    if warm is not None and warm.is_ours():
        warm.close()


def serve() -> None:
    """Answer jobs from standard input, one a line, until it closes."""
    _prepare()
    # Waiting for a child with a time limit: its end must not be taken by a handler.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _work(Path(asked["job"]))
        answer = _awaited(child, asked["seconds"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _prepare() -> None:
    """Import what reading takes, before anything is read."""
    # Where pandas is installed pyarrow imports it at the first list: a tenth of a second and 50 MB that no reader of a file needs.
    sys.meta_path.insert(0, Hidden("pandas"))
    import python_calamine  # noqa: F401

    from polyceph.connectors.tabular import columnar, delimited, elements, fixed, records, sampling, workbook, worker  # noqa: F401

    gc.freeze()


def _awaited(child: int, seconds: float) -> dict[str, object]:
    is_late = signal.sigtimedwait([signal.SIGCHLD], seconds) is None
    if is_late:
        os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "is_late": is_late, "peak_mb": usage.ru_maxrss // 1024}


def _work(job: Path) -> None:
    """Do a job and end this process; what it prints goes to the file `said` beside the job."""
    code = _BROKEN
    try:
        os.chdir(job.parent)
        said, nothing = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, said), (2, said)):
            os.dup2(source, target)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        # This process is gone before garbage matters; looking for it among a million cells takes a fifth of the time.
        gc.disable()
        from polyceph.connectors.tabular.worker import main

        code = main([str(job)])
    except BaseException:  # noqa: BLE001 - the process ends here whatever it was
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
