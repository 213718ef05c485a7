"""The JSON Schemas of all declarations, published for editors; they show each key with its description."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from polyceph.core.policies.contracts import CLASSIFICATIONS, PERSONAL_DATA, STATUSES
from polyceph.core.policies.naming import NAME_PATTERN
from polyceph.core.policies.zones import ZONES
from polyceph.declarations.components import ConnectorOptions
from polyceph.declarations.contracts import API_VERSION
from polyceph.declarations.forms import COMPONENTS, DomainForm, FederationForm, Form
from polyceph.declarations.odcs import official_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def published(connectors: Mapping[str, ConnectorOptions] | None = None) -> dict[str, dict[str, Any]]:
    """Return the schemas `federation`, `domain`, `contract` and `components`.

    With `connectors`, a source and a dataset also show the options of their connector.
    """
    options = connectors or {}
    return {
        "federation": _of(FederationForm, "federation.yaml"),
        "domain": _with_sources(_of(DomainForm, "domain.yaml"), options),
        "contract": _contract(),
        "components": _components(options),
    }


def write(folder: Path, connectors: Mapping[str, ConnectorOptions] | None = None) -> tuple[Path, ...]:
    """Write each schema to <folder>/<name>.schema.json; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, schema in published(connectors).items():
        file = folder / f"{name}.schema.json"
        file.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        files.append(file)
    return tuple(files)


def _of(model: type[BaseModel], title: str) -> dict[str, Any]:
    schema = model.model_json_schema(mode="validation")
    return {"$schema": DIALECT, **schema, "title": title}


def _with_sources(schema: dict[str, Any], connectors: Mapping[str, ConnectorOptions]) -> dict[str, Any]:
    """Let each source show the options of the connector it names."""
    if not connectors:
        return schema
    source = schema["$defs"]["SourceForm"]
    source["properties"]["connector"]["enum"] = sorted(connectors)
    source["allOf"] = []
    for name, (options, _) in sorted(connectors.items()):
        given = _flat(options, schema["$defs"], others=("connector",))
        source["allOf"].append({"if": {"properties": {"connector": {"const": name}}}, "then": given})
    return schema


def _flat(options: type[BaseModel], definitions: dict[str, Any], *, others: tuple[str, ...]) -> dict[str, Any]:
    """Return the schema of options that stand beside the keys `others`; its definitions join `definitions`."""
    prefix = options.__name__
    schema = options.model_json_schema(mode="validation", ref_template=f"#/$defs/{prefix}.{{model}}")
    definitions.update({f"{prefix}.{name}": inner for name, inner in schema.pop("$defs", {}).items()})
    schema["properties"] = {**schema.get("properties", {}), **dict.fromkeys(others, True)}
    return schema


def _components(connectors: Mapping[str, ConnectorOptions]) -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    choices = [_component(kind, form, definitions=definitions) for kind, form in COMPONENTS.items()]
    if connectors:
        known = [_flat(dataset, definitions, others=("name",)) for _, (_, dataset) in sorted(connectors.items())]
        definitions["IngestDataset"]["anyOf"] = known
    foreign = {"properties": {"type": {"type": "string", "not": {"pattern": "^polyceph\\."}, "pattern": "\\."}}, "required": ["type"]}
    return {
        "$schema": DIALECT,
        "title": "defs.yaml",
        "description": "One component of a domain: what it loads, transforms, serves or runs.",
        "type": "object",
        "anyOf": [*choices, foreign],
        "$defs": definitions,
    }


def _component(kind: str, form: type[Form], *, definitions: dict[str, Any]) -> dict[str, Any]:
    attributes = form.model_json_schema(mode="validation")
    definitions.update(attributes.pop("$defs", {}))
    return {
        "title": kind.rpartition(".")[2],
        "description": attributes.get("description", ""),
        "type": "object",
        "properties": {
            "type": {"const": kind, "description": "What the component is."},
            "attributes": attributes,
            "requirements": {"type": "object", "description": "Dagster's own: environment variables the component needs."},
            "template_vars_module": {"type": "string", "description": "Dagster's own: a module with template variables."},
            "post_processing": {"type": "object", "description": "Dagster's own: changes to the definitions afterwards."},
        },
        "required": ["type", "attributes"],
        "additionalProperties": False,
    }


def _contract() -> dict[str, Any]:
    """Return the official schema, narrowed to what polyceph asks of a contract."""
    schema = copy.deepcopy(official_schema())
    properties = schema["properties"]
    properties["apiVersion"] |= {"enum": [API_VERSION], "default": API_VERSION}
    properties["name"] |= {"pattern": NAME_PATTERN, "description": "Name of the dataset: the name of the file without .odcs.yaml."}
    properties["domain"] |= {"pattern": NAME_PATTERN, "description": "Name of the domain: the folder under domains/."}
    properties["status"]["enum"] = list(STATUSES)
    properties["schema"] |= {"minItems": 1, "maxItems": 1, "description": "Exactly one object; its properties are the columns."}
    schema["$defs"]["CustomProperty"]["allOf"] = [
        _custom("zone", ZONES, description="Stage of refinement of the dataset."),
        _custom("classification", CLASSIFICATIONS, description="How freely the dataset may be seen."),
        _custom("personalData", PERSONAL_DATA, description="Whether the column is about a person (GDPR art. 4, 9)."),
    ]
    schema["required"] = sorted({*schema["required"], "name", "status", "domain", "schema", "customProperties"})
    return schema


def _custom(name: str, values: tuple[str, ...], *, description: str) -> dict[str, Any]:
    then = {"properties": {"value": {"enum": list(values), "description": description}}}
    return {"if": {"properties": {"property": {"const": name}}}, "then": then}
