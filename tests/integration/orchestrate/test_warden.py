"""What a killed supervisor leaves behind is ended, however deaf it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

DEAF = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]])
print("ready", flush=True)
time.sleep(600)
"""
PROGRAM = """
import os, sys, time
from pathlib import Path
from polyceph.orchestrate.supervisor import Service, Supervisor
folder, how, deaf = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
log = folder / "deaf.log"
command = (sys.executable, "-c", deaf, str(folder))
supervisor = Supervisor()
supervisor.start(Service("deaf", command, dict(os.environ), log, folder, lambda: "ready" in log.read_text()))
supervisor.wait_ready("deaf")
print("up", flush=True)
if how == "stop":
    supervisor.stop()
else:
    time.sleep(600)
"""


def running(word: str) -> list[str]:
    lines = [(process.pid, " ".join(process.info["cmdline"] or [])) for process in psutil.process_iter(["cmdline"])]
    return [line for pid, line in lines if word in line and pid != os.getpid()]


def start(folder: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), how, DEAF], stdout=subprocess.PIPE, text=True)


def wait_until_gone(folder: Path, seconds: float) -> list[str]:
    end = time.monotonic() + seconds
    while (left := running(str(folder))) and time.monotonic() < end:
        time.sleep(0.1)
    return left


def test_a_deaf_service_and_its_child_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    supervisor = start(tmp_path, "stay")
    assert supervisor.stdout
    assert supervisor.stdout.readline() == "up\n"
    assert len(running(str(tmp_path))) == 3
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    assert wait_until_gone(tmp_path, 20) == []


def test_a_supervisor_that_stops_leaves_nothing_and_no_warden(tmp_path: Path) -> None:
    before = running("warden.py")
    supervisor = start(tmp_path, "stop")
    assert supervisor.wait(40) == 0
    assert wait_until_gone(tmp_path, 1) == []
    assert len(running("warden.py")) <= len(before)
