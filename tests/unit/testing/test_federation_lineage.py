"""Every planted path of a column, step by step, is really in the SQL and the declarations of the example federation."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import DictLoader, Environment
from sqlglot import exp
from sqlglot.lineage import lineage

from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth

DOMAINS = Path(__file__).resolve().parents[3] / "examples" / "federation" / "domains"
PLANTED_BY = ("data_office", "education", "higher_education", "culture", "sport", "youth_care")
Step = tuple[str, str]


def planted() -> list[list[Step]]:
    truth = Truth()
    for name in PLANTED_BY:
        for _ in import_module(f"polyceph.testing.federation.domains.{name}").build(Scenario(), truth):
            pass
    return [[(step["dataset"], step["column"]) for step in entry["path"]] for entry in truth.of("lineage")]


@cache
def models(domain: str) -> dict[str, str]:
    """Return the SQL of each model of a domain by the name of its dataset; every table in it is called by its dataset."""
    project = DOMAINS / domain / "transform"
    paths = {path.stem: path for path in sorted(project.glob("models/*/**/*.sql"))}
    zones = {name: path.relative_to(project / "models").parts[0] for name, path in paths.items()}
    databases = {s["name"]: (s["database"], s["schema"]) for s in yaml.safe_load((project / "models/sources.yml").read_text())["sources"]}
    macros = "\n".join(path.read_text(encoding="utf-8") for path in sorted(project.glob("macros/*.sql")))
    environment = Environment(loader=DictLoader({"macros": macros}), autoescape=False, extensions=["jinja2.ext.do"])  # noqa: S701  SQL is no HTML
    environment.globals |= {
        "ref": lambda name: f'"{domain}"."{zones[name]}"."{name}"',
        "source": lambda name, table: ".".join(f'"{part}"' for part in (*databases[name], table)),
        "config": lambda **_: "",
        "this": "",
    }
    return {
        f"{domain}.{zones[n]}.{n}": environment.from_string(macros + path.read_text(encoding="utf-8")).render() for n, path in paths.items()
    }


@cache
def columns(dataset: str) -> tuple[str, ...]:
    """Return the columns of a dataset: those of its contract, or those that its model selects."""
    domain, zone, name = dataset.split(".")
    contract = DOMAINS / domain / "contracts" / zone / f"{name}.odcs.yaml"
    if contract.exists():
        found = yaml.safe_load(contract.read_text(encoding="utf-8"))["schema"][0]["properties"]
        return (*(column["name"] for column in found), "_origin", "_load", "_row")
    select = exp.maybe_parse(models(domain)[dataset], dialect="duckdb")
    assert isinstance(select, exp.Query)
    return tuple(select.named_selects)


def read_by(dataset: str, column: str) -> set[Step]:
    """Return the columns of other datasets of which a column of a model is made."""
    domain = dataset.partition(".")[0]
    sql = models(domain)[dataset]
    tables = {t for t in exp.maybe_parse(sql, dialect="duckdb").find_all(exp.Table) if t.catalog}
    schema: dict[str, Any] = {}
    for table in tables:
        known = columns(f"{table.catalog}.{table.db}.{table.name}")
        schema.setdefault(table.catalog, {}).setdefault(table.db, {})[table.name] = dict.fromkeys(known, "text")
    leaves = [node for node in lineage(column, sql, schema=schema, dialect="duckdb").walk() if isinstance(node.expression, exp.Table)]
    return {(f"{n.expression.catalog}.{n.expression.db}.{n.expression.name}", n.name.split(".")[-1].strip('"')) for n in leaves}


def served(dataset: str) -> str:
    """Return the gold dataset that an output serves."""
    domain, _, name = dataset.split(".")
    documents = [
        d for path in sorted((DOMAINS / domain / "defs").rglob("defs.yaml")) for d in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]
    outputs = [one for d in documents for one in d["attributes"].get("outputs", ()) if one["name"] == name]
    assert len(outputs) == 1
    return f"{domain}.{outputs[0]['of']}"


@pytest.mark.parametrize("path", planted(), ids=lambda path: f"{path[0][0]}.{path[0][1]}-{path[-1][0]}")
def test_each_step_of_a_path_is_declared(path: list[Step]) -> None:
    assert len(path) >= 3
    for (before, from_column), (dataset, column) in pairwise(path):
        assert from_column in columns(before)
        if dataset.split(".")[1] == "output":
            assert (served(dataset), from_column) == (before, column)
        else:
            assert (before, from_column) in read_by(dataset, column)


def test_some_paths_cross_a_domain() -> None:
    assert len(planted()) >= 4
    assert any(len({dataset.split(".")[0] for dataset, _ in path}) > 1 for path in planted())


def test_a_step_that_is_not_in_the_sql_is_told_apart() -> None:
    assert ("data_office.bronze.listed_municipalities", "name_nl") not in read_by("data_office.gold.municipalities", "name_fr")


def test_no_path_is_written_down_twice() -> None:
    paths = [tuple(path) for path in planted()]
    assert len(set(paths)) == len(paths)
