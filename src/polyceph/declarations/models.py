"""Reads what a dbt project makes and reads: its model files by zone, its sources, and other domains named in its SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.decision import Decision
from polyceph.core.model.place import Place
from polyceph.core.policies.naming import name_is_allowed
from polyceph.core.policies.nearest import did_you_mean
from polyceph.core.policies.zones import model_folder_is_zone, zone_is_known
from polyceph.declarations.facts import Produced, Read
from polyceph.declarations.findings import Findings
from polyceph.declarations.folders import files_below
from polyceph.declarations.positions import Document
from polyceph.declarations.yaml_files import parse, parse_one, read_bytes

_ALIAS = re.compile(r"""\bconfig\s*\([^)]*?\balias\s*=\s*['"]([^'"]+)['"]""")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/|\{#.*?#\}", re.DOTALL)
_QUALIFIED = re.compile(
    r'(?<![\w".])"?([a-z][a-z0-9_]*)"?\s*\.\s*"?(raw|bronze|silver|gold|output)"?\s*\.\s*"?([a-z][a-z0-9_]*)"?', re.IGNORECASE
)


def read_project(
    folder: Path, domain: str, *, project: str, place: Place, domains: frozenset[str], findings: Findings
) -> tuple[list[Produced], list[Read]]:
    """Return what the dbt project `project` (relative to the domain's folder) makes and reads; `place` is where it is declared."""
    base = _project_folder(folder, domain, project=project, place=place, findings=findings)
    if base is None:
        return [], []
    reader = _ProjectReader(folder, domain, domains, findings)
    for models in _model_folders(folder, base, findings=findings):
        for file in files_below(folder, f"{base}/{models}"):
            reader.read(file, PurePosixPath(file).relative_to(f"{base}/{models}"))
    return reader.produced, reader.reads


def _project_folder(folder: Path, domain: str, *, project: str, place: Place, findings: Findings) -> str | None:
    path = PurePosixPath(project)
    if path.is_absolute() or ".." in path.parts:
        hint = "give a folder inside it, for example transform"
        findings.error(f"project {project!r} is outside the domain's folder", place, value=project, hint=hint)
        return None
    base = (PurePosixPath("domains") / domain / path).as_posix()
    if (folder / base / "dbt_project.yml").is_file():
        return base
    if not (folder / base).is_dir():
        siblings = [entry.name for entry in (folder / "domains" / domain).iterdir() if entry.is_dir()]
        hint = did_you_mean(project, siblings) or "create it, or add the git submodule that holds it"
        findings.error(f"folder {base} does not exist", place, value=project, hint=hint)
    else:
        hint = "if it is a git submodule, run: git submodule update --init"
        findings.error(f"folder {base} holds no dbt_project.yml", place, value=project, hint=hint)
    return None


def _model_folders(folder: Path, base: str, *, findings: Findings) -> list[str]:
    raw = read_bytes(folder, f"{base}/dbt_project.yml", findings=findings)
    document = parse_one(raw, findings) if raw else None
    paths = document.get("model-paths") if document else None
    named = [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []
    return named or ["models"]


@dataclass
class _ProjectReader:
    folder: Path
    domain: str
    domains: frozenset[str]
    findings: Findings
    produced: list[Produced] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def read(self, file: str, inside: PurePosixPath) -> None:
        """Read one file of the models folder; `inside` is its path in there."""
        if inside.suffix in (".sql", ".py"):
            self._model(file, inside)
        elif inside.suffix in (".yml", ".yaml"):
            raw = read_bytes(self.folder, file, findings=self.findings)
            if raw is not None and b"sources" in raw.data:  # most property files describe models only, and parsing is not free
                for document in parse(raw, self.findings):
                    self._sources(document)

    def _model(self, file: str, inside: PurePosixPath) -> None:
        zone = inside.parts[0] if len(inside.parts) > 1 else None
        place = Place(file)
        text = self._code(file)
        alias = _ALIAS.search(text)
        name = alias.group(1) if alias else inside.stem
        if inside.stem in self.names:
            message = f"dbt model {inside.stem!r} exists twice; the first is {self.names[inside.stem]}"
            self.findings.error(message, place, hint="dbt wants every model name once in a project: rename one")
        elif self.findings.refuse(model_folder_is_zone(zone, inside.stem), place) and self._is_good_name(name, place):
            self.produced.append(Produced(DatasetId(self.domain, Zone(zone or ""), name), place, f"dbt model {inside.stem}"))
        self.names.setdefault(inside.stem, file)
        if inside.suffix == ".sql":
            self._qualified_names(text, file, model=inside.stem)

    def _is_good_name(self, stem: str, place: Place) -> bool:
        return self.findings.refuse(name_is_allowed(stem, "dataset"), place)

    def _code(self, file: str) -> str:
        """Return a model's text with comments blanked, so that positions stay."""
        raw = read_bytes(self.folder, file, findings=self.findings)
        text = raw.data.decode("utf-8", errors="replace") if raw else ""
        return _COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text) if file.endswith(".sql") else text

    def _qualified_names(self, plain: str, file: str, *, model: str) -> None:
        """Find datasets of other domains that the code names directly, past the declared sources."""
        for match in _QUALIFIED.finditer(plain):
            other, zone, name = (part.lower() for part in match.groups())
            if other in self.domains and other != self.domain:
                line = plain.count("\n", 0, match.start()) + 1
                column = match.start() - plain.rfind("\n", 0, match.start())
                self.reads.append(Read(DatasetId(other, Zone(zone), name), Place(file, line, column), f"dbt model {model}"))

    def _sources(self, document: Document) -> None:
        for number, source in enumerate(_list(document.get("sources"))):
            if isinstance(source, dict):
                self._source(document, ("sources", number))

    def _source(self, document: Document, path: tuple[str | int, ...]) -> None:
        name, database = document.get(*path, "name"), document.get(*path, "database")
        owner = database if isinstance(database, str) else name
        if not isinstance(owner, str) or "{{" in owner:
            return
        if owner not in self.domains and owner != self.domain:
            if database is None:  # a source with a name of its own reads this domain's lake
                owner = self.domain
            else:
                self._unknown_domain(document, path, owner=owner)
                return
        for table, place in self._tables(document, path):
            dataset = self._dataset(document, path, owner=owner, table=table, place=place)
            if dataset is not None:
                self.reads.append(Read(dataset, place, f"dbt source {name}"))

    def _unknown_domain(self, document: Document, path: tuple[str | int, ...], *, owner: str) -> None:
        known = tuple(sorted(self.domains))
        decision = Decision(False, "consumption", f"database {owner!r} is no domain", known[:12], did_you_mean(owner, known))
        self.findings.refuse(decision, document.place(*path, "database"), value=owner)

    def _tables(self, document: Document, path: tuple[str | int, ...]) -> Iterator[tuple[str, Place]]:
        for number, entry in enumerate(_list(document.get(*path, "tables"))):
            where = (*path, "tables", number)
            key = "identifier" if document.has(*where, "identifier") else "name"
            table = document.get(*where, key) if isinstance(entry, dict) else None
            if isinstance(table, str) and "{{" not in table:
                yield table, document.place(*where, key)

    def _dataset(self, document: Document, path: tuple[str | int, ...], *, owner: str, table: str, place: Place) -> DatasetId | None:
        schema = document.get(*path, "schema")
        zone = schema if isinstance(schema, str) else document.get(*path, "name")
        if not isinstance(zone, str) or "{{" in zone:
            return None
        zone_place = document.place(*path, "schema" if isinstance(schema, str) else "name")
        if not self.findings.refuse(zone_is_known(zone, f"dbt source {owner}.{zone}.{table}"), zone_place, value=zone):
            return None
        return DatasetId(owner, Zone(zone), table) if self._is_good_name(table, place) else None


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
