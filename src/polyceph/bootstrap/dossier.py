"""Making the dossier of a dataset and a period: what the command calls. The journal is sealed first, and keeps that a dossier was made."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from polyceph.bootstrap.declared import SystemClock
from polyceph.bootstrap.journal import PlatformJournal, head_time
from polyceph.bootstrap.platform import Platform, this_actor
from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.dossier import ContractSpell, Making
from polyceph.core.model.event import Actor
from polyceph.core.ports import AppliedDeclaration
from polyceph.core.usecases.dossier import select
from polyceph.core.usecases.dossier_facts import gather, known_dataset, period_of
from polyceph.core.usecases.journal import record_dossier
from polyceph.errors import Invalid, PolycephError
from polyceph.journal.dossier import write_dossier
from polyceph.journal.dossier_tables import moment
from polyceph.logs import log
from polyceph.store.queries import PostgresQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork

Heard = Callable[[int, int], None]
_MOST_COMMITS = 50
"""So many commits of a contract's file are looked through for the text that was applied."""
Numbers = Callable[[DatasetId], frozenset[int]]
"""Tells by which numbers a lake knows the tables of a dataset."""


@dataclass(frozen=True)
class Wanted:
    """Which dossier is wanted: the dataset as `domain.zone.name`, the period, and the file; a name is made when it is None."""

    dataset: str
    since: datetime
    until: datetime
    out: Path | None = None


def make_dossier(platform: Platform, wanted: Wanted, *, heard: Heard) -> dict[str, Any]:
    """Make a dossier and return what is in it; `heard` is told how many events are verified, and of how many.

    Raises:
        NotFound: there never was such a dataset.
        Invalid: the period ends before it begins.
        Misconfigured: the file exists.
    """
    return dossier_from(platform.journal, wanted, numbers=lambda one: _numbers(platform, one), actor=this_actor(), heard=heard)


def dossier_from(journal: PlatformJournal, wanted: Wanted, *, numbers: Numbers, actor: Actor, heard: Heard | None = None) -> dict[str, Any]:
    """Make a dossier from a journal, its store and its folder; see `make_dossier`."""
    queries, period = PostgresQueries(journal.engine), period_of(wanted.since, wanted.until)
    dataset = known_dataset(queries, wanted.dataset)
    making = _making(journal, actor, heard)
    facts = gather(queries, dataset, period, size=making.size, numbers=numbers(dataset))
    dossier = select(dataset, period, facts)
    path = wanted.out or Path(_file_name(f"dossier-{dataset}-{period.since:%Y-%m-%d}-{period.until:%Y-%m-%d}") + ".zip")
    contracts = dict(_contract_files(journal, dataset, facts.declarations, dossier.contracts))
    made = write_dossier(path, dossier, making, log=journal.log, contracts=contracts)
    what = {"events": made.events, "size": making.size, "whole": making.verification.ok, "sha256": made.sha256}
    record_dossier(PostgresUnitOfWork(journal.engine), dossier, what, actor=actor)
    return {"file": str(path), "dataset": str(dataset), "from": period.since.isoformat(), "to": period.until.isoformat(), **what}


def _making(journal: PlatformJournal, actor: Actor, heard: Heard | None) -> Making:
    """Seal the journal, verify it whole, and return under which head the dossier is made."""
    journal.seal(at_once=True)
    head = journal.log.last_head()
    if head is None:
        raise Invalid("nothing is sealed yet", hint="start the federation with polyceph up")
    return Making(
        at=SystemClock().now(),
        by=actor,
        release=version("polyceph"),
        federation=journal.federation.name,
        languages=journal.federation.languages,
        origin=journal.origin,
        key=journal.log.keys()[0].key,
        size=head.size,
        head_at=head_time(head),
        verification=journal.verify(journal.trusted(), heard=heard),
    )


def _numbers(platform: Platform, dataset: DatasetId) -> frozenset[int]:
    """Return the numbers of a dataset's tables; without them only snapshots that name it are known to have changed it."""
    if dataset.domain not in platform.addresses.domains:
        return frozenset()
    try:
        with platform.lake(dataset.domain) as lake:
            return lake.numbers(dataset)
    except PolycephError as error:
        log.warning("the lake of %s does not tell the numbers of its tables: %s", dataset.domain, error.message)
        return frozenset()


def _contract_files(
    journal: PlatformJournal, dataset: DatasetId, declarations: Iterable[AppliedDeclaration], contracts: Iterable[ContractSpell]
) -> Iterator[tuple[str, bytes]]:
    """Yield, for each contract in force, what was applied of it and, where it can be had, its text: the bytes with that digest."""
    applied = list(declarations)
    for one in contracts:
        found = next(((each, facts) for each in applied if _is_of(facts := _declared(each, dataset), one)), None)
        if found is None:
            continue
        declaration, facts = found
        digest = str(facts.get("contract_digest") or "")
        name = _file_name(f"{one.spell.value}-{digest[:12]}" if digest else one.spell.value)
        told = {"dataset": str(dataset), "applied_at": moment(declaration.applied_at), "commit": declaration.commit, "declared": facts}
        yield f"{name}.json", (json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()
        text = _text(journal, dataset, declaration.commit, digest)
        if text is not None:
            yield f"{name}.odcs.yaml", text


def _file_name(text: str) -> str:
    """Return a text as a file name that leads into no other folder: versions and names come from declarations."""
    return re.sub(r"[^\w.+-]", "_", text).lstrip(".") or "_"


def _declared(declaration: AppliedDeclaration, dataset: DatasetId) -> Mapping[str, Any]:
    content: Mapping[str, Any] = declaration.content
    found: Mapping[str, Any] = content["domains"].get(dataset.domain, {}).get("datasets", {}).get(str(dataset), {})
    return found


def _is_of(facts: Mapping[str, Any], contract: ContractSpell) -> bool:
    return facts.get("contract") == contract.spell.value and contract.digest in (None, facts.get("contract_digest"))


def _text(journal: PlatformJournal, dataset: DatasetId, commit: str, digest: str) -> bytes | None:
    """Return the text of a contract, from the folder or from git; None when neither holds these very bytes any more."""
    domain = journal.federation.domains.get(dataset.domain)
    declared = domain.datasets.get(dataset) if domain else None
    if declared is None or declared.contract is None:
        return None
    folder, file = journal.settings.federation.resolve(), declared.contract.place.file
    return next((text for text in _texts(folder, file, commit.partition("+")[0]) if sha256(text).hexdigest() == digest), None)


def _texts(folder: Path, file: str, commit: str) -> Iterator[bytes]:
    """Yield what a file holds now, held at a commit, and held at the commits that changed it, newest first."""
    path = folder / file
    yield path.read_bytes() if path.is_file() else b""
    yield _git(folder, "show", f"{commit}:./{file}")
    for one in _git(folder, "log", f"--max-count={_MOST_COMMITS}", "--format=%H", "--", file).decode().split():
        yield _git(folder, "show", f"{one}:./{file}")


def _git(folder: Path, *arguments: str) -> bytes:
    """Return what git says, nothing where there is no git, no repository or no such commit."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False, timeout=60)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""
