"""Numbers with check digits, as Belgium writes them: national numbers, bank accounts, enterprise numbers."""

from __future__ import annotations

from datetime import date

import numpy as np
from numpy.typing import NDArray

Texts = NDArray[np.str_]


def national_number(birth_date: date, serial: int) -> str:
    """Return the Belgian national number of a birth date and serial, with its checksum, as written on a card: `24.12.31-998.05`.

    The checksum is 97 less the rest of the first nine digits divided by 97; from 2000 on a 2 goes in front of the nine digits
    (royal decree of 3 April 1984 on the composition of the identification number, article 3).
    """
    nine = f"{birth_date:%y%m%d}{serial:03d}"
    check = 97 - int(nine if birth_date.year < 2000 else f"2{nine}") % 97
    return f"{nine[:2]}.{nine[2:4]}.{nine[4:6]}-{nine[6:]}.{check:02d}"


def iban(bank: int, account: int) -> str:
    """Return a Belgian account number in groups of four: three digits of the bank, seven of the account, two that check them.

    The inner check is the rest of the ten digits divided by 97, 97 instead of 0; the outer one is ISO 13616's.
    """
    ten = f"{bank:03d}{account:07d}"
    inner = f"{ten}{int(ten) % 97 or 97:02d}"
    outer = 98 - int(f"{inner}111400") % 97  # B is 11, E is 14
    whole = f"BE{outer:02d}{inner}"
    return " ".join(whole[at : at + 4] for at in range(0, 16, 4))


def enterprise_number(serial: int) -> str:
    """Return the number of an enterprise in the crossroads bank, `0400.123.4nn`: 97 less the rest of its first eight digits by 97."""
    eight = f"0{serial:07d}"
    check = 97 - int(eight) % 97
    return f"{eight[:4]}.{eight[4:7]}.{eight[7:]}{check:02d}"
