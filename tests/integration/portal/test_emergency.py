"""Emergency access that lasts is on the page of the platform for everybody; why, for whoever is near."""

from __future__ import annotations

import httpx

from planted_site import CANARY, PEOPLE, Planted
from polyceph.core.model.emergency import Opening
from polyceph.core.usecases import emergencies


def test_emergency_access_is_seen_by_everybody_while_it_lasts(client: httpx.Client, planted: Planted) -> None:
    site, who = planted.site, PEOPLE["all.platform_engineer"]
    around = emergencies.Circumstances(site.federation, site.decide, site.now(), site.now().date(), "web")
    asked = Opening("health", "marc.leroy", 1, f"a row of {CANARY} stops the nightly load")

    def page(name: str) -> str:
        return client.get("/platform", headers={"cookie": f"polyceph-session={name}"}).text

    assert "Emergency access" not in page("own.visitor")
    found = emergencies.open_emergency(site.work(), site.queries(), asked, who=who, around=around)
    for name in ("own.visitor", "all.consumer", "claire.martin", "all.platform_engineer"):
        assert "Emergency access" in page(name), name
        assert "Marc Leroy" in page(name), name
    assert CANARY not in page("own.owner")
    assert CANARY in page("all.platform_engineer")
    emergencies.close_emergency(site.work(), site.queries(), found.number, who=who, around=around)
    assert "Emergency access" not in page("own.visitor")
