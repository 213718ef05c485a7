"""spine.demo: the demo's own time and memory, from nothing: start and pipelines against the promised 240 s, all processes against 3 GiB.

Installing is not part of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import finish, progress

PROMISED_S, PROMISED_MB = 240.0, 3072


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="polyceph-bench-"))
    folder.chmod(0o711)
    try:
        progress("running the demo once")
        command = [sys.executable, "-m", "polyceph.cli", "demo", "--once", "--json", "--folder", str(folder / "demo")]
        environment = {**os.environ, "POLYCEPH_WEB__PORT": "0"}
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result = json.loads(done.stdout)
    if result["wrong"] or result["peak_mb"] > PROMISED_MB:
        raise SystemExit(f"the demo is not as promised: {result['wrong']} {result['peak_mb']} MiB")
    more = {name: result[name] for name in ("start_seconds", "seconds", "peak_mb", "datasets", "rows_by_zone", "checks")}
    medians = {"demo": round(result["start_seconds"] + result["seconds"], 1), "promised": PROMISED_S}
    finish("spine.demo", medians, ours="demo", limit="promised", allowed_ratio=1.0, more=more)


if __name__ == "__main__":
    main()
