"""Resources for people who write Python assets: the lake and the output database, two lines each."""

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

from polyceph.bootstrap.domain import current_domain
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.errors import Invalid
from polyceph.orchestrate.datasets import commit_of, key_of, lake_metadata, local_dataset

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class Lake(dg.ConfigurableResource[Any]):
    """The domain's own lake, and read-only what it consumes from others.

    ```python
    @dg.asset(key=["education", "silver", "school_names"], deps=[["education", "bronze", "schools"]])
    def school_names(lake: Lake) -> dg.MaterializeResult:
        schools = lake.query("select id, name from education.bronze.schools").to_polars()
        return lake.replace("silver.school_names", schools.with_columns(pl.col("name").str.to_titlecase()))
    ```
    """

    _run: str = PrivateAttr(default="none")

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Remember the run, so that what it writes carries its name."""
        self._run = context.run_id or "none"

    def query(self, sql: str, parameters: list[object] | None = None, *, purpose: str | None = None) -> "Rows":
        """Return the rows of one SELECT; tables are `domain.zone.dataset`, values go in as `?` parameters.

        The journal keeps who read which columns of which datasets, how many rows, and for which purpose; never a value.

        Raises:
            Denied: a dataset of another domain is not declared in `consumes`; the message says what to do.
            Unavailable: the reading cannot be recorded.
        """
        from polyceph.bootstrap import reading  # DuckDB and Arrow: 100 MB that only a run needs

        runtime = current_domain()
        return Rows(reading.query(runtime, sql, parameters or [], reader=reading.reader(runtime, "dagster", self._run, purpose)))

    def replace(self, dataset: str, rows: Any) -> dg.MaterializeResult[Any]:
        """Replace the content of `zone.dataset` atomically by Arrow, Polars or pandas rows; return what the asset returns."""
        runtime = current_domain()
        named = local_dataset(runtime.domain.name, dataset)
        commit = commit_of(runtime, f"replace {named}", self._run, [named])
        runtime.lake.replace(named, arrow(rows), commit)
        return dg.MaterializeResult(asset_key=key_of(named), metadata=lake_metadata(runtime, named))


class Rows:
    """The rows of a query, as Arrow, Polars or pandas."""

    def __init__(self, table: "pa.Table") -> None:
        self._table = table

    def to_arrow(self) -> "pa.Table":
        """Return an Arrow table."""
        return self._table

    def to_polars(self) -> "pl.DataFrame":
        """Return a Polars frame; shares memory where it can."""
        import polars as pl  # loading it costs 0.3 s in every process of the location

        frame = pl.from_arrow(self._table)
        return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()

    def to_pandas(self) -> Any:
        """Return a pandas frame; needs pandas in the domain's environment."""
        return self._table.to_pandas()


class Postgres(dg.ConfigurableResource[Any]):
    """The domain's schema in the output database.

    ```python
    postgres.copy_from("gold.pupils_by_municipality", table="pupils")
    frame = postgres.query("select * from pupils where nis_code = %s", ["25112"]).to_polars()
    ```
    """

    _run: str = PrivateAttr(default="none")

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Remember the run, so that what it serves carries its name."""
        self._run = context.run_id or "none"

    def query(self, sql: str, parameters: list[object] | None = None, *, purpose: str | None = None) -> "Rows":
        """Return the rows of a query on the output database; values go in as `%s` parameters. It is recorded as `Lake.query` is."""
        from polyceph.bootstrap import reading  # DuckDB and Arrow: 100 MB that only a run needs

        runtime = current_domain()
        return Rows(reading.output_query(runtime, sql, parameters or [], reader=reading.reader(runtime, "postgres", self._run, purpose)))

    def copy_from(self, dataset: str, *, table: str) -> int:
        """Serve a gold dataset as the declared output `table` by atomic swap; return the number of rows.

        Raises:
            Invalid: the output has no contract, or the dataset does not keep it.
        """
        from polyceph.orchestrate.components.output import serve  # the components import this module's neighbours

        runtime = current_domain()
        output = DatasetId(runtime.domain.name, Zone.OUTPUT, table)
        if output not in runtime.domain.contracts:
            file = f"{runtime.domain.folder}/contracts/output/{table}.odcs.yaml"
            raise Invalid(f"{output} has no contract, so nothing is served under this name", hint=f"write {file}")
        report = serve(runtime, output, local_dataset(runtime.domain.name, dataset), to="postgres", run=self._run)
        return int(report["dagster/row_count"])


def arrow(rows: Any) -> Any:
    """Return rows that speak Arrow: pandas frames are converted, Arrow and Polars go as they are."""
    if hasattr(rows, "__arrow_c_stream__"):
        return rows
    import pyarrow as pa  # 50 MB that only a run needs

    return pa.Table.from_pandas(rows, preserve_index=False)
