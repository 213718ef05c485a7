"""Ends the services of a supervisor that was killed, with everything they started. The supervisor runs this file by its path.

A service is told by the kernel when its parent dies, but may take its time, and what it started is not told. The warden reads
`+PID` and `-PID` of process groups from its standard input; when that ends the supervisor is gone.
Kept free of imports beyond the standard library: it stays beside every federation and should cost next to nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable

_GRACE_S = 10.0


def main(lines: Iterable[str]) -> None:
    """Follow the groups named in `lines`; once they end, stop what is left: SIGTERM first, SIGKILL after a grace time."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in lines:
        pid = int(line[1:])
        groups.add(pid) if line.startswith("+") else groups.discard(pid)
    left = _signalled(groups, signal.SIGTERM)
    end = time.monotonic() + _GRACE_S
    while left and time.monotonic() < end:
        time.sleep(0.1)
        left = _signalled(left, 0)
    _signalled(left, signal.SIGKILL)


def _signalled(groups: set[int], number: int) -> set[int]:
    """Send a signal (0: none, only ask) to process groups and return those that exist."""
    found = set()
    for group in groups:
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            continue
        found.add(group)
    return found


if __name__ == "__main__":
    main(sys.stdin)
