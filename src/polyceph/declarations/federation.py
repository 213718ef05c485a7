"""Loads a federation folder: reads everything, checks everything, and gives the nouns or all problems at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from polyceph.core.model.classification import Classification
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.domain import Dataset, Domain, Serving
from polyceph.core.model.federation import Federation
from polyceph.core.model.place import Place
from polyceph.core.policies.naming import name_is_allowed
from polyceph.core.policies.roles import duties_are_separate
from polyceph.declarations import crosschecks
from polyceph.declarations.components import ConnectorOptions
from polyceph.declarations.crosschecks import Ward
from polyceph.declarations.domain import Surroundings, read_domain
from polyceph.declarations.facts import ContractFacts, DomainFacts
from polyceph.declarations.findings import Findings
from polyceph.declarations.folders import folders_in
from polyceph.declarations.root import Root, read_root
from polyceph.errors import Invalid, NotFound

__all__ = ["ConnectorOptions", "load_domain", "load_federation"]

Wards = dict[str, tuple[Ward, dict[str, Ward]]]
"""Per domain: who answers for it, and for each contract file."""


def load_federation(
    folder: Path, *, today: date, connectors: Mapping[str, ConnectorOptions] | None = None, cache: Path | None = None
) -> Federation:
    """Return everything declared in a federation folder, checked; warnings are in its field `warnings`.

    `connectors` gives the option models by connector; None leaves options unchecked. `cache` is a folder for what
    contracts said (created when needed, safe to delete); None parses everything.

    Raises:
        Invalid: at least one mistake; `problems` holds all of them, by file, line and column.
    """
    findings = Findings()
    names = folders_in(folder, "domains")
    root = read_root(folder, findings, domains=names, today=today)
    around = Surroundings(folder, root, frozenset(names), connectors, cache, findings, today)
    domains = [read_domain(name, around) for name in names]
    _check_folder_names(domains, findings)
    wards = _check_each(domains, root, today=today, findings=findings)
    crosschecks.check_ids(domains, findings)
    crosschecks.check_consumption(domains, findings)
    federation = _result(root, domains, wards=wards, findings=findings)
    _warn_of_oversight(federation, root, findings=findings)
    return replace(federation, warnings=findings.sorted_warnings())


def load_domain(
    folder: Path, name: str, *, today: date, connectors: Mapping[str, ConnectorOptions] | None = None, cache: Path | None = None
) -> Federation:
    """Return the federation with one domain in it, so that a mistake in another domain stops nobody else.

    What needs the other domains (that consumed datasets exist, circles) is checked by `load_federation` alone.

    Raises:
        NotFound: there is no such domain.
        Invalid: at least one mistake in federation.yaml or in this domain; `problems` holds all of them.
    """
    findings = Findings()
    names = folders_in(folder, "domains")
    root = read_root(folder, findings, domains=names, today=today)
    if name not in names:
        raise NotFound(f"there is no domain {name!r} in {folder}", hint=f"domains are: {', '.join(names) or 'none'}")
    domain = read_domain(name, Surroundings(folder, root, frozenset(names), connectors, cache, findings, today))
    wards = _check_each([domain], root, today=today, findings=findings)
    crosschecks.check_ids([domain], findings)
    return _result(root, [domain], wards=wards, findings=findings)


def _warn_of_oversight(federation: Federation, root: Root, *, findings: Findings) -> None:
    """Warn of whoever would oversee what she does herself, where she is declared."""
    for person, held in federation.holders.people.items():
        roles = {where: frozenset(role for place, role in held if place == where) for where, _ in held}
        decision = duties_are_separate(person, roles)
        if not decision.allowed:
            findings.warn(decision, root.people_places.get(person, root.place))


def _check_folder_names(domains: Sequence[DomainFacts], findings: Findings) -> None:
    for facts in domains:
        if "name" not in facts.texts or facts.texts["name"].value != facts.name:
            findings.refuse(name_is_allowed(facts.name, "domain"), Place(facts.file))


def _check_each(domains: Sequence[DomainFacts], root: Root, *, today: date, findings: Findings) -> Wards:
    wards: Wards = {}
    for facts in domains:
        of_domain = crosschecks.check_domain_people(facts, root, today=today, findings=findings)
        of_contracts = {
            contract.file: crosschecks.check_contract_people(facts, contract, root=root, today=today, findings=findings)
            for contract in facts.contracts
        }
        wards[facts.name] = (of_domain, of_contracts)
        crosschecks.check_datasets(facts, findings)
        crosschecks.check_reads(facts, findings)
    return wards


def _result(root: Root, domains: Sequence[DomainFacts], *, wards: Wards, findings: Findings) -> Federation:
    if findings.problems:
        problems = findings.sorted_problems()
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise Invalid(f"the declarations have {count}", problems=problems)
    digests = "\n".join([root.digest, *(digest for facts in domains for digest in facts.digests)])
    return Federation(
        name=root.name,
        title=root.title or {},
        languages=root.languages,
        environments=root.environments or {},
        channels=root.channels or {},
        people=root.people or {},
        heads_kept_in=root.heads_kept_in,
        roles=root.roles,
        sign_in=root.sign_in,
        domains={facts.name: _domain(facts, *wards[facts.name]) for facts in domains},
        place=root.place,
        digest=hashlib.sha256(digests.encode()).hexdigest(),
        warnings=findings.sorted_warnings(),
    )


def _domain(facts: DomainFacts, ward: Ward, wards: Mapping[str, Ward]) -> Domain:
    contracts = {contract.dataset: contract for contract in (_contract(each, facts, ward=wards[each.file]) for each in facts.contracts)}
    interim = facts.texts.get("interim_owner")
    texts = {key: text.value for key, text in facts.texts.items()}
    return Domain(
        name=facts.name,
        title=facts.title,
        owner=texts["owner"],
        steward=texts["steward"],
        interim_owner=interim.value if interim else None,
        witness=texts.get("witness"),
        contact=texts["contact"],
        roles=facts.roles,
        folder=f"domains/{facts.name}",
        place=facts.texts["name"].place,
        sources=facts.sources,
        consumes=tuple(dataset for dataset, _ in facts.consumes),
        contracts=contracts,
        datasets=_datasets(facts, ward, wards=wards, contracts=contracts),
    )


def _contract(read: ContractFacts, facts: DomainFacts, *, ward: Ward) -> Contract:
    dataset = crosschecks.dataset_of(read, facts.name)
    if dataset is None or read.id is None or read.version is None or read.status is None:
        raise AssertionError(f"{read.file} was found good and lacks what it needs")
    level = read.classification.value if read.classification else Classification.INTERNAL
    return Contract(
        dataset=dataset,
        id=read.id.value,
        version=read.version.value,
        status=read.status.value,
        owner=ward.owner or facts.texts["owner"].value,
        steward=ward.steward or facts.texts["steward"].value,
        classification=Classification(level),
        columns=read.columns,
        place=read.place,
        digest=read.digest,
        title=read.title,
        description=read.description,
        links=read.links,
    )


def _datasets(
    facts: DomainFacts, ward: Ward, *, wards: Mapping[str, Ward], contracts: Mapping[DatasetId, Contract]
) -> dict[DatasetId, Dataset]:
    files = {dataset: contract.place.file for dataset, contract in contracts.items()}
    makers = {made.dataset: made.place for made in facts.produced}
    served = {DatasetId(facts.name, Zone.OUTPUT, one.output): Serving(one.of, one.form) for one in facts.served}
    found = {}
    for dataset in sorted(contracts.keys() | makers.keys()):
        own = wards.get(files.get(dataset, ""), Ward(None, None))
        owner, steward = own.owner or ward.owner, own.steward or ward.steward
        if owner is None or steward is None:
            raise AssertionError(f"{dataset} was found good and nobody answers for it")
        found[dataset] = Dataset(dataset, owner, steward, contracts.get(dataset), makers.get(dataset), served.get(dataset))
    return found
