"""Holds what was read against the rules that need more than one file: people, contracts, producers, reads between domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.decision import Decision
from polyceph.core.model.place import Place
from polyceph.core.model.verifier_key import WITNESS, parse_verifier_key
from polyceph.core.policies.accountability import AccountabilityFacts, Accountable, somebody_answers
from polyceph.core.policies.consumption import circles, consumed_exists, dataset_may_be_consumed, domains_form_no_circle, read_is_declared
from polyceph.core.policies.contracts import dataset_has_contract, dataset_is_classified
from polyceph.core.policies.nearest import did_you_mean
from polyceph.core.policies.production import dataset_is_made_once, dataset_is_produced, output_serves_gold
from polyceph.core.policies.zones import ZONES
from polyceph.declarations.facts import ContractFacts, DomainFacts, Member
from polyceph.declarations.findings import Findings
from polyceph.declarations.root import Root
from polyceph.errors import Invalid


@dataclass(frozen=True)
class Ward:
    """Who answers for a dataset or a domain today; None where nobody could be found."""

    owner: str | None
    steward: str | None


def dataset_of(contract: ContractFacts, domain: str) -> DatasetId | None:
    """Return the dataset a contract is about, None when its zone is unknown."""
    zone = contract.zone.value if contract.zone else None
    return DatasetId(domain, Zone(zone), contract.stem) if zone in ZONES and zone is not None else None


def datasets_of(facts: DomainFacts) -> set[DatasetId]:
    """Return the datasets that a domain has by contract, component or model."""
    by_contract = {dataset_of(contract, facts.name) for contract in facts.contracts}
    return {dataset for dataset in by_contract if dataset} | {made.dataset for made in facts.produced}


def check_domain_people(facts: DomainFacts, root: Root, *, today: date, findings: Findings) -> Ward:
    """Check owner, steward, interim owner and contact of a domain; return who answers for it."""
    if root.people is None or not facts.is_whole:
        return Ward(None, None)
    texts, subject = facts.texts, f"domain {facts.name}"
    interim = texts.get("interim_owner")
    if interim is not None:
        verdict = somebody_answers(AccountabilityFacts(subject, "interim owner", interim.value, root.people, today))
        if interim.value in root.people and not verdict.decision.allowed:
            findings.warn(verdict.decision, interim.place)
        else:
            findings.refuse(verdict.decision, interim.place, value=interim.value)
    found: dict[str, str | None] = {"owner": None, "steward": None}
    for role in found:
        text = texts.get(role)
        if text is not None:
            stand_in = interim.value if interim and role == "owner" else None
            verdict = somebody_answers(AccountabilityFacts(subject, role, text.value, root.people, today, stand_in))
            found[role] = _told(verdict, text.place, declared=text.value, findings=findings)
    _check_contact(facts, root, findings=findings)
    _check_witness(facts, findings=findings)
    return Ward(found["owner"], found["steward"])


def _check_contact(facts: DomainFacts, root: Root, *, findings: Findings) -> None:
    contact, channels = facts.texts.get("contact"), root.channels or {}
    if contact is not None and contact.value not in channels:
        known = tuple(sorted(channels))
        hint = did_you_mean(contact.value, known) or "add the channel to federation.yaml under channels"
        decision = Decision(
            False, "contact", f"contact {contact.value!r} of domain {facts.name} is no channel of the federation", known, hint
        )
        findings.refuse(decision, contact.place, value=contact.value)


def _check_witness(facts: DomainFacts, *, findings: Findings) -> None:
    witness = facts.texts.get("witness")
    if witness is None:
        return
    try:
        key = parse_verifier_key(witness.value)
    except Invalid as error:
        findings.error(f"witness of domain {facts.name}: {error.message}", witness.place, value=witness.value, hint=error.hint)
        return
    if key.kind != WITNESS:
        message = f"witness of domain {facts.name} is the key of a journal, not of a witness"
        findings.error(message, witness.place, value=witness.value, hint="make one with polyceph journal witness")


def check_contract_people(facts: DomainFacts, contract: ContractFacts, *, root: Root, today: date, findings: Findings) -> Ward:
    """Check owner and steward of one contract; return who answers: its own people, else (bronze, silver) the domain's."""
    if root.people is None:
        return Ward(None, None)
    interim = facts.texts.get("interim_owner")
    found: dict[str, str | None] = {"owner": None, "steward": None}
    for role in found:
        member = _holder(contract, role, today=today, findings=findings)
        if member is None and contract.zone is not None and contract.zone.value in (Zone.BRONZE, Zone.SILVER):
            continue
        stand_in = interim.value if interim and role == "owner" else None
        declared = member.username.value if member else None
        subject = f"{facts.name}.{contract.stem}"
        verdict = somebody_answers(AccountabilityFacts(subject, role, declared, root.people, today, stand_in))
        place = member.username.place if member else contract.team
        found[role] = _told(verdict, place, declared=declared, findings=findings)
    return Ward(found["owner"], found["steward"])


def _holder(contract: ContractFacts, role: str, *, today: date, findings: Findings) -> Member | None:
    holders = [member for member in contract.members if member.role.value == role and member.is_in_force(today)]
    for other in holders[1:]:
        message = f"{contract.stem} has a second {role}, {other.username.value!r}"
        hint = f"one person answers: keep one {role}, give the other role another name or a dateOut"
        findings.error(message, other.role.place, value=role, hint=hint)
    return holders[0] if holders else None


def _told(verdict: Accountable, place: Place, *, declared: str | None, findings: Findings) -> str | None:
    if verdict.stands_in:
        findings.warn(verdict.decision, place)
    else:
        findings.refuse(verdict.decision, place, value=declared)
    return verdict.person


def check_datasets(facts: DomainFacts, findings: Findings) -> None:
    """Check that each dataset has one contract and one producer, the contract it needs, and its classification."""
    contracts: dict[DatasetId, list[Place]] = {}
    for contract in facts.contracts:
        dataset = dataset_of(contract, facts.name)
        if dataset is not None:
            places = contracts.setdefault(dataset, [])
            places.append(contract.place)
            findings.refuse(dataset_is_made_once(dataset, places, what="contract"), contract.place)
            _check_classified(contract, dataset, findings=findings)
    makers: dict[DatasetId, list[Place]] = {}
    for made in facts.produced:
        places = makers.setdefault(made.dataset, [])
        places.append(made.place)
        findings.refuse(dataset_is_made_once(made.dataset, places, what="producer"), made.place, value=made.dataset.name)
        if len(places) == 1 and made.dataset.name not in facts.unreadable:
            expected = f"domains/{facts.name}/contracts/{made.dataset.name}.odcs.yaml"
            decision = dataset_has_contract(made.dataset, has_contract=made.dataset in contracts, expected_file=expected)
            findings.refuse(_with_misplaced(decision, made.dataset, contracts=contracts), made.place)
    for dataset, places in contracts.items():
        decision = dataset_is_produced(dataset, is_produced=dataset in makers)
        if not decision.allowed:
            findings.warn(decision, places[0])


def _with_misplaced(decision: Decision, dataset: DatasetId, *, contracts: Mapping[DatasetId, Sequence[Place]]) -> Decision:
    """Point to a contract of the same name in another zone, the likely cause."""
    if decision.allowed:
        return decision
    for other, places in contracts.items():
        if other.name == dataset.name:
            hint = f"{places[0].file} is about zone {other.zone}: is its zone right?"
            return Decision(False, decision.policy, decision.reason, hint=hint)
    return decision


def _check_classified(contract: ContractFacts, dataset: DatasetId, *, findings: Findings) -> None:
    if contract.classification is None:
        place = Place(contract.file, contract.team.line, contract.team.column) if contract.zone is None else contract.zone.place
        findings.refuse(dataset_is_classified(None, dataset.zone, subject=str(dataset)), place)


def check_ids(domains: Sequence[DomainFacts], findings: Findings) -> None:
    """Check that every contract id is unique in the federation."""
    seen: dict[str, Place] = {}
    for contract in (contract for facts in domains for contract in facts.contracts):
        if contract.id is None:
            continue
        first = seen.setdefault(contract.id.value, contract.id.place)
        if first is not contract.id.place:
            message = f"contract id {contract.id.value!r} is taken; the first is at {first}"
            findings.error(message, contract.id.place, value=contract.id.value, hint="give each contract an id of its own")


def check_reads(facts: DomainFacts, findings: Findings) -> None:
    """Check that what a domain reads of others is declared, and that what it reads and serves of its own exists."""
    consumes = {dataset for dataset, _ in facts.consumes}
    own = datasets_of(facts)
    for read in facts.reads:
        if read.dataset.domain == facts.name:
            if read.dataset.zone.needs_contract and read.dataset not in own and read.dataset.name not in facts.unreadable:
                known = tuple(sorted(str(dataset) for dataset in own if dataset.zone is read.dataset.zone))
                hint = did_you_mean(str(read.dataset), known)
                decision = Decision(False, "reads", f"{read.by} reads {read.dataset}, which does not exist", known[:12], hint)
                findings.refuse(decision, read.place, value=str(read.dataset))
        elif facts.is_whole:
            findings.refuse(read_is_declared(facts.name, read.dataset, consumes=consumes), read.place, value=str(read.dataset))
    for served in facts.served:
        if served.of.name not in facts.unreadable:
            findings.refuse(output_serves_gold(served.output, served.of, known=own), served.place, value=str(served.of))


def check_consumption(domains: Sequence[DomainFacts], findings: Findings) -> None:
    """Check that what domains consume exists, is shared, and forms no circle."""
    known = {facts.name: datasets_of(facts) for facts in domains}
    unreadable = {(facts.name, name) for facts in domains for name in facts.unreadable}
    places: dict[tuple[str, str], Place] = {}
    for facts in domains:
        for dataset, place in facts.consumes:
            if not findings.refuse(dataset_may_be_consumed(facts.name, dataset), place, value=str(dataset)):
                continue
            places.setdefault((facts.name, dataset.domain), place)
            if (dataset.domain, dataset.name) not in unreadable:
                findings.refuse(consumed_exists(dataset, known), place, value=str(dataset))
    reads = {facts.name: {other for reader, other in places if reader == facts.name} for facts in domains}
    for circle in circles(reads):
        findings.refuse(domains_form_no_circle(circle), places[circle[0], circle[1]])
