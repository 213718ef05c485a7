"""Every page and change of ours × everybody: what a real server answers is what the reviewed table beside this file says.

The table has a line for each request and a column for each person: a role in the domain `education` (`own.`), the same for the
federation as a whole (`all.`), somebody without any role, somebody whose session has expired, nobody. Where the table is meant to
change, the failing test says where the new one was written: review it, then put it in place.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from planted_site import PEOPLE, Planted
from polyceph.bootstrap.services import ServiceDesk, Wish
from polyceph.core.model.access import Action, Role
from polyceph.core.model.event import Actor, ActorKind
from polyceph.portal.routes import ROUTES
from polyceph.web.app import OWN_PAGES
from polyceph.web.pages import Open

TABLE = Path(__file__).parent / "matrix.csv"
NOBODY = "nobody"
GETS = [
    "/",
    "/datasets",
    *(
        f"/datasets/{one}"
        for one in ("education/gold/schools", "education/gold/enrolments", "education/raw/pupils", "education/output/schools")
    ),
    *(
        f"/datasets/{one}"
        for one in ("culture/gold/museums", "culture/raw/loans", "health/gold/cases", "health/gold/none", "nowhere/gold/none")
    ),
    "/datasets/education/nozone/schools",
    "/domains",
    *(f"/domains/{domain}{part}" for domain in ("education", "culture", "nowhere") for part in ("", "/people")),
    "/account",
    "/sessions",
    "/identities",
    "/platform",
    "/sign-in",
    "/signed-out",
    "/none",
]
POSTS: Mapping[str, Mapping[str, str]] = {
    "/preferences": {"language": "en", "back": "/"},
    "/account/sessions/session-of-all.platform_engineer/end": {},
    "/account/sessions/none/end": {},
    "/identities {education}": {"domain": "education"},
    "/identities {culture}": {"domain": "culture"},
    "/identities {nowhere}": {"domain": "nowhere"},
    "/identities/education-of-{who}/rotate": {"days": "30", "overlap": "0"},
    "/identities/education-of-{who}/revoke": {},
    "/identities/culture-of-{who}/rotate": {"days": "30", "overlap": "0"},
    "/identities/culture-of-{who}/revoke": {},
    "/identities/none/rotate": {"days": "30", "overlap": "0"},
    "/identities/none/revoke": {},
}
WORDS = {200: "opens", 400: "invalid", 403: "refused", 404: "hidden", 401: "not signed in"}


def plain(who: str) -> str:
    return who.replace(".", "-").replace("_", "-")


def read_table(text: str) -> dict[tuple[str, str], str]:
    rows = list(csv.reader(text.splitlines()))
    return {(row[0], who): cell for row in rows[1:] for who, cell in zip(rows[0][1:], row[1:], strict=True)}


@pytest.fixture(scope="module")
def services(planted: Planted) -> None:
    """Two service identities for everybody to lay hands on: one in her domain, one in another."""
    desk, typist = ServiceDesk(planted.site.identity), Actor(ActorKind.PERSON, "root")
    for who in (*PEOPLE, NOBODY):
        for domain in ("education", "culture"):
            wish = Wish(f"{domain}-of-{plain(who)}", "marc.leroy", {domain: frozenset({Role.ANALYST})}, frozenset({Action.RUN_VIEW}), 30)
            desk.create(wish, who=None, typist=typist)


def ask(client: httpx.Client, who: str) -> Iterator[tuple[str, str]]:
    """Yield each request with what the server answers to somebody."""
    headers = {"cookie": f"polyceph-session={who}; polyceph-form=mark", "origin": str(client.base_url).rstrip("/")}
    for path in GETS:
        yield f"GET {path}", said(client.get(path, headers=headers))
    found = re.search(r'name="form_token" value="(\w+)"', client.get("/sign-in", headers=headers).text)
    assert found
    for line, data in POSTS.items():
        path = line.partition(" ")[0].replace("{who}", plain(who))
        form = {"form_token": found[1], **data}
        if path == "/identities":
            form |= {
                "name": f"made-in-{data['domain']}-by-{plain(who)}",
                "role": "analyst",
                "owner": "marc.leroy",
                "days": "30",
                "scope-run.view": "1",
            }
        yield f"POST {line}", said(client.post(path, data=form, headers=headers))


def said(answer: httpx.Response) -> str:
    if answer.status_code == 303:
        return "sign in" if answer.headers["location"].startswith("/sign-in?") else "done"
    return WORDS[answer.status_code]


@pytest.mark.usefixtures("services")
def test_every_answer_is_that_of_the_reviewed_table(client: httpx.Client, tmp_path: Path) -> None:
    people = [*PEOPLE, NOBODY]
    answers = {(line, who): word for who in people for line, word in ask(client, who)}
    lines = list(dict.fromkeys(line for line, _ in answers))
    written = tmp_path / TABLE.name
    with written.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [["request", *people], *([line, *(answers[line, who] for who in people)] for line in lines)]
        )
    reviewed = read_table(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else {}
    different = {
        key: (answers.get(key), reviewed.get(key)) for key in answers.keys() | reviewed.keys() if answers.get(key) != reviewed.get(key)
    }
    sys.stdout.write(f"{len(answers)} answers compared with the reviewed table\n")
    assert different == {}, f"the table as it would be: {written}"


def test_no_route_is_missing_in_the_table() -> None:
    patterns = {
        (method, re.sub(r"{\w+}", "[^/]+", route.path)) for route in (*ROUTES, *OWN_PAGES) for method in (route.methods or ()) - {"HEAD"}
    }
    asked = {tuple(line.split(" ")[:2]) for line, _ in read_table(TABLE.read_text(encoding="utf-8"))}
    missing = {
        (method, pattern)
        for method, pattern in patterns
        if not any(method == one[0] and re.fullmatch(pattern, one[1]) for one in asked) and not pattern.startswith("/static/")
    }
    assert missing == set()


def test_no_page_of_the_portal_is_for_anybody() -> None:
    assert [route.path for route in ROUTES if route.rule.needs is Open.ANYBODY] == []
