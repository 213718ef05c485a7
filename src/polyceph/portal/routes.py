"""Every page of the portal, one line each, and the main navigation."""

from __future__ import annotations

from collections.abc import Sequence

from polyceph.portal.pages.datasets import datasets
from polyceph.portal.pages.home import home
from polyceph.web.languages import N_
from polyceph.web.pages import Page

ROUTES: Sequence[Page] = (
    home,
    datasets,
)
LINKS: Sequence[tuple[str, str]] = (
    ("/", N_("Home")),
    ("/datasets", N_("Datasets")),
    ("/domains", N_("Domains")),
    ("/platform", N_("Platform")),
)
