"""The component `Shell`: a command with declared inputs and outputs, in any language."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from polyceph.bootstrap.domain import DomainRuntime, current_domain
from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.dataset import DatasetId
from polyceph.errors import Invalid, PolycephError
from polyceph.orchestrate.datasets import contract_version, key_of, lake_metadata, local_dataset, schedule, spec_of
from polyceph.orchestrate.refusals import explained

_SHOWN_LINES = 30
_SECRET_WORDS = ("PASSWORD", "SECRET", "TOKEN", "DAGSTER_")


class Shell(dg.Component, dg.Model, dg.Resolvable):
    """Run a command that reads datasets as Parquet files and writes datasets as Parquet files.

    The command finds its inputs in the folder `$POLYCEPH_INPUTS` and writes into `$POLYCEPH_OUTPUTS`, each named
    `<domain>.<zone>.<dataset>.parquet`. It gets no credentials of the lake. Nothing is written when it fails.

    ```yaml
    type: polyceph.orchestrate.components.Shell
    attributes:
      name: density
      command: [Rscript, scripts/density.R]
      reads: [silver.schools]
      writes: [silver.school_density]
    ```
    """

    name: str = Field(description="Name of the step.")
    command: list[str] = Field(description="Program and arguments, run in the domain's folder without a shell.")
    reads: list[str] = Field(default=[], description="Datasets read, zone.name, or domain.zone.name of a consumed one.")
    writes: list[str] = Field(description="Datasets written, zone.name: bronze, silver or gold.")
    environment: dict[str, str] = Field(default={}, description="Further environment variables; no secrets.")
    timeout_seconds: int = Field(default=3600, description="The command is stopped after this time, in seconds.")
    schedule: str | None = Field(default=None, description="Cron expression, Europe/Brussels.")

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  Dagster's signature
        """Return one step that makes all written datasets, and the schedule."""
        runtime = current_domain()
        reads = [local_dataset(runtime.domain.name, text) for text in self.reads]
        writes = [local_dataset(runtime.domain.name, text) for text in self.writes]
        specs = [spec_of(runtime, dataset, deps=reads, kinds=("shell", "ducklake")) for dataset in writes]

        @dg.multi_asset(name=f"{runtime.domain.name}__{self.name}", specs=specs)
        def execute(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
            try:
                yield from self._execute(context, runtime, (reads, writes))
            except PolycephError as error:
                raise explained(error) from error

        name = f"{runtime.domain.name}_shell_{self.name}"
        return dg.Definitions(assets=[execute], schedules=schedule(name, self.schedule, execute.keys))

    def _execute(
        self, context: dg.AssetExecutionContext, runtime: DomainRuntime, what: tuple[list[DatasetId], list[DatasetId]]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        from polyceph.bootstrap import lakes  # DuckDB and Arrow: 100 MB that only a run needs

        reads, writes = what
        with tempfile.TemporaryDirectory(prefix="polyceph-shell-") as folder:
            inputs, outputs = Path(folder, "inputs"), Path(folder, "outputs")
            inputs.mkdir()
            outputs.mkdir()
            for dataset in reads:
                lakes.export(runtime, dataset, inputs / f"{dataset}.parquet")
            self._run(context, runtime, {"POLYCEPH_INPUTS": str(inputs), "POLYCEPH_OUTPUTS": str(outputs)})
            _must_have_written(self.name, writes, outputs)
            for dataset in writes:
                commit = LakeCommit(
                    author=runtime.process.user,
                    message=f"shell {self.name}",
                    run=context.run_id,
                    code=runtime.process.code,
                    contracts={str(dataset): contract_version(runtime, dataset) or ""},
                )
                runtime.lake.replace(dataset, lakes.parquet(outputs / f"{dataset}.parquet"), commit)
                yield dg.MaterializeResult(asset_key=key_of(dataset), metadata=lake_metadata(runtime, dataset))

    def _run(self, context: dg.AssetExecutionContext, runtime: DomainRuntime, folders: dict[str, str]) -> None:
        kept = {k: v for k, v in os.environ.items() if not any(word in k.upper() for word in _SECRET_WORDS)}
        environment = {**kept, **self.environment, **folders}
        try:
            done = subprocess.run(
                self.command,
                env=environment,
                cwd=runtime.folder,
                capture_output=True,
                text=True,
                timeout=self.timeout_seconds,
                check=False,
                errors="replace",
            )
        except FileNotFoundError as error:
            hint = "install it in the domain's environment, or give its path"
            raise Invalid(f"command {self.command[0]!r} of {self.name} is not there", hint=hint) from error
        except subprocess.TimeoutExpired as error:
            raise Invalid(f"{self.name} was stopped after {self.timeout_seconds} s", hint="raise timeout_seconds") from error
        context.log.info(f"{self.name} said:\n{done.stdout}{done.stderr}")
        if done.returncode:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_SHOWN_LINES:])
            raise Invalid(f"{self.name} ended with {done.returncode}; nothing was written:\n{said}")


def _must_have_written(name: str, writes: list[DatasetId], outputs: Path) -> None:
    missing = [f"{d}.parquet" for d in writes if not (outputs / f"{d}.parquet").exists()]
    if missing:
        found = ", ".join(sorted(p.name for p in outputs.iterdir())) or "nothing"
        raise Invalid(f"{name} did not write {', '.join(missing)}; it wrote {found}", hint="write to $POLYCEPH_OUTPUTS")
