"""Hiding a library from code that would import it only because it is there."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from polyceph.hidden import Hidden


def test_what_is_hidden_is_not_found_for_a_while() -> None:
    before = list(sys.meta_path)
    for name in ("colorsys", "colorsys.part"):
        sys.modules.pop("colorsys", None)
        with Hidden("colorsys"), pytest.raises(ModuleNotFoundError, match="is hidden here"):
            importlib.import_module(name)
    assert sys.meta_path == before
    assert importlib.import_module("colorsys").__name__ == "colorsys"


def test_neither_a_code_server_imports_dbt_nor_a_reader_of_files_pandas() -> None:
    code = "import sys, {module}; {then}; assert not [name for name in sys.modules if name.partition('.')[0] == '{hidden}']"
    dbt = code.format(module="polyceph.orchestrate.dbt_assets as found", then="found.dbt_assets", hidden="dbt")
    arrow = "found._prepare(); import pyarrow; pyarrow.array([0.0])"
    pandas = code.format(module="polyceph.connectors.tabular.warm as found", then=arrow, hidden="pandas")
    for program in (dbt, pandas):
        subprocess.run([sys.executable, "-c", program], check=True)
