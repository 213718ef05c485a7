"""The way to a provider: its own hosts, no downgrade, no redirect, no flood of bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from polyceph.core.model.sign_in import Provider
from polyceph.errors import Misconfigured, Unavailable
from polyceph.identity.http import ProviderHttp, is_loopback


def http(issuer: str, *hosts: str) -> ProviderHttp:
    return ProviderHttp(Provider("sso", issuer, "polyceph", "SIGN_IN_SECRET", hosts=hosts))


@pytest.mark.parametrize("address", ["https://sso.example.org/token", "https://sso.example.org/a?b=c", "https://keys.example.org/jwks"])
def test_addresses_of_the_providers_hosts_may_be_asked(address: str) -> None:
    assert http("https://sso.example.org/realms/x", "keys.example.org").checked(address, "token") == address


@pytest.mark.parametrize(
    "address",
    [
        "http://sso.example.org/token",
        "https://sso.example.org.evil.example/token",
        "https://sso.example.org@evil.example/token",
        "https://evil.example/sso.example.org",
        "https://sso.example.org:8443/token",
        "//sso.example.org/token",
        "file:///etc/passwd",
        "http://127.0.0.1/token",
        "http://169.254.169.254/latest/meta-data",
        "",
        None,
        17,
        ["https://sso.example.org/token"],
    ],
)
def test_any_other_address_is_refused_also_when_the_provider_names_it(address: object) -> None:
    with pytest.raises(Misconfigured, match="gives no token that may be used"):
        http("https://sso.example.org/realms/x").checked(address, "token")


def test_loopback_is_this_machine_alone() -> None:
    assert all(map(is_loopback, ("localhost", "127.0.0.1", "127.8.8.8", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "localhost.evil.example", "127.0.0.1.nip.example", "", "::")))  # noqa: S104  (told apart, not bound to)


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = {
                "/moved": (302, b"{}"),
                "/huge": (200, b'{"a":"' + b"x" * 600_000 + b'"}'),
                "/page": (200, b"<html>"),
                "/list": (200, b"[1]"),
                "/broken": (500, b"{}"),
            }[self.path]
            self.send_response(status)
            self.send_header("location", "/page")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    made = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()


@pytest.mark.parametrize(
    ("path", "says"),
    [("/moved", "HTTP 302"), ("/huge", "too large"), ("/page", "no JSON object"), ("/list", "no JSON object"), ("/broken", "HTTP 500")],
)
def test_an_answer_that_is_not_what_was_asked_for_is_an_outage(server: str, path: str, says: str) -> None:
    with pytest.raises(Unavailable, match=says):
        http(server).get(f"{server}{path}", "list of keys")
