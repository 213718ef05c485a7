"""Loads one dataset in a process of its own, which a test may kill. Says how many rows came, and how much memory it took."""

from __future__ import annotations

import json
import resource
import sys
from importlib.metadata import entry_points
from pathlib import Path

from pydantic import SecretStr

from polyceph.core.model.classification import Classification
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.place import Place
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.sdk import Column, Contract, DatasetId, Demand, Zone
from polyceph.settings import LakeAddress, ObjectStorage, PostgresAddress


def main(given: dict[str, object]) -> None:
    catalogue, folder = dict(given["catalogue"]), Path(str(given["folder"]))  # type: ignore[call-overload]
    password = SecretStr(catalogue.pop("password"))
    address = LakeAddress(
        domain="education",
        catalogue=PostgresAddress(**catalogue, password=password),
        metadata_schema="lake_education",
        data_path=str(given["data_path"]),
        storage=ObjectStorage(),
    )
    dataset = DatasetId("education", Zone.RAW, str(given["name"]))
    columns = (Column("id", "integer", required=True, primary_key=True), Column("pad", "string"))
    contract = Contract(dataset, "1", "1.0.0", "active", "a", "b", Classification.INTERNAL, columns, Place("c.odcs.yaml"), "0" * 64)
    kind = next(e for e in entry_points(group="polyceph.connectors") if e.name == given["connector"]).load()
    connector = kind(kind.source_options.model_validate(given["source"]), base=Path("/"))
    limits = EngineLimits(memory_mb=128, temporary=folder / "spill")
    with DomainLake(address, others=[], extensions=Path(str(given["extensions"])), limits=limits) as lake:
        options = dict(given["options"])  # type: ignore[call-overload]
        run = str(given["run"])
        demand = Demand(dataset, contract, options, lake.cursor(dataset), lambda key: lake.is_loaded(dataset, key), folder, folder, run=run)
        rows = [lake.load(d, contract, LakeCommit("a", "load", run, "c0ffee", {})).rows for d in connector.deliveries(demand)]
    sys.stdout.write(json.dumps({"rows": rows, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}) + "\n")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
