"""The HTTP client against a real server that fails in every way a service does."""

from __future__ import annotations

import gzip
import logging
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.egress import Egress
from polyceph.connectors.web.options import WebSource
from polyceph.errors import Denied, Invalid, Misconfigured, NotFound, PolycephError, Unavailable
from polyceph.testing.certificates import Authority
from polyceph.testing.faulty_web import Answer, Faulty, doc, serving

KEY = "s3cr&t/key+ä"
BUSY = Answer(b"{}", 503)


@pytest.fixture
def server() -> Iterator[Faulty]:
    with serving() as found:
        yield found


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"API_KEY": KEY, "CLIENT_SECRET": "client word", "USER": "anne", "WORD": "pass:word é"}.items():
        monkeypatch.setenv(name, value)


def client(server: Faulty, tmp_path: Path = Path(), **more: Any) -> WebClient:
    given = {"url": server.url, "requests_per_second": 1000, "timeout_s": 2, "retries": 2, **more}
    return WebClient(WebSource.model_validate(given), base=tmp_path)


def asks(server: Faulty, path: str = "/rows", call: Call | None = None, **more: Any) -> Any:
    with client(server, **more) as opened:
        return opened.json(call or Call(path))[0]


def refusal(server: Faulty, path: str = "/rows", call: Call | None = None, **more: Any) -> PolycephError:
    with pytest.raises(PolycephError) as caught:
        asks(server, path, call, **more)
    return caught.value


API_KEY = {"kind": "api_key", "key_env": "API_KEY", "query": "api_key"}


@pytest.mark.parametrize(
    "fault",
    [
        BUSY,
        Answer(b"{}", 500),
        Answer(b"{}", 429),
        Answer(reset=True),
        Answer(b'[{"a": 1}, {"a": 2}]', cut=9),
        Answer(gzip.compress(b"[1, 2, 3]")[:-9], headers={"Content-Encoding": "gzip"}, cut=8),
        Answer(b"no gzip at all", headers={"Content-Encoding": "gzip"}),
        Answer(silent_s=1.5),
        Answer(b'[{"a": 1', headers={"Connection": "close", "Content-Length": "8"}, cut=4),
    ],
    ids=["503", "500", "429", "reset", "cut", "cut gzip", "no gzip", "silent", "closed"],
)
def test_a_fault_that_passes_is_asked_anew(server: Faulty, fault: Answer) -> None:
    server.on("/rows", fault, doc([1, 2, 3]))
    assert asks(server, timeout_s=0.5) == [1, 2, 3]
    assert len(server.asked) == 2


def test_a_body_that_breaks_off_is_written_anew_into_the_file(server: Faulty, tmp_path: Path) -> None:
    body = b"x" * 300_000
    server.on("/file", Answer(body, cut=200_000), Answer(body))
    with client(server) as opened:
        opened.fetch(Call("file"), tmp_path / "file", limit=1 << 20)
    assert (tmp_path / "file").read_bytes() == body


@pytest.mark.parametrize(("fault", "told"), [(BUSY, "status 503"), (Answer(reset=True), "ReadError"), (Answer(b"[]", cut=1), "Protocol")])
def test_a_fault_that_stays_ends_as_unavailable(server: Faulty, fault: Answer, told: str) -> None:
    server.on("/rows", fault)
    error = refusal(server)
    assert isinstance(error, Unavailable)
    assert told in error.message
    assert len(server.asked) == 3


def test_a_server_that_drips_is_slow_and_not_broken(server: Faulty) -> None:
    server.on("/rows", Answer(b"[" + b" " * 20 + b"1]", drip_s=0.05))
    assert asks(server, timeout_s=0.5) == [1]


def test_a_server_that_drips_for_ever_is_given_up(server: Faulty) -> None:
    server.on("/rows", Answer(b"[" + b" " * 400 + b"1]", drip_s=0.05))
    error = refusal(server, timeout_s=0.5, retries=0)
    assert isinstance(error, Unavailable)
    assert "too slowly" in error.message


def test_retry_after_is_kept_in_both_its_forms(server: Faulty) -> None:
    server.on("/seconds", Answer(b"{}", 429, {"Retry-After": "1"}), doc([]))
    asks(server, "/seconds", retries=1)
    server.by("/date", lambda asked: Answer(b"{}", 503, {"Retry-After": _in_two_seconds()}) if len(server.asked) == 3 else doc([]))
    asks(server, "/date", retries=1)
    first, second, third, fourth = (one.at for one in server.asked)
    assert second - first >= 1.0
    assert fourth - third >= 1.0


def _in_two_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


def test_a_pause_that_is_too_long_for_a_run_is_told(server: Faulty) -> None:
    server.on("/rows", Answer(b"{}", 429, {"Retry-After": "86400"}))
    error = refusal(server)
    assert isinstance(error, Unavailable)
    assert "86400 s" in error.message
    assert len(server.asked) == 1


def test_the_pace_is_never_exceeded(server: Faulty) -> None:
    server.on("/rows", BUSY, doc([]))
    server.on("/moved", Answer(b"", 302, {"Location": "/rows"}))
    with client(server, requests_per_second=10) as opened:
        for _ in range(4):
            opened.json(Call("moved"))
    moments = [one.at for one in server.asked]
    assert len(moments) == 10
    assert [path for path in server.paths() if path == "/rows"] == ["/rows"] * 5
    # Ten a second: however busy this machine is, no six follow each other within less than five tenths, less the way of the first.
    assert min(later - earlier for earlier, later in zip(moments, moments[5:], strict=False)) >= 0.45


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Misconfigured), (403, Denied), (404, NotFound), (410, NotFound), (400, Invalid), (422, Invalid)]
)
def test_what_will_not_be_better_is_asked_once(server: Faulty, status: int, kind: type[PolycephError]) -> None:
    server.on("/rows", doc({"detail": "no such parameter"}, status=status))
    assert type(refusal(server)) is kind
    assert len(server.asked) == 1


# Secrets


@pytest.mark.parametrize("status", [200, 302, 400, 401, 404, 500])
def test_a_key_in_the_query_is_in_no_error_and_no_log(server: Faulty, status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echoed = {"detail": f"bad request /rows?api_key={quote(KEY, safe='')} and {KEY}"}
    server.on("/rows", doc(echoed, status=status, headers={"Location": f"http://other.example.org/?api_key={quote(KEY)}"}))
    with client(server, auth=API_KEY, retries=0) as opened:
        try:
            opened.read(Call("/rows", {"q": 1}))
            told = opened.shown(Call(f"/rows/{quote(KEY, safe='')}?api_key={quote(KEY, safe='')}"))
        except PolycephError as error:
            told = _everything(error)
    assert server.asked[0].query == {"q": ["1"], "api_key": [KEY]}
    for form in (KEY, quote(KEY, safe=""), quote(KEY)):
        assert form not in told
        assert form not in caplog.text


def _everything(error: BaseException | None) -> str:
    """Return an error as a traceback shows it, with all it was raised from, and the requests these hold."""
    told = ""
    while error is not None:
        told += f"{error!r} {error} {getattr(error, '_request', None) and error._request.url!r}\n"  # type: ignore[attr-defined]
        error = error.__cause__ or error.__context__
    return told


def test_the_error_of_a_lost_connection_knows_no_key(server: Faulty) -> None:
    server.on("/rows", Answer(reset=True))
    told = _everything(refusal(server, auth=API_KEY, retries=0))
    assert "ReadError" in told
    assert quote(KEY, safe="") not in told


def test_a_link_that_repeats_the_key_gets_it_once_and_keeps_its_own_query(server: Faulty) -> None:
    server.on("/rows", doc([]))
    asks(server, call=Call(f"{server.url}/rows?cursor=a%2Fb&api_key={quote(KEY, safe='')}"), auth=API_KEY)
    assert server.asked[0].query == {"cursor": ["a/b"], "api_key": [KEY]}
    assert server.asked[0].raw_query.startswith("cursor=a%2Fb&")


def test_parameters_join_the_query_of_an_address(server: Faulty) -> None:
    server.on("/rows", doc([]))
    asks(server, call=Call("/rows?a=1", {"b": "2"}))
    assert server.asked[0].query == {"a": ["1"], "b": ["2"]}


def test_basic_authentication_takes_every_letter(server: Faulty) -> None:
    server.on("/rows", doc([]))
    asks(server, auth={"kind": "basic", "user_env": "USER", "password_env": "WORD"})
    assert server.asked[0].headers["Authorization"] == "Basic YW5uZTpwYXNzOndvcmQgw6k="


# Tokens


def _oauth(server: Faulty) -> dict[str, Any]:
    return {"kind": "oauth2", "token_url": f"{server.url}/token", "client_id": "us", "client_secret_env": "CLIENT_SECRET"}


def _tokens(server: Faulty) -> None:
    count = iter(range(1, 100))
    server.by("/token", lambda _: doc({"access_token": f"token-{next(count)}", "expires_in": 3600, "token_type": "Bearer"}))


def test_a_token_that_is_refused_is_forgotten_and_asked_for_once_anew(server: Faulty) -> None:
    _tokens(server)
    server.by("/rows", lambda asked: doc([1]) if asked.headers["Authorization"] == "Bearer token-2" else doc({}, status=401))
    assert asks(server, auth=_oauth(server)) == [1]
    assert server.paths() == ["/token", "/rows", "/token", "/rows"]


def test_a_service_that_takes_no_token_is_not_asked_for_ever(server: Faulty) -> None:
    _tokens(server)
    server.on("/rows", doc({}, status=401))
    assert isinstance(refusal(server, auth=_oauth(server)), Misconfigured)
    assert server.paths() == ["/token", "/rows", "/token", "/rows"]


def test_a_busy_token_endpoint_is_asked_anew_and_a_wrong_secret_is_not(server: Faulty) -> None:
    good = doc({"access_token": "one", "expires_in": 3600})
    server.on("/token", BUSY, Answer(reset=True), good)
    server.on("/rows", doc([]))
    assert asks(server, auth=_oauth(server)) == []
    assert server.paths() == ["/token", "/token", "/token", "/rows"]
    server.on("/token", doc({"error": "invalid_client", "error_description": "client word"}, status=401))
    error = refusal(server, auth=_oauth(server))
    assert isinstance(error, Misconfigured)
    assert "invalid_client" in error.message
    assert "client word" not in _everything(error)


# Redirects and addresses


def test_a_redirect_within_the_service_keeps_the_sign_in(server: Faulty) -> None:
    server.on("/old", Answer(b"", 307, {"Location": "/new?x=1"}))
    server.on("/new", doc([1]))
    assert asks(
        server, "/old", auth={"kind": "api_key", "key_env": "API_KEY", "header": "X-Key", "prefix": "k "} | {"key_env": "USER"}
    ) == [1]
    assert [one.headers["X-Key"] for one in server.asked] == ["k anne", "k anne"]


@pytest.mark.parametrize(
    "auth", [API_KEY, {"kind": "basic", "user_env": "USER", "password_env": "WORD"}, "oauth"], ids=["key", "basic", "oauth"]
)
@pytest.mark.parametrize("way", ["redirect", "call"])
def test_another_host_never_gets_the_sign_in(server: Faulty, auth: Any, way: str) -> None:
    _tokens(server)
    auth = _oauth(server) if auth == "oauth" else auth
    with serving() as other:  # another port of this machine is another origin
        other.on("/there", doc([1]))
        server.on("/here", Answer(b"", 302, {"Location": f"{other.url}/there"}))
        assert asks(server, call=Call("/here" if way == "redirect" else f"{other.url}/there"), auth=auth) == [1]
    [asked] = other.asked
    assert "Authorization" not in asked.headers
    assert asked.query == {}


@pytest.mark.parametrize(
    "there", ["http://localhost:{port}/rows", "http://example.org/", "file:///etc/passwd", "ftp://127.0.0.1/x", "//evil.test/"]
)
def test_a_redirect_to_a_host_that_is_not_declared_is_refused(server: Faulty, there: str) -> None:
    server.on("/rows", Answer(b"", 302, {"Location": there.format(port=server.port)}))
    assert isinstance(refusal(server), Denied)
    assert len(server.asked) == 1


@pytest.mark.parametrize("there", ["http://127.0.0.1:99999/", "http://[::1/rows", "http://127.0.0.1:x/"])
@pytest.mark.parametrize("way", ["redirect", "call"])
def test_an_address_that_is_none_is_refused(server: Faulty, there: str, way: str) -> None:
    server.on("/rows", Answer(b"", 302, {"Location": there}))
    error = refusal(server, call=Call("/rows" if way == "redirect" else there))
    assert isinstance(error, Denied | Unavailable)  # httpx takes some of them for a broken answer
    assert set(server.paths()) <= {"/rows"}


def test_a_declared_host_may_be_sent_to(server: Faulty) -> None:
    server.on("/rows", Answer(b"", 302, {"Location": f"http://localhost:{server.port}/there"}))
    server.on("/there", doc([1]))
    assert asks(server, hosts=["localhost"]) == [1]


def test_redirects_in_a_circle_end(server: Faulty) -> None:
    server.on("/rows", Answer(b"", 302, {"Location": "/rows"}))
    assert isinstance(refusal(server), Unavailable)
    assert len(server.asked) == 6


def test_a_posted_search_is_answered_elsewhere_with_a_get(server: Faulty) -> None:
    server.on("/search", Answer(b"", 303, {"Location": "/found"}))
    server.on("/found", doc([1]))
    assert asks(server, call=Call("/search", method="POST", json={"q": 1})) == [1]
    assert [(one.method, one.body) for one in server.asked] == [("POST", b'{"q":1}'), ("GET", b"")]


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "169.254.43518", "0", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "100.6579400"]
)
def test_a_name_that_answers_with_an_address_of_the_inside_is_refused(host: str) -> None:
    with pytest.raises(Denied, match="DNS entry"):
        Egress([host]).resolve(host, 80)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "169.254.169.254", "127.0.0.2", "10.1.2.3", "192.168.0.4"])
def test_an_address_that_is_literally_declared_is_meant(host: str) -> None:
    assert Egress([host]).resolve(host, 80)


def test_the_connection_itself_is_checked(server: Faulty) -> None:
    server.on("/rows", doc([]))
    error = refusal(server, url=f"http://127.1:{server.port}")
    assert isinstance(error, Denied)
    assert server.asked == []


# TLS with a certificate of the client


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def secure(authority: Authority) -> Iterator[Faulty]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("server"))
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_REQUIRED
    with serving(context) as found:
        found.on("/rows", doc([1]))
        yield found


def test_both_sides_show_their_certificates(secure: Faulty, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.issue("client")
    assert asks(secure, tmp_path=tmp_path, certificate="client.pem", authority="authority.pem") == [1]
    authority.issue("locked", password=b"its word")
    monkeypatch.setenv("KEY_WORD", "its word")
    more = {"certificate": "locked.pem", "authority": "authority.pem", "certificate_password_env": "KEY_WORD"}
    assert asks(secure, tmp_path=tmp_path, **more) == [1]


def test_a_server_of_an_unknown_authority_is_refused_at_once(secure: Faulty, authority: Authority, tmp_path: Path) -> None:
    begun = time.monotonic()
    error = refusal(secure, tmp_path=tmp_path, retries=1)
    assert isinstance(error, Misconfigured)
    assert "authority" in str(error)
    assert time.monotonic() - begun < 2
    assert secure.asked == []


@pytest.mark.parametrize("certificate", [None, "other.pem"])
def test_a_client_that_the_server_does_not_know_is_told_so(secure: Faulty, tmp_path: Path, certificate: str | None) -> None:
    Authority(tmp_path, "strangers").issue("other")
    error = refusal(secure, tmp_path=tmp_path, certificate=certificate, authority="authority.pem", retries=1)
    assert isinstance(error, Misconfigured)
    assert "our certificate" in error.message
    assert secure.asked == []


@pytest.mark.parametrize("certificate", ["absent.pem", "authority.pem", "locked.pem"])
def test_a_certificate_that_cannot_be_used_is_misconfigured(secure: Faulty, authority: Authority, tmp_path: Path, certificate: str) -> None:
    authority.issue("locked", password=b"its word")
    assert isinstance(refusal(secure, tmp_path=tmp_path, certificate=certificate, authority="authority.pem"), Misconfigured)
