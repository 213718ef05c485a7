"""Every page of the portal, one line each, and the main navigation."""

from __future__ import annotations

from collections.abc import Sequence

from polyceph.portal.pages.account import account, all_sessions, end_session
from polyceph.portal.pages.dataset import dataset
from polyceph.portal.pages.datasets import datasets
from polyceph.portal.pages.domains import domain, domains
from polyceph.portal.pages.home import home
from polyceph.portal.pages.identities import create, identities, revoke, rotate
from polyceph.portal.pages.people import people
from polyceph.portal.pages.platform import platform
from polyceph.web.languages import N_
from polyceph.web.pages import Page

ROUTES: Sequence[Page] = (
    home,
    datasets,
    dataset,
    domains,
    domain,
    people,
    account,
    end_session,
    all_sessions,
    identities,
    create,
    rotate,
    revoke,
    platform,
)
LINKS: Sequence[tuple[str, str]] = (
    ("/", N_("Home")),
    ("/datasets", N_("Datasets")),
    ("/domains", N_("Domains")),
    ("/dagster/", N_("Pipelines")),
    ("/platform", N_("Platform")),
)
