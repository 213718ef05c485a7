"""Whether the header of real data keeps what the contract promises: missing, unexpected and probably renamed columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from polyceph.core.model.contract import Contract
from polyceph.core.model.decision import Decision
from polyceph.core.policies.naming import suggested_name
from polyceph.core.policies.nearest import nearest
from polyceph.errors import Problem


@dataclass(frozen=True)
class HeaderMatch:
    """How a header differs from a contract. All names are those of the source; `renamed` is promised → found."""

    decision: Decision
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    doubled: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def contract_matches_header(contract: Contract, header: Sequence[str]) -> HeaderMatch:
    """Compare the columns found in a source with those promised (`physicalName`, else `name`); order does not matter.

    Spaces around a found name are ignored. A missing and an unexpected name that are alike count as renamed. Every
    difference refuses: drift is decided by the owner, never loaded in silence.
    """
    found = [name.strip() for name in header]
    promised = [column.source_name or column.name for column in contract.columns]
    doubled = tuple(name for name, count in Counter(found).items() if count > 1)
    missing = [name for name in promised if name not in found]
    unexpected = [name for name in dict.fromkeys(found) if name not in promised]
    renamed = _renamed(missing, unexpected)
    missing = [name for name in missing if name not in renamed]
    unexpected = [name for name in unexpected if name not in renamed.values()]
    problems = (*_lost(contract, missing, renamed=renamed), *_surplus(contract, unexpected, doubled=doubled))
    verb = "does not keep" if problems else "keeps"
    decision = Decision(not problems, "header", f"the data {verb} the contract of {contract.dataset}")
    return HeaderMatch(decision, tuple(missing), tuple(unexpected), renamed, doubled, problems)


def _renamed(missing: Sequence[str], unexpected: Sequence[str]) -> dict[str, str]:
    free = {suggested_name(name): name for name in unexpected}
    pairs: dict[str, str] = {}
    for name in missing:
        near = nearest(suggested_name(name), free, cutoff=0.75)
        if near is not None:
            pairs[name] = free.pop(near)
    return pairs


def _lost(contract: Contract, missing: Sequence[str], *, renamed: Mapping[str, str]) -> list[Problem]:
    places = {column.source_name or column.name: column.place or contract.place for column in contract.columns}
    problems = []
    for name in (*missing, *renamed):
        place = places[name]
        new = renamed.get(name)
        message = f"the data of {contract.dataset} has no column {name!r} that the contract promises"
        hint = f"it has {new!r}: if it was renamed, write physicalName: {new}" if new else "ask the source, or change the contract"
        problems.append(Problem(message, place.file, place.line, place.column, value=name, hint=hint))
    return problems


def _surplus(contract: Contract, unexpected: Sequence[str], *, doubled: Sequence[str]) -> list[Problem]:
    place = contract.place
    hint = "add it to the contract, or have the source leave it out"
    problems = [
        Problem(f"the data of {contract.dataset} has a column {name!r} that the contract does not know", place.file, value=name, hint=hint)
        for name in unexpected
    ]
    problems += [
        Problem(f"the data of {contract.dataset} has two columns {name!r}", place.file, value=name, hint="have the source name each once")
        for name in doubled
    ]
    return problems
