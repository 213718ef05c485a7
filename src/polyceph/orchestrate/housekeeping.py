"""The nightly job of every domain: its lake cleaned of what killed loads left, small files merged, every table checked."""

import dagster as dg

from polyceph.bootstrap.domain import DomainRuntime
from polyceph.errors import PolycephError
from polyceph.orchestrate.datasets import TIMEZONE, commit_of
from polyceph.orchestrate.refusals import explained

_NIGHTLY = "30 2 * * *"


def housekeeping(runtime: DomainRuntime) -> dg.ScheduleDefinition:
    """Return the schedule with its job."""

    @dg.op(name="clean_lake", description="Removes files of killed loads after their grace time, merges small files, checks every table.")
    def clean_lake(context: dg.OpExecutionContext) -> None:
        from polyceph.bootstrap import lakes  # DuckDB and Arrow: 100 MB that only a run needs

        commit = commit_of(runtime, "housekeeping", context.run_id)
        try:
            report = lakes.maintain_lake(runtime, commit)
        except PolycephError as error:
            raise explained(error) from error
        context.add_output_metadata({name: value for name, value in vars(report).items() if isinstance(value, int)})

    @dg.job(name="housekeeping", description="Keeps the domain's lake small and whole.", executor_def=dg.in_process_executor)
    def job() -> None:
        clean_lake()

    status = dg.DefaultScheduleStatus.RUNNING
    return dg.ScheduleDefinition(
        name=f"{runtime.domain.name}_housekeeping", cron_schedule=_NIGHTLY, job=job, execution_timezone=TIMEZONE, default_status=status
    )
