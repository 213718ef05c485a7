"""Refusals and errors in the language of the page, whole: no English is left in them, and what is English says so."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from polyceph.bootstrap.site import Site
from polyceph.core.model.access import Action, Principal, Question, Role, Standing
from polyceph.core.model.classification import Classification
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.sentence import either, said
from polyceph.core.policies.authorisation import decide
from polyceph.errors import Denied
from polyceph.web.app import application
from polyceph.web.languages import language
from polyceph.web.pages import Open, page
from polyceph.web.sentences import told, told_in_markup
from polyceph.web.words import WORDS

NOW = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
VISITOR = Principal(Actor(ActorKind.PERSON, "anne"), Standing.ACTIVE, {"education": frozenset({Role.VISITOR})}, "anne")
LANGUAGES = ("fr", "nl", "de")
WHOLE = {
    "fr": (
        "schedule.change dans education demande le rôle : ingénieur ou propriétaire des données ; anne y est visiteur",
        "demandez-le au propriétaire des données de education : roles dans domains/education/domain.yaml",
    ),
    "nl": (
        "schedule.change in education vraagt de rol ingenieur of data-eigenaar, en anne is er bezoeker",
        "vraag het aan de data-eigenaar van education: roles in domains/education/domain.yaml",
    ),
    "de": (
        "schedule.change in education verlangt die Rolle Ingenieur oder Dateneigner, und anne ist dort Besucher",
        "bitten Sie den Dateneigner von education darum: roles in domains/education/domain.yaml",
    ),
}
_NOT_PROSE = re.compile(r"[\w/]+\.[\w.]+|\bowner \w+ interim_owner")
"""Actions, files and what stands in files are the same in every language."""
_ENGLISH = {
    "fr": re.compile(r"\b(the|needs|holds|role|ask|of|and|or|owner|steward)\b"),
    "nl": re.compile(r"\b(the|needs|holds|role|ask|and|or|owner|steward)\b"),
    "de": re.compile(r"\b(the|needs|holds|role|ask|of|and|or|owner|steward)\b"),
}
"""Small words of the English sentences that the language does not have."""


@page("/domains/{domain}/schedule", action=Action.SCHEDULE_CHANGE, domain_from="domain")
def schedule(_: Request) -> Response:
    return PlainTextResponse("changed")


@page("/hidden/{domain}", action=Action.SCHEDULE_CHANGE, domain_from="domain", hides=True)
def hidden(_: Request) -> Response:
    return PlainTextResponse("seen")


@page("/plain", action=Open.ANYBODY)
def plain(_: Request) -> Response:
    raise Denied("<b>no</b>")


def cookie(**more: str) -> dict[str, str]:
    return {"cookie": "; ".join(["polyceph-session=anne", *(f"polyceph-{k}={v}" for k, v in more.items())]), "accept": "text/html"}


@pytest.fixture
def app(make_site: Callable[..., Site]) -> ASGIApp:
    return application(make_site({"anne": VISITOR}), routes=[schedule, hidden, plain], mounts={}, links=[])


def main_of(page: str) -> str:
    """Return what a page says between its head and its foot: the names of languages in the foot have languages of their own."""
    return page[page.index("<main") : page.index("</main>")]


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_refusal_is_said_whole_with_its_roles_and_its_hint(code: str) -> None:
    decision = decide(VISITOR, Question(Action.SCHEDULE_CHANGE, NOW, "education"))
    assert (told(language(code), decision.reason), told(language(code), decision.hint or "")) == WHOLE[code]


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_page_that_refuses_says_so_in_its_language(app: ASGIApp, ask: Callable, code: str) -> None:
    shown = ask(app, "/domains/education/schedule", headers=cookie(language=code))
    assert shown.status_code == 403
    assert all(f"<p>{one}</p>" in shown.text for one in WHOLE[code])
    assert 'lang="en"' not in main_of(shown.text)


@pytest.mark.parametrize(
    ("path", "status", "texts"),
    [
        ("/hidden/education", 404, ("cette page n’existe pas, ou", "die pagina bestaat niet, of", "diese Seite gibt es nicht, oder")),
        ("/nowhere", 404, ("cette page n’existe pas", "die pagina bestaat niet", "diese Seite gibt es nicht")),
        ("/a%2fb", 400, ("l’adresse n’est pas écrite", "het adres is niet eenvoudig", "die Adresse ist nicht einfach")),
    ],
)
def test_so_do_pages_that_are_not_there(app: ASGIApp, ask: Callable, path: str, status: int, texts: tuple[str, ...]) -> None:
    for code, text in zip(LANGUAGES, texts, strict=True):
        shown = ask(app, path, headers=cookie(language=code))
        assert (shown.status_code, text in shown.text, 'lang="en"' in main_of(shown.text)) == (status, True, False)


def test_a_program_and_a_reader_of_english_get_the_text_as_it_always_was(app: ASGIApp, ask: Callable) -> None:
    reason = "schedule.change in education needs the role engineer or owner, and anne is visitor there"
    headers = cookie(language="nl") | {"accept": "application/json"}
    assert ask(app, "/domains/education/schedule", headers=headers).json()["detail"] == reason
    assert f"<p>{reason}</p>" in ask(app, "/domains/education/schedule", headers=cookie(language="en")).text


def test_what_is_no_sentence_is_shown_as_the_english_that_it_is(app: ASGIApp, ask: Callable) -> None:
    shown = ask(app, "/plain", headers=cookie(language="nl")).text
    assert '<p><span lang="en">&lt;b&gt;no&lt;/b&gt;</span></p>' in shown


def test_markup_in_a_value_is_text() -> None:
    assert told_in_markup(language("nl"), said("domain {name!r} is unknown", name="<b>")) == "domein ‘&lt;b&gt;’ is onbekend"


def test_data_that_is_spelt_like_a_word_of_a_list_is_left_alone() -> None:
    assert told(language("nl"), said("{person} has left", person="secret")) == "secret is vertrokken"
    assert told(language("nl"), said("roles are {roles}", roles=either((Role.OWNER, Role.DPO)))) == (
        "rollen zijn data-eigenaar of functionaris voor gegevensbescherming"
    )


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_english_word_is_left_in_any_refusal_of_the_table_of_rights(code: str) -> None:
    people = [
        Principal(Actor(kind, "x1"), standing, roles)
        for kind in ActorKind
        for standing in Standing
        for roles in ({}, {"education": frozenset({Role.VISITOR, Role.ANALYST})}, {"*": frozenset({Role.AUDITOR})})
    ]
    asked = [Question(a, NOW, d, classification=c) for a in Action for d in (None, "education") for c in (None, *Classification)]
    refused = [one for who in people for question in asked if not (one := decide(who, question)).allowed]
    assert len(refused) > 1000
    for text in {one for decision in refused for one in (decision.reason, decision.hint or "")}:
        shown = _NOT_PROSE.sub("", told(language(code), text))
        assert not _ENGLISH[code].search(shown), shown


def test_every_role_has_a_word() -> None:
    assert {role.value for role in Role} <= WORDS.keys()
