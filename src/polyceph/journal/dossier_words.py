"""What a dossier says in the reader's language; the texts stand in templates/dossier.yaml. What machines read is English and not here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import yaml

from polyceph.core.model.event import Actor, Event

LANGUAGES = ("en", "fr", "nl", "de")
_SHORT = 12
"""So many digits of a commit or digest are enough for a person to tell it from others."""
_UNTOLD = ("at", "contracts", "changes")
"""Parts of an event that have a column of their own wherever they occur."""


@dataclass(frozen=True)
class Words:
    """The texts of one language."""

    language: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """Return a text with values filled in."""
        return self.texts[key].format(**values) if values else self.texts[key]

    def action(self, action: str) -> str:
        """Return what a kind of event is called; its own name when it has no translation."""
        return self.texts.get(action, action)

    def named(self, name: str) -> str:
        """Return what a part of an event is called; its own name when it has no translation."""
        return self.texts.get(name, name.replace("_", " "))

    def value(self, value: object) -> str:
        """Return a value as people write it."""
        if value is None:
            return "—"
        if isinstance(value, bool):
            return self("is_yes") if value else self("is_no")
        if isinstance(value, list | tuple):
            return ", ".join(map(self.value, value))
        if isinstance(value, Mapping):
            return str(value["message"]) if "message" in value else json.dumps(value, ensure_ascii=False, sort_keys=True)
        return str(value)

    def actor(self, actor: Actor) -> str:
        """Return who acted, and for whom."""
        return self("on_behalf_of", who=actor.id, whom=actor.on_behalf_of) if actor.on_behalf_of else actor.id

    def door(self, form: str) -> str:
        """Return what a door to an output is called."""
        return self.texts.get(f"door_{form}", form)

    def level(self, classification: object) -> str:
        """Return what a classification is called."""
        return self.texts.get(f"level_{classification}", self.value(classification))

    def status(self, status: str | None) -> str:
        """Return how a run ended, as people say it."""
        return self.texts.get(f"status_{status}", status or "—")

    def details(self, event: Event) -> str:
        """Return what an event says was before and after, one part after the other."""
        before, after = event.before or {}, event.after or {}
        parts = [one for one in dict.fromkeys((*before, *after)) if one not in _UNTOLD]
        return "; ".join(self("pair", name=self.named(one), value=self._change(one, before, after)) for one in parts)

    def _change(self, part: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
        old, new = (self._short(part, facts.get(part)) for facts in (before, after))
        if part in before and part in after:
            return new if old == new else f"{old} → {new}"
        return new if part in after else old

    def _short(self, part: str, value: object) -> str:
        text = self.level(value) if part == "classification" else self.value(value)
        return short(text) if part.endswith(("digest", "sha256")) else text


def words(languages: Sequence[str]) -> Words:
    """Return the texts of the first of these languages that there is, of English when there is none."""
    language = next((one for one in languages if one in LANGUAGES), "en")
    source = files("polyceph.journal").joinpath("templates", "dossier.yaml").read_text(encoding="utf-8")
    return Words(language, {key: texts[language] for key, texts in yaml.safe_load(source).items()})


def short(digest: str) -> str:
    """Return the beginning of a commit or digest, with what was added to it (`+changes`)."""
    head, plus, rest = digest.partition("+")
    return head[:_SHORT] + plus + rest if len(head) >= 2 * _SHORT else digest


def minute(moment: datetime) -> str:
    """Return a moment in UTC to the minute."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def second(moment: datetime) -> str:
    """Return a moment in UTC to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def count(number: int) -> str:
    """Return a number with thin spaces between thousands, as all four languages read it."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
