"""federation.generate: writing the synthetic federation, scale 1 against the promised 30 s, and scale 50 beside it; seconds and memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import finish, progress

PROMISED_S = 30.0


def main() -> None:
    found = {scale: _measured(scale) for scale in (1, 50)}
    more = {"scale_50_seconds": found[50][0], "scale_1_peak_mb": found[1][1], "scale_50_peak_mb": found[50][1]}
    medians = {"scale 1": found[1][0], "promised": PROMISED_S}
    finish("federation.generate", medians, ours="scale 1", limit="promised", allowed_ratio=1.0, more=more)


def _measured(scale: int) -> tuple[float, int]:
    """Return seconds and peak memory in MB of a process that generates one scale."""
    progress(f"generating scale {scale}")
    with tempfile.TemporaryDirectory(prefix="polyceph-bench-") as folder:
        began = time.monotonic()
        done = subprocess.run([sys.executable, __file__, str(scale), folder], stdout=subprocess.PIPE, text=True, check=True, env=os.environ)
        return round(time.monotonic() - began, 1), int(done.stdout)


def _generate(scale: int, folder: Path) -> None:
    from polyceph.testing.federation.generate import generate
    from polyceph.testing.federation.scenario import Scenario

    generate(folder, Scenario(scale=scale))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


if __name__ == "__main__":
    main() if len(sys.argv) == 1 else _generate(int(sys.argv[1]), Path(sys.argv[2]))
