"""Secrets from vaults. No server of HashiCorp or Azure can be installed here: small fakes speak their protocols to the real libraries."""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from polyceph.errors import Denied, Misconfigured, Unavailable
from polyceph.sdk import secret
from polyceph.vaults.azure import AzureKeyVault

CANARY = "canary-5c0ffee"


class FakeHashiCorp(BaseHTTPRequestHandler):
    """The key/value engine, version 2, and AppRole: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2."""

    document: ClassVar[dict[str, str]] = {}

    def _say(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_known = self.path == "/v1/auth/approle/login" and given == {"role_id": "education", "secret_id": "word"}
        self._say(200 if is_known else 400, {"auth": {"client_token": "made"}} if is_known else {"errors": ["invalid role or secret ID"]})

    def do_GET(self) -> None:
        if self.headers.get("X-Vault-Token") not in ("made", "given"):
            self._say(403, {"errors": ["permission denied"]})
        elif self.path.split("?")[0] != "/v1/kv/data/polyceph/education":
            self._say(404, {"errors": []})
        else:
            self._say(200, {"data": {"data": self.document, "metadata": {"version": 1}}})

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class FakeKeyVault(BaseHTTPRequestHandler):
    """Getting a secret, with the challenge before it: https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret."""

    secrets: ClassVar[dict[str, str]] = {}
    resource: ClassVar[str] = "vaults.test"

    def do_GET(self) -> None:
        name = self.path.split("?")[0].removeprefix("/secrets/").strip("/")
        token = self.headers.get("Authorization", "")
        status = 401 if not token else 403 if token != "Bearer good" else 200 if name in self.secrets else 404
        body = (
            {"value": self.secrets.get(name), "id": f"https://localhost/secrets/{name}/1"}
            if status == 200
            else {"error": {"code": "x", "message": "x"}}
        )
        text = json.dumps(body).encode()
        self.send_response(status)
        if status == 401:
            resource = f"https://{self.resource}:{self.server.server_address[1]}"
            challenge = f'Bearer authorization="https://login.example.org/tenant", resource="{resource}"'
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hashicorp() -> Iterator[dict[str, str]]:
    FakeHashiCorp.document = {"REGISTER_PASSWORD": CANARY}
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHashiCorp)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"POLYCEPH_VAULT": "hashicorp", "VAULT_ADDR": f"http://127.0.0.1:{server.server_port}", "VAULT_PATH": "kv/polyceph/education"}
    server.shutdown()
    server.server_close()


def test_hashicorp_gives_what_the_domain_may_read_and_follows_rotation(hashicorp: dict[str, str]) -> None:
    entered = hashicorp | {"VAULT_ROLE_ID": "education", "VAULT_SECRET_ID": "word"}
    assert secret("REGISTER_PASSWORD", environment=entered).get_secret_value() == CANARY
    FakeHashiCorp.document = {"REGISTER_PASSWORD": "rotated"}
    assert secret("REGISTER_PASSWORD", environment=hashicorp | {"VAULT_TOKEN": "given"}).get_secret_value() == "rotated"
    with pytest.raises(Misconfigured, match="secret OTHER is not set"):
        secret("OTHER", environment=entered)


def test_hashicorp_refuses_in_words_without_the_word_that_was_shown(hashicorp: dict[str, str]) -> None:
    with pytest.raises(Denied) as caught:
        secret("REGISTER_PASSWORD", environment=hashicorp | {"VAULT_TOKEN": CANARY})
    assert CANARY not in str(caught.value)
    with pytest.raises(Denied) as caught:
        secret("REGISTER_PASSWORD", environment=hashicorp | {"VAULT_ROLE_ID": "education", "VAULT_SECRET_ID": CANARY})
    assert CANARY not in str(caught.value)
    with pytest.raises(Misconfigured, match="no document kv/other"):
        secret("REGISTER_PASSWORD", environment=hashicorp | {"VAULT_TOKEN": "given", "VAULT_PATH": "kv/other"})
    with pytest.raises(Misconfigured, match="nothing to enter the vault with"):
        secret("REGISTER_PASSWORD", environment=hashicorp)
    with pytest.raises(Unavailable):
        secret("REGISTER_PASSWORD", environment=hashicorp | {"VAULT_TOKEN": "given", "VAULT_ADDR": "http://127.0.0.1:1"})


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("school.vaults.test"), x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "server.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    (folder / "authority.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def key_vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    find = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *more, **named: find(host.replace("school.vaults.test", "127.0.0.1"), *more, **named)
    )
    FakeKeyVault.resource = "vaults.test"
    FakeKeyVault.secrets = {"REGISTER-PASSWORD": CANARY}
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeKeyVault)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"AZURE_KEYVAULT_URL": f"https://school.vaults.test:{server.server_port}", "AZURE_CA_BUNDLE": str(tmp_path / "authority.pem")}
    server.shutdown()
    server.server_close()


class GivenIdentity:
    """Stands for Azure's identity service, which has no server here: it gives one token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_: str, **__: object) -> Any:
        return SimpleNamespace(token=self._token, expires_on=4_000_000_000)


def test_the_key_vault_gives_a_secret_by_its_name_with_hyphens(key_vault: dict[str, str]) -> None:
    vault = AzureKeyVault(key_vault, GivenIdentity("good"))
    assert vault.get("REGISTER_PASSWORD") == CANARY
    assert vault.get("OTHER") is None


def test_the_key_vault_refuses_in_words(key_vault: dict[str, str]) -> None:
    with pytest.raises(Denied, match="may not read REGISTER_PASSWORD"):
        AzureKeyVault(key_vault, GivenIdentity("bad")).get("REGISTER_PASSWORD")
    with pytest.raises(Unavailable):
        AzureKeyVault(key_vault | {"AZURE_KEYVAULT_URL": "https://localhost:1"}, GivenIdentity("good")).get("A")
    with pytest.raises(Misconfigured, match="AZURE_KEYVAULT_URL"):
        AzureKeyVault({"AZURE_KEYVAULT_URL": "http://localhost"})


def test_a_key_vault_that_says_it_is_another_gets_no_token(key_vault: dict[str, str]) -> None:
    FakeKeyVault.resource = "elsewhere.test"
    with pytest.raises(Denied, match="is not what it says"):
        AzureKeyVault(key_vault, GivenIdentity("good")).get("REGISTER_PASSWORD")


def test_a_secret_of_a_file_wins_over_a_vault_and_a_variable_over_both(hashicorp: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "word").write_text("of the file\n")
    around = hashicorp | {"VAULT_TOKEN": "given", "REGISTER_PASSWORD_FILE": str(tmp_path / "word")}
    assert secret("REGISTER_PASSWORD", environment=around).get_secret_value() == "of the file"
    assert secret("REGISTER_PASSWORD", environment=around | {"REGISTER_PASSWORD": "x"}).get_secret_value() == "x"
    with pytest.raises(Misconfigured, match="the file that REGISTER_PASSWORD_FILE names cannot be read"):
        secret("REGISTER_PASSWORD", environment={"REGISTER_PASSWORD_FILE": str(tmp_path / "none")})
