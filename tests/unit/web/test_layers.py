"""Headers, limits, the id of a request, who asks: each layer by itself, for pages and for websockets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from polyceph.core.model.access import NOBODY, Principal, Standing
from polyceph.core.model.event import Actor, ActorKind
from polyceph.errors import Unavailable
from polyceph.settings import WebSettings
from polyceph.web.cookies import Cookies
from polyceph.web.headers import SecurityHeaders
from polyceph.web.limits import BodyLimit, Rates, RequestRate, SignInRate, TooLarge, TooMany
from polyceph.web.principal import WhoAsks
from polyceph.web.request_log import RequestLog
from polyceph.web.scope import PRINCIPAL, REQUEST

ANNE = Principal(Actor(ActorKind.PERSON, "anne"), Standing.ACTIVE, session="s1")


def test_every_answer_carries_the_security_headers(inner: ASGIApp, ask: Callable) -> None:
    headers = ask(SecurityHeaders(inner, is_https=True)).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; "
        "frame-ancestors 'none'; form-action 'self'"
    )
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert headers["strict-transport-security"].startswith("max-age=31536000")
    assert "server" not in headers


def test_plain_http_promises_no_https(inner: ASGIApp, ask: Callable) -> None:
    assert "strict-transport-security" not in ask(SecurityHeaders(inner, is_https=False)).headers


def test_a_mounted_app_keeps_its_own_policy_and_cannot_be_framed(ask: Callable) -> None:
    async def own(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-security-policy", b"script-src 'nonce-1';")]})
        await send({"type": "http.response.body", "body": b""})

    policy = ask(SecurityHeaders(own, is_https=True, form_targets=lambda: ("https://id.example.org",))).headers["content-security-policy"]
    assert policy == "script-src 'nonce-1'; frame-ancestors 'none'; form-action 'self' https://id.example.org"


def test_a_request_gets_an_id_of_our_own(inner: ASGIApp, ask: Callable) -> None:
    first, second = (ask(RequestLog(inner), headers={"x-request-id": "forged"}).headers.get_list("x-request-id") for _ in range(2))
    assert len(first) == len(second) == 1
    assert first != second
    assert len(first[0]) == 32


def test_a_websocket_gets_an_id_too(knock: Callable) -> None:
    seen = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope[REQUEST])

    knock(RequestLog(look))
    assert len(seen[0]) == 32


def test_a_websocket_ends_with_the_session_that_opened_it(knock: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyceph.web.principal._LOOKS_S", 0.01)
    told = iter([ANNE, ANNE, ANNE, replace(ANNE, standing=Standing.EXPIRED)])

    async def for_ever(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await asyncio.Event().wait()

    app = WhoAsks(for_ever, principal_of=lambda cookie, bearer: next(told), cookies=Cookies(is_https=False))
    sent = knock(app, headers={"authorization": "Bearer x"})
    assert sent == [{"type": "websocket.accept"}, {"type": "websocket.close", "code": 4401, "reason": "sign in again"}]


def test_a_websocket_is_closed_while_nobody_can_tell_whose_it_is(knock: Callable) -> None:
    asked = []

    def outage(cookie: str | None, bearer: str | None) -> Principal:
        asked.append(bearer)
        if len(asked) > 1:
            raise Unavailable("the store does not answer")
        return ANNE

    async def for_ever(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    sent = knock(WhoAsks(for_ever, principal_of=outage, cookies=Cookies(is_https=False)), headers={"authorization": "Bearer x"})
    assert [one["code"] for one in sent] == [4401]


def test_what_fails_behind_a_websocket_is_raised_as_it_is(knock: Callable) -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise TooMany(3)

    app = WhoAsks(fails, principal_of=lambda cookie, bearer: ANNE, cookies=Cookies(is_https=False))
    with pytest.raises(TooMany):
        knock(app, headers={"authorization": "Bearer x"})


def test_the_access_log_says_nothing_of_a_person(inner: ASGIApp, ask: Callable, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "polyceph"):
        ask(RequestLog(inner), "/people/anne.dupont?q=anne", headers={"cookie": "polyceph-session=anne", "user-agent": "Anne's browser"})
    (line,) = caplog.messages
    assert "anne" not in line.lower()
    assert "192.0.2.7" not in line
    assert " GET - 200 " in line


def test_an_address_may_try_to_sign_in_so_often_and_another_still_may(inner: ASGIApp, ask: Callable) -> None:
    app = SignInRate(inner, rates=Rates(WebSettings(sign_ins_per_minute=3)))
    assert [ask(app, "/sign-in", method="POST").status_code for _ in range(3)] == [200] * 3
    assert ask(app, "/sign-in", method="POST").status_code == 500
    assert ask(app, "/sign-in/callback/entra?code=1").status_code == 500
    assert ask(app, "/oauth2/token", method="POST").status_code == 500
    assert ask(app, "/sign-in").status_code == 200
    assert ask(app, "/datasets").status_code == 200


@pytest.mark.parametrize(
    ("client", "forwarded", "address"),
    [
        ("10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.9, 203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.9, 203.0.113.5, 10.0.0.7"], "203.0.113.5"),
        ("10.0.0.1", ["198.51.100.9", "203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("192.0.2.7", ["203.0.113.5"], "192.0.2.7"),
        ("10.0.0.1", ["no address"], "no address"),
    ],
)
def test_behind_our_proxy_the_address_is_that_of_who_came_to_it(client: str, forwarded: list[str], address: str) -> None:
    headers = [(b"x-forwarded-for", one.encode()) for one in forwarded]
    rates = Rates(WebSettings(proxies=("10.0.0.0/24",)))
    assert rates.address({"client": (client, 1), "headers": headers}) == f"address:{address}"
    assert Rates(WebSettings()).address({"client": (client, 1), "headers": headers}) == f"address:{client}"


def test_too_many_says_how_long_to_wait() -> None:
    rates = Rates(WebSettings(sign_ins_per_minute=1))
    rates.count_sign_in("address:a")
    rates.count_sign_in("address:b")
    with pytest.raises(TooMany) as told:
        rates.count_sign_in("address:a")
    assert 0 < told.value.seconds <= 60


def test_requests_are_counted_by_person_wherever_she_sits(inner: ASGIApp, knock: Callable) -> None:
    def as_somebody(who: Principal) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope[PRINCIPAL] = who
            await limited(scope, receive, send)

        return app

    limited = RequestRate(inner, rates=Rates(WebSettings(requests_per_minute=2)))
    for _ in range(2):
        assert knock(as_somebody(ANNE)) == [{"type": "websocket.accept"}]
    with pytest.raises(TooMany):
        knock(as_somebody(ANNE))
    assert knock(as_somebody(replace(ANNE, actor=Actor(ActorKind.PERSON, "marc")))) == [{"type": "websocket.accept"}]
    assert knock(as_somebody(NOBODY)) == [{"type": "websocket.accept"}]


def test_a_body_above_the_limit_is_refused_by_what_it_says(inner: ASGIApp, ask: Callable) -> None:
    app = BodyLimit(inner, most_bytes=10)
    assert ask(app, method="POST", content=b"x" * 10).status_code == 200
    assert ask(app, method="POST", content=b"x" * 11).status_code == 500
    assert ask(app, method="POST", content=b"x", headers={"content-length": "-1"}).status_code == 500


def test_a_body_that_does_not_say_how_large_it_is_stops_at_the_limit(inner: ASGIApp, knock: Callable) -> None:
    import asyncio

    pieces: list[Message] = [{"type": "http.request", "body": b"x" * 6, "more_body": True}] * 3

    async def receive() -> Message:
        return pieces.pop()

    async def send(message: Message) -> None: ...

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"transfer-encoding", b"chunked")]}
    with pytest.raises(TooLarge):
        asyncio.run(BodyLimit(inner, most_bytes=10)(scope, receive, send))


@pytest.mark.parametrize(
    ("headers", "given"),
    [
        ({"cookie": "polyceph-session=abc"}, ("abc", None)),
        ({"cookie": 'polyceph-session="abc"; other=1'}, ("abc", None)),
        ({"authorization": "bearer t1"}, (None, "t1")),
        ({"cookie": "polyceph-session=abc", "authorization": "Bearer t1"}, ("abc", "t1")),
        ({"cookie": "polyceph-session=abc; polyceph-session=def"}, None),
        ({"cookie": "xpolyceph-session=abc"}, None),
        ({"cookie": "polyceph-session="}, None),
        ({"authorization": "Basic dXNlcg=="}, None),
        ({"authorization": "Bearer "}, None),
        ({"authorization": "Bearer " + "x" * 5000}, None),
        ({}, None),
    ],
    ids=str,
)
def test_who_asks_is_told_by_one_cookie_or_one_token(
    knock: Callable, headers: dict[str, str], given: tuple[str | None, str | None] | None
) -> None:
    asked, seen = [], []

    def principal_of(cookie: str | None, bearer: str | None) -> Principal:
        asked.append((cookie, bearer))
        return ANNE

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope[PRINCIPAL])

    knock(WhoAsks(look, principal_of=principal_of, cookies=Cookies(is_https=False)), headers=headers)
    assert asked == ([given] if given else [])
    assert seen == [ANNE if given else NOBODY]


def test_over_https_only_the_prefixed_cookie_counts(knock: Callable) -> None:
    seen = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope[PRINCIPAL])

    app = WhoAsks(look, principal_of=lambda cookie, bearer: ANNE, cookies=Cookies(is_https=True))
    knock(app, headers={"cookie": "polyceph-session=abc"})
    knock(app, headers={"cookie": "__Host-polyceph-session=abc"})
    assert seen == [NOBODY, ANNE]
