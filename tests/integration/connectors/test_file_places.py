"""Places of the connector `files` on real servers: FTP, FTPS, SFTP, HTTP, S3, Azure; waiting, archive and quarantine."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import asyncssh
import boto3
import pyarrow as pa
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto.server import ThreadedMotoServer
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.ioloop import IOLoop
from pyftpdlib.servers import FTPServer

from polyceph.connectors.files import FilesConnector
from polyceph.connectors.files_places import refused
from polyceph.core.model.classification import Classification
from polyceph.core.model.place import Place
from polyceph.errors import Denied, Invalid, Misconfigured, NotFound, PolycephError, Unavailable
from polyceph.sdk import Column, Contract, DatasetId, Delivery, Demand, LoadMode, Zone

DATASET = DatasetId("education", Zone.RAW, "pupils")
COLUMNS = (Column("code", "string"), Column("pupils", "integer"))
CSV = "code;pupils\n00123;56\n"
WORD = "very-secret-word"


class Loads:
    """What a lake would remember: each delivery counts as loaded when the next is asked for, as `Ingest` does it."""

    def __init__(self, folder: Path, source: dict[str, object]) -> None:
        self.folder, self.source = folder, source
        self.keys: set[str] = set()
        self.last: dict[str, str] = {}
        self.cursor: str | None = None

    def deliveries(self, options: dict[str, object], columns: tuple[Column, ...] = COLUMNS) -> Iterator[Delivery]:
        place = Place("domains/education/contracts/pupils.odcs.yaml")
        contract = Contract(DATASET, "1", "1.0.0", "active", "a", "b", Classification.INTERNAL, columns, place, "0" * 64)
        workspace = Path(tempfile.mkdtemp(dir=self.folder, prefix=".workspace-"))
        demand = Demand(DATASET, contract, options, self.cursor, self.keys.__contains__, workspace, self.folder, self.last.get)
        source = FilesConnector.source_options.model_validate(self.source)
        return FilesConnector(source, base=self.folder).deliveries(demand)

    def run(self, options: dict[str, object], columns: tuple[Column, ...] = COLUMNS) -> list[Delivery]:
        found = []
        for delivery in self.deliveries(options, columns):
            self.commit(delivery)
            found.append(delivery)
        return found

    def commit(self, delivery: Delivery) -> None:
        assert delivery.key not in self.keys
        self.keys.add(delivery.key)
        self.last[delivery.origin] = delivery.key
        self.cursor = delivery.cursor or self.cursor


def refusal(load: Callable[[], object]) -> PolycephError:
    with pytest.raises(PolycephError) as caught:
        load()
    assert WORD not in str(caught.value)
    return caught.value


def rows(delivery: Delivery) -> list[dict[str, Any]]:
    return pa.RecordBatchReader.from_stream(delivery.rows).read_all().to_pylist()


def notes(delivery: Delivery) -> dict[str, str | None]:
    return {note.subject: note.value for note in delivery.notes}


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROP_USER", "anne")
    monkeypatch.setenv("DROP_PASSWORD", WORD)
    monkeypatch.setenv("DROP_WRONG", "another-word")


SIGN_IN = {"key_env": "DROP_USER", "secret_env": "DROP_PASSWORD"}
WRONG = {"key_env": "DROP_USER", "secret_env": "DROP_WRONG"}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """What a server serves."""
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def put(store: Path, name: str, text: str = CSV, *, age_s: float = 3600) -> Path:
    path = store / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    moment = time.time() - age_s
    os.utime(path, (moment, moment))
    return path


# A folder: waiting, archive, quarantine


def test_a_young_file_waits_for_the_next_load_and_the_others_say_so(tmp_path: Path, store: Path) -> None:
    put(store, "old.csv")
    put(store, "new.csv", CSV + "x;1\n", age_s=1)
    loads = Loads(tmp_path, {"folder": "store"})
    [old] = loads.run({"path": "*.csv", "stable_s": 600})
    assert old.origin == "old.csv"
    assert notes(old)["waiting"] == "new.csv"
    assert notes(old)["arrival"].startswith(str(datetime.now(UTC).year))
    assert loads.run({"path": "*.csv", "stable_s": 600}) == []
    put(store, "new.csv", CSV + "x;1\n", age_s=700)
    assert [d.origin for d in loads.run({"path": "*.csv", "stable_s": 600})] == ["new.csv"]
    put(store, "alone.csv", age_s=0)
    assert Loads(tmp_path, {"folder": "store"}).run({"path": "alone.csv", "stable_s": 60}) == []


def test_a_loaded_file_is_archived_only_when_the_next_is_asked_for(tmp_path: Path, store: Path) -> None:
    put(store, "in/a.csv")
    put(store, "in/b.csv", CSV + "x;1\n", age_s=60)
    options = {"path": "**/*.csv", "archive": "done"}
    loads = Loads(tmp_path, {"folder": "store"})
    asked = loads.deliveries(options)
    first = next(asked)
    assert first.origin == "in/a.csv"
    assert (store / "in/a.csv").exists()  # not committed yet
    loads.commit(first)
    second = next(asked)
    assert (store / "done/in/a.csv").read_text() == CSV
    assert not (store / "in/a.csv").exists()
    # The process ends here: b is neither committed nor moved, so the next load has it.
    asked.close()
    assert (store / "in/b.csv").exists()
    assert [d.key for d in loads.run(options)] == [second.key]
    assert sorted(p.name for p in (store / "done/in").iterdir()) == ["a.csv", "b.csv"]


def test_a_crash_between_commit_and_archive_neither_loses_nor_doubles(tmp_path: Path, store: Path) -> None:
    put(store, "a.csv")
    options = {"path": "*.csv", "archive": "done"}
    loads = Loads(tmp_path, {"folder": "store"})
    asked = loads.deliveries(options)
    loads.commit(next(asked))
    asked.close()
    assert (store / "a.csv").exists()
    assert loads.run(options) == []  # `commit` would refuse the key a second time
    assert (store / "done/a.csv").exists()
    put(store, "a.csv", CSV + "x;1\n")
    assert len(loads.run(options)) == 1
    assert len(list((store / "done").iterdir())) == 2  # both versions are kept


def test_a_file_that_changes_while_it_is_loaded_is_not_archived_unread(tmp_path: Path, store: Path) -> None:
    put(store, "a.csv")
    options = {"path": "a.csv", "archive": "done"}
    loads = Loads(tmp_path, {"folder": "store"})
    asked = loads.deliveries(options)
    loads.commit(next(asked))
    put(store, "a.csv", CSV + "late;1\n", age_s=5)
    assert list(asked) == []
    assert (store / "a.csv").exists()
    [late] = loads.run(options)
    assert len(rows(late)) == 2


def test_a_refused_file_goes_into_quarantine_with_a_reason_without_values(tmp_path: Path, store: Path) -> None:
    put(store, "a.csv", "code;pupils\nJean Dupont;many\n", age_s=90)
    put(store, "b.csv")
    loads = Loads(tmp_path, {"folder": "store"})
    asked = loads.deliveries({"path": "*.csv", "quarantine": "refused"})
    found = []
    with pytest.raises(Invalid) as caught:
        found.extend(iter(asked))
    assert "many" in str(caught.value)  # the run may show it: the column is open
    why = (store / "refused/a.csv.why.txt").read_text()
    assert "line 2" in why or ":2" in why
    assert "many" not in why
    assert "Dupont" not in why
    assert (store / "refused/a.csv").exists()
    assert not (store / "a.csv").exists()
    assert [d.origin for d in loads.run({"path": "**/*.csv", "quarantine": "refused"})] == ["b.csv"]


def test_folders_for_moved_files_stay_below_the_root(tmp_path: Path, store: Path) -> None:
    put(store, "a.csv")
    for folder in ("../out", "/tmp/out", "a/../../b", "*"):
        assert "no folder below" in str(
            refusal(lambda folder=folder: Loads(tmp_path, {"folder": "store"}).run({"path": "a.csv", "archive": folder}))
        )


def test_a_whole_that_comes_back_under_another_name_counts_again_once(tmp_path: Path, store: Path) -> None:
    put(store, "1.csv", age_s=300)
    put(store, "2.csv", CSV + "x;1\n", age_s=200)
    put(store, "3.csv", age_s=100)
    loads = Loads(tmp_path, {"folder": "store"})
    found = loads.run({"path": "*.csv", "whole": True})
    assert [d.origin for d in found] == ["1.csv", "2.csv", "3.csv"]
    assert {d.mode for d in found} == {LoadMode.DIFF}
    assert loads.run({"path": "*.csv", "whole": True}) == []
    assert [d.origin for d in Loads(tmp_path, {"folder": "store"}).run({"path": "*.csv"})] == ["1.csv", "2.csv"]


def test_a_share_that_is_gone_says_so(tmp_path: Path, store: Path) -> None:
    put(store, "a.csv")
    mounted = {"folder": str(store), "mounted": True}
    is_on_mount = any(os.path.ismount(p) for p in (store, *store.parents) if p != Path("/"))
    if not is_on_mount:
        assert isinstance(refusal(lambda: Loads(tmp_path, mounted).run({"path": "a.csv"})), Unavailable)
    shared = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        put(shared, "a.csv")
        assert len(Loads(tmp_path, {"folder": str(shared), "mounted": True}).run({"path": "a.csv"})) == 1
    finally:
        shutil.rmtree(shared)
    for number in (errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN):
        error = refused(OSError(number, os.strerror(number)), "a.csv", "share")
        assert isinstance(error, Unavailable)
        assert "mount it again" in str(error)
    assert isinstance(refused(PermissionError(errno.EACCES, "x"), "a.csv", "share"), Denied)


# FTP and FTPS


@contextmanager
def ftp(store: Path, certificate: tuple[Path, Path] | None) -> Iterator[int]:
    authorizer = DummyAuthorizer()
    authorizer.add_user("anne", WORD, str(store), perm="elradfmwMT")
    settings: dict[str, Any] = {"authorizer": authorizer, "use_gmt_times": True, "auth_failed_timeout": 0}
    handler: Any = FTPHandler
    if certificate is not None:
        handler = _tls_handler(certificate, settings)
    server = FTPServer(("127.0.0.1", 0), type("Handler", (handler,), settings), ioloop=IOLoop())
    ends = threading.Event()

    def serve() -> None:
        while not ends.is_set():
            server.ioloop.loop(timeout=0.05, blocking=False)
        server.close_all()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.address[1]
    ends.set()
    thread.join(5)


def _tls_handler(certificate: tuple[Path, Path], settings: dict[str, Any]) -> Any:
    from pyftpdlib.handlers import TLS_FTPHandler

    settings |= {"certfile": str(certificate[0]), "keyfile": str(certificate[1])}
    settings |= {"tls_control_required": True, "tls_data_required": True}
    return TLS_FTPHandler


def test_ftp_files_are_read_remembered_and_archived(tmp_path: Path, store: Path) -> None:
    put(store, "in/a.csv")
    put(store, "in/deep/b.csv", CSV * 1)
    put(store, "elsewhere.csv")
    with ftp(store, None) as port:
        source = {"url": f"ftp://localhost:{port}/in", **SIGN_IN}
        loads = Loads(tmp_path, source)
        [first] = loads.run({"path": "*.csv", "stable_s": 60})
        assert (first.origin, rows(first)[0]["pupils"]) == ("a.csv", 56)
        assert datetime.fromisoformat(notes(first)["arrival"]) < datetime.now(UTC) - timedelta(minutes=59)
        loads.keys.clear()
        loads.last.clear()
        assert loads.run({"path": "*.csv"}) == []  # only the remembered state keeps it away
        put(store, "in/a.csv", CSV.replace("56", "57"), age_s=30)  # as long as before: the time tells
        assert [rows(d)[0]["pupils"] for d in loads.run({"path": "*.csv"})] == [57]
        assert Loads(tmp_path, source).run({"path": "deep/*.csv", "archive": "done"})
        assert (store / "in/done/deep/b.csv").exists()
        assert isinstance(refusal(lambda: Loads(tmp_path, source).run({"path": "../elsewhere.csv"})), Invalid)
        assert isinstance(refusal(lambda: Loads(tmp_path, source).run({"path": "none.csv"})), NotFound)
        assert isinstance(refusal(lambda: Loads(tmp_path, {**source, **WRONG}).run({"path": "*.csv"})), Misconfigured)
    assert isinstance(refusal(lambda: Loads(tmp_path, source).run({"path": "*.csv"})), Unavailable)


def test_ftps_checks_the_certificate(tmp_path: Path, store: Path, certificate: tuple[Path, Path]) -> None:
    put(store, "a.csv", CSV)
    with ftp(store, certificate) as port:
        source = {"url": f"ftps://localhost:{port}/", **SIGN_IN}
        unknown = refusal(lambda: Loads(tmp_path, source).run({"path": "*.csv"}))
        assert isinstance(unknown, Misconfigured)
        assert "authority" in str(unknown)
        known = {**source, "authority": str(certificate[0])}
        assert len(Loads(tmp_path, known).run({"path": "*.csv"})) == 1
        other = {**known, "url": f"ftps://127.0.0.1:{port}/"}  # the certificate is for localhost
        assert isinstance(refusal(lambda: Loads(tmp_path, other).run({"path": "*.csv"})), Misconfigured)


# SFTP


class SftpServer:
    """A server with one account, by password or key, shut in a folder."""

    def __init__(self, store: Path) -> None:
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.person = asyncssh.generate_private_key("ssh-ed25519")
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.listener: Any = asyncio.run_coroutine_threadsafe(self._listen(store), self.loop).result(10)
        self.port = self.listener.get_port()

    async def _listen(self, store: Path) -> Any:
        person = self.person.export_public_key().decode()

        class Session(asyncssh.SSHServer):
            def connection_made(self, conn: Any) -> None:
                self.connection = conn

            def begin_auth(self, username: str) -> bool:
                self.connection.set_authorized_keys(asyncssh.import_authorized_keys(person))
                return True

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return (username, password) == ("anne", WORD)

        chroot = lambda channel: asyncssh.SFTPServer(channel, chroot=os.fsencode(store))  # noqa: E731
        return await asyncssh.listen("127.0.0.1", 0, server_factory=Session, server_host_keys=[self.key], sftp_factory=chroot)

    def public(self) -> str:
        return self.key.export_public_key().decode().strip()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.listener.close)


@pytest.fixture
def sftp(store: Path) -> Iterator[SftpServer]:
    server = SftpServer(store)
    yield server
    server.stop()


def test_sftp_files_are_read_and_moved_by_an_account_with_a_password(tmp_path: Path, store: Path, sftp: SftpServer) -> None:
    put(store, "in/a.csv")
    (store / "in/link.csv").symlink_to("/etc/passwd")
    source = {"url": f"sftp://127.0.0.1:{sftp.port}/in", "host_key": sftp.public(), **SIGN_IN}
    loads = Loads(tmp_path, source)
    [first] = loads.run({"path": "*.csv", "archive": "done", "stable_s": 60})
    assert (first.origin, rows(first)[0]["code"]) == ("a.csv", "00123")
    assert (store / "in/done/a.csv").read_text() == CSV
    assert not (store / "in/a.csv").exists()
    put(store, "in/b.csv", "code;pupils\nx;y\n")
    assert isinstance(refusal(lambda: loads.run({"path": "*.csv", "quarantine": "refused"})), Invalid)
    assert "line" in (store / "in/refused/b.csv.why.txt").read_text() or ":2" in (store / "in/refused/b.csv.why.txt").read_text()


def test_sftp_accepts_the_declared_host_key_only(tmp_path: Path, store: Path, sftp: SftpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, "a.csv")
    url = {"url": f"sftp://127.0.0.1:{sftp.port}/"}
    undeclared = refusal(lambda: Loads(tmp_path, {**url, **SIGN_IN}).run({"path": "*.csv"}))
    assert isinstance(undeclared, Misconfigured)
    assert "host_key" in str(undeclared)
    another = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    changed = refusal(lambda: Loads(tmp_path, {**url, **SIGN_IN, "host_key": another}).run({"path": "*.csv"}))
    assert isinstance(changed, Misconfigured)
    assert "another host key" in str(changed)
    known = {**url, "host_key": {"env": "DROP_HOST_KEY"}}
    monkeypatch.setenv("DROP_HOST_KEY", sftp.public())
    assert isinstance(refusal(lambda: Loads(tmp_path, {**known, **WRONG}).run({"path": "*.csv"})), Misconfigured)
    monkeypatch.setenv("DROP_KEY", sftp.person.export_private_key("pkcs8-pem", passphrase="phrase").decode())
    monkeypatch.setenv("DROP_PHRASE", "phrase")
    keyed = {**known, "key_env": "DROP_USER", "private_key_env": "DROP_KEY", "passphrase_env": "DROP_PHRASE"}
    assert len(Loads(tmp_path, keyed).run({"path": "*.csv"})) == 1


# HTTP


class _Tagged(SimpleHTTPRequestHandler):
    """Serves a folder with ETags; one path redirects to a host that is not declared, one to a file of its own."""

    asked: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        self._answer(super().do_GET)

    def do_HEAD(self) -> None:
        self._answer(super().do_HEAD)

    def _answer(self, send: Callable[[], None]) -> None:
        self.asked.append((self.command, self.path))
        there = {"/away.csv": f"http://localhost:{self.server.server_port}/a.csv", "/moved.csv": "/a.csv"}.get(self.path)
        if there is None:
            send()
            return
        self.send_response(302)
        self.send_header("Location", there)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def end_headers(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.is_file():
            self.send_header("ETag", f'"{path.stat().st_mtime_ns}"')
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_http_files_are_named_and_only_declared_hosts_are_reached(tmp_path: Path, store: Path) -> None:
    put(store, "a.csv")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Tagged, directory=str(store)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        source = {"url": f"http://127.0.0.1:{server.server_port}/"}
        loads = Loads(tmp_path, source)
        [first] = loads.run({"path": "a.csv"})
        assert rows(first)[0]["pupils"] == 56
        assert notes(first)["version"] == str((store / "a.csv").stat().st_mtime_ns)
        _Tagged.asked.clear()
        assert loads.run({"path": "a.csv"}) == []
        assert [method for method, _ in _Tagged.asked] == ["HEAD"]  # unchanged, so not fetched
        put(store, "a.csv", CSV + "x;1\n", age_s=10)
        assert len(rows(loads.run({"path": "a.csv"})[0])) == 2
        assert len(Loads(tmp_path, source).run({"path": "moved.csv"})) == 1
        assert isinstance(refusal(lambda: Loads(tmp_path, source).run({"path": "away.csv"})), Denied)
        assert len(Loads(tmp_path, {**source, "hosts": ["localhost"]}).run({"path": "away.csv"})) == 1
        assert isinstance(refusal(lambda: Loads(tmp_path, source).run({"path": "none.csv"})), NotFound)
        assert "no listing" in str(refusal(lambda: Loads(tmp_path, source).run({"path": "*.csv"})))
    finally:
        server.shutdown()


# S3 and Azure


def test_s3_keeps_the_version_and_moves_objects(tmp_path: Path) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="anne", aws_secret_access_key=WORD)
        client.create_bucket(Bucket="places")
        tag = client.put_object(Bucket="places", Key="in/a.csv", Body=CSV.encode())["ETag"].strip('"')
        client.put_object(Bucket="places", Key="in/b.csv", Body=b"code;pupils\nx;y\n")
        loads = Loads(tmp_path, {"url": "s3://places/in", "endpoint": endpoint, "region": "us-east-1", **SIGN_IN})
        [first] = loads.run({"path": "a.csv", "archive": "done"})
        assert notes(first)["version"] == tag
        refusal(lambda: loads.run({"path": "*.csv", "quarantine": "refused"}))
        names = {entry["Key"] for entry in client.list_objects_v2(Bucket="places")["Contents"]}
        assert names == {"in/done/a.csv", "in/refused/b.csv", "in/refused/b.csv.why.txt"}
        assert loads.run({"path": "*.csv", "may_be_absent": True, "stable_s": 60}) == []
    finally:
        server.stop()


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Azurite, Microsoft's own emulator of Azure Blob storage, on this machine."""
    program = shutil.which("azurite-blob") or shutil.which("azurite-blob", path=os.environ.get("POLYCEPH_AZURITE", ""))
    if program is None:
        pytest.skip("azurite is not installed: npm install azurite, and POLYCEPH_AZURITE=…/node_modules/.bin")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("azurite")
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder), "--silent", "--skipApiVersionCheck"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/devstoreaccount1"
    finally:
        process.terminate()
        process.wait(10)


def test_azure_blobs_are_read_remembered_and_archived(tmp_path: Path, azurite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.storage.blob import BlobServiceClient

    # The account and key that Azurite documents for everybody.
    monkeypatch.setenv("AZ_NAME", "devstoreaccount1")
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    monkeypatch.setenv("AZ_KEY", key)
    service = BlobServiceClient(azurite, credential={"account_name": "devstoreaccount1", "account_key": key})
    container = service.create_container("drop")
    container.upload_blob("in/a.csv", CSV.encode())
    source = {"url": "az://drop/in", "endpoint": azurite, "key_env": "AZ_NAME", "secret_env": "AZ_KEY"}
    loads = Loads(tmp_path, source)
    [first] = loads.run({"path": "*.csv"})
    assert rows(first)[0]["pupils"] == 56
    assert notes(first)["version"]
    loads.keys.clear()
    loads.last.clear()
    assert loads.run({"path": "*.csv"}) == []
    container.upload_blob("in/a.csv", (CSV + "x;1\n").encode(), overwrite=True)
    assert len(rows(loads.run({"path": "*.csv", "archive": "done"})[0])) == 2
    assert {blob.name for blob in container.list_blobs()} == {"in/done/a.csv"}
    monkeypatch.setenv("AZ_KEY", "AAAA")
    assert isinstance(refusal(lambda: Loads(tmp_path, source).run({"path": "*.csv"})), (Misconfigured, Denied))
