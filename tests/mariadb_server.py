"""A MariaDB server of the tests' own, with a certificate, and a client that writes."""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from polyceph.testing.federation.servers.addresses import HOST, Remembered
from polyceph.testing.federation.servers.mariadb_program import ADMIN, Home, Programs


@dataclass(frozen=True)
class MariaDb:
    """A running server. `source` are a connector's options of it."""

    programs: Programs
    port: int
    password: str
    authority: Path
    process: subprocess.Popen[bytes]

    def write(self, statements: str, *, database: str = "") -> str:
        """Run statements as the administrator."""
        done = subprocess.run(self.client(database), input=statements.encode(), capture_output=True, env=self._environment())
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def session(self, database: str) -> subprocess.Popen[bytes]:
        """Return a client that stays open and takes statements from its standard input."""
        return subprocess.Popen(
            [*self.client(database), "--unbuffered"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment()
        )

    def client(self, database: str) -> list[str]:
        address = [f"--host={HOST}", f"--port={self.port}", "--protocol=TCP", f"--user={ADMIN}", "--default-character-set=utf8mb4"]
        return [self.programs.client, "--no-defaults", *address, "--batch", "--skip-column-names", *([database] if database else [])]

    def _environment(self) -> dict[str, str]:
        return Home.environment() | {"MYSQL_PWD": self.password}


@contextmanager
def running(programs: Programs) -> Iterator[MariaDb]:
    """Start a server in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="polyceph-mariadb-test-"))
    folder.chmod(0o711)
    password = secrets.token_hex(8)
    try:
        home = Home.prepare(folder / "home", Remembered(folder / "remembered.json"))
        home.initialise(programs, password)
        authority, certificate, key = _certificate(home.folder)
        with socket.socket() as free:
            free.bind((HOST, 0))
            port = free.getsockname()[1]
        command = [*home.command(programs, port), f"--ssl-cert={certificate}", f"--ssl-key={key}", f"--ssl-ca={authority}"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=home.environment(), cwd="/", **home.account.arguments())
        server = MariaDb(programs, port, password, authority, process)
        try:
            _wait(server, folder / "log")
            yield server
        finally:
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: MariaDb, log: Path) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert server.process.poll() is None, log.read_text()
        if subprocess.run(server.client(""), input=b"SELECT 1;", capture_output=True, env=server._environment()).returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def _certificate(folder: Path) -> tuple[Path, Path, Path]:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "server.pem", folder / "server.key"
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    private.write_bytes(pem)
    private.chmod(0o644)
    return certificate, certificate, private
