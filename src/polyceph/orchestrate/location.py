"""A domain's code location: loads its `defs` folder, refuses what breaks the rules, describes every dataset.

The code server imports this module in the domain's own process and environment.
"""

import faulthandler
import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
from dagster.components.core.component_tree import ComponentTree
from dagster.components.core.load_defs import PLUGIN_COMPONENT_TYPES_JSON_METADATA_KEY
from dagster.components.core.package_entry import discover_package_objects
from dagster.components.core.snapshot import get_package_entry_snap
from dagster_shared.serdes.objects.package_entry import json_for_all_components

from polyceph.bootstrap.domain import DomainRuntime, current_domain
from polyceph.errors import PolycephError
from polyceph.orchestrate.contract_checks import contract_checks
from polyceph.orchestrate.datasets import described, is_described
from polyceph.orchestrate.housekeeping import housekeeping
from polyceph.orchestrate.library import Sources
from polyceph.orchestrate.resources import Lake, Postgres
from polyceph.orchestrate.rules import refuse_what_breaks_rules
from polyceph.settings import Settings

_COMPONENTS = "polyceph.orchestrate.components"


@dg.definitions
def defs() -> dg.Definitions:
    """Return everything the domain declares; an error names the file to edit."""
    with _limited(Settings().limits.load_seconds):
        return load(current_domain())


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    """End this process, with the stack in its log, when the block takes longer: code that loops must not keep others waiting.

    A signal would only reach the main thread, and code servers load in another.
    """
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def load(runtime: DomainRuntime) -> dg.Definitions:
    """Return the definitions of one domain, checked and described; raise `Invalid` with every broken rule."""
    with _without_collector():
        return _load(runtime)


def _name_package(name: str, folder: Path) -> None:
    """Make a namespace package of a folder without looking it up: the folders above it are closed to a confined process."""
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package


@contextmanager
def _without_collector() -> Iterator[None]:
    """Leave Python's cyclic garbage collector off for the block and never let it walk what was made there.

    A thousand definitions are made to stay; walking them again and again took a tenth of the time to load them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def _load(runtime: DomainRuntime) -> dg.Definitions:
    found = _from_folder(runtime)
    refuse_what_breaks_rules(found, runtime)
    return dg.Definitions(
        assets=[_told(one, runtime) for one in found.assets or []],
        asset_checks=[*(found.asset_checks or []), *contract_checks(runtime, _made(found))],
        schedules=[*(found.schedules or []), housekeeping(runtime)],
        sensors=found.sensors,
        jobs=found.jobs,
        loggers=found.loggers,
        metadata={**(found.metadata or {}), PLUGIN_COMPONENT_TYPES_JSON_METADATA_KEY: _documentation()},
        component_tree=found.component_tree,
        resources={"lake": Lake(), "postgres": Postgres(), "sources": Sources(), **(found.resources or {})},
        executor=found.executor or dg.in_process_executor,
    )


def _made(found: dg.Definitions) -> frozenset[dg.AssetKey]:
    return frozenset(key for one in found.assets or [] if isinstance(one, dg.AssetsDefinition) for key in one.keys)


def _documentation() -> Any:
    """Return what Dagster's UI shows about our components.

    Dagster itself would load every registered module for this, dbt's among them: two seconds and 100 MB a process.
    """
    found = discover_package_objects([_COMPONENTS])
    return json_for_all_components([get_package_entry_snap(key, one) for key, one in found.items()])


def _told(one: Any, runtime: DomainRuntime) -> Any:
    """Return an asset whose every dataset carries what the domain declares about it; our components have done it themselves."""
    if not isinstance(one, dg.AssetsDefinition) or all(is_described(spec) for spec in one.specs):
        return one
    return one.map_asset_specs(lambda spec: described(spec, runtime))


def _from_folder(runtime: DomainRuntime) -> dg.Definitions:
    """Load `domains/<name>/defs` as the namespace package `domains.<name>.defs`, so that no domain's name hides a package."""
    if not (runtime.folder / "defs").is_dir():
        return dg.Definitions()
    _name_package("domains", runtime.folder.parent)
    _name_package(f"domains.{runtime.domain.name}", runtime.folder)
    module = importlib.import_module(f"domains.{runtime.domain.name}.defs")
    try:
        return ComponentTree.from_module(defs_module=module, project_root=runtime.folder).build_defs_at_path(Path())
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
