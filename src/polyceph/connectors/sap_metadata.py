"""What an OData service says of itself in `$metadata`: entity sets, their keys and properties. Versions 2 and 4.

Documentation followed: OASIS "OData Common Schema Definition Language (CSDL) XML Representation 4.01", Microsoft's [MC-CSDL], and SAP's
annotations for OData 2.0 (`sap:label`, `sap:display-format`) and its vocabulary Common (`Common.Label`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from polyceph.connectors.validation import meant, nearest
from polyceph.connectors.web.xml_documents import local
from polyceph.sdk import Invalid, NotFound, Problem, SourceColumn

_SAP = "{http://www.sap.com/Protocols/SAPData}"
_LABELS = ("Common.Label", "Common.v1.Label", "Core.Description", "Core.V1.Description")
_MOST_DIGITS, _FLOATING_SCALE = 38, 9
_LOGICAL = {
    "Edm.Boolean": "boolean",
    "Edm.Byte": "integer",
    "Edm.SByte": "integer",
    "Edm.Int16": "integer",
    "Edm.Int32": "integer",
    "Edm.Int64": "integer",
    "Edm.Decimal": "number",
    "Edm.Double": "number",
    "Edm.Single": "number",
    "Edm.Date": "date",
    "Edm.DateTime": "timestamp",
    "Edm.DateTimeOffset": "timestamp",
    "Edm.Time": "time",
    "Edm.TimeOfDay": "time",
}


@dataclass(frozen=True)
class Property:
    """A property of an entity. `edm_type` is a primitive type, `object` for a complex one, `array` for a collection."""

    name: str
    edm_type: str
    is_nullable: bool = True
    precision: int | None = None
    scale: int | None = None
    """None: it varies."""
    label: str = ""
    is_day: bool = False
    """A moment that SAP means as a day (`sap:display-format="Date"`)."""

    def column(self, *, is_key: bool) -> SourceColumn:
        """Return the property as a column."""
        logical = self.edm_type if self.edm_type in ("object", "array") else _LOGICAL.get(self.edm_type, "string")
        physical = "timestamptz" if self.edm_type == "Edm.DateTimeOffset" else None
        if self.edm_type == "Edm.Decimal":
            scale = _FLOATING_SCALE if self.scale is None else self.scale
            physical = f"decimal({min(self.precision or _MOST_DIGITS, _MOST_DIGITS)},{scale})"
        if self.is_day:
            logical, physical = "date", None
        return SourceColumn(self.name, self.edm_type, logical, physical, not self.is_nullable or is_key, is_key, self.label)


@dataclass(frozen=True)
class EntitySet:
    """An entity set with the properties of its type and of the types that one is derived from."""

    name: str
    key: tuple[str, ...]
    properties: Mapping[str, Property]
    label: str = ""

    def columns(self) -> tuple[SourceColumn, ...]:
        """Return the properties as columns."""
        return tuple(one.column(is_key=one.name in self.key) for one in self.properties.values())

    def needed(self, name: str, what: str) -> Property:
        """Return a property; raise `Invalid`, with those that were probably meant, when there is none of that name."""
        found = self.properties.get(name)
        if found is None:
            known = tuple(self.properties)
            problem = Problem(f"{what} asks for {name!r}", value=name, allowed=nearest(name, known), hint=meant(name, known))
            raise Invalid(f"entity set {self.name} has no property {name!r}", problems=[problem])
        return found


@dataclass(frozen=True)
class Service:
    """A service: its version and its entity sets."""

    is_v4: bool
    sets: Mapping[str, EntitySet]

    def needed(self, name: str, where: str) -> EntitySet:
        """Return an entity set; raise `NotFound`, with those that were probably meant, when there is none of that name."""
        found = self.sets.get(name)
        if found is None:
            problem = Problem(f"no entity set {name!r}", value=name, allowed=nearest(name, self.sets), hint=meant(name, self.sets))
            raise NotFound(f"{where} has no entity set {name!r}", problems=[problem])
        return found


@dataclass
class _Types:
    """The named types of all schemas by their full name, and aliases of namespaces."""

    entities: dict[str, Element] = field(default_factory=dict)
    underlying: dict[str, str] = field(default_factory=dict)
    """Enumerations and type definitions: what stands for them."""
    aliases: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    """By target: `Namespace.Type/Property`."""

    def full(self, name: str) -> str:
        prefix, _, own = name.rpartition(".")
        return f"{self.aliases.get(prefix, prefix)}.{own}"


def service_of(root: Element, where: str) -> Service:
    """Return what a metadata document says; raise `Invalid` when it is none."""
    schemas = [one for one in root.iter() if local(one.tag) == "Schema"]
    if local(root.tag) != "Edmx" or not schemas:
        raise Invalid(f"the metadata of {where} is no EDMX document", hint="check url and service")
    types = _types(schemas)
    sets = {one.name: one for schema in schemas for one in _sets(schema, types, where)}
    return Service(root.get("Version", "1.0").startswith("4"), sets)


def _types(schemas: list[Element]) -> _Types:
    types = _Types()
    for schema in schemas:
        namespace = schema.get("Namespace", "")
        if schema.get("Alias"):
            types.aliases[str(schema.get("Alias"))] = namespace
    for schema in schemas:
        namespace = schema.get("Namespace", "")
        for one in schema:
            kind, name = local(one.tag), f"{namespace}.{one.get('Name', '')}"
            if kind == "EntityType":
                types.entities[name] = one
            elif kind == "EnumType":
                types.underlying[name] = "Edm.String"
            elif kind == "TypeDefinition":
                types.underlying[name] = one.get("UnderlyingType", "Edm.String")
            elif kind == "Annotations":
                _keep_labels(types, one)
    return types


def _keep_labels(types: _Types, annotations: Element) -> None:
    path, _, member = annotations.get("Target", "").partition("/")
    label = _annotated(annotations)
    if label:
        types.labels[f"{types.full(path)}/{member}"] = label


def _annotated(element: Element) -> str:
    for one in element:
        if local(one.tag) == "Annotation" and one.get("Term", "").endswith(_LABELS):
            return one.get("String") or next((child.text or "" for child in one if local(child.tag) == "String"), "")
    return ""


def _sets(schema: Element, types: _Types, where: str) -> Iterator[EntitySet]:
    for container in (one for one in schema if local(one.tag) == "EntityContainer"):
        for one in (one for one in container if local(one.tag) == "EntitySet"):
            chain = _chain(types, types.full(one.get("EntityType", "")), where)
            key = next((_key(kind) for _, kind in chain if _key(kind)), ())
            found = [_property(types, name, child) for name, kind in reversed(chain) for child in kind if local(child.tag) == "Property"]
            label = one.get(f"{_SAP}label") or _annotated(one) or chain[0][1].get(f"{_SAP}label") or _annotated(chain[0][1])
            yield EntitySet(one.get("Name", ""), key, {p.name: p for p in found}, label or "")


def _chain(types: _Types, name: str, where: str) -> list[tuple[str, Element]]:
    """Return an entity type and those it is derived from, itself first."""
    found: list[tuple[str, Element]] = []
    while name in types.entities and all(name != known for known, _ in found):
        found.append((name, types.entities[name]))
        above = found[-1][1].get("BaseType")
        if above is None:
            return found
        name = types.full(above)
    raise Invalid(f"the metadata of {where} does not describe the type {name}", hint="the service is at fault")


def _key(kind: Element) -> tuple[str, ...]:
    keys = [one for one in kind if local(one.tag) == "Key"]
    return tuple(ref.get("Name", "") for one in keys for ref in one if local(ref.tag) == "PropertyRef")


def _property(types: _Types, owner: str, element: Element) -> Property:
    name, kind = element.get("Name", ""), element.get("Type", "")
    if kind.startswith("Collection("):
        kind = "array"
    elif not kind.startswith("Edm."):
        kind = types.underlying.get(types.full(kind), "object")
    label = element.get(f"{_SAP}label") or _annotated(element) or types.labels.get(f"{owner}/{name}", "")
    is_day = kind == "Edm.DateTime" and element.get(f"{_SAP}display-format") == "Date"
    scale = element.get("Scale", "0")
    return Property(
        name,
        kind,
        element.get("Nullable", "true").casefold() != "false",
        _number(element.get("Precision")),
        _number(scale),
        label,
        is_day,
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
