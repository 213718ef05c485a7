"""Which language a request gets, how numbers and moments are written in it, and that every text is translated."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "docs"))

import translations  # noqa: E402  found by the path above

from polyceph.web.languages import LANGUAGES, accepted, language  # noqa: E402

TEMPLATES = sorted(path for package in translations.PACKAGES for path in (ROOT / "src/polyceph" / package).glob("templates/*.html"))
SPOKEN = ("aria-label", "title", "placeholder", "alt")
NOT_WORDS = {"polyceph"}


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("fr", "fr"),
        ("fr-BE,fr;q=0.9,en;q=0.8", "fr"),
        ("es, nl;q=0.5, de;q=0.7", "de"),
        ("en;q=0.1, NL-be;q=0.2", "nl"),
        ("*", "en"),
        ("", "en"),
        ("fr;q=0", "en"),
        ("fr;q=x, de;q=0.1", "de"),
        ("xx" * 10_000, "en"),
    ],
)
def test_the_browser_gets_the_language_it_likes_best(header: str, code: str) -> None:
    assert accepted(header) == code


@pytest.mark.parametrize(
    ("code", "number", "moment", "ago"),
    [
        ("fr", "1\u202f234\u202f567,5", "29 nov. 2026, 02:05:00", "il y a 3 jours"),
        ("nl", "1.234.567,5", "29 nov 2026, 02:05:00", "3 dagen geleden"),
        ("de", "1.234.567,5", "29.11.2026, 02:05:00", "vor 3 Tagen"),
        ("en", "1,234,567.5", "29 Nov 2026, 02:05:00", "3 days ago"),
    ],
)
def test_numbers_and_moments_are_written_as_people_write_them(code: str, number: str, moment: str, ago: str) -> None:
    at = datetime(2026, 11, 29, 1, 5, tzinfo=UTC)
    spoken = language(code)
    assert spoken.number(1234567.5) == number
    assert spoken.moment(at).replace("\u202f", " ") == moment
    assert spoken.ago(at, at + timedelta(days=3)) == ago


@pytest.mark.parametrize("code", translations.LANGUAGES)
def test_every_text_is_translated_and_none_is_left_over(code: str) -> None:
    assert translations.problems(code) == []


def test_a_sentence_that_is_not_translated_right_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = (translations.LOCALE / "nl.po").read_text(encoding="utf-8")
    monkeypatch.setattr(translations, "LOCALE", tmp_path)
    for wrong, problem in (
        (good.replace('msgstr "{person} is vertrokken"', 'msgstr ""'), "nl: '{person} has left' is not translated"),
        (good.replace('"{person} is vertrokken"', '"{naam} is vertrokken"'), "nl: '{person} has left' has other places in its translation"),
        (
            good.replace('"{person} is vertrokken"', '"{person is vertrokken"'),
            "nl: '{person} has left' has other places in its translation",
        ),
        (good + '\nmsgid "{who} is gone"\nmsgstr "{who} is weg"\n', "nl: nothing says '{who} is gone' any more"),
    ):
        (tmp_path / "nl.po").write_text(wrong, encoding="utf-8")
        assert translations.problems("nl") == [problem]


def test_a_pattern_that_nobody_could_translate_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.py").write_text("text = 'a'\nsaid('b {x}', x=said(text))\n", encoding="utf-8")
    monkeypatch.setattr(translations, "SOURCE", tmp_path)
    with pytest.raises(ValueError, match=r"one\.py:2: the pattern of a sentence is a literal"):
        list(translations.patterns())


def test_all_languages_on_offer_are_checked() -> None:
    assert {*translations.LANGUAGES, "en"} == set(LANGUAGES)
    assert len(translations.texts()) > 200


@pytest.mark.parametrize("code", translations.LANGUAGES)
def test_a_translation_is_another_text(code: str) -> None:
    """Few words are the same in two languages; a catalogue of copies would be."""
    texts = translations.texts()
    same = [text for text in texts if language(code).say(text) == text]
    assert len(same) < len(texts) / 8, same


class _Words(HTMLParser):
    """Collects what a template says outside of expressions: text, and attributes that are read out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside.append(tag)
        self.found += [value for name, value in attrs if value and (name in SPOKEN or (name == "value" and ("type", "submit") in attrs))]
        if tag in ("input", "meta", "link", "img", "br", "line", "path", "circle"):
            self._inside.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not {"code", "script"} & set(self._inside):
            self.found.append(data)


def hard_coded(source: str) -> list[str]:
    """Return the words of a template that no translation reaches."""
    bare = "".join(value if kind == "data" else "\u241f" for _, kind, value in _pieces(source))
    parser = _Words()
    parser.feed(bare)
    words = [word for text in parser.found for word in re.findall(r"[^\W\d_]{2,}", text.replace("\u241f", " "))]
    return [word for word in words if word not in NOT_WORDS]


def _pieces(source: str) -> list[tuple[int, str, str]]:
    return [piece for piece in Environment().lex(source) if piece[1] in ("data", "variable_begin")]  # noqa: S701  nothing is rendered


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: f"{path.parents[1].name}/{path.name}")
def test_no_template_says_a_word_by_itself(template: Path) -> None:
    assert hard_coded(template.read_text(encoding="utf-8")) == []


def test_a_word_in_a_template_would_be_found() -> None:
    assert hard_coded('<p>{{ _("Home") }} Hello</p><input title="Name" value="x1">') == ["Hello", "Name"]
    assert hard_coded('<a aria-label="{{ _("Home") }}"><code>polyceph run</code></a>') == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: f"{path.parents[1].name}/{path.name}")
def test_no_template_needs_what_the_content_policy_forbids(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)|hx-on|https?://", text)
