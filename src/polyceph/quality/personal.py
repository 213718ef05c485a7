"""Guesses whether a column is about a person: by checksum of what it holds, by the shape of it, by its name in four languages.

A guess is for a person to confirm; it never decides. It errs towards personal: a column marked too much is mended in a review.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stdnum import iban
from stdnum.be import bis, nn, vat

from polyceph.core.model.classification import PersonalData

_ENOUGH = 0.8
"""The share of a sample's values that must look alike: real columns hold a few that are wrong."""
_E_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_PHONE = re.compile(r"(?:\+|00)\d[\d ./()-]{7,17}|0\d{1,3}[ ./-]\d{2,3}(?:[ .]?\d{2}){2}")
_ENTERPRISE_OFFICES = "an enterprise number: personal where the enterprise is one person"

_NAMES = (
    (PersonalData.SPECIAL_CATEGORY, "health", r"sante|gezondheid|gesundheit|health|diagnos\w*|handicap\w*|maladie|ziekte|medica\w*"),
    (PersonalData.SPECIAL_CATEGORY, "religion or conviction", r"religion|culte|godsdienst|eredienst|philosoph\w*"),
    (PersonalData.SPECIAL_CATEGORY, "origin", r"ethni\w*|origine ethnique|race"),
    (PersonalData.SPECIAL_CATEGORY, "union membership", r"syndica\w*|vakbond|gewerkschaft"),
    (PersonalData.PERSONAL, "a national number", r"niss|insz|rrn|rijksregister\w*|registre national|numero national|national number"),
    (PersonalData.PERSONAL, "a person's name", r"prenoms?|voornaa?m(?:en)?|vorname|first name|given name|surname|family name|last name"),
    (
        PersonalData.PERSONAL,
        "a person's name",
        r"nom (?:de famille|eleve|enfant|agent|usager)|achternaam|familienaam|nachname|full name|nom prenom",
    ),
    (PersonalData.PERSONAL, "a birth", r"naissance|geboorte\w*|geburts\w*|birth\w*|date of birth|dob"),
    (PersonalData.PERSONAL, "an address", r"adresse|adres|rue|straat|strasse|street|domicile|woonplaats"),
    (PersonalData.PERSONAL, "a way to reach a person", r"e ?mail|courriel|tel|telephone|telefoon|telefon|phone|gsm|mobile"),
    (PersonalData.PERSONAL, "an account", r"iban|compte bancaire|rekening(?:nummer)?|bank account"),
    (PersonalData.PERSONAL, "a person", r"sexe|geslacht|geschlecht|gender|nationalite|nationaliteit|nationality"),
)
_BY_NAME = tuple((kind, why, re.compile(rf"(?:^| )(?:{pattern})(?: |$)")) for kind, why, pattern in _NAMES)


@dataclass(frozen=True)
class PersonalGuess:
    """What a column seems to hold about persons, and why; the reason quotes no value."""

    personal_data: PersonalData
    why: str = ""


def guess(name: str, values: Sequence[str]) -> PersonalGuess:
    """Return the guess for a column from its name in the source and the texts of a sample, missing ones left out.

    Checksums are those of the Belgian national register (modulo 97) and of ISO 13616 (IBAN).
    """
    for looks, what in _BY_VALUE:
        if values and sum(map(looks, values)) >= _ENOUGH * len(values):
            return PersonalGuess(PersonalData.PERSONAL, f"the values look like {what}")
    plain = _plain(name)
    for kind, why, pattern in _BY_NAME:
        if pattern.search(plain):
            return PersonalGuess(kind, f"the name says {why}")
    return PersonalGuess(PersonalData.NONE)


def _is_national_number(text: str) -> bool:
    return nn.is_valid(text) or bis.is_valid(text)


def _is_enterprise_number(text: str) -> bool:
    # Ten bare digits pass the checksum by chance once in 97; a sample does not.
    return bool(vat.is_valid(text))


_BY_VALUE: tuple[tuple[Callable[[str], bool], str], ...] = (
    (_is_national_number, "national numbers"),
    (lambda text: bool(iban.is_valid(text)), "IBAN account numbers"),
    (lambda text: _E_MAIL.fullmatch(text) is not None, "e-mail addresses"),
    (lambda text: _PHONE.fullmatch(text) is not None, "telephone numbers"),
    (_is_enterprise_number, _ENTERPRISE_OFFICES),
)


def _plain(name: str) -> str:
    """Return a name as words: accents off, small letters, camelCase and signs as spaces."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    bare = unicodedata.normalize("NFKD", spaced).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", " ", bare).strip()
