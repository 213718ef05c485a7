"""Stopping the services of a federation: what is done to the process that stops them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from polyceph.orchestrate.services import _undisturbed

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def test_a_second_interruption_does_not_break_a_stop_and_whatever_starts_then_can_be_stopped() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    with _undisturbed():
        for number in SIGNALS:
            os.kill(os.getpid(), number)
    assert {number: signal.getsignal(number) for number in SIGNALS} == before
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        child.terminate()
        assert child.wait(timeout=10) == -signal.SIGTERM
