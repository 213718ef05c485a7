"""What is installed can be loaded, and the command line starts without the heavy half of the platform."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from polyceph import plugins

HEAVY = ("dagster", "duckdb", "pyarrow", "polars", "pandas", "sqlalchemy", "alembic", "dbt")


def test_the_built_in_connectors_are_registered() -> None:
    assert {"files", "postgres"} <= set(plugins.names(plugins.CONNECTORS))


@pytest.mark.parametrize("name", plugins.names(plugins.CONNECTORS))
def test_every_connector_loads(name: str) -> None:
    assert isinstance(plugins.load(plugins.CONNECTORS, name), type)


def test_the_command_is_registered() -> None:
    (point,) = entry_points(group="console_scripts", name="polyceph")
    assert callable(point.load())


def test_starting_the_command_imports_nothing_heavy() -> None:
    program = "import json, sys, polyceph.cli.main; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout))
    assert not loaded.intersection(HEAVY), "import it inside the function that needs it: `polyceph --help` must stay quick"


def test_pages_load_neither_the_engine_nor_arrow() -> None:
    program = "import json, sys, polyceph.web.app, polyceph.web.sign_in, polyceph.portal.routes; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout))
    assert not loaded.intersection({"dagster", "duckdb", "pyarrow", "polars", "pandas", "dbt"}), "ask the catalogue in PostgreSQL instead"
