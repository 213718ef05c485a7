"""Reads the components of a domain (defs/**/defs.yaml): what they load, transform, serve and run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.decision import Decision
from polyceph.core.model.domain import Source
from polyceph.core.policies.naming import name_is_allowed
from polyceph.core.policies.nearest import did_you_mean, nearest
from polyceph.core.policies.schedule import schedule_is_cron
from polyceph.core.policies.zones import zone_is_built
from polyceph.core.source_ports import PLATFORM_KEYS
from polyceph.declarations.facts import Produced, Read, Served
from polyceph.declarations.findings import Findings
from polyceph.declarations.forms import COMPONENT_PREFIX, COMPONENTS, TransformAttributes
from polyceph.declarations.models import read_project
from polyceph.declarations.positions import Document
from polyceph.declarations.references import dataset_reference
from polyceph.declarations.shapes import check_shape, check_value

_DAGSTER_KEYS = ("type", "attributes", "template_vars_module", "requirements", "post_processing")


ConnectorOptions = tuple[type[BaseModel], type[BaseModel]]
"""The option models of one connector: of a source in domain.yaml, and of a dataset in an Ingest."""


@dataclass
class ComponentReader:
    """Reads the components of one domain into `produced`, `reads` and `served`; `sources` is None when domain.yaml is unreadable."""

    domain: str
    folder: Path
    """The federation folder."""
    sources: Mapping[str, Source] | None
    connectors: Mapping[str, ConnectorOptions] | None
    domains: frozenset[str]
    findings: Findings
    produced: list[Produced] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)

    def read(self, document: Document) -> None:
        """Read one component document."""
        kind = document.get("type")
        if not isinstance(document.value, dict) or not isinstance(kind, str):
            hint = f"write type: {COMPONENT_PREFIX}Ingest and attributes: …"
            self.findings.error("a component needs a type", document.key_place("type"), hint=hint)
            return
        self._check_keys(document)
        if kind not in COMPONENTS:
            self._check_foreign_type(document, kind)
            return
        if not document.has("attributes"):
            self.findings.error("key 'attributes' is missing", document.key_place(), hint="what the component does stands there")
            return
        check_shape(document, COMPONENTS[kind], findings=self.findings, path=("attributes",))
        self._check_schedule(document)
        readers: dict[str, Callable[[Document], None]] = {
            "Ingest": self._ingest,
            "Transform": self._transform,
            "Output": self._output,
            "Shell": self._shell,
        }
        readers[kind.removeprefix(COMPONENT_PREFIX)](document)

    def _check_keys(self, document: Document) -> None:
        for key in document.value if isinstance(document.value, dict) else ():
            if key not in _DAGSTER_KEYS:
                hint = did_you_mean(key, _DAGSTER_KEYS) or "the component's own keys stand under attributes"
                decision = Decision(False, "shape", f"key {key!r} is unknown in a component", _DAGSTER_KEYS, hint)
                self.findings.refuse(decision, document.key_place(key))

    def _check_foreign_type(self, document: Document, kind: str) -> None:
        """Refuse what is meant to be a component of polyceph; components of other packages are Dagster's business."""
        is_foreign = "." in kind and not kind.startswith("polyceph.") and nearest(kind, COMPONENTS, cutoff=0.85) is None
        if is_foreign:
            return
        by_last_word = {name.rpartition(".")[2]: name for name in COMPONENTS}
        near = nearest(kind, COMPONENTS, cutoff=0.8) or by_last_word.get(nearest(kind.rpartition(".")[2], by_last_word) or "")
        decision = Decision(
            False, "component", f"component type {kind!r} is unknown", tuple(COMPONENTS), f"did you mean {near}?" if near else None
        )
        self.findings.refuse(decision, document.place("type"), value=kind)

    def _check_schedule(self, document: Document) -> None:
        schedule = document.get("attributes", "schedule")
        if isinstance(schedule, str):
            self.findings.refuse(schedule_is_cron(schedule), document.place("attributes", "schedule"), value=schedule)

    def _ingest(self, document: Document) -> None:
        source = self._source(document)
        for number, entry in enumerate(_items(document, "attributes", "datasets")):
            path: tuple[str | int, ...] = ("attributes", "datasets", number)
            if not isinstance(entry, dict):
                continue
            name = document.get(*path, "name")
            if isinstance(name, str) and self._is_good_name(document, (*path, "name"), name=name):
                place = document.place(*path, "name")
                self.produced.append(Produced(DatasetId(self.domain, Zone.RAW, name), place, "Ingest"))
            if source is not None and self.connectors is not None and source.connector in self.connectors:
                options = {key: value for key, value in entry.items() if key not in PLATFORM_KEYS}
                check_value(document, self.connectors[source.connector][1], value=options, findings=self.findings, path=path)

    def _source(self, document: Document) -> Source | None:
        name = document.get("attributes", "source")
        if self.sources is None or not isinstance(name, str):
            return None
        if name in self.sources:
            return self.sources[name]
        known = tuple(sorted(self.sources))
        reason = f"source {name!r} is not declared in domains/{self.domain}/domain.yaml"
        hint = did_you_mean(name, known) or "add it there under sources"
        self.findings.refuse(Decision(False, "source", reason, known, hint), document.place("attributes", "source"), value=name)
        return None

    def _transform(self, document: Document) -> None:
        is_named = document.has("attributes", "project")
        project = document.get("attributes", "project") if is_named else TransformAttributes.model_fields["project"].default
        if isinstance(project, str):
            place = document.place("attributes", "project")
            made, read = read_project(self.folder, self.domain, project=project, place=place, domains=self.domains, findings=self.findings)
            self.produced += made
            self.reads += read

    def _output(self, document: Document) -> None:
        for number, _ in enumerate(_items(document, "attributes", "outputs")):
            path: tuple[str | int, ...] = ("attributes", "outputs", number)
            name, of = document.get(*path, "name"), document.get(*path, "of")
            if not isinstance(name, str) or not self._is_good_name(document, (*path, "name"), name=name):
                continue
            place = document.place(*path, "name")
            self.produced.append(Produced(DatasetId(self.domain, Zone.OUTPUT, name), place, "Output"))
            served_place = document.place(*path, "of")
            served = dataset_reference(of, served_place, findings=self.findings, domain=self.domain) if isinstance(of, str) else None
            if served is not None and served.domain != self.domain:
                message = f"output {name!r} serves {served} of another domain"
                self.findings.error(message, served_place, value=str(of), hint="serve a gold dataset of this domain, built from it")
            elif served is not None:
                self.served.append(Served(name, served, str(document.get(*path, "to")), served_place))

    def _shell(self, document: Document) -> None:
        name = document.get("attributes", "name")
        if isinstance(name, str):
            self._is_good_name(document, ("attributes", "name"), name=name)
        by = f"Shell {name}"
        for number, text in enumerate(_items(document, "attributes", "reads")):
            place = document.place("attributes", "reads", number)
            read = dataset_reference(text, place, findings=self.findings, domain=self.domain) if isinstance(text, str) else None
            if read is not None:
                self.reads.append(Read(read, place, by))
        for number, text in enumerate(_items(document, "attributes", "writes")):
            place = document.place("attributes", "writes", number)
            made = dataset_reference(text, place, findings=self.findings, domain=self.domain) if isinstance(text, str) else None
            if made is not None and made.domain != self.domain:
                message = f"{by} writes {made} of another domain"
                self.findings.error(message, place, value=str(text), hint="a domain writes only its own datasets")
            elif made is not None and self.findings.refuse(zone_is_built(made.zone, by), place, value=str(text)):
                self.produced.append(Produced(made, place, by))

    def _is_good_name(self, document: Document, path: tuple[str | int, ...], *, name: str) -> bool:
        subject = "step" if path[-2:] == ("attributes", "name") else "dataset"
        return self.findings.refuse(name_is_allowed(name, subject), document.place(*path), value=name)


def _items(document: Document, *path: str | int) -> list[object]:
    value = document.get(*path)
    return value if isinstance(value, list) else []
