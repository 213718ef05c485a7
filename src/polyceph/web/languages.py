"""The languages of the pages: which one a request gets, its translations, and numbers and dates as they are written there.

Texts in code and templates are English and their own keys; catalogues are the gettext files in `locale/`, written by hand.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.units import format_unit
from starlette.requests import HTTPConnection

from polyceph.web.cookies import Cookies
from polyceph.web.principal import cookie_in
from polyceph.web.scope import principal_of

LANGUAGES: Mapping[str, str] = {"fr": "Français", "nl": "Nederlands", "de": "Deutsch", "en": "English"}
"""Codes of the languages with their own names, in the order in which they are offered."""
DEFAULT = "en"
LOCALE_FOLDER = Path(__file__).parent / "locale"
ZONE = ZoneInfo("Europe/Brussels")
_LONGEST_HEADER = 500


@dataclass(frozen=True)
class Language:
    """One language: how a text, a number, a moment and a declared title are said in it."""

    code: str
    translations: gettext.NullTranslations

    @property
    def locale(self) -> Locale:
        """Return Babel's locale; English is written as in Britain."""
        return Locale.parse("en_GB" if self.code == "en" else self.code)

    def say(self, text: str, **values: object) -> str:
        """Return a text in this language, with `%(name)s` in it replaced."""
        said = self.translations.gettext(text)
        return said % values if values else said

    def number(self, value: float | None) -> str:
        """Return a number with the separators of the language; a dash for None."""
        return "–" if value is None else format_decimal(value, locale=self.locale)

    def size(self, count: float | None) -> str:
        """Return a number of bytes in the unit that reads best."""
        value, units = float(count or 0), ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte")
        power = 0
        while value >= 1000 and power < len(units) - 1:
            value, power = value / 1000, power + 1
        return "–" if count is None else format_unit(round(value, 1), f"digital-{units[power]}", "short", locale=self.locale)

    def moment(self, value: datetime | None) -> str:
        """Return date and time in Brussels; a dash for None."""
        return "–" if value is None else format_datetime(value, "medium", tzinfo=ZONE, locale=self.locale)

    def day(self, value: datetime) -> str:
        """Return the date in Brussels."""
        return format_date(value.astimezone(ZONE).date(), "medium", locale=self.locale)

    def span(self, value: timedelta) -> str:
        """Return a length of time in its largest unit."""
        return format_timedelta(value, threshold=1.2, locale=self.locale)

    def ago(self, value: datetime, now: datetime) -> str:
        """Return how long ago a moment was, or in how long it will be."""
        return format_timedelta(value - now, threshold=1.2, add_direction=True, locale=self.locale)

    def pick(self, texts: Mapping[str, str]) -> str:
        """Return the declared text of this language, of English, or of the first language there is."""
        return texts.get(self.code) or texts.get(DEFAULT) or next(iter(texts.values()), "")


@cache
def language(code: str) -> Language:
    """Return a language by its code; English texts stand for themselves."""
    file = LOCALE_FOLDER / f"{code}.po"
    if code == DEFAULT or not file.exists():
        return Language(DEFAULT, gettext.NullTranslations())
    with file.open("rb") as source:
        catalogue = read_po(source, locale=code)
    binary = io.BytesIO()
    write_mo(binary, catalogue)
    binary.seek(0)
    return Language(code, gettext.GNUTranslations(binary))


def language_of(request: HTTPConnection, cookies: Cookies) -> Language:
    """Return the language of a request: as chosen, as the directory knows of the person, as the browser asks, English."""
    wanted = (cookie_in(request.scope, cookies.name("language")), principal_of(request).language)
    chosen = next((one for one in wanted if one in LANGUAGES), None)
    return language(chosen or accepted(request.headers.get("accept-language", "")))


def accepted(header: str) -> str:
    """Return the code that an `Accept-Language` header likes best of those we have (RFC 9110, 12.5.4)."""
    best, weight = DEFAULT, 0.0
    for part in header[:_LONGEST_HEADER].split(","):
        name, _, parameter = part.strip().partition(";")
        code = name.strip().lower().partition("-")[0]
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if code in LANGUAGES and weight < quality <= 1:
            best, weight = code, quality
    return best


def N_(text: str) -> str:  # noqa: N802  gettext's own name for it, which extractors know
    """Mark a text for translation and return it as it is; it is translated where it is shown."""
    return text
