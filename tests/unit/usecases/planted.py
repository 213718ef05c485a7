"""A month of two datasets in two domains, planted event by event: what a dossier must find, and what it must leave alone.

Each event has a label; the truth is told in labels. October 2026 is the period; the dataset is `education.gold.pupils`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.dossier import Period
from polyceph.core.model.event import Actor, ActorKind, Event, JournalEntry
from polyceph.core.ports import AppliedDeclaration

PUPILS = DatasetId("education", Zone.GOLD, "pupils")
SCHOOLS = DatasetId("education", Zone.GOLD, "schools")
MUSEUMS = DatasetId("culture", Zone.GOLD, "museums")
OCTOBER = Period(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
TABLE_OF_PUPILS = 41


def at(text: str) -> datetime:
    """Return a moment of 2026: `10-03 08:00`."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


@dataclass
class Plant:
    """Events as the store would keep them, each with a label."""

    told: list[tuple[datetime, str, Event]] = field(default_factory=list)

    def add(self, label: str, when: str, action: str, subject: object, **event: Any) -> None:
        """Plant an event; what is not given is a person's, through the command line, about a dataset."""
        kind = {"run": "run", "snapshot": "lake", "period": "journal", "interim_owner": "domain", "domain": "domain"}
        values = {
            "actor": Actor(ActorKind.PERSON, "anne.dupont"),
            "door": "cli",
            "subject_kind": kind.get(action.partition(".")[0], "dataset"),
            "domain": str(subject).partition(".")[0],
            **event,
        }
        made = Event(action=action, subject_id=str(subject), **values)
        self.told.append((at(when), label, made))

    @property
    def entries(self) -> list[JournalEntry]:
        """Return the events by time; numbers have gaps."""
        ordered = sorted(self.told, key=lambda one: one[0])
        return [JournalEntry(2 * index + 1, when, event, index) for index, (when, _, event) in enumerate(ordered)]

    def declare(self, label: str, when: str, action: str, subject: object, **event: Any) -> None:
        """Plant what applied declarations wrote; `commit` names theirs."""
        commit = event.pop("commit")
        self.add(label, when, action, subject, correlation={"commit": commit}, **event)

    def run(self, label: str, when: str, datasets: list[str], *, domain: str = "education", ends: str = "SUCCESS", failed: int = 0) -> None:
        """Plant a run that is asked for, launched a minute later and finished two minutes later."""
        asked, request, ties = at(when), f"request-{label}", {"run": f"run-{label}"}
        launched, finished = (f"{asked + timedelta(minutes=number):%m-%d %H:%M}" for number in (1, 2))
        after = {"status": ends, "seconds": 61.5, "checks_passed": 4, "checks_failed": failed}
        self.add(f"{label} asked", when, "run.requested", request, domain=domain, after={"datasets": datasets})
        self.add(f"{label} launched", launched, "run.launched", request, domain=domain, after=dict(ties), correlation=ties)
        self.add(f"{label} finished", finished, "run.finished", request, domain=domain, after=after, correlation=ties)

    def snapshot(self, label: str, when: str, changes: str, **more: Any) -> None:
        """Plant a change of a lake; `happened` is when the lake says it was, the moment it was recorded when left out."""
        domain, run = more.get("domain", "education"), more.get("run")
        after = {"changes": changes, "at": at(more.get("happened", when)).isoformat(), "contracts": more.get("contracts", {})}
        ties = {"commit": more.get("commit", "c9"), **({"run": run} if run else {})}
        who = {"actor": Actor(ActorKind.SERVICE, f"domain_{domain}"), "door": "dagster", "domain": domain, "reason": "build"}
        self.add(label, when, "snapshot.committed", f"{domain}@{len(self.told)}", after=after, correlation=ties, **who)

    def of(self, entries: Any) -> list[str]:
        """Return the labels of events."""
        labels = [label for _, label, _ in sorted(self.told, key=lambda one: one[0])]
        return [labels[one.index] for one in entries]


def planted() -> Plant:
    """Return everything that happened from August to November."""
    plant = Plant()
    _before(plant)
    _promises(plant)
    _reading(plant)
    _working(plant)
    _after(plant)
    return plant


def _before(plant: Plant) -> None:
    added = {"owner": "anne", "steward": "marc", "classification": "confidential", "contract": "1.0.0", "columns": 3}
    plant.declare("domain added", "08-01 08:00", "domain.added", "education", after={"interim_owner": "paul"}, commit="c1")
    plant.declare("added", "08-01 08:00", "dataset.added", PUPILS, after=added, commit="c1")
    plant.declare("schools added", "08-01 08:00", "dataset.added", SCHOOLS, after=added, commit="c1")
    plant.declare("museums added", "08-01 08:00", "dataset.added", MUSEUMS, after=added, commit="c1")
    plant.declare("culture reads", "08-02 08:00", "consumption.declared", PUPILS, after={"consumer": "culture"}, commit="c1")
    plant.declare("sport reads", "08-02 08:00", "consumption.declared", PUPILS, after={"consumer": "sport"}, commit="c1")
    plant.declare("sport leaves", "09-02 08:00", "consumption.withdrawn", PUPILS, before={"consumer": "sport"}, commit="c2")
    plant.declare("culture reads schools", "08-02 08:00", "consumption.declared", SCHOOLS, after={"consumer": "culture"}, commit="c1")
    plant.add("read in September", "09-30 23:59", "dataset.read", PUPILS, after={"rows": 5})
    plant.add("refused in September", "09-30 23:59", "read.refused", PUPILS, allowed=False, policy="purpose")
    plant.run("September", "09-30 10:00", [str(PUPILS)])


def _promises(plant: Plant) -> None:
    old, new = {"contract": "1.0.0"}, {"contract": "2.0.0"}
    column = {"column": "diet", "logical_type": "string"}
    anne, eva, paul, zoe = {"owner": "anne"}, {"owner": "eva"}, {"interim_owner": "paul"}, {"interim_owner": "zoe"}
    plant.declare("owner", "10-05 08:00", "owner.changed", PUPILS, before=anne, after=eva, commit="c3")
    plant.declare("owner of schools", "10-05 08:00", "owner.changed", SCHOOLS, before=anne, after=eva, commit="c3")
    plant.declare("interim", "10-06 08:00", "interim_owner.changed", "education", before=paul, after=zoe, commit="c4")
    plant.declare("interim of culture", "10-06 08:00", "interim_owner.changed", "culture", before=paul, after=zoe, commit="c4")
    plant.declare("contract", "10-10 08:00", "contract.changed", PUPILS, before=old, after=new, commit="c5")
    plant.declare("column", "10-10 08:00", "column.added", PUPILS, after=column, commit="c5")
    secret, internal = {"column": "diet", "classification": "secret"}, {"column": "diet", "classification": "internal"}
    plant.declare("column lowered", "10-10 08:00", "classification.lowered", PUPILS, before=secret, after=internal, commit="c5")
    secret, internal = {"classification": "confidential"}, {"classification": "internal"}
    plant.declare("lowered", "10-11 08:00", "classification.lowered", PUPILS, before=secret, after=internal, commit="c6")
    plant.declare("contract of schools", "10-10 08:00", "contract.changed", SCHOOLS, before=old, after=new, commit="c5")
    plant.declare("health reads", "10-12 08:00", "consumption.declared", PUPILS, after={"consumer": "health"}, commit="c7")
    plant.declare("culture leaves", "10-20 08:00", "consumption.withdrawn", PUPILS, before={"consumer": "culture"}, commit="c8")
    problem = {"file": "domains/education/contracts/gold/pupils.odcs.yaml", "message": "classification 'open' is unknown"}
    for label, one in {
        "declarations refused": problem,
        "declarations of schools refused": {**problem, "file": "domains/education/contracts/gold/schools.odcs.yaml"},
        "declarations of silver pupils refused": {**problem, "file": "domains/education/contracts/silver/pupils.odcs.yaml"},
    }.items():
        why = {"allowed": False, "policy": "shape", "reason": "<b>unknown</b>", "after": {"problems": [one]}}
        plant.declare(label, "10-21 08:00", "domain.refused", "education", commit="c8", **why)


def _reading(plant: Plant) -> None:
    culture = Actor(ActorKind.SERVICE, "domain:culture", "bart")
    seen = {"columns": ["town", "diet"], "rows": 120}
    plant.add("first read", "10-01 00:00", "dataset.read", PUPILS, actor=culture, door="lake", purpose="planning", after=seen)
    plant.add("read with a policy", "10-15 12:00", "dataset.read", PUPILS, policy="consumption", after={"columns": None, "rows": None})
    plant.add("served", "10-16 12:00", "dataset.served", PUPILS, actor=culture, door="postgres", after={"rows": 120, "where": "db/x"})
    plant.add("read of schools", "10-15 12:00", "dataset.read", SCHOOLS, actor=culture, after=seen)
    plant.add("read of museums", "10-15 12:00", "dataset.read", MUSEUMS, actor=culture, after=seen)
    plant.add("refused", "10-17 12:00", "read.refused", PUPILS, allowed=False, policy="consumption", reason="sport does not declare it")
    plant.add("refused schools", "10-17 12:00", "read.refused", SCHOOLS, allowed=False, policy="consumption", reason="no")
    for label, when, domain in (
        ("untold", "10-15 13:00", "education"),
        ("untold by culture", "10-19 13:00", "culture"),
        ("untold by culture afterwards", "10-20 13:00", "culture"),
        ("untold by sport", "10-15 13:00", "sport"),
    ):
        plant.add(label, when, "dataset.read", "unknown", domain=domain, door="postgres", after={"rows": 3})
    plant.add("read late", "11-01 00:01", "dataset.read", PUPILS, after={"rows": 1, "at": at("10-31 23:59").isoformat()})
    plant.add(
        "both",
        "10-18 12:00",
        "journal.exported",
        "polyceph.demo/1",
        subject_kind="journal",
        after={"datasets": [str(PUPILS), str(SCHOOLS)]},
    )


def _working(plant: Plant) -> None:
    schools = '"gold"."schools"'
    plant.run("asked by name", "10-02 10:00", [str(PUPILS), str(SCHOOLS)])
    plant.run("everything", "10-03 10:00", ["everything"], ends="FAILURE")
    plant.run("everything of culture", "10-03 10:00", ["everything"], domain="culture")
    plant.run("schools alone", "10-04 10:00", [str(SCHOOLS)])
    plant.run("a job", "10-07 10:00", ["nightly"], failed=2)
    plant.run("another job", "10-08 10:00", ["nightly"])
    plant.run("over midnight", "09-30 23:58", [str(PUPILS)])
    plant.snapshot("named", "10-02 10:03", 'created_table:"gold"."pupils",inserted_into_table:40', run="run-asked by name")
    plant.snapshot("numbered", "10-07 10:03", f"deleted_from_table:7,inserted_into_table:{TABLE_OF_PUPILS}", run="run-a job")
    plant.snapshot("with its contract", "10-08 10:03", "inserted_into_table:8", contracts={str(PUPILS): "1.0.0"}, run="run-everything")
    plant.snapshot("schools changed", "10-08 10:03", f"altered_table:9,created_table:{schools}", contracts={str(SCHOOLS): "1.0.0"})
    plant.snapshot("temporary", "10-08 10:03", f'created_table:"gold"."pupils__dbt_tmp",inserted_into_table:{TABLE_OF_PUPILS}1')
    plant.snapshot(
        "pupils of culture", "10-08 10:03", f'created_table:"gold"."pupils",inserted_into_table:{TABLE_OF_PUPILS}', domain="culture"
    )
    plant.snapshot("recorded late", "11-01 00:05", f"inserted_into_table:{TABLE_OF_PUPILS}", happened="10-31 23:58")
    plant.snapshot("made earlier", "10-01 00:05", f"inserted_into_table:{TABLE_OF_PUPILS}", happened="09-30 23:58")


def _after(plant: Plant) -> None:
    plant.add("read in November", "11-02 08:00", "dataset.read", PUPILS, after={"rows": 5})
    plant.declare(
        "owner in November", "11-02 08:00", "owner.changed", PUPILS, before={"owner": "eva"}, after={"owner": "zoe"}, commit="c20"
    )
    plant.declare("health leaves", "11-02 08:00", "consumption.withdrawn", PUPILS, before={"consumer": "health"}, commit="c20")
    plant.snapshot("November", "11-03 08:00", f"inserted_into_table:{TABLE_OF_PUPILS}")
    plant.run("November", "11-03 08:00", [str(PUPILS)])
    plant.add("dossier before", "10-30 08:00", "dossier.exported", PUPILS, after={"events": 3})


def review(number: int, since: str, until: str, *, by: str, size: int, when: str = "11-04 08:00") -> JournalEntry:
    """Return the sign-off of a period by somebody, as it would be kept."""
    after = {"since": at(since).isoformat(), "until": at(until).isoformat(), "size": size, "root": "00", "note": "looked at"}
    event = Event(Actor(ActorKind.PERSON, by), "cli", "period.reviewed", "journal", "polyceph.demo/1", after=after)
    return JournalEntry(number, at(when), event, number)


def declaration(when: str, **domains: Any) -> AppliedDeclaration:
    """Return declarations as applied; domains by name."""
    return AppliedDeclaration("d", at(when), "c1", {"federation": "demo", "domains": domains})
