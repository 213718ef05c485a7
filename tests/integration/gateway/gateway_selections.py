"""Full selections of Dagster's interface made from its schema: every field of every type to a depth, with arguments that reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway_stand import Stand, name_of
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

_COSTLY = frozenset(
    {
        "evaluationResult",
        "alwaysException",
        "ofType",
        "innerTypes",
        "dataVersionByPartition",
        "assetMaterializationUsedData",
        "usedSolid",
        "staleStatusByPartition",
        "logEvents",
        "recursiveConfigTypes",
        "typeParams",
    }
)
"""Not asked for here: a dry run of code on every path, the field that only fails, types inside types of configuration."""
_FAILS = ("AssetMaterializationPlannedEvent", "pipelineName")
"""It is null where the schema says that it never is: asked for, it takes the whole list of events with it."""
_MOST_TYPES = 2
"""How often the same type may be on one path."""


@dataclass
class Values:
    """The values that arguments get, for one domain: what somebody asks who knows everything about it."""

    domain: str
    runs: Mapping[str, str]
    variables: dict[str, Any] = field(default_factory=dict)

    def of(self, name: str, kind: Any) -> Any:
        """Return the value for an argument or a part of one, `...` to leave it out."""
        bare = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        if isinstance(bare, GraphQLList):
            one = self.of(name, bare.of_type)
            return ... if one is ... else one if name == "logKey" else [one]
        named = get_named_type(bare)
        if isinstance(named, GraphQLInputObjectType):
            # a list of assets that is asked for by group and by job at once is empty
            return ... if name in {"group", "pipeline"} and not isinstance(kind, GraphQLNonNull) else self._input(named)
        if isinstance(named, GraphQLEnumType):
            return next(iter(named.values)) if isinstance(kind, GraphQLNonNull) else ...
        return self._scalar(name, named.name, needed=isinstance(kind, GraphQLNonNull))

    def _scalar(self, name: str, kind: str, *, needed: bool) -> Any:
        word = name_of(self.domain)
        known: dict[str, Any] = {
            "repositoryLocationName": self.domain, "locationName": self.domain, "name": self.domain, "repositoryName": "__repository__",
            "pipelineName": f"job_{word}", "runId": self.runs["made"], "parentRunId": self.runs["again"], "runIds": self.runs["again"],
            "backfillId": self.runs["backfill"], "logKey": [self.runs["made"], "compute_logs", "x"], "path": self.domain,
            "scheduleName": f"schedule_{word}", "sensorName": f"sensor_{word}", "graphName": f"job_{word}", "resourceName": f"place_{word}",
            "partitionSetName": f"parts_{word}_partition_set", "partitionName": "a", "partitionNames": "a", "partition": "a",
            "checkName": f"{word}_check", "fileKey": "x", "evaluationId": "1", "tickId": "1", "tagKeys": "planted", "mode": "default",
            "concurrencyKey": f"pool_{word}", "daemonType": "SCHEDULER", "dagsterTypeName": "Any", "timestampMillis": "1", "limit": 50,
            "nodeUniqueId": "x", "handleID": "step", "parentHandleID": "step",
            "snapshotId": "none",
            "repositoryID": f"{self.domain}:{word}", "partitionsDefName": f"{self.domain}{word}_parts",
        }  # fmt: skip
        if name in known and (
            needed or name not in {"runIds", "mode", "partition", "pipelineName", "partitionName", "parentHandleID", "snapshotId", "name"}
        ):
            return known[name]
        if not needed:
            return ...
        return {"Int": 5, "Float": 1.0, "Boolean": True, "RunConfigData": {}}.get(kind, word)

    def _input(self, kind: GraphQLInputObjectType) -> Any:
        if kind.name == "AssetKeyInput":
            return {"path": [self.domain, "raw", "first"]}
        if kind.name == "AssetBackfillPreviewParams":
            return {"partitionNames": [name_of(self.domain)], "assetSelection": [{"path": [self.domain, "raw", "parted"]}]}
        if kind.name == "RunsFilter":
            return ...
        if kind.name == "InstigationSelector":
            return {"repositoryLocationName": self.domain, "repositoryName": "__repository__", "name": f"sensor_{name_of(self.domain)}"}
        found = {name: self.of(name, one.type) for name, one in kind.fields.items()}
        return {name: value for name, value in found.items() if value is not ...}


@dataclass
class Selection:
    """One query of one root field with everything below it."""

    schema: GraphQLSchema
    values: Values
    depth: int
    budget: int = 4000
    _number: int = 0
    _declared: list[str] = field(default_factory=list)

    def query(self, root: str, name: str, one: GraphQLField) -> tuple[str, dict[str, Any]]:
        """Return the text and the variables of the query."""
        arguments = self._arguments(one)
        below = self._below(one.type, 1, {})
        declared = f"({', '.join(self._declared)})" if self._declared else ""
        return f"{root} Whole{declared} {{ {name}{arguments}{below} }}", self.values.variables

    def _arguments(self, one: GraphQLField) -> str:
        parts = []
        for name, argument in one.args.items():
            value = self.values.of(name, argument.type)
            if value is ...:
                continue
            self._number += 1
            self._declared.append(f"$v{self._number}: {argument.type}")
            self.values.variables[f"v{self._number}"] = value
            parts.append(f"{name}: $v{self._number}")
        return f"({', '.join(parts)})" if parts else ""

    def _below(self, kind: Any, level: int, path: Mapping[str, int]) -> str:
        named = get_named_type(kind)
        if is_leaf_type(named):
            return ""
        if isinstance(named, GraphQLUnionType | GraphQLInterfaceType):
            inner = [f"... on {one.name} {{ {self._fields(one, level, path)} }}" for one in self.schema.get_possible_types(named)]
            return f" {{ __typename {' '.join(inner)} }}"
        return f" {{ {self._fields(named, level, path)} }}"

    def _fields(self, kind: GraphQLObjectType, level: int, path: Mapping[str, int]) -> str:
        seen = {**path, kind.name: path.get(kind.name, 0) + 1}
        parts = ["__typename"]
        for name, one in kind.fields.items():
            named = get_named_type(one.type)
            if (kind.name, name) == _FAILS or name in _COSTLY or (not is_leaf_type(named) and (level >= self.depth or self.budget <= 0)):
                continue
            if seen.get(named.name, 0) >= _MOST_TYPES:
                continue
            self.budget -= 1
            parts.append(f"{kind.name}_{name}: {name}{self._arguments(one)}{self._below(one.type, level + 1, seen)}")
        return " ".join(parts)


def selections(stand: Stand, domain: str, depth: int, budget: int = 4000) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield every query of the schema with full selections: name, text, variables."""
    schema = schema_of(stand)
    assert schema.query_type
    for name, one in schema.query_type.fields.items():
        text, variables = Selection(schema, Values(domain, stand.runs[domain]), depth, budget).query("query", name, one)
        yield name, text, variables


def schema_of(stand: Stand) -> GraphQLSchema:
    """Return the schema that the gateway executes."""
    from polyceph.gateway.server import GatewayServer

    found = stand.app.server
    assert isinstance(found, GatewayServer)
    schema: GraphQLSchema = found._graphene_schema.graphql_schema
    return schema
