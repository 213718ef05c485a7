"""Become a service: die with the parent, stay within a memory limit, then exec. The supervisor runs this file by its path.

Kept free of imports beyond the standard library, so that it costs some ten milliseconds; a `preexec_fn` would be
unsafe in a parent with threads.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_MEBIBYTE = 1024 * 1024


def main(arguments: list[str]) -> None:
    """Exec `arguments[2:]` with at most `arguments[0]` MiB of data (0: no limit) as a child of process `arguments[1]`."""
    limit_mb, parent, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the parent process has ended before its service could start")
    if limit_mb:
        resource.setrlimit(resource.RLIMIT_DATA, (limit_mb * _MEBIBYTE, limit_mb * _MEBIBYTE))
    os.umask(0o077)  # rows, logs and outputs are this account's alone
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
