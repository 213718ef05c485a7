"""Loads one SQL table into a DuckLake with dlt, in dlt's own environment: `dlt_load.py SOURCE_URL TABLE BACKEND CATALOGUE_URL FOLDER`."""

from __future__ import annotations

import sys
from typing import Any

import dlt
import sqlalchemy as sa
from dlt.destinations import ducklake
from dlt.destinations.impl.ducklake.configuration import DuckLakeCredentials
from dlt.sources.sql_database import sql_table


def _double(kind: Any) -> Any:
    """Read MySQL's DOUBLE as a float: SQLAlchemy would make decimals of it, which dlt then refuses."""
    return sa.Float(53) if isinstance(kind, sa.Double) else kind


def main() -> None:
    source, table, backend, catalogue, folder = sys.argv[1:]
    schema, name = table.split(".")
    lake = DuckLakeCredentials("lake", catalog=catalogue, storage=f"file://{folder}/data")
    pipeline = dlt.pipeline("bench", destination=ducklake(credentials=lake), dataset_name="raw", pipelines_dir=f"{folder}/pipelines")
    more = {"backend_kwargs": {"return_type": "arrow"}} if backend == "connectorx" else {}
    resource = sql_table(
        credentials=source, schema=schema, table=name, backend=backend, chunk_size=100_000, type_adapter_callback=_double, **more
    )
    pipeline.run(resource, write_disposition="append").raise_on_failed_jobs()


if __name__ == "__main__":
    main()
