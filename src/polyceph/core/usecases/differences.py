"""What differs between two sets of applied declarations, one difference at a time; each becomes an event. Their shape is in `declared`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from polyceph.core.model.classification import Classification

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """One thing that is declared otherwise than before. `action` is one of `event_kinds.KINDS`; the rest is as in `Event`."""

    action: str
    subject_kind: str
    subject_id: str
    domain: str | None = None
    subject_version: str | None = None
    before: Facts | None = None
    after: Facts | None = None


Of = Callable[..., Difference]
"""`Difference` with its subject filled in."""


@dataclass(frozen=True)
class _Pair:
    """The facts of one thing before and now. A fact that one side does not hold is not known there: it never counts as changed."""

    old: Facts
    new: Facts

    def changed(self, *names: str) -> tuple[Facts, Facts]:
        """Return those of the named facts that are known on both sides and differ: before, now."""
        found = [one for one in names if one in self.old and one in self.new and self.old[one] != self.new[one]]
        return {one: self.old[one] for one in found}, {one: self.new[one] for one in found}

    def each(self, part: str) -> Iterator[tuple[str, Facts | None, Facts | None]]:
        """Yield what stands under each key of a part, before and now, in the order of the keys; nothing where the part is not known."""
        if part in self.old and part in self.new:
            for key in sorted(self.old[part].keys() | self.new[part].keys()):
                yield key, self.old[part].get(key), self.new[part].get(key)


@dataclass(frozen=True)
class _Kind:
    """How things of one kind differ: as what they come and go and which facts are told then; which facts change under which action."""

    added: str
    removed: str
    told: tuple[str, ...]
    changes: Mapping[str, tuple[str, ...]]


_FEDERATION = {
    "federation.changed": ("federation", "title", "languages", "environments", "channels", "heads_kept_in"),
    "sign_in.changed": ("sign_in",),
}
_PERSON = _Kind("person.added", "person.removed", ("left",), {"person.changed": ("left",)})
_SOURCE = _Kind("source.added", "source.removed", ("connector", "options_digest"), {"source.changed": ("connector", "options_digest")})
_DOMAIN = _Kind(
    "domain.added",
    "domain.removed",
    ("title", "owner", "steward", "interim_owner", "contact", "witness"),
    {
        "domain.changed": ("title", "contact"),
        "owner.changed": ("owner",),
        "steward.changed": ("steward",),
        "interim_owner.changed": ("interim_owner",),
        "witness.changed": ("witness",),
    },
)
_DATASET = _Kind(
    "dataset.added",
    "dataset.removed",
    ("owner", "steward", "classification", "contract", "columns"),
    {"owner.changed": ("owner",), "steward.changed": ("steward",)},
)
_CONTRACT = ("contract", "contract_digest", "contract_status")
_PROMISED = ("logical_type", "physical_type", "required", "unique", "primary_key", "rules")
_COLUMN = _Kind(
    "column.added",
    "column.removed",
    (*_PROMISED, "classification", "personal_data"),
    {"column.changed": _PROMISED, "personal_data.changed": ("personal_data",)},
)
_NOTHING: Facts = {"people": {}, "domains": {}, "roles": []}
"""What is declared before the first time; what the federation itself was is not known then."""
_EMPTY_DOMAIN: Facts = {"sources": {}, "consumes": [], "datasets": {}, "roles": []}


def differences(old: Facts | None, new: Facts) -> Iterator[Difference]:
    """Yield how declarations differ from those applied before, in an order that depends on them alone.

    Both are `declared.content_of` a federation. `old` is None when nothing was applied yet: then everything is added. It may lack parts
    that an earlier release did not keep: these are not known, and no difference is told of them. A domain that is left out stands in
    `new` as it stood in `old`, and so differs in nothing.

    The columns of a dataset or contract that comes or goes are not told one by one. A renamed column is one removed and one added: nothing
    in a contract says that the two are the same.
    """
    pair = _Pair(_NOTHING if old is None else old, new)
    yield from _changes(partial(Difference, subject_kind="federation", subject_id=new["federation"]), pair, _FEDERATION)
    for name, was, now in pair.each("people"):
        yield from _thing(partial(Difference, subject_kind="person", subject_id=name), was, now, kind=_PERSON)
    yield from _roles(pair, federation=new["federation"])
    versions = _versions(pair.old) | _versions(new)
    for name, was, now in pair.each("domains"):
        yield from _thing(partial(Difference, subject_kind="domain", subject_id=name, domain=name), was, now, kind=_DOMAIN)
        both = _Pair(_EMPTY_DOMAIN if was is None else was, _EMPTY_DOMAIN if now is None else now)
        yield from _in_domain(name, both, versions=versions)


def _roles(pair: _Pair, *, federation: str) -> Iterator[Difference]:
    """Yield which roles were given and taken; each happens to the domain it is held in, or to the federation."""
    old, new = pair.changed("roles")
    before, after = old.get("roles", []), new.get("roles", [])
    for action, mine, others in (("role.withdrawn", before, after), ("role.given", after, before)):
        for one in [each for each in mine if each not in others]:
            domain = one.get("domain")
            of = partial(Difference, action, "domain" if domain else "federation", domain or federation, domain=domain)
            said = {key: value for key, value in one.items() if key != "domain"}
            yield of(after=said) if action == "role.given" else of(before=said)


def _in_domain(domain: str, pair: _Pair, *, versions: Mapping[str, str]) -> Iterator[Difference]:
    yield from _roles(pair, federation="")
    for name, was, now in pair.each("sources"):
        of_source = partial(Difference, subject_kind="source", subject_id=f"{domain}.{name}", domain=domain)
        yield from _thing(of_source, was, now, kind=_SOURCE)
    yield from _consumption(domain, pair, versions=versions)
    for name, was, now in pair.each("datasets"):
        of = partial(Difference, subject_kind="dataset", subject_id=name, domain=domain, subject_version=versions.get(name))
        yield from _thing(of, _counted(was), _counted(now), kind=_DATASET)
        if was is not None and now is not None:
            yield from _in_dataset(of, _Pair(was, now))


def _consumption(consumer: str, pair: _Pair, *, versions: Mapping[str, str]) -> Iterator[Difference]:
    """Yield what a domain begins and ceases to read; it happens to the dataset that is read, in the domain that answers for it."""
    old, new = pair.changed("consumes")
    before, after = set(old.get("consumes", ())), set(new.get("consumes", ()))
    for name in sorted(before ^ after):
        domain = name.partition(".")[0]
        of = partial(Difference, subject_kind="dataset", subject_id=name, domain=domain, subject_version=versions.get(name))
        if name in after:
            yield of("consumption.declared", after={"consumer": consumer})
        else:
            yield of("consumption.withdrawn", before={"consumer": consumer})


def _in_dataset(of: Of, pair: _Pair) -> Iterator[Difference]:
    """Yield the differences of what is promised about a dataset that stays."""
    before, after = pair.changed("classification")
    if before:
        yield of(_direction(before["classification"], after["classification"]), before=before, after=after)
    before, after = pair.changed("contract")
    if before and before["contract"] is None:
        yield of("contract.added", after=_told(_counted(pair.new), (*_CONTRACT, "columns")))
    elif after and after["contract"] is None:
        yield of("contract.removed", before=_told(_counted(pair.old), (*_CONTRACT, "columns")))
    else:
        yield from _changes(of, pair, {"contract.changed": _CONTRACT})
        for name, was, now in pair.each("columns"):
            yield from (_about(name, one) for one in _column(of, was, now, dataset=pair))


def _column(of: Of, old: Facts | None, new: Facts | None, *, dataset: _Pair) -> Iterator[Difference]:
    """Yield the differences of one column. One that has no classification of its own has the dataset's."""
    yield from _thing(of, old, new, kind=_COLUMN)
    before, after = _Pair(old or {}, new or {}).changed("classification")
    if not before:
        return
    was = before["classification"] or dataset.old.get("classification")
    now = after["classification"] or dataset.new.get("classification")
    if was == now:
        yield of("column.changed", before=before, after=after)
    else:
        yield of(_direction(was, now), before={"classification": was}, after={"classification": now})


def _about(column: str, one: Difference) -> Difference:
    """Return a difference of a column with the column's name in it."""
    before, after = (None if facts is None else {"column": column, **facts} for facts in (one.before, one.after))
    return replace(one, before=before, after=after)


def _thing(of: Of, old: Facts | None, new: Facts | None, *, kind: _Kind) -> Iterator[Difference]:
    if old is None:
        yield of(kind.added, after=_told(new, kind.told))
    elif new is None:
        yield of(kind.removed, before=_told(old, kind.told))
    else:
        yield from _changes(of, _Pair(old, new), kind.changes)


def _changes(of: Of, pair: _Pair, changes: Mapping[str, tuple[str, ...]]) -> Iterator[Difference]:
    for action, names in changes.items():
        before, after = pair.changed(*names)
        if before:
            yield of(action, before=before, after=after)


def _told(facts: Facts | None, names: tuple[str, ...]) -> Facts:
    return {one: facts[one] for one in names if one in facts} if facts else {}


def _counted(facts: Facts | None) -> Facts | None:
    """Return the facts of a dataset with the number of its columns in their place: an event stays small."""
    return {**facts, "columns": len(facts["columns"])} if facts and "columns" in facts else facts


def _versions(facts: Facts) -> dict[str, str]:
    """Return the version of the contract of each dataset that has one."""
    datasets = [each for domain in facts.get("domains", {}).values() for each in domain.get("datasets", {}).items()]
    return {name: one["contract"] for name, one in datasets if one.get("contract") is not None}


def _direction(before: str | None, after: str | None) -> str:
    """Return the action for another classification; none at all is the lowest: nobody gave one."""
    was, now = (-1 if one is None else Classification(one).rank for one in (before, after))
    return "classification.raised" if now > was else "classification.lowered"
