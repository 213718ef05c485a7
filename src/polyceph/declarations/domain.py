"""Reads one domain folder: domain.yaml, contracts, components. Rules between domains are elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath

from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.decision import Decision
from polyceph.core.model.domain import Source
from polyceph.core.model.place import Place
from polyceph.core.policies.naming import name_is_allowed
from polyceph.core.policies.nearest import did_you_mean
from polyceph.declarations.cache import ContractCache
from polyceph.declarations.components import ComponentReader, ConnectorOptions
from polyceph.declarations.contracts import SUFFIX, check_names, read_contract
from polyceph.declarations.facts import ContractFacts, DomainFacts, Text
from polyceph.declarations.findings import Findings
from polyceph.declarations.folders import files_below
from polyceph.declarations.forms import DomainForm
from polyceph.declarations.odcs import official_schema_text
from polyceph.declarations.positions import Document
from polyceph.declarations.python_assets import PythonAssets
from polyceph.declarations.references import dataset_reference
from polyceph.declarations.roles import read_roles
from polyceph.declarations.root import Root, check_title
from polyceph.declarations.shapes import check_shape, check_value
from polyceph.declarations.yaml_files import RawFile, parse, parse_one, read_bytes

_TEXTS = ("name", "owner", "steward", "interim_owner", "contact", "witness")
_ALMOST_COMPONENTS = ("defs.yml", "def.yaml", "component.yaml", "component.yml", "components.yaml")


@dataclass(frozen=True)
class Surroundings:
    """What reading one domain needs to know: the federation folder, its root, all domains' names, connectors, cache, findings."""

    folder: Path
    root: Root
    domains: frozenset[str]
    connectors: Mapping[str, ConnectorOptions] | None
    cache: Path | None
    findings: Findings
    today: date


def read_domain(name: str, around: Surroundings) -> DomainFacts:
    """Return what the folder domains/<name> says; what is wrong goes to the findings."""
    file = f"domains/{name}/domain.yaml"
    document, digests = _document(file, name, around=around)
    title = check_title(document, around.root.languages, findings=around.findings) if document else {}
    texts = _texts(document) if document else {}
    sources = _sources(document, around) if document else None
    consumes = _consumes(document, around.findings) if document else ()
    contracts, unreadable = _contracts(name, around)
    components, assets, more = _definitions(name, sources, around=around)
    return DomainFacts(
        name=name,
        file=file,
        is_whole=document is not None,
        title=title,
        texts=texts,
        sources=sources or {},
        consumes=consumes,
        contracts=contracts,
        produced=(*components.produced, *assets.produced),
        reads=(*components.reads, *assets.reads),
        served=tuple(components.served),
        roles=read_roles(document, around.root.people, findings=around.findings, domain=name, today=around.today) if document else (),
        digests=(*digests, *(facts.digest for facts in contracts), *more),
        unreadable=unreadable,
    )


def _document(file: str, name: str, *, around: Surroundings) -> tuple[Document | None, tuple[str, ...]]:
    findings = around.findings
    if not (around.folder / file).is_file():
        findings.error(f"the folder domains/{name} has no domain.yaml", Place(file), hint=f"write it, or run: polyceph domain new {name}")
        return None, ()
    raw = read_bytes(around.folder, file, findings=findings)
    document = parse_one(raw, findings) if raw else None
    if raw is None or document is None:
        return None, ()
    check_shape(document, DomainForm, findings=findings)
    given = document.get("name")
    if isinstance(given, str):
        place = document.place("name")
        if given != name:
            message = f"domain name {given!r} is not the name of its folder, {name!r}"
            findings.error(message, place, value=given, hint=f"write name: {name}, or rename the folder")
        findings.refuse(name_is_allowed(given, "domain"), place, value=given)
    return document, (raw.digest,)


def _texts(document: Document) -> dict[str, Text]:
    found = {key: document.get(key) for key in _TEXTS}
    return {key: Text(value, document.place(key)) for key, value in found.items() if isinstance(value, str)}


def _sources(document: Document, around: Surroundings) -> dict[str, Source]:
    found: dict[str, Source] = {}
    declared = document.get("sources")
    for name, entry in declared.items() if isinstance(declared, dict) else ():
        place = document.key_place("sources", name)
        around.findings.refuse(name_is_allowed(name, "source"), place, value=name)
        connector = entry.get("connector") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(connector, str):
            found[name] = Source(name, "", {}, place)  # its shape is refused already; a component may still name it
            continue
        options = {key: value for key, value in entry.items() if key != "connector"}
        _check_connector(document, name, connector=connector, options=options, around=around)
        found[name] = Source(name, connector, options, place)
    return found


def _check_connector(document: Document, source: str, *, connector: str, options: Mapping[str, object], around: Surroundings) -> None:
    if around.connectors is None:
        return
    path = ("sources", source)
    if connector in around.connectors:
        check_value(document, around.connectors[connector][0], value=options, findings=around.findings, path=path)
        return
    known = tuple(sorted(around.connectors))
    decision = Decision(False, "connector", f"connector {connector!r} of source {source} is unknown", known, did_you_mean(connector, known))
    around.findings.refuse(decision, document.place(*path, "connector"), value=connector)


def _consumes(document: Document, findings: Findings) -> tuple[tuple[DatasetId, Place], ...]:
    found: dict[DatasetId, Place] = {}
    declared = document.get("consumes")
    for number, text in enumerate(declared if isinstance(declared, list) else ()):
        place = document.place("consumes", number)
        dataset = dataset_reference(text, place, findings=findings, domain=None) if isinstance(text, str) else None
        if dataset is not None and dataset in found:
            findings.error(
                f"{dataset} is consumed twice; the first is at line {found[dataset].line}", place, value=str(text), hint="keep one"
            )
        elif dataset is not None:
            found[dataset] = place
    return tuple(found.items())


def _contracts(name: str, around: Surroundings) -> tuple[tuple[ContractFacts, ...], frozenset[str]]:
    cache = ContractCache(around.cache, name, official_schema_text())
    found: list[ContractFacts] = []
    unreadable: set[str] = set()
    for file in files_below(around.folder, f"domains/{name}/contracts"):
        if not file.endswith(SUFFIX):
            _check_stray(file, around.findings)
            continue
        raw = read_bytes(around.folder, file, findings=around.findings)
        facts = _contract(raw, cache, findings=around.findings) if raw else None
        if facts is not None:
            found.append(facts)
        if facts is None or not check_names(facts, around.findings):
            unreadable.add(PurePosixPath(file).name.removesuffix(SUFFIX))
    cache.save()
    return tuple(found), frozenset(unreadable)


def _contract(raw: RawFile, cache: ContractCache, *, findings: Findings) -> ContractFacts | None:
    kept = cache.get(raw.file, raw.digest)
    if kept is not None:
        return kept
    before = len(findings.problems)
    facts = read_contract(raw, findings)
    if facts is not None and len(findings.problems) == before:
        cache.put(facts)
    return facts


def _check_stray(file: str, findings: Findings) -> None:
    if file.endswith((".yaml", ".yml")):
        stem = PurePosixPath(file).name.split(".")[0]
        findings.error(f"a contract file must end with {SUFFIX}", Place(file), hint=f"rename it to {stem}{SUFFIX}")


def _definitions(
    name: str, sources: Mapping[str, Source] | None, *, around: Surroundings
) -> tuple[ComponentReader, PythonAssets, list[str]]:
    reader = ComponentReader(name, around.folder, sources, around.connectors, around.domains, around.findings)
    assets = PythonAssets(name, around.findings)
    digests: list[str] = []
    for file in files_below(around.folder, f"domains/{name}/defs"):
        last = PurePosixPath(file).name
        if last in _ALMOST_COMPONENTS:
            around.findings.error("a component file must be called defs.yaml", Place(file), hint="rename it to defs.yaml")
        raw = read_bytes(around.folder, file, findings=around.findings) if last == "defs.yaml" or last.endswith(".py") else None
        if raw is None:
            continue
        if last == "defs.yaml":
            digests.append(raw.digest)
            for document in parse(raw, around.findings):
                reader.read(document)
        else:
            assets.read(raw)
    return reader, assets, digests
