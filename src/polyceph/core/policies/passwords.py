"""Which passwords are good enough (NIST SP 800-63B-4, 3.1.1.2): long, not well known, not made of what everybody knows here.

No rule asks for kinds of characters and nothing expires: both make passwords worse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from polyceph.core.model.decision import Decision
from polyceph.core.model.sentence import said

SHORTEST, LONGEST = 12, 200
_FEWEST_KINDS = 5
_COMMON = frozenset(
    """
    123456789012 1234567890123 12345678901234 123456789abc 1234567890ab 1q2w3e4r5t6y 1qaz2wsx3edc 1qazxsw23edc abcdefghijkl
    abcd12345678 abc123456789 administrator administrateur administrateur1 azertyuiop12 azertyuiop123 azertyuiopqs
    azertyuiopqsdfghjklm bonjourbonjour changeme1234 changemenow1 changemechangeme correcthorsebatterystaple defaultpassword
    doudoudoudou footballfootball ilovedogs1234 iloveyou1234 iloveyouforever jetaimejetaime letmein12345 letmeinplease
    loulouloulou marseille13000 monkeymonkey motdepasse12 motdepasse123 motdepasse1234 motdepassemotdepasse nevergonnagiveyouup
    p@ssw0rd1234 p@ssword1234 pa$$word1234 passpasspass password0123 password1234 password12345 password123456 passwordpassword
    passw0rd1234 princess1234 qazwsxedcrfv qwerty123456 qwerty1234567 qwertyqwerty qwertyuiop12 qwertyuiop123 qwertyuiop[]
    qwertyuiopas qwertyuiopasdfghjkl qwertzuiop12 secretsecret soleil123456 starwars1234 sunshine1234 superman1234 thisisapassword
    trustno1trustno1 wachtwoord12 wachtwoord123 wachtwoord1234 welcome12345 welcome123456 welkom123456 welkom1234567 winter202425
    summer202425 zaq12wsxcde3 zomer2025zomer passwort1234 passwort12345 hallo1234567 schalke04schalke anderlecht123 standard123456
    bruxelles1000 brussel10001
    """.split()  # noqa: SIM905  (one a line would take a page)
)
"""Long passwords that lists of stolen ones hold, and what people here would take."""


def password_is_good(password: str, names: Iterable[str] = ()) -> Decision:
    """Refuse a password that is short, well known, monotonous, or little more than a name. The reason never repeats it.

    Args:
        password: the password.
        names: what everybody knows here: the federation's name, the account's.
    """
    plain = password.strip().lower()
    hint = said("take {least} characters or more, for example four words that have nothing to do with each other", least=SHORTEST)
    if len(password) < SHORTEST:
        reason = said("the password has {count} characters; it needs {least}", count=len(password), least=SHORTEST)
        return Decision(False, "password", reason, hint=hint)
    if len(password) > LONGEST:
        reason = said("the password has {count} characters; it may have {most}", count=len(password), most=LONGEST)
        return Decision(False, "password", reason, hint=hint)
    if plain in _COMMON or _is_sequence(plain):
        return Decision(False, "password", said("the password is one that everybody tries first"), hint=hint)
    if len(set(plain)) < _FEWEST_KINDS or re.fullmatch(r"(.{1,6})\1+.{0,5}", plain, re.DOTALL):
        return Decision(False, "password", said("the password repeats itself"), hint=hint)
    if any(len(re.sub(re.escape(name.lower()), "", plain)) < SHORTEST // 2 for name in (*names, "polyceph") if name):
        return Decision(False, "password", said("the password is little more than a name that everybody knows here"), hint=hint)
    return Decision(True, "password", "the password is long and not well known")


def _is_sequence(text: str) -> bool:
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return steps in ({1}, {-1}, {0})
