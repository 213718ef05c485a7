"""One dataset: who answers for it, what it promises, how fresh it is, what made it, how it grew, where it is served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from polyceph.bootstrap.site import Site
from polyceph.core.model.access import Action, Principal
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.domain import Domain
from polyceph.core.model.sentence import listed, said
from polyceph.errors import NotFound
from polyceph.lake.history import RowCount
from polyceph.portal.knowledge import Known, dataset_path, facts_of, known_dataset, known_datasets, person_name
from polyceph.portal.plot import Plot, plotted
from polyceph.portal.runs import RunLine, run_lines
from polyceph.store.overview import Served
from polyceph.web.pages import page
from polyceph.web.render import render
from polyceph.web.scope import principal_of, site_of

_COUNTS = 12


@dataclass(frozen=True)
class ColumnLine:
    """One promised column."""

    name: str
    type: str
    description: str
    is_required: bool
    is_key: bool
    personal_data: str
    classification: str | None
    rules: Sequence[str]


@dataclass(frozen=True)
class Neighbour:
    """A dataset or a domain one step away."""

    name: str
    path: str


@dataclass(frozen=True)
class DatasetPage:
    """What the page shows; whatever somebody may not see is empty, and `is_described` or `shows_runs` is False."""

    id: str
    title: str
    domain: str
    domain_title: Mapping[str, str]
    zone: str
    classification: str | None
    owner: str
    steward: str
    interim_owner: str
    contact: str
    is_described: bool
    description: str
    contract: Contract | None
    columns: Sequence[ColumnLine]
    rows: int | None
    bytes: int | None
    changed_at: datetime | None
    plot: Plot | None
    counts: Sequence[RowCount]
    shows_runs: bool
    shows_errors: bool
    runs: Sequence[RunLine]
    serves: Neighbour | None
    form: str
    served: Served | None
    served_as: Sequence[Neighbour]
    readers: Sequence[Neighbour]


def _facts(request: Request) -> Mapping[str, object]:
    """Return what decides besides the domain. A dataset that does not exist is decided about as a secret one."""
    wanted = _wanted(request.path_params)
    return facts_of(site_of(request), wanted)


@page("/datasets/{domain}/{zone}/{name}", action=Action.DATASET_FIND, domain_from="domain", hides=True, about=_facts)
def dataset(request: Request) -> Response:
    """Show a dataset."""
    site, who = site_of(request), principal_of(request)
    known = known_dataset(site, who, _wanted(request.path_params))
    return render(request, "portal/dataset.html", _page(site, who, known))


def _wanted(path: Mapping[str, str]) -> DatasetId:
    try:
        return DatasetId(path["domain"], Zone(path["zone"]), path["name"])
    except ValueError:
        raise NotFound(said("there is no such zone"), hint=said("zones are {zones}", zones=listed(tuple(Zone)))) from None


def _page(site: Site, who: Principal, known: Known) -> DatasetPage:
    one, domain, contract = known.id, site.federation.domains[known.id.domain], known.dataset.contract
    state = site.states(one.domain).get(one) if known.is_described else None
    counts = site.row_counts(one) if known.is_described and one.zone is not Zone.OUTPUT else ()
    shows_runs = known.is_described and site.may(who, Action.RUN_VIEW, domain=one.domain, dataset=str(one)).allowed
    is_served = known.is_described and known.dataset.serves is not None
    return DatasetPage(
        id=str(one),
        title=known.title,
        domain=one.domain,
        domain_title=domain.title,
        zone=one.zone.value,
        classification=known.classification,
        owner=person_name(site, known.dataset.owner),
        steward=person_name(site, known.dataset.steward),
        interim_owner=person_name(site, domain.interim_owner),
        contact=domain.contact,
        is_described=known.is_described,
        description=known.description,
        contract=contract if known.is_described else None,
        columns=_columns(contract) if contract and known.is_described else (),
        rows=state.rows if state else None,
        bytes=state.bytes if state else None,
        changed_at=state.changed_at if state else None,
        plot=plotted([(count.at, count.rows) for count in counts]),
        counts=counts[: -_COUNTS - 1 : -1],
        shows_runs=shows_runs,
        shows_errors=shows_runs and site.may(who, Action.RUN_LOGS, domain=one.domain, dataset=str(one)).allowed,
        runs=run_lines(site.overview().runs(one.domain, one)) if shows_runs else (),
        serves=_served_from(site, who, known) if is_served else None,
        form=known.dataset.serves.form if is_served and known.dataset.serves else "",
        served=site.overview().served(one) if is_served else None,
        served_as=_served_as(site, who, domain, one) if known.is_described else (),
        readers=_readers(site, who, one) if known.is_described else (),
    )


def _columns(contract: Contract) -> list[ColumnLine]:
    return [
        ColumnLine(
            column.name,
            column.physical_type or column.logical_type,
            column.description,
            column.required or column.primary_key,
            column.primary_key,
            column.personal_data.value,
            column.classification.value if column.classification else None,
            [str(rule) for rule in column.rules],
        )
        for column in contract.columns
    ]


def _served_from(site: Site, who: Principal, known: Known) -> Neighbour | None:
    """Return the dataset that an output serves, when she may know of it."""
    serves = known.dataset.serves
    found = [one for one in known_datasets(site, who, known.id.domain) if serves and one.id == serves.of]
    return Neighbour(str(found[0].id), dataset_path(found[0].id)) if found else None


def _served_as(site: Site, who: Principal, domain: Domain, wanted: DatasetId) -> list[Neighbour]:
    found = known_datasets(site, who, domain.name)
    return [Neighbour(str(one.id), dataset_path(one.id)) for one in found if one.dataset.serves and one.dataset.serves.of == wanted]


def _readers(site: Site, who: Principal, wanted: DatasetId) -> list[Neighbour]:
    """Return the domains that declare to read it, as far as she may see those."""
    readers = [one for one in site.federation.domains.values() if wanted in one.consumes]
    return [Neighbour(one.name, f"/domains/{one.name}") for one in readers if site.may(who, Action.DOMAIN_VIEW, domain=one.name).allowed]
