"""The federation's OData, SOAP and Graph services, a lake to load them into, and a web service that answers what a test writes for it."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from polyceph.core.model.classification import Classification
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.place import Place
from polyceph.core.source_ports import Connector, Delivery, Demand, LoadReport
from polyceph.lake.engine import install_extensions
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.lake.provision import provision_lake
from polyceph.settings import LakeAddress, ObjectStorage, PostgresAddress
from polyceph.testing.federation.generate import generate
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.servers.addresses import Running, SourceAddress
from polyceph.testing.federation.servers.serving import serve

KINDS = ("odata", "soap", "graph")


@dataclass(frozen=True)
class Services:
    """The served folder and its addresses."""

    folder: Path
    addresses: dict[str, SourceAddress]

    def of(self, name: str) -> Mapping[str, str]:
        return self.addresses[name].environment

    def rows(self, path: str) -> list[dict[str, Any]]:
        """Return the rows of a file as the generator wrote them, numbers with a fraction as text."""
        return [json.loads(line, parse_float=str) for line in (self.folder / path).read_text(encoding="utf-8").splitlines()]

    def put(self, path: str, rows: list[dict[str, Any]]) -> None:
        """Write a file of rows anew; a service reads its files at each request."""
        beside = self.folder / f"{path}.new"
        beside.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        beside.replace(self.folder / path)

    def change(self, path: str, **more: Any) -> None:
        """Change keys of a service's `service.json`."""
        file = self.folder / path / "service.json"
        kept = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(kept | more))

    def copy(self, kind: str, name: str, new: str, **more: Any) -> None:
        """Serve a copy of a source, so that a test can change it; with keys of its `service.json` changed."""
        shutil.copytree(self.folder / kind / name, self.folder / kind / new)
        if more:
            self.change(f"{kind}/{new}", **more)
        control = self.of("control")
        httpx.post(f"{control['URL']}/sync", headers={"Authorization": f"Bearer {control['TOKEN']}"}, timeout=60).raise_for_status()
        self.addresses.update(Running(self.folder / "running").read() or {})


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    folder = Path(tempfile.mkdtemp(prefix="polyceph-office-"))
    try:
        whole = folder / "whole"
        generate(whole, Scenario())
        for kind in KINDS:
            shutil.copytree(whole / kind, folder / "served" / kind)
        shutil.rmtree(whole)
        with serve(folder / "served") as addresses:
            yield Services(folder / "served", dict(addresses))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Loads:
    """Loads with a connector into a lake, as the component `Ingest` does."""

    lake: DomainLake
    folder: Path

    def contract(self, *columns: Column) -> Contract:
        dataset = DatasetId("meuse", Zone.RAW, f"t_{secrets.token_hex(4)}")
        place = Place("domains/meuse/contracts/t.odcs.yaml", 7, 3)
        return Contract(dataset, dataset.name, "1.0.0", "active", "anne", "marc", Classification.INTERNAL, columns, place, "00")

    def demand(self, promise: Contract, options: Mapping[str, object]) -> Demand:
        dataset, workspace = promise.dataset, self.folder / secrets.token_hex(4)
        workspace.mkdir()
        is_loaded, last_key = (lambda key: self.lake.is_loaded(dataset, key)), (lambda origin: self.lake.last_key(dataset, origin))
        cursor = self.lake.cursor(dataset)
        return Demand(dataset, promise, options, cursor, is_loaded, workspace, self.folder, last_key=last_key, run=secrets.token_hex(4))

    def load(self, connector: Connector, promise: Contract, options: Mapping[str, object]) -> list[LoadReport]:
        return [self.keep(one, promise) for one in connector.deliveries(self.demand(promise, options))]

    def keep(self, delivery: Delivery, promise: Contract) -> LoadReport:
        return self.lake.load(delivery, promise, LakeCommit("anne.dupont", "Load", "run-1", "c0ffee", {str(promise.dataset): "1.0.0"}))

    def current(self, promise: Contract) -> list[dict[str, Any]]:
        """Return the rows that are current, in the order of the key; every row where there is no key."""
        keys = ", ".join(f'"{c.name}"' for c in promise.columns if c.primary_key)
        columns = ", ".join(f'"{c.name}"' for c in promise.columns)
        table = f"meuse.raw.{promise.dataset.name}"
        newest = f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY rowid DESC) = 1" if keys else ""
        query = f"SELECT {columns} FROM (SELECT *, rowid FROM {table} {newest}) WHERE _change IS DISTINCT FROM 'removed' ORDER BY ALL"
        return self.lake.query(query).to_pylist()

    def changes(self, promise: Contract, load: str) -> dict[str, int]:
        """Return how many rows a load added, changed and removed."""
        query = f"SELECT _change, count(*) AS n FROM meuse.raw.{promise.dataset.name} WHERE _load = ? GROUP BY ALL"
        return {row["_change"]: row["n"] for row in self.lake.query(query, [load]).to_pylist()}


@pytest.fixture(scope="session")
def lake(postgres: PostgresAddress, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DomainLake]:
    name, folder = f"office_{secrets.token_hex(4)}", tmp_path_factory.mktemp("office")
    word = "meuse's word"  # the same as other tests give this role: the server is one for all
    with psycopg.connect(postgres.url(), autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        if session.execute("SELECT FROM pg_roles WHERE rolname = 'domain_meuse'").fetchone() is None:
            session.execute(sql.SQL("CREATE ROLE domain_meuse LOGIN PASSWORD {}").format(sql.Literal(word)))
    admin, extensions = postgres.at(name), install_extensions(folder / "extensions")
    catalogue = admin.as_role("domain_meuse", SecretStr(word))
    data = str(folder / "lakes" / "meuse")
    address = LakeAddress(domain="meuse", catalogue=catalogue, metadata_schema="lake_meuse", data_path=data, storage=ObjectStorage())
    provision_lake(admin, address, {}, extensions=extensions)
    limits = EngineLimits(memory_mb=512, temporary=folder / "temporary")
    with DomainLake(address, others=[], extensions=extensions, limits=limits) as lake:
        yield lake
    with psycopg.connect(postgres.url(), autocommit=True) as session:
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def loads(lake: DomainLake, tmp_path: Path) -> Loads:
    return Loads(lake, tmp_path)


@dataclass
class Scripted:
    """A web service that answers what a test wrote for it: a fake, for what the federation's servers do not do."""

    url: str
    answers: dict[str, list[tuple[int, dict[str, str], bytes]]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    def answer(self, path: str, body: Any = b"", status: int = 200, **headers: str) -> None:
        """Write the next answer for a path, with or without a query; the last one written stays."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        self.answers.setdefault(path, []).append((status, kind, content))

    def found(self, target: str) -> tuple[int, dict[str, str], bytes]:
        written = self.answers.get(target) or self.answers.get(urlsplit(target).path) or [(404, {}, b"")]
        return written.pop(0) if len(written) > 1 else written[0]

    def asked(self, part: str) -> list[tuple[str, dict[str, str]]]:
        """Return target and headers of the requests whose target has this part."""
        return [(target, headers) for _, target, headers, _ in self.requests if part in target]


@pytest.fixture
def scripted() -> Iterator[Callable[[], Scripted]]:
    """Start scripted services on loopback."""
    servers: list[ThreadingHTTPServer] = []

    def start() -> Scripted:
        made = Scripted("")

        def answer(handler: BaseHTTPRequestHandler) -> None:
            body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
            headers = {name.casefold(): text for name, text in handler.headers.items()}
            made.requests.append((handler.command, handler.path, headers, body))
            _send(handler, *made.found(handler.path))

        members = {"do_GET": answer, "do_POST": answer, "log_message": lambda *_: None}
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (BaseHTTPRequestHandler,), members))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        made.url = f"http://127.0.0.1:{server.server_port}"
        return made

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def _send(handler: BaseHTTPRequestHandler, status: int, headers: Mapping[str, str], content: bytes) -> None:
    handler.send_response(status or 200)
    for name, text in headers.items():
        handler.send_header(name, text)
    # Status 0 is a connection that breaks in the middle of the answer.
    handler.send_header("content-length", str(len(content) + (0 if status else 100)))
    handler.end_headers()
    handler.wfile.write(content)
    handler.close_connection = handler.close_connection or not status
