"""Signing in and out as people and programs do it: the pages served on loopback, a real provider, a real browser."""

from __future__ import annotations

import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from identities import SECRET, World, provider
from playwright.sync_api import Browser, Page, expect

from polyceph.bootstrap.accounts import first_link
from polyceph.bootstrap.declared import Usable
from polyceph.bootstrap.identity import Identity
from polyceph.bootstrap.services import Wish
from polyceph.bootstrap.site import Site
from polyceph.core.model.access import Action, Role
from polyceph.core.model.event import Actor, ActorKind
from polyceph.portal.routes import LINKS, ROUTES
from polyceph.settings import WebSettings
from polyceph.store.server import StoreAddresses
from polyceph.web.app import application
from polyceph.web.service_tokens import token
from polyceph.web.sign_in import PAGES

GOOD = "quatre mots sans rapport"
FORM = {"content-type": "application/x-www-form-urlencoded"}
WISH = Wish("education-ci", "anne.dupont", {"education": frozenset({Role.ENGINEER})}, frozenset({Action.DATASET_FIND}), 90)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh browser profile that reads English and runs no script: nothing here needs one."""
    context = browser.new_context(locale="en-GB", java_script_enabled=False)
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def serve(world: World, addresses: StoreAddresses, port: int) -> tuple[str, Callable[[], None]]:
    """Serve the pages of a world; return address and how to stop."""
    address = f"http://127.0.0.1:{port}"
    settings = world.settings.model_copy(update={"web": WebSettings(address=address, port=port, sign_ins_per_minute=1000)})
    world.settings, world.address = settings, address

    def identify(_: Site) -> Identity:
        world.identity = world.replica()
        return world.identity

    site = Site(
        settings,
        world.store,
        addresses,
        secrets.token_bytes(32),
        clock=world.clock,
        load=lambda _: Usable(world.federation, {}),
        identify=identify,
    )
    app = application(site, routes=[*ROUTES, *PAGES, token], mounts={}, links=LINKS)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < end
        time.sleep(0.02)

    def stop() -> None:
        server.should_exit = True
        thread.join(10)

    return address, stop


@pytest.fixture
def at_provider(world: World, migrated: StoreAddresses, real_provider: tuple[str, int]) -> Iterator[tuple[World, str, str]]:
    """A world served where the real provider knows it; yields it with its address and the provider's."""
    issuer, port = real_provider
    world.declare(provider("sso", issuer, title={"en": "The organisation"}, audience="urn:polyceph"))
    address, stop = serve(world, migrated, port)
    yield world, address, issuer
    stop()


@pytest.fixture
def at_home(world: World, migrated: StoreAddresses) -> Iterator[tuple[World, str]]:
    """A world without provider, served on this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, stop = serve(world, migrated, port)
    yield world, address
    stop()


def sign_in_there(page: Page, account: str) -> None:
    """Fill in the provider's own pages."""
    page.locator("input[name=login]").fill(account)
    page.locator("input[name=password]").fill("whatever")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def test_somebody_signs_in_sees_her_home_and_signs_out_here_and_there(at_provider: Any, page: Page, tmp_path: Path) -> None:
    world, address, issuer = at_provider
    page.goto(f"{address}/datasets?q=x")
    assert page.url == f"{address}/sign-in?next=%2Fdatasets%3Fq%3Dx"
    page.screenshot(path=tmp_path / "sign-in.png")
    page.get_by_role("link", name="The organisation").click()
    sign_in_there(page, "anne")
    assert page.url == f"{address}/datasets?q=x"
    page.goto(f"{address}/")
    expect(page.get_by_role("banner")).to_contain_text("Anne Dupont")
    page.screenshot(path=tmp_path / "home.png")
    page.get_by_role("button", name=re.compile("Sign out|Se déconnecter")).click()
    page.get_by_role("button", name="Yes, sign me out").click()
    page.wait_for_url(f"{address}/signed-out*")
    page.screenshot(path=tmp_path / "signed-out.png")
    page.goto(f"{address}/datasets")
    assert "/sign-in?" in page.url
    page.goto(f"{address}/sign-in/sso")
    assert page.url.startswith(issuer), "the provider asks again: she is signed out there too"
    expect(page.locator("input[name=login]")).to_be_visible()
    actions = [one.event.action for one in world.events()]
    assert actions.count("session.opened") == 1
    assert actions.count("session.ended") == 1


def test_the_session_is_in_a_cookie_that_no_script_and_no_other_site_gets(at_provider: Any, page: Page) -> None:
    _, address, _ = at_provider
    page.context.add_cookies([{"name": "polyceph-session", "value": "planted-by-somebody", "url": address}])
    page.goto(f"{address}/sign-in/sso?next=//evil.example/")
    sign_in_there(page, "anne")
    assert page.url == f"{address}/", "next led nowhere else"
    found = {one["name"]: one for one in page.context.cookies(address)}
    assert found["polyceph-session"]["httpOnly"]
    assert found["polyceph-session"]["sameSite"] == "Lax"
    assert found["polyceph-session"]["value"] != "planted-by-somebody"
    assert "polyceph-sign-in" not in found
    assert "code=" not in page.url


def test_over_https_every_cookie_is_for_this_host_alone() -> None:
    from starlette.responses import Response

    from polyceph.web.cookies import Cookies

    response = Response()
    for purpose in ("session", "sign-in"):
        Cookies(is_https=True).put(response, purpose, "x")
    for line in response.headers.getlist("set-cookie"):
        assert line.startswith("__Host-polyceph-")
        assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in line.split(";")}
        assert "Domain" not in line


def test_signing_out_at_the_provider_ends_the_session_here(at_provider: Any, page: Page) -> None:
    world, address, issuer = at_provider
    page.goto(f"{address}/sign-in/sso")
    sign_in_there(page, "anne")
    assert len(world.identity.queries.open_sessions()) == 1
    page.goto(f"{issuer}/session/end")
    page.get_by_role("button", name="Yes, sign me out").click()
    end = time.monotonic() + 10
    while world.identity.queries.open_sessions() and time.monotonic() < end:
        time.sleep(0.1)
    assert [one.event.reason for one in world.events() if one.event.action == "session.ended"] == ["signed out at the provider"]
    page.goto(f"{address}/datasets")
    assert "/sign-in?" in page.url


def test_an_address_that_the_provider_has_not_verified_lets_nobody_in(at_provider: Any, page: Page) -> None:
    world, address, _ = at_provider
    page.goto(f"{address}/sign-in/sso")
    sign_in_there(page, "outsider")
    expect(page.get_by_role("main")).to_contain_text("does not know this person")
    assert not world.identity.queries.open_sessions()


def test_a_group_and_a_language_come_along(at_provider: Any, page: Page) -> None:
    world, address, _ = at_provider
    page.goto(f"{address}/sign-in/sso")
    sign_in_there(page, "auditor")
    [session] = world.identity.queries.open_sessions()
    assert (session.person, session.language, session.groups) == (None, "nl", frozenset({"auditors"}))
    assert page.locator("html").get_attribute("lang") == "nl"


def answer_of(start: str, account: str) -> str:
    """Sign in at the provider with a bare client and return the address that it sends the browser to, unopened."""
    with httpx.Client() as client:
        answer = client.get(start)
        for _ in range(20):
            if answer.is_redirect:
                target = str(answer.next_request.url) if answer.next_request else ""
                if "/sign-in/callback/" in target:
                    return target
                answer = client.get(target)
                continue
            fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', answer.text))
            action = re.findall(r'action="([^"]+)"', answer.text)[0]
            answer = client.post(action, data={**fields, "login": account, "password": "whatever"})
    raise AssertionError("the provider never answers")


def test_an_answer_in_another_browser_is_refused(at_provider: Any, page: Page) -> None:
    """Login CSRF: the attacker signs in as himself and gives the victim the last address, before or while she signs in herself."""
    world, address, _ = at_provider
    for before in (f"{address}/sign-in", f"{address}/sign-in/sso"):
        page.goto(before)
        answer = page.goto(answer_of(f"{address}/sign-in/sso", "auditor"))
        assert answer is not None
        assert answer.status == 403
        assert world.events()[-1].event.policy == "browser"
    assert not world.identity.queries.open_sessions()
    assert not [one for one in page.context.cookies(address) if one["name"] == "polyceph-session"]


def test_a_callback_that_says_something_twice_or_nothing_is_refused(at_provider: Any) -> None:
    _, address, _ = at_provider
    assert httpx.get(f"{address}/sign-in/callback/sso?state=a&state=b&code=c").status_code == 400
    assert httpx.get(f"{address}/sign-in/callback/sso").status_code == 403
    assert httpx.get(f"{address}/sign-in/callback/nobody?state=a&code=c").status_code == 404


def test_a_provider_that_is_down_is_told_and_sessions_go_on(at_provider: Any, page: Page) -> None:
    world, address, _ = at_provider
    page.goto(f"{address}/sign-in/sso")
    sign_in_there(page, "anne")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{probe.getsockname()[1]}"
    elsewhere = replace(world.federation.sign_in.providers["sso"], name="other", issuer=nowhere)
    world.declare(world.federation.sign_in.providers["sso"], elsewhere)
    world.identity.federation = lambda: world.federation
    answer = httpx.get(f"{address}/sign-in/other", headers={"accept": "text/html"})
    assert answer.status_code == 503
    assert "does not answer" in answer.text
    page.goto(f"{address}/account")
    expect(page.get_by_role("main")).to_contain_text("anne.dupont")


def test_signing_out_needs_our_own_form(at_provider: Any, page: Page) -> None:
    world, address, _ = at_provider
    page.goto(f"{address}/sign-in/sso")
    sign_in_there(page, "anne")
    cookies = {one["name"]: one["value"] for one in page.context.cookies(address)}
    for headers in ({}, {"origin": "https://evil.example"}, {"origin": address}):
        answer = httpx.post(f"{address}/sign-out", cookies=cookies, headers=headers, data={"form_token": "guessed"})
        assert answer.status_code == 403
    assert len(world.identity.queries.open_sessions()) == 1


def test_the_real_providers_token_of_a_service_is_taken(at_provider: Any) -> None:
    world, address, issuer = at_provider
    world.services.create(replace(WISH, provider="sso", client="reports"), who=None, typist=Actor(ActorKind.PERSON, "root"))
    form = {"grant_type": "client_credentials", "resource": "urn:polyceph"}
    token_ = httpx.post(f"{issuer}/token", data=form, auth=("reports", SECRET)).json()["access_token"]
    assert world.identity.principal_of(None, token_).actor.id == "education-ci"
    answer = httpx.get(f"{address}/datasets", headers={"authorization": f"Bearer {token_}", "accept": "text/html"}, follow_redirects=False)
    assert answer.status_code == 200
    other = httpx.post(f"{issuer}/token", data={**form, "resource": "urn:another"}, auth=("reports", SECRET)).json()["access_token"]
    refused = httpx.get(f"{address}/datasets", headers={"authorization": f"Bearer {other}"}, follow_redirects=False)
    assert refused.status_code in (303, 401)
    assert world.events()[-1].event.policy == "audience"


def test_client_credentials_over_http_are_those_of_the_standard(at_home: Any) -> None:
    world, address = at_home
    made = world.services.create(WISH, who=None, typist=Actor(ActorKind.PERSON, "root")).get_secret_value()
    url, form = f"{address}/oauth2/token", {"grant_type": "client_credentials"}
    for given in ({"auth": ("education-ci", made)}, {"data": {"client_id": "education-ci", "client_secret": made}}):
        answer = httpx.post(url, **{**given, "data": {**form, **given.get("data", {})}})
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert (body["token_type"], body["scope"]) == ("Bearer", "dataset.find")
        page = httpx.get(f"{address}/datasets", headers={"authorization": f"Bearer {body['access_token']}", "accept": "text/html"})
        assert page.status_code == 200
    for wrong, code, error in (
        ({"data": form, "auth": ("education-ci", "x")}, 401, "invalid_client"),
        ({"data": form}, 401, "invalid_client"),
        ({"data": {**form, "client_id": "education-ci", "client_secret": made}, "auth": ("education-ci", made)}, 401, "invalid_client"),
        ({"data": {"grant_type": "password"}, "auth": ("education-ci", made)}, 400, "unsupported_grant_type"),
        ({"data": {**form, "scope": "dataset.wipe"}, "auth": ("education-ci", made)}, 400, "invalid_scope"),
        ({"json": form, "auth": ("education-ci", made)}, 400, "invalid_request"),
        ({"content": "grant_type=client_credentials&grant_type=x", "headers": FORM}, 400, "invalid_request"),
    ):  # fmt: skip
        answer = httpx.post(url, **wrong)
        assert (answer.status_code, answer.json()["error"]) == (code, error)
    assert httpx.get(url).status_code == 405


def test_the_local_account_is_entered_by_its_link_then_by_its_password(at_home: Any, page: Page, tmp_path: Path) -> None:
    world, address = at_home
    link = first_link(world.settings, world.federation, world.store, address)
    assert link is not None
    page.goto(link)
    page.get_by_label("New password").fill("short")
    page.get_by_label("The same once more").fill("short")
    page.get_by_role("button", name="Set the password and sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("it needs 12")
    page.screenshot(path=tmp_path / "link.png")
    page.get_by_label("New password").fill(GOOD)
    page.get_by_label("The same once more").fill(GOOD)
    page.get_by_role("button", name="Set the password and sign in").click()
    assert page.url == f"{address}/"
    page.get_by_role("button", name="Sign out").click()
    assert page.url == f"{address}/signed-out"
    page.goto(link)
    expect(page.get_by_role("main")).to_contain_text("This link is not valid")
    page.goto(f"{address}/account")
    page.get_by_label("Password").fill("not this one, surely")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("account or password is wrong")
    page.get_by_label("Password").fill(GOOD)
    page.get_by_role("button", name="Sign in").click()
    assert page.url == f"{address}/account"


REFUSED = {
    "fr": ("le compte ou le mot de passe est faux", "les deux mots de passe ne sont pas les mêmes", "il en faut 12"),
    "nl": ("het account of het wachtwoord is fout", "de twee wachtwoorden zijn niet dezelfde", "het moet er 12 hebben"),
    "de": ("Konto oder Passwort ist falsch", "die beiden Passwörter sind nicht gleich", "es braucht 12"),
}


@pytest.mark.parametrize("code", REFUSED)
def test_a_password_is_refused_in_the_language_of_the_page(at_home: Any, code: str) -> None:
    world, address = at_home
    link = first_link(world.settings, world.federation, world.store, address)
    wrong, differing, short = REFUSED[code]
    headers = {"accept": "text/html", "accept-language": code, "origin": address}
    with httpx.Client(base_url=address, headers=headers) as client:
        token = re.findall(r'name="form_token" value="(\w+)"', client.get("/sign-in").text)[0]
        for path, fields, text in (
            ("/sign-in", {"password": "not this one, surely"}, wrong),
            (link, {"password": GOOD, "again": "another"}, differing),
            (link, {"password": "short", "again": "short"}, short),
        ):
            shown = client.post(str(path), data={"form_token": token, **fields})
            alert = shown.text[shown.text.index('role="alert"') : shown.text.index("<form", shown.text.index('role="alert"'))]
            assert shown.status_code == 403
            assert text in alert
            assert 'lang="en"' not in alert


def test_a_forged_form_does_not_sign_anybody_in(at_home: Any) -> None:
    """Login CSRF with the local account: another site's page posts the attacker's password."""
    world, address = at_home
    link = first_link(world.settings, world.federation, world.store, address)
    for headers in ({"origin": "https://evil.example"}, {"origin": address}, {"sec-fetch-site": "cross-site"}):
        for url in (f"{address}/sign-in", str(link)):
            answer = httpx.post(url, data={"password": GOOD, "again": GOOD}, headers=headers)
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers or "session" not in answer.headers["set-cookie"]
    assert not world.identity.queries.open_sessions()


def test_a_hostile_logout_message_is_answered_as_the_standard_says(at_provider: Any) -> None:
    _, address, _ = at_provider
    for form in ({}, {"logout_token": "x"}, {"logout_token": "a.b.c"}):
        answer = httpx.post(f"{address}/sign-out/provider/sso", data=form)
        assert answer.status_code == 400
        assert answer.headers["cache-control"] == "no-store"
