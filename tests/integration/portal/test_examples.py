"""The pages of federations as people declare them: datasets without contract, titles in some languages alone, lakes not made yet."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from planted_site import Planted, Table
from polyceph.bootstrap.site import Site
from polyceph.portal.routes import LINKS, ROUTES
from polyceph.settings import Settings, WebSettings
from polyceph.web.app import application

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize("name", ["belgium", "federation"])
def test_every_page_of_an_example_opens(planted: Planted, tmp_path: Path, name: str) -> None:
    settings = Settings(federation=EXAMPLES / name, home=tmp_path, web=WebSettings(requests_per_minute=100_000))

    def identify(site: Site) -> Table:
        return Table(site.settings, site.engine, lambda: site.federation, site.address)

    site = Site(settings, planted.site.engine, planted.addresses, b"k" * 32, identify=identify)
    datasets = [one for domain in site.federation.domains.values() for one in domain.datasets.values()]
    assert any(one.contract is None for one in datasets)
    paths = ["/", "/datasets", "/domains", "/platform", "/account", "/identities"]
    paths += [f"/domains/{domain}{part}" for domain in site.federation.domains for part in ("", "/people")]
    paths += [f"/datasets/{one.id.domain}/{one.id.zone}/{one.id.name}" for one in datasets]
    app = application(site, routes=ROUTES, mounts={}, links=LINKS)

    async def statuses() -> dict[str, int]:
        headers = {"accept": "text/html", "cookie": "polyceph-session=all.auditor"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost", headers=headers) as client:
            return {path: (await client.get(path)).status_code for path in paths}

    found = asyncio.run(statuses())
    assert {path: status for path, status in found.items() if status != 200} == {}
    assert len(found) > 40
