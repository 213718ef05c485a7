"""What the gateway takes from inside Dagster, by name: a new release that moves one of these fails here first."""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import version

import pytest
from dagster import DagsterInstance
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.runs import RunStorage
from dagster._core.storage.schedules import ScheduleStorage
from dagster_graphql.schema import create_schema
from graphql import GraphQLField, GraphQLObjectType, GraphQLString

from polyceph.errors import Misconfigured
from polyceph.gateway.event_sight import EventSight
from polyceph.gateway.fields import check_fields
from polyceph.gateway.redaction import redact
from polyceph.gateway.run_sight import RunSight
from polyceph.gateway.schedule_sight import ScheduleSight

PINNED = "1.13.27"
USED = [
    "dagster._core.workspace.context:WorkspaceProcessContext.create_request_context",
    "dagster._core.workspace.context:WorkspaceProcessContext.get_current_workspace",
    "dagster._core.workspace.context:WorkspaceRequestContext.permissions_for_location",
    "dagster._core.workspace.context:WorkspaceRequestContext.has_permission_for_location",
    "dagster._core.workspace.context:BaseWorkspaceRequestContext.get_viewer_tags",
    "dagster._core.workspace.context:BaseWorkspaceRequestContext.get_reporting_user_tags",
    "dagster._core.workspace.context:BaseWorkspaceRequestContext.show_instance_config",
    "dagster._core.workspace.workspace:CurrentWorkspace",
    "dagster._core.workspace.load_target:WorkspaceFileTarget",
    "dagster._core.workspace.permissions:LOCATION_SCOPED_PERMISSIONS",
    "dagster._core.remote_representation.external:CompoundID.from_string",
    "dagster._core.debug:DebugRunPayload.build",
    "dagster_webserver.webserver:DagsterWebserver.build_graphql_schema",
    "dagster_webserver.webserver:DagsterWebserver.build_routes",
    "dagster_webserver.webserver:DagsterWebserver.index_html_endpoint",
    "dagster_webserver.graphql:GraphQLServer.handle_graphql_errors",
    "dagster_webserver.graphql:GraphQLServer.graphql_http_endpoint",
    "dagster_webserver.graphql:GraphQLServer.execute_graphql_subscription",
    "dagster_webserver.graphql:GraphQLServer.request_context",
    "dagster_graphql.schema.errors:GrapheneUnauthorizedError",
    "dagster_graphql.schema.errors:GraphenePythonError",
]


@pytest.mark.parametrize("package", ["dagster", "dagster-webserver", "dagster-graphql"])
def test_the_release_is_the_one_that_was_reviewed(package: str) -> None:
    assert version(package) == PINNED


@pytest.mark.parametrize("name", USED)
def test_what_is_used_of_dagster_is_there(name: str) -> None:
    module, _, path = name.partition(":")
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)


def test_an_instance_keeps_its_storages_where_ours_take_their_place() -> None:
    with DagsterInstance.ephemeral() as instance:
        kept = {"_run_storage", "_event_storage", "_schedule_storage", "_compute_log_manager", "_defs_state_storage"}
        assert kept <= instance.__dict__.keys()


@pytest.mark.parametrize(("ours", "theirs"), [(RunSight, RunStorage), (EventSight, EventLogStorage), (ScheduleSight, ScheduleStorage)])
def test_the_storages_of_a_request_have_methods_of_dagsters_and_take_the_same_arguments(ours: type, theirs: type) -> None:
    for name, method in inspect.getmembers(ours, inspect.isfunction):
        if name.startswith("_") or not hasattr(theirs, name):
            continue
        wanted = list(inspect.signature(getattr(theirs, name)).parameters)
        given = inspect.signature(method).parameters
        takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in given.values())
        assert takes_any or set(wanted) <= set(given), f"{ours.__name__}.{name} takes {list(given)}, Dagster's {wanted}"


@pytest.mark.parametrize("root", ["mutation_type", "query_type", "subscription_type"])
def test_a_field_that_nobody_classified_stops_the_start_and_is_named(root: str) -> None:
    schema = create_schema().graphql_schema
    getattr(schema, root).fields["madeUpByDagster"] = GraphQLField(GraphQLString)
    with pytest.raises(Misconfigured, match="madeUpByDagster"):
        check_fields(schema)


@pytest.mark.parametrize(("root", "field"), [("mutation_type", "launchRun"), ("query_type", "runOrError")])
def test_a_field_that_is_gone_stops_the_start_and_is_named(root: str, field: str) -> None:
    schema = create_schema().graphql_schema
    del getattr(schema, root).fields[field]
    with pytest.raises(Misconfigured, match=field):
        check_fields(schema)


def test_a_new_type_that_names_assets_stops_the_start_and_is_named() -> None:
    schema = create_schema().graphql_schema
    key = schema.type_map["AssetKey"]
    assert isinstance(key, GraphQLObjectType)
    schema.type_map["MadeUp"] = GraphQLObjectType("MadeUp", {"asset": GraphQLField(key)})
    with pytest.raises(Misconfigured, match="MadeUp"):
        redact(schema)
