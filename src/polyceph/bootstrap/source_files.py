"""Adding a source to a domain's files: what it is called and takes, the files written and checked, put back when they are not right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyceph import plugins
from polyceph.bootstrap.declared import domain_declarations, usable_federation
from polyceph.core.model.domain import Domain
from polyceph.core.policies.nearest import did_you_mean
from polyceph.errors import Conflict, Invalid, NotFound, Problem
from polyceph.scaffold.source import NewDataset, NewSource, drafted
from polyceph.settings import Settings


@dataclass(frozen=True)
class GivenSource:
    """A source as a command names it: `kind` is its connector, `is_new` whether it has to be declared."""

    domain: str
    name: str
    kind: str
    options: Mapping[str, object]
    is_new: bool
    owner: str
    steward: str


def given_source(
    settings: Settings, name: str, *, connector: str | None = None, options: Mapping[str, object] | None = None
) -> GivenSource:
    """Return the source `domain/source`: a declared one, or with a connector one to declare.

    Raises:
        Invalid: the name is not of this form, or the domain's declarations are wrong.
        NotFound: no such domain or source or connector.
        Conflict: options are given for a source that is declared already.
    """
    domain_name, slash, source_name = name.partition("/")
    if not slash or not source_name:
        raise Invalid(f"{name!r} names no source", hint="write DOMAIN/SOURCE, for example education/register")
    domain = _domain(settings, domain_name)
    if connector is not None:
        plugins.load(plugins.CONNECTORS, connector)
        return GivenSource(domain.name, source_name, connector, options or {}, True, domain.owner, domain.steward)
    if source_name not in domain.sources:
        known = ", ".join(sorted(domain.sources)) or "none yet"
        hint = did_you_mean(source_name, domain.sources) or f"declared are {known}; add one with --connector"
        raise NotFound(f"source {source_name!r} of {domain.name} is not declared", hint=hint)
    if options:
        raise Conflict(f"source {name} is declared already", hint=f"change its options in {domain.folder}/domain.yaml")
    found = domain.sources[source_name]
    return GivenSource(domain.name, source_name, found.connector, found.options, False, domain.owner, domain.steward)


def written(settings: Settings, source: GivenSource, datasets: Sequence[NewDataset], *, is_dry: bool) -> dict[Path, str]:
    """Write the source and its datasets into the domain's files and return them; when the domain is wrong with them, put all back.

    Raises:
        Invalid: the declarations would be wrong; every mistake is listed and nothing has changed.
        Conflict: the source or a contract is already there.
    """
    folder = (settings.federation / "domains" / source.domain).resolve()
    new = NewSource(source.domain, source.name, source.kind if source.is_new else None, source.options, source.owner, source.steward)
    files = drafted(folder, new, datasets)
    if is_dry:
        return files
    before = {path: path.read_bytes() if path.exists() else None for path in files}
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        _check(settings, source.domain)
    except BaseException:
        _put_back(before)
        raise
    return files


def _check(settings: Settings, domain: str) -> None:
    refused = usable_federation(settings).refused.get(domain)
    if refused:
        raise Invalid(f"the files of {domain} would be wrong; nothing was changed", problems=refused)


def _put_back(before: Mapping[Path, bytes | None]) -> None:
    for path, content in before.items():
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content)


def _domain(settings: Settings, name: str) -> Domain:
    folder = settings.federation / "domains"
    if not (folder / name / "domain.yaml").is_file():
        known = sorted(path.parent.name for path in folder.glob("*/domain.yaml"))
        problem = Problem("no such domain", value=name, allowed=tuple(known))
        raise NotFound(f"domain {name!r} does not exist", problems=[problem], hint=did_you_mean(name, known))
    return domain_declarations(settings, name).domains[name]
