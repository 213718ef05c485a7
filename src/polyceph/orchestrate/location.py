"""A domain's code location: loads its `defs` folder, refuses what breaks the rules, describes every dataset.

The code server imports this module in the domain's own process and environment.
"""

from __future__ import annotations

import importlib
import sys

import dagster as dg
from dagster.components.core.component_tree import ComponentTree

from polyceph.bootstrap.domain import DomainRuntime, current_domain
from polyceph.errors import Invalid, PolycephError
from polyceph.orchestrate.datasets import dataset_of, described
from polyceph.orchestrate.resources import Lake, Postgres
from polyceph.orchestrate.rules import refuse_what_breaks_rules


@dg.definitions
def defs() -> dg.Definitions:
    """Return everything the domain declares; an error names the file to edit."""
    return load(current_domain())


def load(runtime: DomainRuntime) -> dg.Definitions:
    """Return the definitions of one domain, checked and described; raise `Invalid` with every broken rule."""
    found = _from_folder(runtime)
    resources = {"lake": Lake(), "postgres": Postgres()}
    merged = dg.Definitions.merge(found, dg.Definitions(resources=resources, executor=dg.in_process_executor))
    refuse_what_breaks_rules(merged, runtime)
    return merged.map_asset_specs(
        func=lambda spec: described(spec, runtime) if dataset_of(spec.key).domain == runtime.domain.name else spec
    )


def _from_folder(runtime: DomainRuntime) -> dg.Definitions:
    """Load `domains/<name>/defs` as the namespace package `<name>.defs`."""
    if not (runtime.folder / "defs").is_dir():
        return dg.Definitions()
    root = str(runtime.folder.parent)
    if root not in sys.path:
        sys.path.insert(0, root)
    name = f"{runtime.domain.name}.defs"
    module = importlib.import_module(name)
    if [str(p) for p in module.__path__] != [str(runtime.folder / "defs")]:
        raise Invalid(
            f"{name} is already the name of another Python package ({next(iter(module.__path__))})",
            hint=f"rename the domain {runtime.domain.name}: its name must not be that of an installed package",
        )
    try:
        return ComponentTree.from_module(defs_module=module, project_root=runtime.folder).build_defs()
    except Exception as error:
        ours = _ours(error)
        if ours is None:
            raise
        raise ours from error


def _ours(error: BaseException | None) -> PolycephError | None:
    """Return our own error inside the layers that Dagster wraps around it: it says what to do."""
    while error is not None:
        if isinstance(error, PolycephError):
            return error
        error = error.__cause__ or error.__context__
    return None
