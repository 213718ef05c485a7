"""The page of a dossier: the same in every language, readable however much happened, and nothing on it is executed."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "usecases"))
from planted import OCTOBER, PUPILS, TABLE_OF_PUPILS, Plant, at, planted, review

from polyceph.core.model.dossier import Dossier, Ground, Making
from polyceph.core.model.event import Actor, ActorKind
from polyceph.core.model.event_kinds import KINDS
from polyceph.core.model.journal import Verification
from polyceph.core.usecases.dossier import DossierFacts, select
from polyceph.journal import dossier_sections
from polyceph.journal.dossier_page import page
from polyceph.journal.dossier_words import LANGUAGES, words

TEXTS = yaml.safe_load(files("polyceph.journal").joinpath("templates", "dossier.yaml").read_text(encoding="utf-8"))
ADA = Actor(ActorKind.PERSON, "ada.auditor")


@pytest.fixture(scope="module")
def dossier() -> Dossier:
    plant = planted()
    plant.add("an unknown kind", "10-19 12:00", "grant.created", PUPILS, allowed=False, reason="<script>x</script>", after={"<i>": ["<b>"]})
    reviews = [review(900, "10-01 00:00", "10-16 00:00", by="<ada>", size=1000)]
    return select(PUPILS, OCTOBER, DossierFacts(plant.entries, reviews=reviews, numbers=frozenset({TABLE_OF_PUPILS})))


def making(*languages: str, **found: object) -> Making:
    verification = replace(Verification(True, 120, 14, size=120), **found)  # type: ignore[arg-type]
    return Making(at("11-24 15:00"), ADA, "0.1.0", "demo", languages, "polyceph.demo/1", "key", 120, at("11-24 14:59"), verification)


def shown(dossier: Dossier, *languages: str, **found: object) -> str:
    return page(dossier, making(*languages, **found), words(languages))


class _Texts(HTMLParser):
    """Keeps the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_text_is_there_in_every_language_with_the_same_blanks() -> None:
    for key, texts in TEXTS.items():
        assert set(texts) == set(LANGUAGES), key
        blanks = {language: sorted(re.findall(r"{(\w+)}", text)) for language, text in texts.items()}
        assert len(set(map(tuple, blanks.values()))) == 1, key


def test_what_can_be_in_a_dossier_has_a_name_in_every_language() -> None:
    """Kinds of platform, journal, persons and sources are about no dataset."""
    about = {"dataset", "contract", "classification", "column", "personal_data", "owner", "steward", "interim_owner", "consumption", "read"}
    wanted = {kind for kind in KINDS if kind.partition(".")[0] in {*about, "run", "snapshot", "dossier", "period"}}
    assert not wanted - TEXTS.keys()
    assert not {str(one) for one in Ground} - TEXTS.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_in_the_language_of_the_federation(dossier: Dossier, language: str) -> None:
    html = shown(dossier, "xx", language, "en")
    assert f'<html lang="{language}">' in html
    text = _Texts(html).text
    assert all(TEXTS[key][language] in text for key in ("eyebrow", "whole", "readers", "column.added", "incidents_intro", "level_internal"))


def test_a_language_that_is_not_known_becomes_english(dossier: Dossier) -> None:
    assert '<html lang="en">' in shown(dossier, "it")


def test_nothing_that_was_recorded_is_executed(dossier: Dossier) -> None:
    html = shown(dossier, "en")
    assert not re.search(r"<script|<b>unknown|<ada>|<i>:", html)
    text = _Texts(html).text
    assert all(one in text for one in ("<script>x</script>", "<b>unknown</b>", "<ada>", "<i>", "grant.created"))


def test_every_event_stands_in_full_once_and_marks_lead_there(dossier: Dossier) -> None:
    html = shown(dossier, "en")
    for one in dossier.entries():
        assert html.count(f'id="e{one.number}"') == 1
        assert f">{one.number}</a><i>·{one.index}</i>" in html
    reviewed = sum(bool(one) for one in dossier.reviewed.values())
    assert reviewed
    assert "reviewed by &lt;ada&gt;" in html
    assert "not reviewed" in html


def test_a_journal_that_is_not_whole_is_said_first(dossier: Dossier) -> None:
    text = _Texts(shown(dossier, "en", ok=False, first_bad=17, reason="event 18 is not what was sealed at 17")).text
    assert "The journal is NOT whole" in text
    assert "First bad event: leaf 17. event 18 is not what was sealed at 17" in text
    assert "The journal is whole" not in text


def test_what_waits_for_the_next_head_and_who_witnessed_is_said(dossier: Dossier) -> None:
    text = _Texts(shown(dossier, "en", unsealed=3, witnesses=("culture", "sport"))).text
    assert "3 events of the journal wait for the next head" in text
    assert "Witnesses: culture, sport." in text


def test_an_empty_dossier_says_that_nothing_happened() -> None:
    text = _Texts(shown(select(PUPILS, OCTOBER, DossierFacts([])), "en")).text
    assert "Nothing about this dataset was recorded in this period." in text
    assert "This dataset was not declared at the end of the period." in text
    assert all(TEXTS[f"{name}_empty"]["en"] in text for name in ("readers", "accesses", "refusals", "runs", "incidents", "reviews"))


def test_a_page_shows_so_many_rows_and_says_where_the_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dossier_sections, "MOST_ROWS", 5)
    plant = Plant()
    for minute in range(8):
        plant.add("read", f"10-02 08:0{minute}", "dataset.read", PUPILS, after={"rows": 1})
    html = shown(select(PUPILS, OCTOBER, DossierFacts(plant.entries)), "en")
    assert "3 more rows are in tables/accesses.csv." in html
    assert "3 more rows are in tables/events.csv." in html
    assert html.count('<tr id="e') == 5
    assert not set(re.findall(r'href="#(e\d+)"', html)) - set(re.findall(r'id="(e\d+)"', html))
