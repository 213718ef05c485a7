"""Loads one dataset in a process of its own, which a test may kill. Says when rows begin to come, how many came, and in which memory."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))
from pydantic import SecretStr

from lakes import COMMIT, Loading
from polyceph import plugins
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.sdk import Column
from polyceph.settings import LakeAddress, ObjectStorage, PostgresAddress

COLUMNS = (Column("id", "integer", required=True, primary_key=True), Column("label", "string"), Column("amount", "integer"))


def main(given: dict[str, Any]) -> None:
    catalogue = given["catalogue"]
    catalogue["password"] = SecretStr(catalogue["password"])
    address = LakeAddress(
        domain="education",
        catalogue=PostgresAddress(**catalogue),
        metadata_schema="lake_education",
        data_path=given["data_path"],
        storage=ObjectStorage(),
    )
    folder, extensions = Path(given["folder"]), Path(given["extensions"])
    kind = plugins.load(plugins.CONNECTORS, given["connector"])
    connector = kind(kind.source_options.model_validate(given["source"]), base=Path(given["base"]))
    with DomainLake(address, others=[], extensions=extensions, limits=EngineLimits(memory_mb=128, temporary=folder / "spill")) as lake:
        loading = Loading(lake, folder, address, extensions, given["name"])
        contract = loading.contract(*COLUMNS)
        tell({"begun": True})
        demand = loading.demand(contract, given["options"], run=given["run"])
        rows = []
        for delivery in connector.deliveries(demand):
            tell({"delivered": delivery.origin})
            rows.append(lake.load(delivery, contract, COMMIT).rows)
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    tell({"rows": rows, "memory_mb": most // 1024})


def tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
