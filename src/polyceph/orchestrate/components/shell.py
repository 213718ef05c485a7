"""The component `Shell`: a command with declared inputs and outputs, in any language."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from polyceph.bootstrap.domain import DomainRuntime, current_domain
from polyceph.core.model.dataset import DatasetId
from polyceph.errors import Invalid, PolycephError
from polyceph.orchestrate.datasets import commit_of, key_of, lake_metadata, local_dataset, schedule, spec_of
from polyceph.orchestrate.refusals import explained

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")


class Shell(dg.Component, dg.Model, dg.Resolvable):
    """Run a command that reads datasets as Parquet files and writes datasets as Parquet files.

    The command finds its inputs in the folder `$POLYCEPH_INPUTS` and writes into `$POLYCEPH_OUTPUTS`, each named
    `<domain>.<zone>.<dataset>.parquet`. It gets no credentials: no variable of the domain but those
    under `environment`. All that it writes becomes visible together; nothing is written when it fails.

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
    command: list[str] = Field(min_length=1, description="Program and arguments, run in the domain's folder without a shell.")
    reads: list[str] = Field(default=[], description="Datasets read, zone.name, or domain.zone.name of a consumed one.")
    writes: list[str] = Field(min_length=1, description="Datasets written, zone.name: bronze, silver or gold.")
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
        from polyceph.bootstrap import lakes, reading  # DuckDB and Arrow: 100 MB that only a run needs

        reads, writes = what
        reader = reading.reader(runtime, "shell", context.run_id)
        with tempfile.TemporaryDirectory(prefix="polyceph-shell-") as folder:
            inputs, outputs = Path(folder, "inputs"), Path(folder, "outputs")
            inputs.mkdir()
            outputs.mkdir()
            for dataset in reads:
                reading.export(runtime, dataset, inputs / f"{dataset}.parquet", reader=reader)
            self._run(runtime, context.run_id, {"POLYCEPH_INPUTS": str(inputs), "POLYCEPH_OUTPUTS": str(outputs)})
            _must_have_written(self.name, writes, outputs)
            files = {dataset: outputs / f"{dataset}.parquet" for dataset in writes}
            lakes.replace_together(runtime, files, commit_of(runtime, f"shell {self.name}", context.run_id, writes))
        for dataset in writes:
            yield dg.MaterializeResult(asset_key=key_of(dataset), metadata=lake_metadata(runtime, dataset))

    def _run(self, runtime: DomainRuntime, run: str, folders: dict[str, str]) -> None:
        """Run the command to its end; what it says goes into a private file, for it may hold rows."""
        said = runtime.state / "logs" / "shell" / runtime.domain.name / f"{self.name}-{run}.log"
        said.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        said.touch(mode=0o600)
        kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            with said.open("wb") as out:
                child = subprocess.Popen(
                    self.command,
                    env={**kept, **self.environment, **folders},
                    cwd=runtime.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
        except (FileNotFoundError, PermissionError) as error:
            hint = "install it in the domain's environment, or give its path"
            raise Invalid(f"command {self.command[0]!r} of {self.name} cannot be run: {error.strerror}", hint=hint) from error
        ended = _wait(child, self.timeout_seconds)
        if ended is None:
            raise Invalid(f"{self.name} was stopped after {self.timeout_seconds} s; nothing was written", hint="raise timeout_seconds")
        if ended:
            raise Invalid(f"{self.name} ended with {ended}; nothing was written", hint=f"what it said is in {said}")


def _wait(child: subprocess.Popen[bytes], seconds: int) -> int | None:
    """Return how the command ended, None when it and all it started had to be stopped."""
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return None


def _must_have_written(name: str, writes: list[DatasetId], outputs: Path) -> None:
    missing = [f"{d}.parquet" for d in writes if not (outputs / f"{d}.parquet").exists()]
    if missing:
        found = ", ".join(sorted(p.name for p in outputs.iterdir())) or "nothing"
        raise Invalid(f"{name} did not write {', '.join(missing)}; it wrote {found}", hint="write to $POLYCEPH_OUTPUTS")
