"""What a field of Dagster's interface is asked about: the domains that its coerced arguments reach, from the whole workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from dagster import AssetKey, DagsterInstance
from dagster._core.definitions.partitions.snap import DynamicPartitionsSnap, MultiPartitionsSnap
from dagster._core.remote_representation.external import CompoundID  # type: ignore[attr-defined]
from dagster._core.workspace.workspace import CurrentWorkspace

from polyceph.gateway.run_sight import domains_of_backfill, domains_of_run
from polyceph.gateway.schedule_sight import Instigators
from polyceph.gateway.sight import NO_DOMAIN

UNKNOWN = None
"""The domain of what does not exist: it is refused like what is not to be seen, so that nobody learns which of the two it is."""
_MOST = 1000
"""How many runs, assets or launches one field may name."""
Arguments: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Subject:
    """What is asked about: `domains` are all that it touches, empty for the platform itself; `names` are for the journal."""

    domains: frozenset[str | None] = frozenset()
    names: tuple[str, ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()
    """The keys of the assets among it, each a dataset with a classification of its own."""

    def __add__(self, other: Subject) -> Subject:
        return Subject(self.domains | other.domains, self.names + other.names, self.keys + other.keys)


@dataclass(frozen=True)
class Facts:
    """Where things belong: the whole workspace and instance, not those of the person who asks."""

    workspace: CurrentWorkspace
    instance: DagsterInstance
    instigators: Instigators


Finder: TypeAlias = Callable[[Arguments, Facts], Subject]


def platform(arguments: Arguments, facts: Facts) -> Subject:  # noqa: ARG001
    """Return the platform itself."""
    return Subject()


def location(*path: str) -> Finder:
    """Return the finder of the code location that an argument names; `path` leads to it."""

    def find(arguments: Arguments, facts: Facts) -> Subject:  # noqa: ARG001
        name = _at(arguments, path)
        return Subject(frozenset({name or UNKNOWN}), (str(name),))

    return find


def selected(argument: str) -> Finder:
    """Return the finder of what a selector of a job or repository names: its code location and the domains of the assets in it."""

    def find(arguments: Arguments, facts: Facts) -> Subject:
        selector = arguments.get(argument)
        return _of_selector(selector, facts) if selector else Subject(frozenset({UNKNOWN}))

    return find


def run(*path: str) -> Finder:
    """Return the finder of the domains of the run that an argument names."""

    def find(arguments: Arguments, facts: Facts) -> Subject:
        return _of_run(_at(arguments, path), facts)

    return find


def runs(argument: str) -> Finder:
    """Return the finder of the domains of all runs that an argument names."""

    def find(arguments: Arguments, facts: Facts) -> Subject:
        return _sum(_of_run(one, facts) for one in _few(arguments.get(argument)))

    return find


def backfill(*path: str) -> Finder:
    """Return the finder of the domains of the backfill that an argument names."""

    def find(arguments: Arguments, facts: Facts) -> Subject:
        name = _at(arguments, path)
        found = facts.instance.get_backfill(name) if isinstance(name, str) and name else None
        return Subject(frozenset(domains_of_backfill(found)) if found else frozenset({UNKNOWN}), (str(name),))

    return find


def asset(*path: str) -> Finder:
    """Return the finder of the domains of the asset that an argument names: its key's and those of the locations that make it."""

    def find(arguments: Arguments, facts: Facts) -> Subject:
        key = _at(arguments, path)
        return _of_key(key, facts) if key else Subject(frozenset({UNKNOWN}))

    return find


def assets(*path: str) -> Finder:
    """Return the finder of the domains of all assets that an argument names."""

    def find(arguments: Arguments, facts: Facts) -> Subject:
        return _sum(_of_key(one, facts) for one in _few(_at(arguments, path)))

    return find


def wiped(arguments: Arguments, facts: Facts) -> Subject:
    """Return the domains of the assets whose history is wiped."""
    return _sum(_of_key(one["assetKey"], facts) for one in _few(arguments["assetPartitionRanges"]))


def log_key(arguments: Arguments, facts: Facts) -> Subject:
    """Return the domains of the run or backfill whose output a key names. A key that leads elsewhere names nothing."""
    parts = list(arguments["logKey"])
    if len(parts) < 2 or any(part in {"", ".", ".."} or set(part) & set("/\\\0") for part in parts):
        return Subject(frozenset({UNKNOWN}), ("/".join(parts),))
    if parts[0] == "backfill":
        return backfill("id")({"id": parts[1]}, facts)
    return _of_run(parts[0], facts)


def instigator(*arguments_of_id: str) -> Finder:
    """Return the finder of the domains of a schedule or sensor that is named by ids. Each id counts, whichever Dagster uses."""

    def find(arguments: Arguments, facts: Facts) -> Subject:
        given = [one for name in arguments_of_id if (one := arguments.get(name))]
        pairs = [_pair(one) for one in given]
        loose = [one for one, pair in zip(given, pairs, strict=True) if pair is None]
        asked = [pair for pair in pairs if pair] + ([(loose[0], loose[1])] if len(loose) == 2 else [(one, one) for one in loose])
        storage = facts.instance.schedule_storage
        found = {name for pair in asked for name in facts.instigators.domain_of(storage, *pair)} if storage else set()
        return Subject(frozenset(found or {UNKNOWN}), tuple(given))

    return find


def state_of_instigator(arguments: Arguments, facts: Facts) -> Subject:
    """Return the domains of the schedule or sensor whose state is asked for, by selector and perhaps by id."""
    by_name = location("instigationSelector", "repositoryLocationName")(arguments, facts)
    return by_name + instigator("id")(arguments, facts) if arguments.get("id") else by_name


def launched(argument: str) -> Finder:
    """Return the finder of what a launch touches: location, assets, and the runs that it says it descends from."""

    def find(arguments: Arguments, facts: Facts) -> Subject:
        return _of_launch(arguments[argument], facts)

    return find


def launched_together(arguments: Arguments, facts: Facts) -> Subject:
    """Return what several launches touch together."""
    return _sum(_of_launch(one, facts) for one in _few(arguments["executionParamsList"]))


def launched_again(arguments: Arguments, facts: Facts) -> Subject:
    """Return what a launch of an earlier run touches."""
    found = [_of_launch(arguments["executionParams"], facts)] if arguments.get("executionParams") else []
    if arguments.get("reexecutionParams"):
        found.append(_of_run(arguments["reexecutionParams"]["parentRunId"], facts))
    return _sum(found)


def backfilled(arguments: Arguments, facts: Facts) -> Subject:
    """Return what a new backfill touches: the location of its partition set and the domains of its assets."""
    asked = arguments["backfillParams"]
    found = [_of_key(one, facts) for one in asked.get("assetSelection") or ()]
    found += [_of_key(one["assetKey"], facts) for one in asked.get("partitionsByAssets") or ()]
    if asked.get("selector"):
        found.append(_of_selector(asked["selector"]["repositorySelector"], facts))
    return _sum(found)


def partitioned(arguments: Arguments, facts: Facts) -> Subject:
    """Return the domains of a partitioning: its keys are shared by every location that uses its name."""
    name = arguments["partitionsDefName"]
    users = {
        one for one, entry in facts.workspace.code_location_entries.items() if entry.code_location
        for repository in entry.code_location.get_repositories().values()
        for node in repository.repository_snap.asset_nodes if _uses(node.partitions, name)
    }  # fmt: skip
    return location("repositorySelector", "repositoryLocationName")(arguments, facts) + Subject(frozenset(users), (name,))


def _uses(partitions: Any, name: str) -> bool:
    if isinstance(partitions, DynamicPartitionsSnap):
        return partitions.name == name
    return isinstance(partitions, MultiPartitionsSnap) and any(_uses(one.partitions, name) for one in partitions.partition_dimensions)


def _at(arguments: Arguments, path: Iterable[str]) -> Any:
    found: Any = arguments
    for name in path:
        found = found.get(name) if found else None
    return found


def _few(given: Sequence[Any] | None) -> Sequence[Any]:
    """Return what one request names, when it is no more than can be looked up at once; otherwise nothing of it can be told."""
    if given is not None and len(given) > _MOST:
        raise ValueError(len(given))
    return given or ()


def _sum(found: Iterable[Subject]) -> Subject:
    """Return the subjects as one. Nothing at all is not the platform: it is refused."""
    together = sum(found, Subject())
    return together if together.domains else Subject(frozenset({UNKNOWN}), together.names, together.keys)


def _of_run(name: Any, facts: Facts) -> Subject:
    found = facts.instance.get_run_by_id(name) if isinstance(name, str) and name else None
    return Subject(frozenset[str | None](domains_of_run(found) if found else {UNKNOWN}), (str(name),))


def _of_key(given: Mapping[str, Any] | AssetKey, facts: Facts) -> Subject:
    key = given if isinstance(given, AssetKey) else AssetKey(list(given["path"]))
    domains: set[str | None] = {key.path[0] if key.path else NO_DOMAIN}
    graph = facts.workspace.asset_graph
    if graph.has(key):
        domains |= {
            info.handle.location_name for info in graph.get(key).repo_scoped_asset_infos if info.asset_node.asset_node_snap.is_executable
        }
    return Subject(frozenset(domains), ("/".join(key.path),), (tuple(key.path),))


def _of_selector(selector: Mapping[str, Any], facts: Facts) -> Subject:
    name, job = selector.get("repositoryLocationName"), selector.get("pipelineName") or selector.get("jobName")
    found = Subject(frozenset({name or UNKNOWN}), ("/".join(str(one) for one in (name, job) if one),))
    keys = [one["path"] for one in selector.get("assetSelection") or ()]
    keys += [one["assetKey"]["path"] for one in selector.get("assetCheckSelection") or ()]
    entry = facts.workspace.code_location_entries.get(name or "")
    place = entry.code_location if entry else None
    repository = str(selector.get("repositoryName"))
    if not keys and job and place and place.has_repository(repository):
        known = place.get_repository(repository).get_asset_keys_in_job(job_name=str(job))
        keys = [list(key.path) for key in known if _is_made_here(key, place.get_repository(repository))]
    return sum((_of_key({"path": key}, facts) for key in keys), found)


def _is_made_here(key: AssetKey, repository: Any) -> bool:
    graph = repository.asset_graph
    return bool(graph.has(key) and graph.get(key).is_executable)


def _of_launch(params: Mapping[str, Any], facts: Facts) -> Subject:
    found = _of_selector(params["selector"], facts)
    said = params.get("executionMetadata") or {}
    ancestors = [said.get("rootRunId"), said.get("parentRunId")]
    return sum((_of_run(one, facts) for one in ancestors if one), found)


def _pair(given: str) -> tuple[str, str] | None:
    if not CompoundID.is_valid_string(given):
        return None
    found = CompoundID.from_string(given)
    return found.remote_origin_id, found.selector_id


def evaluated(arguments: Arguments, facts: Facts) -> Subject:
    """Return the domains of the asset or check whose evaluations are asked for; every one that is named counts."""
    found = [_of_key(arguments["assetKey"], facts)] if arguments.get("assetKey") else []
    if arguments.get("assetCheckKey"):
        found.append(_of_key(arguments["assetCheckKey"]["assetKey"], facts))
    if arguments.get("assetJobKey"):
        found.append(Subject(frozenset({UNKNOWN})))
    return _sum(found)
