"""Which datasets of other domains dbt's nodes read."""

from __future__ import annotations

from typing import Any

from polyceph.orchestrate.dbt_sources import sources_of_others


def node(*parents: str, materialized: str = "table") -> dict[str, Any]:
    return {"depends_on": {"nodes": list(parents)}, "config": {"materialized": materialized}}


MANIFEST: dict[str, Any] = {
    "sources": {
        "source.s.office.towns": {"database": "data_office", "schema": "gold", "name": "towns"},
        "source.s.office.codes": {"database": "data_office", "schema": "gold", "name": "codes", "identifier": "postal_codes"},
        "source.s.own.pupils": {"database": "education", "schema": "raw", "name": "pupils"},
        "source.s.bare.staff": {"database": None, "schema": "raw", "name": "staff"},
    },
    "nodes": {
        "model.s.placed": node("source.s.office.towns", "source.s.own.pupils", "source.s.bare.staff"),
        "model.s.inside": node("source.s.office.codes", materialized="ephemeral"),
        "model.s.seen": node("model.s.inside", "model.s.placed", materialized="view"),
        "model.s.gold": node("model.s.seen"),
        "model.s.own": node("source.s.own.pupils"),
        "test.s.one": node("source.s.office.towns"),
        "seed.s.list": {},
    },
}


def read(*nodes: str) -> list[str]:
    return [str(one) for one in sources_of_others(MANIFEST, nodes, "education")]


def test_a_node_reads_the_sources_of_other_domains_it_depends_on() -> None:
    assert read("model.s.placed", "model.s.own", "seed.s.list") == ["data_office.gold.towns"]
    assert read("test.s.one") == ["data_office.gold.towns"]
    assert read("model.s.own") == []
    assert read() == []


def test_views_and_ephemeral_models_are_looked_through_and_tables_are_not() -> None:
    assert read("model.s.gold") == ["data_office.gold.postal_codes"]
    assert read(*MANIFEST["nodes"]) == ["data_office.gold.postal_codes", "data_office.gold.towns"]
