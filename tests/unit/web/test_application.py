"""The whole application around pages of the test's own: rules, forms, errors, mounts. The store does not answer: pages live without it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from polyceph.bootstrap.site import Site
from polyceph.core.model.access import Action, Principal, Role, Standing
from polyceph.core.model.event import Actor, ActorKind
from polyceph.errors import Conflict, Denied, Invalid, Misconfigured, NotFound, Unavailable
from polyceph.web.app import application
from polyceph.web.pages import Open, Page, form_of, page
from polyceph.web.scope import PRINCIPAL, principal_of

OWNER = Principal(Actor(ActorKind.PERSON, "anne"), Standing.ACTIVE, {"education": frozenset({Role.OWNER})}, "anne", "Anne", session="s1")
PEOPLE = {"anne": OWNER, "visitor": replace(OWNER, roles={"education": frozenset({Role.VISITOR})}, session="s2")}
PEOPLE["expired"] = replace(OWNER, standing=Standing.EXPIRED)
HTML = {"accept": "text/html"}
ERRORS = {"invalid": Invalid, "notfound": NotFound, "denied": Denied, "conflict": Conflict, "unavailable": Unavailable}


@page("/open", action=Open.ANYBODY)
def open_page(request: Request) -> Response:
    return PlainTextResponse(principal_of(request).actor.id)


@page("/mine", action=Open.SIGNED_IN)
async def mine(request: Request) -> Response:
    return PlainTextResponse(principal_of(request).actor.id)


@page("/domains/{domain}/drift", action=Action.DRIFT_DECIDE, domain_from="domain")
def decide_drift(_: Request) -> Response:
    return PlainTextResponse("decided")


@page("/hidden/{domain}", action=Action.DRIFT_DECIDE, domain_from="domain", hides=True)
def hidden(_: Request) -> Response:
    return PlainTextResponse("seen")


@page("/form", action=Open.SIGNED_IN, methods=("POST",))
def form(request: Request) -> Response:
    return PlainTextResponse("&".join(f"{key}={value}" for key, value in form_of(request).items()))


@page("/machine", action=Open.ANYBODY, methods=("POST",), has_token=False)
async def machine(request: Request) -> Response:
    return PlainTextResponse((await request.body()).decode())


@page("/fail/{kind}", action=Open.ANYBODY)
def fail(request: Request) -> Response:
    kind = request.path_params["kind"]
    if kind == "bug":
        raise ValueError("the password is hunter2 <script>")
    if kind == "misconfigured":
        raise Misconfigured("the key /secret/place is open", hint="close it")
    raise ERRORS[kind](f"<b>{kind}</b> it is", hint="do this")


async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
    text = f"{scope['path']} {scope[PRINCIPAL].actor.id}"
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept", "headers": [(b"x-who", text.encode())]})
        return
    await PlainTextResponse(text)(scope, receive, send)


ROUTES: list[Page] = [open_page, mine, decide_drift, hidden, form, machine, fail]


@pytest.fixture
def app(make_site: Callable[..., Site]) -> ASGIApp:
    return application(make_site(PEOPLE), routes=ROUTES, mounts={"/dagster": mounted}, links=[("/", "Home")])


def cookie(who: str, **more: str) -> dict[str, str]:
    return {"cookie": "; ".join([f"polyceph-session={who}", *(f"polyceph-{k}={v}" for k, v in more.items())]), **HTML}


def test_a_route_without_a_rule_cannot_be_served(make_site: Callable[..., Site]) -> None:
    with pytest.raises(Misconfigured, match="who may open it"):
        application(make_site(), routes=[Route("/x", open_page.handler)], mounts={})


def test_a_rule_names_a_part_of_its_path() -> None:
    with pytest.raises(Misconfigured, match="no part"):
        page("/x/{name}", action=Action.DRIFT_DECIDE, domain_from="domain")(open_page.handler)


@pytest.mark.parametrize("path", ["dagster", "/dagster/"])
def test_an_app_is_mounted_at_a_path(make_site: Callable[..., Site], path: str) -> None:
    with pytest.raises(Misconfigured, match="mounted"):
        application(make_site(), routes=[], mounts={path: mounted})


def test_a_page_for_anybody_is_served_to_anybody(app: ASGIApp, ask: Callable) -> None:
    assert ask(app, "/open").text == "nobody"
    assert ask(app, "/open", headers=cookie("anne")).text == "anne"


@pytest.mark.parametrize("who", ["", "unknown", "expired"])
def test_somebody_who_is_not_signed_in_is_sent_to_sign_in_and_back(app: ASGIApp, ask: Callable, who: str) -> None:
    done = ask(app, "/mine?a=1&b=%2F", headers=cookie(who))
    assert (done.status_code, done.headers["location"]) == (303, "/sign-in?next=%2Fmine%3Fa%3D1%26b%3D%252F")


def test_a_program_that_is_not_signed_in_is_told_so(app: ASGIApp, ask: Callable) -> None:
    done = ask(app, "/mine", headers={"accept": "application/json", "authorization": "Bearer wrong"})
    assert (done.status_code, done.headers["www-authenticate"]) == (401, "Bearer")
    assert done.json()["hint"] == "sign in and try again"


def test_an_action_is_decided_for_the_domain_of_the_path(app: ASGIApp, ask: Callable) -> None:
    assert ask(app, "/domains/education/drift", headers=cookie("anne")).text == "decided"
    assert ask(app, "/domains/culture/drift", headers=cookie("anne")).status_code == 403
    assert ask(app, "/domains/education/drift", headers=cookie("visitor")).status_code == 403


def test_a_page_that_hides_answers_as_if_it_were_not_there(app: ASGIApp, ask: Callable) -> None:
    refused, missing = (ask(app, path, headers=cookie("visitor")) for path in ("/hidden/education", "/nothing/education"))
    assert refused.status_code == missing.status_code == 404
    assert ask(app, "/hidden/education", headers=cookie("anne")).text == "seen"


def form_token(ask: Callable, app: ASGIApp, who: str, **cookies: str) -> tuple[str, str]:
    """Return the token and the mark of a browser, as a page with forms gives them."""
    done = ask(app, "/fail/invalid", headers=cookie(who, **cookies))
    token = re.search(r'name="form_token" value="([0-9a-f]{64})"', done.text)
    assert token
    return token[1], cookies.get("form") or done.cookies["polyceph-form"]


def test_a_form_of_ours_is_taken(app: ASGIApp, ask: Callable) -> None:
    token, mark = form_token(ask, app, "anne")
    done = ask(
        app,
        "/form",
        method="POST",
        data={"a": "1", "form_token": token},
        headers=cookie("anne", form=mark) | {"origin": "http://localhost:3000"},
    )
    assert (done.status_code, done.text) == (200, "a=1")


def test_a_form_without_the_token_of_this_session_and_browser_is_refused(app: ASGIApp, ask: Callable) -> None:
    token, mark = form_token(ask, app, "anne")
    other, _ = form_token(ask, app, "visitor", form=mark)
    anonymous, _ = form_token(ask, app, "", form=mark)
    elsewhere, foreign_mark = form_token(ask, app, "anne")
    own = {"origin": "http://localhost:3000"}
    tries: list[tuple[dict[str, str], str]] = [
        ({"a": "1"}, mark),
        ({"form_token": ""}, mark),
        ({"form_token": token[:-1] + "x"}, mark),
        ({"form_token": other}, mark),
        ({"form_token": anonymous}, mark),
        ({"form_token": elsewhere}, mark),
        ({"form_token": token}, foreign_mark),
        ({"form_token": token}, ""),
    ]
    for data, browser in tries:
        done = ask(app, "/form", method="POST", data=data, headers=cookie("anne", form=browser) | own)
        assert done.status_code == 403, (data, browser)


def test_a_form_from_elsewhere_is_refused_even_with_its_token(app: ASGIApp, ask: Callable) -> None:
    token, mark = form_token(ask, app, "anne")
    headers = cookie("anne", form=mark) | {"origin": "https://evil.example"}
    assert ask(app, "/form", method="POST", data={"form_token": token}, headers=headers).status_code == 403


def test_what_is_no_form_is_refused(app: ASGIApp, ask: Callable) -> None:
    _, mark = form_token(ask, app, "anne")
    headers = cookie("anne", form=mark) | {"origin": "http://localhost:3000"}
    assert ask(app, "/form", method="POST", json={"a": 1}, headers=headers).status_code == 400
    assert ask(app, "/form", method="POST", files={"f": b"x"}, headers=headers).status_code == 400
    assert ask(app, "/form", method="POST", content=b"x" * 2_000_000, headers=headers).status_code == 413


def test_a_door_of_machines_needs_no_form(app: ASGIApp, ask: Callable) -> None:
    assert ask(app, "/machine", method="POST", content=b"hello").text == "hello"


@pytest.mark.parametrize(
    ("kind", "status"),
    [("invalid", 400), ("notfound", 404), ("denied", 403), ("conflict", 409), ("unavailable", 503)],
)
def test_an_error_says_what_to_do_to_people_and_to_programs(app: ASGIApp, ask: Callable, kind: str, status: int) -> None:
    shown = ask(app, f"/fail/{kind}", headers=cookie("anne"))
    assert shown.status_code == status
    assert f"&lt;b&gt;{kind}&lt;/b&gt; it is" in shown.text
    assert "do this" in shown.text
    assert shown.headers["x-request-id"] in shown.text
    told = ask(app, f"/fail/{kind}", headers={"accept": "application/json"})
    assert (told.status_code, told.headers["content-type"]) == (status, "application/problem+json")
    assert told.json()["detail"] == f"<b>{kind}</b> it is"
    assert told.json()["request"] == told.headers["x-request-id"]


@pytest.mark.parametrize("kind", ["bug", "misconfigured"])
def test_a_fault_of_ours_tells_nothing_but_a_number(app: ASGIApp, ask: Callable, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    with caplog.at_level(logging.INFO, "polyceph"):
        shown, told = ask(app, f"/fail/{kind}", headers=HTML), ask(app, f"/fail/{kind}")
    for done in (shown, told):
        assert done.status_code == 500
        assert not any(word in done.text for word in ("hunter2", "Traceback", "ValueError", "/secret/place", ".py"))
        assert done.headers["x-request-id"] in done.text
    assert "hunter2" not in caplog.text
    assert "test_application.py" in caplog.text


def test_a_method_that_a_page_does_not_take_is_refused(app: ASGIApp, ask: Callable) -> None:
    done = ask(app, "/open", method="POST", headers=HTML)
    assert done.status_code == 405
    assert "GET" in done.headers["allow"]


@pytest.mark.parametrize(
    "path", ["/Open", "/open/", "/open//", "/%6Fpen", "/open;x", "//open", "/open%2f", "/x/..;/open", "/./open", "/open%00"]
)
def test_a_page_has_one_address(app: ASGIApp, path: str) -> None:
    import asyncio

    sent = []

    async def go() -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/open",
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
        }
        scope["path"] = httpx.URL(f"http://x{path}").path if path != "//open" else path

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": b""}

        async def send(message: dict[str, object]) -> None:
            sent.append(message)

        await app(scope, receive, send)  # type: ignore[arg-type]

    asyncio.run(go())
    assert sent[0]["status"] in (400, 404)


def test_every_answer_is_secured_errors_included(app: ASGIApp, ask: Callable) -> None:
    for path in ("/open", "/mine", "/nothing", "/fail/bug", "/fail/denied", "/dagster/x", "/open;x"):
        done = ask(app, path, headers=HTML)
        assert "frame-ancestors 'none'" in done.headers["content-security-policy"], path
        assert done.headers["x-content-type-options"] == "nosniff"
        assert len(done.headers.get_list("x-request-id")) == 1


def test_a_mounted_app_gets_its_whole_path_and_who_asks(app: ASGIApp, ask: Callable, knock: Callable) -> None:
    assert ask(app, "/dagster", headers=cookie("anne")).text == "/dagster anne"
    assert ask(app, "/dagster/graphql", headers=cookie("")).text == "/dagster/graphql nobody"
    assert ask(app, "/dagsterx", headers=HTML).status_code == 404
    (accepted,) = knock(app, "/dagster/graphql", headers={"cookie": "polyceph-session=anne", "origin": "http://localhost:3000"})
    assert (b"x-who", b"/dagster/graphql anne") in accepted["headers"]


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"host": "evil.example", "origin": "http://evil.example"}, {}], ids=str
)
def test_a_websocket_from_elsewhere_reaches_no_app(app: ASGIApp, knock: Callable, headers: dict[str, str]) -> None:
    (closed,) = knock(app, "/dagster/graphql", headers={"cookie": "polyceph-session=anne", **headers})
    assert closed["type"] == "websocket.close"


def test_language_and_theme_are_chosen_without_a_script(app: ASGIApp, ask: Callable) -> None:
    token, mark = form_token(ask, app, "anne")
    headers = cookie("anne", form=mark) | {"origin": "http://localhost:3000"}
    data = {"form_token": token, "language": "fr", "back": "/mine?x=1"}
    done = ask(app, "/preferences", method="POST", data=data, headers=headers)
    assert (done.status_code, done.headers["location"], done.cookies["polyceph-language"]) == (303, "/mine?x=1", "fr")
    for back in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\n/evil.example"):
        assert ask(app, "/preferences", method="POST", data=data | {"back": back}, headers=headers).headers["location"] == "/"
    assert ask(app, "/preferences", method="POST", data={"form_token": token, "theme": "pink"}, headers=headers).status_code == 400
    shown = ask(app, "/nothing", headers=cookie("anne", language="nl", theme="dark")).text
    assert '<html lang="nl" data-theme="dark">' in shown
    assert "Hier is niets" in shown


def test_cookies_are_kept_from_scripts_and_other_sites(make_site: Callable[..., Site], ask: Callable) -> None:
    app = application(make_site(PEOPLE, address="https://data.example.org"), routes=ROUTES, mounts={})
    done = ask(app, "/fail/denied", headers=HTML, base="https://data.example.org")
    (set_,) = done.headers.get_list("set-cookie")
    assert set_.startswith("__Host-polyceph-form=")
    assert all(part in set_ for part in ("HttpOnly", "Secure", "Path=/", "SameSite=lax"))
    assert "Domain" not in set_


def test_static_files_are_kept_for_ever_under_their_digest(app: ASGIApp, ask: Callable) -> None:
    path = re.search(r'href="(/static/[0-9a-f]{16}/polyceph\.css)"', ask(app, "/nothing", headers=HTML).text)
    assert path
    done = ask(app, path[1])
    assert (done.status_code, done.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in done.headers["cache-control"]
    assert ask(app, "/static/0000000000000000/polyceph.css").status_code == 404
    assert ask(app, "/static/0000000000000000/static.py").status_code == 404


def test_the_language_is_the_chosen_one_then_that_of_the_directory_then_that_of_the_browser(
    make_site: Callable[..., Site], ask: Callable
) -> None:
    app = application(make_site({"anne": OWNER, "eva": replace(OWNER, language="de")}), routes=ROUTES, mounts={})

    def spoken(who: str, **more: str) -> str:
        return str(ask(app, "/nothing", headers=cookie(who, **more) | {"accept-language": "fr"}).headers["content-language"])

    assert spoken("eva", language="nl") == "nl"
    assert spoken("eva") == "de"
    assert spoken("anne") == "fr"
    assert spoken("eva", language="xx") == "de"
