"""Our own names alone; changes and websockets from our own pages alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.types import ASGIApp, Message

from polyceph.errors import Denied, Invalid
from polyceph.settings import WebSettings
from polyceph.web.origin import OwnOrigin, names_of

PUBLIC = WebSettings(address="https://data.example.org", hosts=("intern.example.org",))
OWN = {"origin": "https://data.example.org"}


def guarded(inner: ASGIApp, settings: WebSettings = PUBLIC) -> ASGIApp:
    return OwnOrigin(inner, names=names_of(settings))


@pytest.mark.parametrize("host", ["data.example.org", "DATA.example.org", "intern.example.org"])
def test_our_own_hosts_are_served(inner: ASGIApp, ask: Callable, host: str) -> None:
    assert ask(guarded(inner), headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "data.example.org.evil.example", "data.example.org:8080", "", "localhost"])
def test_a_foreign_host_is_refused(inner: ASGIApp, knock: Callable, host: str) -> None:
    with pytest.raises(Invalid):
        knock(guarded(inner), headers={"host": host, **OWN})


def test_two_hosts_are_refused(inner: ASGIApp, ask: Callable) -> None:
    pairs = [("host", "data.example.org"), ("host", "evil.example")]
    assert ask(guarded(inner), headers=pairs).status_code == 500  # nothing outside turns the error into a page here


@pytest.mark.parametrize("host", ["localhost:3000", "127.0.0.1:9999", "[::1]:3000", "localhost"])
def test_without_an_address_loopback_names_are_served(inner: ASGIApp, ask: Callable, host: str) -> None:
    assert ask(guarded(inner, WebSettings()), headers={"host": host}).status_code == 200


def test_on_loopback_a_page_of_another_port_is_foreign(inner: ASGIApp, knock: Callable) -> None:
    app = guarded(inner, WebSettings())
    assert knock(app, headers={"host": "localhost:3000", "origin": "http://localhost:3000"}) == [{"type": "websocket.accept"}]
    with pytest.raises(Denied):
        knock(app, headers={"host": "localhost:3000", "origin": "http://localhost:4000"})


FOREIGN: list[dict[str, str]] = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://data.example.org"},
    {"origin": "https://data.example.org.evil.example"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"cookie": "a=b"},
    {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_change_that_another_page_asks_for_is_refused(inner: ASGIApp, ask: Callable, method: str, headers: dict[str, str]) -> None:
    done = ask(guarded(inner), method=method, headers={"host": "data.example.org", **headers})
    assert done.status_code == 500


@pytest.mark.parametrize("headers", [OWN, {"sec-fetch-site": "same-origin", "cookie": "a=b"}, {"authorization": "Bearer x"}, {}], ids=str)
def test_a_change_of_our_own_page_or_of_a_program_passes(inner: ASGIApp, ask: Callable, headers: dict[str, str]) -> None:
    assert ask(guarded(inner), method="POST", headers={"host": "data.example.org", **headers}).status_code == 200


@pytest.mark.parametrize("headers", [*FOREIGN, {}], ids=str)
def test_a_websocket_of_another_page_is_refused(inner: ASGIApp, knock: Callable[..., list[Message]], headers: dict[str, str]) -> None:
    with pytest.raises(Denied):
        knock(guarded(inner), headers={"host": "data.example.org", **headers})


@pytest.mark.parametrize("headers", [OWN, {"authorization": "Bearer x"}], ids=str)
def test_a_websocket_of_our_own_page_or_of_a_program_passes(inner: ASGIApp, knock: Callable, headers: dict[str, str]) -> None:
    assert knock(guarded(inner), headers={"host": "data.example.org", **headers}) == [{"type": "websocket.accept"}]


def test_reading_needs_no_origin(inner: ASGIApp, ask: Callable) -> None:
    assert ask(guarded(inner), headers={"host": "data.example.org", "origin": "https://evil.example"}).status_code == 200


@pytest.mark.parametrize(
    "address", ["data.example.org", "http://data.example.org", "https://data.example.org/x", "https://u@data.example.org", "ftp://x"]
)
def test_an_address_that_is_no_origin_or_not_safe_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"written like|only https"):
        WebSettings(address=address)
