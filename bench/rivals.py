"""Other loaders to compare with, each in an environment of its own (requirements/peers), run as a whole process."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness import progress

ROOT = Path(__file__).resolve().parent.parent
_PEERS = ROOT / ".peers"


def dlt(source: str, table: str, *, backend: str, catalogue: str, folder: Path, extensions: Path) -> None:
    """Load a table into a DuckLake with dlt; `extensions` is where DuckDB's extensions stand, for nothing is downloaded here."""
    home = folder / "home"
    (home / ".duckdb").mkdir(parents=True, exist_ok=True)
    link = home / ".duckdb" / "extensions"
    if not link.exists():
        link.symlink_to(extensions)
    script = ROOT / "bench" / "peers" / "dlt_load.py"
    command = [str(_environment("dlt") / "bin" / "python"), str(script), source, table, backend, catalogue, str(folder)]
    _run(command, {"HOME": str(home), "RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(folder / "dlt")})


def ingestr(source: str, table: str, *, folder: Path) -> None:
    """Load a table into a DuckDB file with ingestr, which knows no DuckLake."""
    command = [str(_environment("ingestr") / "bin" / "ingestr"), "ingest", "--yes", "--progress", "log"]
    command += [
        "--source-uri",
        source,
        "--source-table",
        table,
        "--dest-uri",
        f"duckdb:///{folder}/ingestr.duckdb",
        "--dest-table",
        "main.rows",
    ]
    _run(command, {"HOME": str(folder), "DISABLE_TELEMETRY": "true"})


def sling(source: str, table: str, *, folder: Path) -> None:
    """Load a table into a CSV file with sling, which would download a DuckDB for Parquet; `source` says that nothing is encrypted."""
    program = next((_environment("sling") / "lib").glob("python*/site-packages/sling_linux_amd64/bin/sling-linux-amd64"))
    program.chmod(0o755)
    command = [
        str(program),
        "run",
        "--src-conn",
        source,
        "--src-stream",
        table,
        "--tgt-object",
        f"file://{folder}/sling.csv",
    ]
    _run(command, {"HOME": str(folder), "SLING_HOME_DIR": str(folder / "sling"), "SLING_DISABLE_TELEMETRY": "true"})


def _environment(name: str) -> Path:
    """Return a peer's environment, made from its lock at first use."""
    folder, lock = _PEERS / name, ROOT / "requirements" / "peers" / f"{name}.txt"
    stamp = folder / "lock"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        progress(f"installing {name}")
        uv = shutil.which("uv", path=f"{ROOT}/.venv/bin:{ROOT}/.venv/.uv/bin:{os.environ['PATH']}") or "uv"
        subprocess.run([uv, "venv", "--quiet", "--clear", str(folder)], check=True)
        sync = [uv, "pip", "sync", "--quiet", "--require-hashes", str(lock)]
        subprocess.run(sync, check=True, env={**os.environ, "VIRTUAL_ENV": str(folder)})
        stamp.write_bytes(lock.read_bytes())
    return folder


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{Path(command[0]).name} failed:\n{(done.stdout + done.stderr)[-3000:]}")
