"""What is declared, checked: the whole federation for the platform, one domain's part for its own process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from polyceph import plugins
from polyceph.core.model.federation import Federation
from polyceph.declarations.federation import ConnectorOptions, load_domain, load_federation
from polyceph.errors import Invalid, Misconfigured, NotFound, Problem
from polyceph.settings import Databases, LakeAddress, PostgresAddress, Settings

_ZONE = ZoneInfo("Europe/Brussels")


class SystemClock:
    """The one source of time in production."""

    def now(self) -> datetime:
        """Return the aware UTC time."""
        return datetime.now(UTC)


def today(settings: Settings) -> date:
    """Return the federation's day: the one to live on when settings name one, otherwise the clock's in Europe/Brussels."""
    return settings.today or SystemClock().now().astimezone(_ZONE).date()


def connector_options() -> dict[str, ConnectorOptions]:
    """Return the option models (of a source, of a dataset) of every connector that is installed."""
    classes = {name: plugins.load(plugins.CONNECTORS, name) for name in plugins.names(plugins.CONNECTORS)}
    return {name: (one.source_options, one.dataset_options) for name, one in classes.items()}


def lake_address(settings: Settings, federation: Federation, domain: str, catalogue: PostgresAddress) -> LakeAddress:
    """Return where the lake of a domain is, entered as the role in `catalogue`."""
    if settings.environment not in federation.environments:
        raise Misconfigured(
            f"environment {settings.environment!r} is not declared",
            hint=f"set POLYCEPH_ENVIRONMENT to one of {', '.join(sorted(federation.environments))}",
        )
    root = federation.environments[settings.environment].storage
    if "://" not in root:
        root = str((settings.federation.resolve() / root).resolve())
    return LakeAddress(
        domain=domain,
        catalogue=catalogue.at(Databases().lake),
        metadata_schema=f"lake_{domain}",
        data_path=f"{root.rstrip('/')}/{domain}/",
        storage=settings.storage,
    )


def published_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schemas of all declarations, for editors."""
    from polyceph.declarations.schemas import published  # no running process needs them

    return published(connector_options())


def checked_federation(settings: Settings) -> Federation:
    """Return the whole federation; raise `Invalid` with every mistake in it."""
    return load_federation(_folder(settings), today=today(settings), connectors=connector_options(), cache=settings.state() / "cache")


def domain_declarations(settings: Settings, name: str, *, cache: Path | None = None) -> Federation:
    """Return the federation with one domain in it; what is wrong in other domains does not matter here.

    Options of connectors are checked by `checked_federation` (polyceph check, polyceph up) and again when a connector is
    built: loading every connector here would cost each process of a location its Arrow and drivers.
    """
    return load_domain(_folder(settings), name, today=today(settings), cache=cache or settings.state() / "cache")


@dataclass(frozen=True)
class Usable:
    """A federation without the domains whose declarations are wrong; `refused` says what is wrong, by domain."""

    federation: Federation
    refused: Mapping[str, tuple[Problem, ...]]

    @property
    def left_out(self) -> Mapping[str, str]:
        """Return, by domain that is left out, why: one problem a line."""
        return {name: "\n".join(str(one) for one in problems) for name, problems in self.refused.items()}


def usable_federation(settings: Settings) -> Usable:
    """Return what can be used of the federation, so that one domain's mistake stops no other.

    Raises:
        Invalid: what is wrong concerns the federation as a whole, or every domain.
    """
    return _without_refused(settings, checked_federation)


def served_federation(settings: Settings) -> Usable:
    """Return what can be used, for processes that only show it: options of connectors are not checked, for that loads every connector.

    Raises:
        Invalid: as in `usable_federation`.
    """
    cache = settings.state() / "cache"
    return _without_refused(settings, lambda one: load_federation(_folder(one), today=today(one), cache=cache))


def _without_refused(settings: Settings, load: Callable[[Settings], Federation]) -> Usable:
    try:
        return Usable(load(settings), {})
    except Invalid as error:
        refused: dict[str, list[Problem]] = {}
        for problem in error.problems:
            parts = (problem.file or "").split("/")
            if len(parts) < 3 or parts[0] != "domains":
                raise
            refused.setdefault(parts[1], []).append(problem)
        names = sorted(p.parent.name for p in (_folder(settings) / "domains").glob("*/domain.yaml") if p.parent.name not in refused)
        if not names:
            raise
        each = [domain_declarations(settings, name) for name in names]
        merged = replace(
            each[0], domains={name: one.domains[name] for name, one in zip(names, each, strict=True)}, digest=_joined(each, refused)
        )
        return Usable(merged, {name: tuple(problems) for name, problems in refused.items()})


def _joined(parts: Sequence[Federation], left_out: Iterable[str]) -> str:
    """Return one digest for what is used; who is left out counts, for it decides what of the last declarations stays."""
    return hashlib.sha256("\n".join((*(one.digest for one in parts), *sorted(left_out))).encode()).hexdigest()


def _folder(settings: Settings) -> Path:
    folder = settings.federation.resolve()
    if not (folder / "federation.yaml").exists():
        raise NotFound(
            f"{folder} holds no federation.yaml",
            hint="go to a federation folder, name it with --federation, or make one with polyceph init",
        )
    return folder
