"""The page of a dossier for people: HTML that stands alone. What stands on it is put together here; how it looks is the template's."""

from __future__ import annotations

from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from polyceph.core.model.dossier import Dossier, Making
from polyceph.core.model.journal import Verification
from polyceph.journal import dossier_sections, dossier_tables
from polyceph.journal.dossier_sections import Section
from polyceph.journal.dossier_words import Words, count, minute, second


@dataclass(frozen=True)
class Tile:
    """One number of the summary; it leads to a section."""

    count: str
    label: str
    section: str
    tone: str


@dataclass(frozen=True)
class Banner:
    """What verifying the journal found."""

    is_good: bool
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """All that stands on the page."""

    words: Words
    dataset: str
    period: str
    made: str
    banner: Banner
    standing_title: str
    standing: tuple[tuple[str, str], ...]
    note: str
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]


def page(dossier: Dossier, making: Making, words: Words) -> str:
    """Return the page. Everything that comes from events is escaped."""
    pages = Environment(loader=PackageLoader("polyceph.journal"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return pages.get_template("dossier.html").render(page=_page(dossier, making, words))


def _page(dossier: Dossier, making: Making, words: Words) -> Page:
    period = dossier.period
    is_there = any(one.spell.until is None for one in dossier.readers)
    quiet = words("nothing_at_all") if not dossier.happened() else ""
    return Page(
        words=words,
        dataset=str(dossier.dataset),
        period=words("period_line", since=minute(period.since), until=minute(period.until)),
        made=words("made_line", at=second(making.at), who=words.actor(making.by), release=making.release),
        banner=_banner(making, making.verification, words),
        standing_title=words("standing"),
        standing=_standing(dossier, making, words),
        note=" ".join(one for one in (quiet, "" if is_there else words("not_there")) if one),
        tiles=_tiles(dossier, words),
        sections=dossier_sections.sections(dossier, words),
    )


def _standing(dossier: Dossier, making: Making, words: Words) -> tuple[tuple[str, str], ...]:
    known = dossier_tables.standing(dossier)
    facts = [("federation", making.federation), ("domain", dossier.dataset.domain)]
    status = f" ({known['contract_status']})" if known["contract_status"] else ""
    facts += [(name, known[name] or "—") for name in ("owner", "steward", "interim_owner")]
    facts.append(("classification", words.level(known["classification"])))
    facts.append(("contract", f"{known['contract']}{status}" if known["contract"] else "—"))
    return tuple((words(name), value) for name, value in facts)


def _tiles(dossier: Dossier, words: Words) -> tuple[Tile, ...]:
    found = dossier_tables.summary(dossier)
    shown = {
        "accesses": "accesses",
        "refusals": "refusals",
        "decisions": "decisions",
        "changes": "contracts",
        "runs": "runs",
        "incidents": "incidents",
        "snapshots": "snapshots",
        "unreviewed": "reviews",
    }
    bad = ("refusals", "incidents", "unreviewed")
    return tuple(
        Tile(count(found[name]), words(f"tile_{name}"), section, "warn" if name in bad and found[name] else "")
        for name, section in shown.items()
    )


def _banner(making: Making, found: Verification, words: Words) -> Banner:
    facts = {"events": count(found.events), "heads": count(found.heads), "size": count(making.size), "at": second(making.head_at)}
    lines = [words("verified_line", **facts)] if found.ok else [words("bad_line", index=words.value(found.first_bad), reason=found.reason)]
    lines.append(words("witnessed_line", who=", ".join(found.witnesses)) if found.witnesses else words("no_witness"))
    if found.unsealed:
        lines.append(words("unsealed_line", count=count(found.unsealed)))
    lines.append(words("check_line"))
    return Banner(found.ok, words("whole" if found.ok else "not_whole"), tuple(lines))
