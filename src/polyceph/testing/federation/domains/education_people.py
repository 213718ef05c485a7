"""What pupils and staff have in common: the people whom several domains know, telephones, addresses of e-mail."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from random import Random

import pyarrow as pa

from polyceph.testing.federation.domains.education_columns import patched
from polyceph.testing.federation.shared_people import SharedPerson
from polyceph.testing.federation.truth import Truth


def is_pupil(person: SharedPerson) -> bool:
    """Tell whether somebody whom several domains know is a pupil: the first fifteen, and whoever is too young to be staff."""
    return person.number <= 15 or person.birth_date.year > 2003


def know(truth: Truth, identity: dict[str, pa.Array], known: Mapping[int, SharedPerson], *, dataset: str, key: str) -> None:
    """Put known people at positions of the columns of an identity; the value of `key` there is the position and one."""
    names = {at: person.seen(truth, (dataset, "last_name"), {key: at + 1}, variant=0) for at, person in known.items()}
    for place, column in enumerate(("first_name", "last_name")):
        identity[column] = patched(identity[column], {at: name[place] for at, name in names.items()})
    for column in ("sex", "birth_date", "national_number"):
        identity[column] = patched(identity[column], {at: getattr(person, column) for at, person in known.items()})


def phone(random: Random) -> str:
    """Return a mobile number that no operator gives out: 0400 is not in use."""
    return f"0400 {random.randrange(100):02d} {random.randrange(100):02d} {random.randrange(100):02d}"


def email(first: str, last: str, number: int) -> str:
    """Return an address of e-mail at example.org, the number making it one person's own."""
    return f"{_plain(first)}.{_plain(last)}{number}@example.org"


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold().replace("ı", "i"))
    return "".join(letter for letter in letters if letter.isascii() and letter.isalpha())
