"""The pages in a real browser: accessible by axe-core in both themes and on a small screen, usable by keyboard, working without scripts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from planted_site import Planted

ROOT = Path(__file__).parents[3]
AXE = ROOT / "requirements" / "node" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = [
    "/",
    "/datasets",
    "/datasets?q=nothinglikeit",
    "/datasets/education/raw/pupils",
    "/datasets/education/gold/schools",
    "/datasets/education/output/schools",
    "/domains",
    "/domains/education",
    "/domains/culture",
    "/domains/education/people",
    "/account",
    "/identities",
    "/platform",
    "/nothing",
    "/sessions",
    "/sign-in",
    "/signed-out",
    "/sign-in/link/none",
]
ADMINISTERS = {"/sessions", "/platform"}
NOBODYS = {"/sign-in", "/signed-out", "/sign-in/link/none"}
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def axe(cannot: Callable[[str], None]) -> str:
    if shutil.which("npm") is None or subprocess.run([str(ROOT / "requirements" / "node.sh")], capture_output=True).returncode:
        cannot("npm is not installed, so there is no axe-core: sudo apt-get install npm")
    return AXE.read_text(encoding="utf-8")


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[Open]:
    """Return a function that opens a page as somebody; what the browser complains about fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def open_(path: str, who: str = "claire.martin", **how: Any) -> Page:
        context = browser.new_context(base_url=address, **how)
        contexts.append(context)
        if who:
            context.add_cookies([{"name": "polyceph-session", "value": who, "url": address}])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
        page.goto(path)
        return page

    yield open_
    for one in contexts:
        one.close()
    assert complaints == []


def who_opens(path: str) -> str:
    return "" if path in NOBODYS else "all.platform_engineer" if path in ADMINISTERS else "claire.martin"


@pytest.mark.parametrize("path", PAGES)
def test_no_page_breaks_a_rule_of_accessibility(open_page: Open, axe: str, path: str) -> None:
    """WCAG 2.0 to 2.2, A and AA, as far as axe-core can tell, and its best practices; no page is wider than a small screen."""
    # The policy of the page forbids any script but ours, so axe needs it lifted; the page is the same.
    page = open_page(path, who_opens(path), bypass_csp=True)
    page.evaluate(axe)
    for details in page.locator("details").all():
        details.evaluate("one => { one.open = true }")
    for theme, width in (("light", 1280), ("light", 320), ("dark", 1280), ("dark", 320)):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        found = page.evaluate("rules => axe.run({runOnly: rules})", RULES)
        broken = [(one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]]
        assert broken == [], (path, theme, width)
        assert len(found["passes"]) > 10
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (path, theme, width)


@pytest.mark.parametrize("path", PAGES)
def test_every_target_is_large_enough_for_a_finger(open_page: Open, path: str) -> None:
    """Buttons, fields and links of the navigation are at least 44 px high; links within text are exempt (WCAG 2.5.8)."""
    page = open_page(path, who_opens(path), viewport={"width": 320, "height": 900})
    script = """() => [
        ...document.querySelectorAll('button, select, input:not([type=hidden]):not([type=checkbox]), .nav a, .who a, .button')
      ]
      .filter(one => one.checkVisibility()).map(one => [one.outerHTML, one.getBoundingClientRect().height])"""
    small = [(what, height) for what, height in page.evaluate(script) if height < 44]
    assert small == []


def test_the_keyboard_reaches_the_content_first_and_shows_where_it_is(open_page: Open) -> None:
    page = open_page("/datasets")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "q"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_typing_searches_and_the_address_follows(open_page: Open) -> None:
    page = open_page("/datasets")
    assert page.locator("#found .card").count() == 6
    page.locator("#q").press_sequentially("musuem", delay=20)
    page.locator("#found .card", has_text="Enrolments").wait_for(state="detached")
    assert page.locator("#found .card").count() == 1
    assert "Museums" in page.locator("#found").inner_text()
    assert "q=musuem" in page.url
    assert page.evaluate("document.activeElement.id") == "q"


def test_without_scripts_everything_still_works(open_page: Open) -> None:
    page = open_page("/datasets", java_script_enabled=False)
    page.locator("#q").fill("schools map")
    page.get_by_role("button", name="Search").click()
    assert page.locator("#found .card").count() == 1
    page.get_by_role("button", name="Français").click()
    assert page.locator("html").get_attribute("lang") == "fr"
    assert "q=schools" in page.url
    page.get_by_role("button", name="Sombre").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.locator("h1").inner_text() == "Jeux de données"


def test_the_chosen_theme_wins_over_the_system(open_page: Open) -> None:
    page = open_page("/datasets", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Light", exact=True).click()
    assert page.evaluate(ground) != dark


def test_a_person_ends_another_session_of_hers_and_only_hers(open_page: Open, planted: Planted) -> None:
    page = open_page("/account")
    page.get_by_role("button", name="End the session of Firefox").click()
    assert page.url.endswith("/account")
    assert planted.site.identity.queries.session_named("session-of-claire.martin").ended_at is not None  # type: ignore[union-attr]
    assert planted.site.identity.queries.session_named("session-of-all.platform_engineer").ended_at is None  # type: ignore[union-attr]


def test_a_service_identity_is_made_rotated_and_revoked_on_its_pages(open_page: Open, axe: str, planted: Planted) -> None:
    page = open_page("/identities", bypass_csp=True)
    page.get_by_label("Name", exact=True).fill("education-ci")
    page.get_by_label("run.view").check()
    page.get_by_label("Role").select_option("analyst")
    page.get_by_role("button", name="Make it and show its token").click()
    token = page.locator(".token").inner_text()
    assert len(token) > 30
    page.evaluate(axe)
    assert page.evaluate("rules => axe.run({runOnly: rules})", RULES)["violations"] == []
    page.get_by_role("link", name="I have kept it").click()
    assert token not in page.content()
    assert "education-ci" in page.locator("main").inner_text()
    page.evaluate(axe)
    assert page.evaluate("rules => axe.run({runOnly: rules})", RULES)["violations"] == []
    page.get_by_text("Give it another token").click()
    page.get_by_role("button", name="Make the token").click()
    assert page.locator(".token").inner_text() != token
    page.get_by_role("link", name="I have kept it").click()
    page.get_by_text("Revoke it").click()
    page.get_by_role("button", name="Revoke education-ci").click()
    assert "ended" in page.locator(".card").first.inner_text()
    known = planted.site.identity.queries.service("education-ci")
    assert known is not None
    assert known.identity.ended_at is not None


def test_a_wrong_wish_is_refused_with_what_to_do(open_page: Open) -> None:
    page = open_page("/identities")
    page.get_by_label("Name", exact=True).fill("Not A Name")
    page.get_by_label("run.view").check()
    page.get_by_role("button", name="Make it and show its token").click()
    assert "small letters and digits" in page.locator("main").inner_text()


def test_a_page_prints_without_navigation(open_page: Open) -> None:
    page = open_page("/datasets/education/gold/schools")
    page.emulate_media(media="print")
    assert not page.locator(".nav").is_visible()
    assert page.locator(".plot").is_visible()
