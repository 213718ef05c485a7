"""spine.definitions: 1,000 datasets with contracts in one code location, against 1,000 plain `@asset`, in fresh processes.

Time is process time (user and system) from the interpreter's start to loaded definitions, memory the highest resident set.
"ours" is a warm start: contracts are unchanged since the last one, as at every run of the location; "cold" reads them all.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import finish, progress

DATASETS, COLUMNS, REPEATS = 1_000, 10, 3

_PLAIN = """
import dagster as dg
def made(number):
    @dg.asset(name=f"dataset_{number:04}", key_prefix=["wide", "raw"])
    def load(): ...
    return load
dg.Definitions(assets=[made(n) for n in range(%d)]).get_repository_def().load_all_definitions()
"""
_FOLDERS = """
import importlib, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from dagster.components.core.component_tree import ComponentTree
tree = ComponentTree.from_module(defs_module=importlib.import_module("folders.defs"), project_root=Path(sys.argv[1]) / "folders")
tree.build_defs().get_repository_def().load_all_definitions()
"""
_OURS = "from polyceph.orchestrate.preflight import load_here; load_here()"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="polyceph-bench-") as folder:
        federation, folders = Path(folder, "federation"), Path(folder, "plain")
        _write_federation(federation)
        _write_folders(folders / "folders")
        cold = _ours(federation)
        progress(f"cold start of ours: {cold[0]:.2f} s, {cold[1]} MB")
        ours, limit = [], []
        for number in range(REPEATS):
            limit.append(_measured(["-c", _PLAIN % DATASETS], {}))
            ours.append(_ours(federation))
            progress(
                f"round {number + 1}/{REPEATS} ours {ours[-1][0]:.2f} s {ours[-1][1]} MB, plain {limit[-1][0]:.2f} s {limit[-1][1]} MB"
            )
        peer = _measured(["-c", _FOLDERS, str(folders)], {})
    medians = {"ours": _median(ours, 0), "plain": _median(limit, 0), "a folder with a defs.yaml each": peer[0]}
    ours_mb, limit_mb = _median(ours, 1), _median(limit, 1)
    more = {"ours_mb": ours_mb, "limit_mb": limit_mb, "ratio_of_memory": round(ours_mb / limit_mb, 3), "cold_s": round(cold[0], 3)}
    finish("spine.definitions", medians, ours="ours", limit="plain", allowed_ratio=2.0, more=more)


def _median(pairs: list[tuple[float, int]], number: int) -> float:
    return statistics.median(pair[number] for pair in pairs)


def _ours(federation: Path) -> tuple[float, int]:
    own = {"NAME": "wide", "HOST": "127.0.0.1", "PORT": "1", "USER": "domain_wide", "PASSWORD": "not-used"}
    environment = {f"POLYCEPH_DOMAIN__{k}": v for k, v in own.items()}
    return _measured(["-c", _OURS], environment | {"POLYCEPH_FEDERATION": str(federation)})


def _measured(arguments: list[str], environment: dict[str, str]) -> tuple[float, int]:
    """Return process time in seconds and peak memory in MB of one Python process."""
    # The kernel's highest resident set of a child begins with that of its parent, so the child reads its own from the kernel.
    code = arguments[1] + '\nprint([line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1])'
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments[2:]]
    child = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    printed, said = child.stdout.read() if child.stdout else "", child.stderr.read() if child.stderr else ""
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"the process to measure failed:\n{said[-3000:]}")
    return used.ru_utime + used.ru_stime, int(printed.split()[-1]) // 1024


def _write_federation(folder: Path) -> None:
    domain = folder / "domains" / "wide"
    (domain / "contracts").mkdir(parents=True)
    (domain / "defs" / "register").mkdir(parents=True)
    (folder / "federation.yaml").write_text(
        "name: bench\ntitle: {en: Bench}\nlanguages: [en]\nenvironments:\n  dev: {storage: .polyceph/lakes}\n"
        "channels:\n  stewards: {kind: ntfy, target_env: NTFY}\n"
        "people:\n  ann.lee: {name: Ann Lee, email: ann.lee@example.org}\n  bob.ray: {name: Bob Ray, email: bob.ray@example.org}\n"
    )
    (domain / "domain.yaml").write_text(
        "name: wide\ntitle: {en: Wide}\nowner: ann.lee\nsteward: bob.ray\ncontact: stewards\nsources:\n  register:\n"
        "    connector: postgres\n    host: 127.0.0.1\n    database: x\n    user: y\n    password_env: REGISTER_PASSWORD\n"
    )
    lines = ["type: polyceph.orchestrate.components.Ingest", "attributes:", "  source: register", "  datasets:"]
    for number in range(DATASETS):
        name = f"dataset_{number:04}"
        lines.append(f"    - {{name: {name}, table: public.{name}}}")
        (domain / "contracts" / f"{name}.odcs.yaml").write_text(_contract(name))
    (domain / "defs" / "register" / "defs.yaml").write_text("\n".join(lines) + "\n")


def _contract(name: str) -> str:
    columns = "".join(f"      - {{name: column_{n}, logicalType: string, description: Column number {n}.}}\n" for n in range(COLUMNS))
    return (
        f"apiVersion: v3.1.0\nkind: DataContract\nid: wide.{name}\nname: {name}\nversion: 1.0.0\nstatus: active\ndomain: wide\n"
        "description: {purpose: A dataset of the bench.}\n"
        "team:\n  members:\n    - {username: ann.lee, role: owner}\n    - {username: bob.ray, role: steward}\n"
        "customProperties:\n  - {property: zone, value: raw}\n  - {property: classification, value: internal}\n"
        f"schema:\n  - name: {name}\n    logicalType: object\n    properties:\n{columns}"
    )


def _write_folders(folder: Path) -> None:
    """Write the peer: Dagster's own way, a folder with a `defs.yaml` per dataset and a component of a few lines."""
    (folder / "defs").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "plain.py").write_text(
        "import dagster as dg\n\n\nclass One(dg.Component, dg.Model, dg.Resolvable):\n    name: str\n\n"
        "    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:\n"
        '        @dg.asset(name=self.name, key_prefix=["wide", "raw"])\n        def load() -> None: ...\n\n'
        "        return dg.Definitions(assets=[load])\n"
    )
    for number in range(DATASETS):
        name = f"dataset_{number:04}"
        (folder / "defs" / name).mkdir()
        (folder / "defs" / name / "defs.yaml").write_text(f"type: folders.plain.One\nattributes:\n  name: {name}\n")


if __name__ == "__main__":
    main()
