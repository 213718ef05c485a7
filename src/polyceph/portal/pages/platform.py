"""How the platform is: versions, heads of the journal, what is left out and why, last runs. Details of domains as somebody may see them."""

from __future__ import annotations

import os
import platform as system
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

import psutil
from starlette.requests import Request
from starlette.responses import Response

from polyceph.bootstrap.site import Site
from polyceph.core.model.access import Action, Principal
from polyceph.core.model.emergency import EmergencyState
from polyceph.store.overview import LastHead
from polyceph.web.pages import page
from polyceph.web.render import render
from polyceph.web.scope import principal_of, site_of

_PROCESSES = ("postgres", "dagster", "polyceph")


@dataclass(frozen=True)
class ProcessLine:
    """A process of the platform on this machine; memory is its resident set in MiB."""

    name: str
    number: int
    memory_mb: int
    since: datetime


@dataclass(frozen=True)
class DomainState:
    """A domain's last run, and why it is left out when it is."""

    name: str
    title: Mapping[str, str]
    status: str | None
    at: datetime | None
    problem: str | None


@dataclass(frozen=True)
class EmergencyLine:
    """Emergency access that lasts; `reason` is empty for whoever may not see who holds which role in the domain."""

    title: Mapping[str, str]
    who: str
    until: datetime
    reason: str


@dataclass(frozen=True)
class PlatformPage:
    """What the page shows; processes are None for whoever does not look after the platform."""

    versions: Sequence[tuple[str, str]]
    environment: str
    applied_at: datetime | None
    commit: str
    heads: Sequence[LastHead]
    domains: Sequence[DomainState]
    emergencies: Sequence[EmergencyLine]
    processes: Sequence[ProcessLine] | None


@page("/platform", action=Action.PLATFORM_VIEW)
def platform(request: Request) -> Response:
    """Show how the platform is."""
    site, who = site_of(request), principal_of(request)
    administers = site.may(who, Action.PLATFORM_ADMINISTER).allowed
    applied = site.queries().last_declaration()
    context = PlatformPage(
        versions=_versions(site) if administers else [("polyceph", version("polyceph"))],
        environment=site.settings.environment,
        applied_at=applied.applied_at if applied else None,
        commit=applied.commit[:12] if applied and administers else "",
        heads=site.overview().heads(),
        domains=_domains(site, who),
        emergencies=_emergencies(site, who),
        processes=_processes(site) if administers else None,
    )
    return render(request, "portal/platform.html", context)


def _versions(site: Site) -> list[tuple[str, str]]:
    packages = [(name, version(name)) for name in ("polyceph", "dagster", "duckdb", "dbt-core")]
    return [*packages, ("PostgreSQL", site.overview().server_version()), ("Python", system.python_version())]


def _domains(site: Site, who: Principal) -> list[DomainState]:
    """Return the domains whose runs she may see; of another one not even that it is left out."""
    last, left_out = site.overview().last_runs(), site.declared().left_out
    names = sorted(site.federation.domains.keys() | left_out.keys())
    found = []
    for name in names:
        if not site.may(who, Action.RUN_VIEW, domain=name).allowed:
            continue
        domain, record = site.federation.domains.get(name), last.get(name)
        status = None if record is None else record.outcome.status if record.outcome else "REQUESTED"
        title = domain.title if domain else {"en": name}
        found.append(DomainState(name, title, status, record.requested_at if record else None, left_out.get(name)))
    return found


def _emergencies(site: Site, who: Principal) -> list[EmergencyLine]:
    """Return the emergency access that lasts: it is loud, so everybody who may see the platform sees it."""
    now, found = site.now(), []
    for one in site.queries().emergencies(is_open=True):
        if one.state(now) is not EmergencyState.OPEN:
            continue
        domain, person = site.federation.domains.get(one.domain), site.federation.people.get(one.person)
        is_near = site.may(who, Action.DOMAIN_PEOPLE, domain=one.domain).allowed
        title = domain.title if domain else {"en": one.domain}
        found.append(EmergencyLine(title, person.name if person else one.person, one.until, one.reason if is_near else ""))
    return found


def _processes(site: Site) -> list[ProcessLine]:
    """Return this process and the platform's others on this machine: those that run from the same state folder."""
    state, found = str(site.settings.state()), []
    for process in psutil.process_iter(("pid", "name", "cmdline", "memory_info", "create_time")):
        facts = process.info
        words = " ".join(facts["cmdline"] or ())
        if facts["pid"] == os.getpid() or (state in words and any(name in words for name in _PROCESSES)):
            memory = facts["memory_info"].rss // 2**20 if facts["memory_info"] else 0
            found.append(ProcessLine(facts["name"], facts["pid"], memory, datetime.fromtimestamp(facts["create_time"], site.now().tzinfo)))
    return sorted(found, key=lambda one: (one.name, one.number))
