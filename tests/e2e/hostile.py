"""Code of a domain that tries to reach what is not its own; each attempt says what it got. Put into a domain's `defs` by a test."""

import ctypes
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import psycopg
import pyarrow as pa

from polyceph.orchestrate.resources import Lake

_STATE = Path(os.environ["POLYCEPH_HOME"])
_FEDERATION = Path(os.environ["POLYCEPH_FEDERATION"])
_PLACES = Path(os.environ["TMPDIR"]).parents[1]
_PTRACE_ATTACH = 16


def _attempt(what: Callable[[], Any]) -> str:
    try:
        return f"GOT {what()!r}"[:200]
    except Exception as error:  # noqa: BLE001  whatever refuses it
        cause = error.__cause__ or error
        return f"refused: {type(cause).__name__}: {cause}"[:400]


def _read(path: Path) -> str:
    return path.read_bytes()[:40].decode("latin-1")


def _write(path: Path) -> str:
    path.write_text("from the spy")
    return "written"


def _environments_of_others() -> list[str]:
    """Return the domains, or the commands, of all processes whose environment can be read."""
    found = set()
    for name in sorted(Path("/proc").glob("[0-9]*/environ")):
        try:
            told = dict(one.partition("=")[::2] for one in name.read_text(errors="replace").split("\0"))
        except OSError:
            continue
        found.add(told.get("POLYCEPH_DOMAIN__NAME", f"process {name}"))
    return sorted(found)


def _own_key() -> str:
    """Return the key of this domain's own code server: from the environment it was started with."""
    for name in sorted(Path("/proc").glob("[0-9]*/environ")):
        try:
            for one in name.read_text(errors="replace").split("\0"):
                if one.startswith("POLYCEPH_CODE_SERVER_KEY="):
                    return one.partition("=")[2]
        except OSError:
            continue
    return "unknown"


def _ask_code_server(method: str, metadata: list[tuple[str, str]]) -> Any:
    from dagster._grpc.client import DagsterGrpcClient

    client = DagsterGrpcClient(socket=str(_PLACES / "victim" / "socket"), metadata=metadata)
    return client.ping("hello") if method == "ping" else getattr(client, method)()


def _ask_platform(headers: str) -> str:
    with socket.socket(socket.AF_UNIX) as way:
        way.connect(str(_PLACES.parent / "platform.socket"))
        way.sendall(f"GET /dagster/graphql?query={{version}} HTTP/1.0\r\nHost: platform\r\n{headers}\r\n".encode())
        status = way.recv(4096).decode().splitlines()[0]
    if "403" in status:
        raise PermissionError(status)
    return status


def _enter(database: str, user: str, word: str) -> str:
    server = {"host": os.environ["POLYCEPH_DOMAIN__HOST"], "port": os.environ["POLYCEPH_DOMAIN__PORT"]}
    with psycopg.connect(**server, dbname=database, user=user, password=word, connect_timeout=10) as session:
        return str(session.execute("SELECT count(*) FROM events").fetchone())


def _enter_lake_of_victim() -> str:
    own, word = os.environ["POLYCEPH_DOMAIN__USER"], os.environ["POLYCEPH_DOMAIN__PASSWORD"]
    server = {"host": os.environ["POLYCEPH_DOMAIN__HOST"], "port": os.environ["POLYCEPH_DOMAIN__PORT"]}
    with psycopg.connect(**server, dbname="polyceph_lake", user=own, password=word) as session:
        told = session.execute("SELECT table_name FROM lake_victim.ducklake_table").fetchall()
    if ("secret",) in told:
        return str(told)
    raise PermissionError(f"the catalogue tells of {told} only")


def _trace(pid: int) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(_PTRACE_ATTACH, pid, None, None) < 0:
        raise PermissionError(os.strerror(ctypes.get_errno()))
    return "attached"


def _pid_of_victim() -> int:
    for name in sorted(Path("/proc").glob("[0-9]*/cmdline")):
        if f"{_PLACES}/victim/socket" in name.read_text(errors="replace"):
            return int(name.parent.name)
    raise LookupError("the victim's code server is not found")


def _attempts() -> dict[str, str]:
    victim, own_key = _pid_of_victim(), [("polyceph-code-server-key", _own_key())]
    role = os.environ["POLYCEPH_DOMAIN__USER"], os.environ["POLYCEPH_DOMAIN__PASSWORD"]
    dagster = os.environ["DAGSTER_PG_USER"], os.environ["DAGSTER_PG_PASSWORD"]
    told = json.loads(Path(__file__).with_name("targets.json").read_text())
    reads = {f"read {path}": _attempt(lambda path=path: _read(Path(path))) for path in told["read"]}
    writes = {f"write {path}": _attempt(lambda path=path: _write(Path(path))) for path in told["write"]}
    lists = {f"list {path}": _attempt(lambda path=path: sorted(Path(path).iterdir())) for path in told["list"]}
    return {
        **reads,
        **writes,
        **lists,
        "duckdb": _attempt(lambda: duckdb.sql(f"SELECT count(*) FROM read_parquet('{told['parquet']}')").fetchone()),
        "environment of the victim": _attempt(lambda: _read(Path(f"/proc/{victim}/environ"))),
        "memory of the victim": _attempt(lambda: _read(Path(f"/proc/{victim}/mem"))),
        "files of the victim": _attempt(lambda: sorted((Path(f"/proc/{victim}/root") / "root").iterdir())),
        "signal": _attempt(lambda: os.kill(victim, 0)),
        "trace": _attempt(lambda: _trace(victim)),
        "ping": _attempt(lambda: _ask_code_server("ping", [])),
        "ping with its own key": _attempt(lambda: _ask_code_server("ping", own_key)),
        "repositories": _attempt(lambda: _ask_code_server("list_repositories", own_key)),
        "shut down": _attempt(lambda: _ask_code_server("shutdown_server", own_key)),
        "health": _attempt(_health),
        "platform": _attempt(lambda: _ask_platform("")),
        "platform with its own key": _attempt(lambda: _ask_platform(f"polyceph-platform-key: {own_key[0][1]}\r\n")),
        "store as the domain": _attempt(lambda: _enter("polyceph", *role)),
        "store as Dagster": _attempt(lambda: _enter("polyceph", *dagster)),
        "catalogue of the victim": _attempt(_enter_lake_of_victim),
    }


def _health() -> str:
    from dagster._grpc.client import DagsterGrpcClient

    said = DagsterGrpcClient(socket=str(_PLACES / "victim" / "socket")).health_check_query()
    if said == 0:  # Dagster's word for every error
        raise PermissionError(said)
    return str(said)


@dg.asset(key=["spy", "silver", "loot"])
def loot(lake: Lake) -> dg.MaterializeResult[Any]:
    """Try everything, keep what came of it, and do some honest work."""
    found = {"attempts": _attempts(), "environments": _environments_of_others(), "own key": _own_key()}
    (_FEDERATION / "domains" / "spy" / "found.json").write_text(json.dumps(found))
    shared = lake.query("SELECT n FROM victim.gold.shared", purpose="a test").to_arrow()
    return lake.replace("silver.loot", pa.table({"n": shared["n"]}))
