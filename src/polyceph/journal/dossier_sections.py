"""The sections of a dossier's page: one question each, its tables, and what stands there when there is no answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from polyceph.core.model.dossier import Dossier, Spell, happened_at
from polyceph.core.model.event import JournalEntry
from polyceph.core.usecases.journal import is_covered
from polyceph.journal.dossier_words import Words, count, minute, second, short

MOST_ROWS = 1_000
"""Nobody reads more on a page; the tables and the JSON hold all."""

_Cells = Mapping[str, Callable[[Any], "Cell"]]
"""The columns of a table: what each is called, and what stands in it for a thing."""


@dataclass(frozen=True)
class Mark:
    """What names an event: its number, its leaf, whether it is reviewed. `target` is where it stands in full, empty when nowhere."""

    number: int
    index: int | None
    is_reviewed: bool
    review: str
    target: str


@dataclass(frozen=True)
class Cell:
    """What stands in a cell: a text, marks of events, or both. `tone` is good, bad, number, code or empty; `id` names the row."""

    text: str = ""
    marks: tuple[Mark, ...] = ()
    tone: str = ""
    id: str = ""


@dataclass(frozen=True)
class TableView:
    """A table with its caption; `more` says where the rows are that it does not show."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    more: str


@dataclass(frozen=True)
class Section:
    """One question: its tables hold at least one row each."""

    id: str
    title: str
    intro: str
    tables: tuple[TableView, ...]
    empty: str


def sections(dossier: Dossier, words: Words) -> tuple[Section, ...]:
    """Return all sections, those without an answer too: that nothing happened is an answer."""
    made = _Tables(dossier, words)
    tables = {
        "readers": [made.readers()],
        "accesses": [made.accesses(), made.untold()],
        "refusals": [made.refusals()],
        "decisions": [made.decisions()],
        "answering": [made.answering()],
        "contracts": [made.contracts(), made.classifications(), made.changes()],
        "runs": [made.runs("runs", dossier.runs)],
        "code": [made.code()],
        "snapshots": [made.snapshots()],
        "incidents": [made.runs("incidents", dossier.failures)],
        "reviews": [made.reviews()],
        "others": [made.others()],
        "timeline": [made.timeline()],
    }
    return tuple(
        Section(name, words(name), words(f"{name}_intro"), tuple(one for one in found if one.rows), words(f"{name}_empty"))
        for name, found in tables.items()
    )


class _Tables:
    """Makes the tables, with the dossier and the reader's language at hand. A method a table; then what stands in their cells."""

    def __init__(self, dossier: Dossier, words: Words) -> None:
        self._dossier, self._words = dossier, words
        self._in_full = {one.number for one in dossier.entries()[:MOST_ROWS]}

    def readers(self) -> TableView:
        cells: _Cells = {
            "ground": lambda one: Cell(self._words(one.ground)),
            "who": lambda one: Cell(one.spell.value),
            "door": lambda one: Cell(self._words.door(one.door)),
            **self._held(lambda one: one.spell),
        }
        return self._table("readers", self._dossier.readers, cells)

    def accesses(self) -> TableView:
        cells: _Cells = {
            **self._said(),
            "door": lambda one: Cell(one.event.door),
            "columns": lambda one: self._told(one, "columns"),
            "rows": lambda one: self._told(one, "rows", tone="number"),
            "purpose": lambda one: Cell(" · ".join(text for text in (one.event.purpose, one.event.agreement) if text) or "—"),
            "event": self._mark_of,
        }
        return self._table("accesses", self._dossier.accesses, cells)

    def untold(self) -> TableView:
        cells: _Cells = {
            "when": lambda one: self._moment(happened_at(one)),
            "who": lambda one: Cell(self._words.actor(one.event.actor)),
            "door": lambda one: Cell(one.event.door),
            "rows": lambda one: self._told(one, "rows", tone="number"),
            "purpose": lambda one: Cell(one.event.purpose or "—"),
            "reason": lambda one: Cell(one.event.reason or "—"),
            "event": self._mark_of,
        }
        return self._table("untold", self._dossier.untold, cells)

    def refusals(self) -> TableView:
        return self._table("refusals", self._dossier.refusals, {**self._said(), **self._why(), "event": self._mark_of})

    def decisions(self) -> TableView:
        cells: _Cells = {**self._said(), "outcome": self._outcome, **self._why(), "event": self._mark_of}
        return self._table("decisions", self._dossier.decisions, cells)

    def answering(self) -> TableView:
        cells: _Cells = {
            "ground": lambda one: Cell(self._words(one[0])),
            "who": lambda one: Cell(one[1].value),
            **self._held(lambda one: one[1]),
        }
        return self._table("answering", self._dossier.answering, cells)

    def contracts(self) -> TableView:
        cells: _Cells = {
            "contract": lambda one: Cell(one.spell.value),
            "status": lambda one: Cell(one.status or "—"),
            "contract_digest": lambda one: Cell(short(one.digest or "—"), tone="code"),
            **self._held(lambda one: one.spell),
        }
        return self._table("contracts", self._dossier.contracts, cells, caption="contracts_caption")

    def classifications(self) -> TableView:
        cells: _Cells = {"classification": lambda one: Cell(self._words.level(one.value)), **self._held(lambda one: one)}
        return self._table("classifications", self._dossier.classifications, cells, caption="classifications_caption")

    def changes(self) -> TableView:
        cells: _Cells = {**self._said(), "details": self._details, "commit": self._commit, "event": self._mark_of}
        return self._table("changes", self._dossier.changes, cells, caption="changes_caption")

    def runs(self, name: str, stories: Sequence[Any]) -> TableView:
        cells: _Cells = {
            "when": lambda one: self._moment((one.asked or one.entries[0]).at),
            "who": lambda one: Cell(self._words.actor(one.actor)),
            "asked_for": lambda one: Cell(self._asked_for(one.asked)),
            "status": lambda one: Cell(self._words.status(one.status), tone="bad" if one.status not in (None, "SUCCESS") else ""),
            "seconds": lambda one: self._after(one.finished, "seconds", tone="number"),
            "checks": lambda one: self._checks(one.finished),
            "run": lambda one: Cell(short(one.run or "—"), tone="code"),
            "event": lambda one: Cell(marks=tuple(map(self._mark, one.entries))),
        }
        return self._table(name, stories, cells)

    def code(self) -> TableView:
        cells: _Cells = {
            "commit": lambda one: Cell(short(one.commit), tone="code"),
            "first": lambda one: self._moment(one.entries[0].at),
            "last": lambda one: self._moment(one.entries[-1].at),
            "declared": lambda one: Cell(marks=tuple(map(self._mark, one.declared))),
            "made": lambda one: Cell(marks=tuple(map(self._mark, one.made))),
        }
        return self._table("code", self._dossier.code, cells)

    def snapshots(self) -> TableView:
        words = self._words
        cells: _Cells = {
            "when": lambda one: self._moment(happened_at(one.entry)),
            "snapshot": lambda one: Cell(one.entry.event.subject_id),
            "who": lambda one: Cell(words.actor(one.entry.event.actor)),
            "message": lambda one: Cell(one.entry.event.reason or "—"),
            "changed": lambda one: Cell(words("is_yes" if one.is_named else "named_no")),
            "lake_says": lambda one: Cell(str((one.entry.event.after or {}).get("changes") or "—").replace(",", ", "), tone="code"),
            "event": lambda one: Cell(marks=(self._mark(one.entry),)),
        }
        return self._table("snapshots", self._dossier.snapshots, cells)

    def reviews(self) -> TableView:
        cells: _Cells = {
            "when": lambda one: self._moment(one.at),
            "reviewer": lambda one: Cell(self._words.actor(one.event.actor)),
            "reviewed_period": lambda one: Cell(self._reviewed_period(one)),
            "note": lambda one: self._after(one, "note"),
            "covers": lambda one: Cell(count(sum(is_covered(each, one) for each in self._dossier.happened())), tone="number"),
            "event": self._mark_of,
        }
        return self._table("reviews", self._dossier.reviews, cells)

    def others(self) -> TableView:
        return self._table("others", self._dossier.others, {**self._said(), "details": self._details, "event": self._mark_of})

    def timeline(self) -> TableView:
        cells: _Cells = {
            "number": lambda one: Cell(str(one.number), tone="number", id=f"e{one.number}"),
            "leaf": lambda one: Cell(self._words.value(one.index), tone="number"),
            **self._said(),
            "about": lambda one: Cell(short(one.event.subject_id), tone="name"),
            "details": self._details,
            "review": lambda one: Cell(", ".join(self._dossier.reviewed.get(one.number, ())) or self._words("unreviewed")),
        }
        return self._table("events", self._dossier.entries(), cells, caption="timeline")

    def _table(self, name: str, things: Sequence[Any], cells: _Cells, *, caption: str | None = None) -> TableView:
        left = len(things) - MOST_ROWS
        more = self._words("more_rows", count=count(left), file=f"tables/{name}.csv") if left > 0 else ""
        rows = tuple(tuple(cell(one) for cell in cells.values()) for one in things[:MOST_ROWS])
        return TableView(self._words(caption or name), tuple(map(self._words, cells)), rows, more)

    def _said(self) -> _Cells:
        return {
            "when": lambda one: self._moment(happened_at(one)),
            "who": lambda one: Cell(self._words.actor(one.event.actor)),
            "what": lambda one: Cell(self._words.action(one.event.action)),
        }

    def _why(self) -> _Cells:
        return {"policy": lambda one: Cell(one.event.policy or "—"), "reason": lambda one: Cell(one.event.reason or "—")}

    def _held(self, spell_of: Callable[[Any], Spell]) -> _Cells:
        return {
            "since": lambda one: self._bound(spell_of(one).since, "unknown_start"),
            "until": lambda one: self._bound(spell_of(one).until, "still"),
            "told_by": lambda one: self._told_by(spell_of(one)),
        }

    def _bound(self, at: datetime | None, when_none: str) -> Cell:
        return Cell(self._words(when_none), tone="quiet") if at is None else self._moment(at)

    def _told_by(self, spell: Spell) -> Cell:
        marks = tuple(self._mark(one) for one in (spell.began, spell.ended) if one)
        return Cell("" if marks else self._words("declared_only"), marks, tone="" if marks else "quiet")

    def _moment(self, at: datetime) -> Cell:
        return Cell(second(at), tone="moment")

    def _mark_of(self, entry: JournalEntry) -> Cell:
        return Cell(marks=(self._mark(entry),))

    def _mark(self, entry: JournalEntry) -> Mark:
        by = self._dossier.reviewed.get(entry.number, ())
        review = self._words("reviewed_by", who=", ".join(by)) if by else self._words("unreviewed")
        return Mark(entry.number, entry.index, bool(by), review, f"#e{entry.number}" if entry.number in self._in_full else "")

    def _outcome(self, entry: JournalEntry) -> Cell:
        return Cell(self._words("allowed")) if entry.event.allowed else Cell(self._words("refused"), tone="bad")

    def _details(self, entry: JournalEntry) -> Cell:
        event, said = entry.event, self._words.details(entry.event)
        refusal = "" if event.allowed else self._words("pair", name=self._words("refused"), value=event.reason or event.policy or "—")
        return Cell("; ".join(one for one in (refusal, said) if one) or "—", tone="details" if event.allowed else "details bad")

    def _commit(self, entry: JournalEntry) -> Cell:
        return Cell(short(entry.event.correlation.get("commit", "—")), tone="code")

    def _after(self, entry: JournalEntry | None, part: str, *, tone: str = "") -> Cell:
        value = (entry.event.after or {}).get(part) if entry else None
        text = count(value) if isinstance(value, int) and not isinstance(value, bool) else self._words.value(value)
        return Cell(text or "—", tone=tone)

    def _told(self, entry: JournalEntry, part: str, *, tone: str = "") -> Cell:
        is_told = (entry.event.after or {}).get(part) is not None
        return self._after(entry, part, tone=tone) if is_told else Cell(self._words("not_told"), tone="quiet")

    def _checks(self, finished: JournalEntry | None) -> Cell:
        after = (finished.event.after or {}) if finished else {}
        passed, failed = after.get("checks_passed"), after.get("checks_failed")
        if passed is None or failed is None:
            return Cell("—")
        return Cell(self._words("checks_told", passed=passed, failed=failed), tone="bad" if failed else "")

    def _asked_for(self, asked: JournalEntry | None) -> str:
        wanted = (asked.event.after or {}).get("datasets") if asked else None
        return self._words("everything") if wanted == ["everything"] else self._words.value(wanted)

    def _reviewed_period(self, review: JournalEntry) -> str:
        after = review.event.after or {}
        return " – ".join(minute(datetime.fromisoformat(str(after[name]))) for name in ("since", "until"))
