"""What an event may hold: only kinds of the catalogue, known ties, and nothing that identifies a person the data is about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from polyceph.core.model.decision import Decision
from polyceph.core.model.event import CORRELATIONS, Event
from polyceph.core.model.event_kinds import KINDS
from polyceph.core.policies.nearest import did_you_mean

_POLICY = "recording"
_NATIONAL_NUMBER = re.compile(r"(?<![0-9A-Za-z])(\d{2})[.\-/ ]?(\d{2})[.\-/ ]?(\d{2})[.\-/ ]?(\d{3})[.\-/ ]?(\d{2})(?![0-9A-Za-z])")
_IBAN = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}\d{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?(?![0-9A-Za-z])")


def event_is_fit(event: Event) -> Decision:
    """Refuse an event of an unknown kind, with unknown ties, or with a national number or IBAN in it (GDPR art. 5(1)(c)).

    A person the data is about is named by a pseudonym, whose key can be destroyed; the journal itself cannot forget.
    """
    if event.action not in KINDS:
        hint = did_you_mean(event.action, KINDS) or "add it to core/model/event_kinds.py"
        return Decision(False, _POLICY, f"{event.action!r} is not in the catalogue of events", tuple(KINDS), hint)
    if unknown := sorted(set(event.correlation) - CORRELATIONS):
        good = tuple(sorted(CORRELATIONS))
        return Decision(False, _POLICY, f"it is tied to {', '.join(unknown)}", good, f"an event is tied to {', '.join(good)}")
    texts = [one for one in (event.subject_id, event.reason, event.purpose, *_texts(event.before), *_texts(event.after)) if one]
    # One search in all of them: an event costs its writer microseconds.
    if found := _identity("\n".join(texts)):
        return Decision(False, _POLICY, f"it holds what looks like {found}", hint="name the person by a pseudonym")
    return Decision(True, _POLICY, "it is of a known kind and names nobody the data is about")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield str(key)
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _identity(text: str) -> str | None:
    if any(_is_national_number("".join(found.groups())) for found in _NATIONAL_NUMBER.finditer(text)):
        return "a national register number"
    if any(_is_iban(found.group().replace(" ", "")) for found in _IBAN.finditer(text)):
        return "a bank account (IBAN)"
    return None


def _is_national_number(digits: str) -> bool:
    """Tell whether eleven digits are a Belgian national or bis number: month, day and checksum (KB 3.4.1984 art. 3; 2 before 2000s)."""
    month, day, check = int(digits[2:4]) % 20, int(digits[4:6]), int(digits[9:])
    if month > 12 or day > 31:
        return False
    return any(97 - int(prefix + digits[:9]) % 97 == check for prefix in ("", "2"))


def _is_iban(text: str) -> bool:
    """Tell whether the checksum of ISO 13616 holds."""
    turned = text[4:] + text[:4]
    return int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1
