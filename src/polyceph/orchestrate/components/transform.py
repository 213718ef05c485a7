"""The component `Transform`: a dbt project, every model an asset, its tests asset checks."""

import dagster as dg
from pydantic import Field

from polyceph.bootstrap.domain import current_domain
from polyceph.orchestrate.datasets import schedule
from polyceph.orchestrate.dbt_project import prepare


class Transform(dg.Component, dg.Model, dg.Resolvable):
    """Build the models of a dbt project in the domain's lake.

    The zone of a model is its schema; tests are asset checks; sources of other domains must be declared in `consumes`.

    ```yaml
    type: polyceph.orchestrate.components.Transform
    attributes:
      project: transform        # folder of the dbt project (or git submodule) in the domain
      schedule: "0 6 * * *"     # optional, Europe/Brussels
    ```
    """

    project: str = Field(default="transform", description="Folder of the dbt project, relative to the domain's folder.")
    schedule: str | None = Field(default=None, description="Cron expression, Europe/Brussels.")

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  Dagster's signature
        """Return the models as assets, their tests as checks, and the schedule."""
        runtime = current_domain()
        from polyceph.orchestrate.dbt_assets import models_as_assets  # dbt costs 2 s and 100 MB; a domain may do without

        name = f"{runtime.domain.name}_transform_{self.project.replace('/', '_')}"
        build = models_as_assets(runtime, prepare(runtime, self.project), name)
        return dg.Definitions(assets=[build], schedules=schedule(name, self.schedule, build.keys))
