"""How the people and organisations of the invented systems are reached: telephone numbers, e-mail addresses, accounts. None is in use."""

from __future__ import annotations

import unicodedata

import numpy as np

from polyceph.testing.federation.identifiers import iban

_ZONES = ("02", "04", "010", "019", "063", "064", "065", "067", "069", "071", "081", "082", "084", "087")
_BANK = 989
"""Digits of a bank that no bank has."""


def telephone(numbers: np.random.Generator) -> str:
    """Return a telephone number of a Belgian zone whose subscriber's part begins with 0, which none that is in use does."""
    zone = _ZONES[int(numbers.integers(len(_ZONES)))]
    digits = f"{int(numbers.integers(1_000_000)):07d}" if len(zone) == 2 else f"{int(numbers.integers(100_000)):06d}"
    head, rest = digits[: len(digits) - 4], digits[-4:]
    return f"{zone} {head} {rest[:2]} {rest[2:]}"


def email(first_name: str, last_name: str) -> str:
    """Return an address at example.org."""
    return f"{_plain(first_name)}.{_plain(last_name)}@example.org"


def account(serial: int) -> str:
    """Return the IBAN of an invented account."""
    return iban(_BANK, serial)


def _plain(name: str) -> str:
    bare = unicodedata.normalize("NFKD", name.replace("ı", "i")).encode("ascii", "ignore").decode()
    return "".join(sign for sign in bare.lower() if sign.isalnum())
