"""The metadata document of an OData service: EDMX with CSDL, in the form of version 4.0 or of version 2.0.

Documentation followed: OASIS "OData Common Schema Definition Language (CSDL) Version 4.0", and Microsoft's [MC-CSDL] for version 2.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element, SubElement

from polyceph.testing.federation.servers.xml_text import written

_V4 = {"xmlns:edmx": "http://docs.oasis-open.org/odata/ns/edmx", "Version": "4.0"}
_V2 = {"xmlns:edmx": "http://schemas.microsoft.com/ado/2007/06/edmx", "Version": "1.0"}
_SCHEMA_V4 = "http://docs.oasis-open.org/odata/ns/edm"
_SCHEMA_V2 = "http://schemas.microsoft.com/ado/2008/09/edm"
_SERVICES_V2 = {"xmlns:m": "http://schemas.microsoft.com/ado/2007/08/dataservices/metadata", "m:DataServiceVersion": "2.0"}
_ONLY_IN_V4 = {"Edm.Date": "Edm.DateTime", "Edm.TimeOfDay": "Edm.Time"}

Described = tuple[str, tuple[str, ...], Mapping[str, str]]
"""Name, key and properties (EDM type by name) of an entity set; its type has the same name."""


def metadata(namespace: str, sets: Iterable[Described], *, is_v2: bool) -> bytes:
    """Return the metadata document."""
    root = Element("edmx:Edmx", _V2 if is_v2 else _V4)
    services = SubElement(root, "edmx:DataServices", _SERVICES_V2 if is_v2 else {})
    schema = SubElement(services, "Schema", {"xmlns": _SCHEMA_V2 if is_v2 else _SCHEMA_V4, "Namespace": namespace})
    described = list(sets)
    for one in described:
        _entity_type(schema, one, is_v2=is_v2)
    default = {"m:IsDefaultEntityContainer": "true"} if is_v2 else {}
    container = SubElement(schema, "EntityContainer", {"Name": f"{namespace}_Entities", **default})
    for name, _, _ in described:
        SubElement(container, "EntitySet", {"Name": name, "EntityType": f"{namespace}.{name}"})
    return written(root)


def _entity_type(schema: Element, described: Described, *, is_v2: bool) -> None:
    name, key, properties = described
    kind = SubElement(schema, "EntityType", {"Name": name})
    references = SubElement(kind, "Key")
    for column in key:
        SubElement(references, "PropertyRef", {"Name": column})
    for column, declared in properties.items():
        edm_type = _ONLY_IN_V4.get(declared, declared) if is_v2 else declared
        precise = {"Precision": "18", "Scale": "2"} if edm_type == "Edm.Decimal" else {}
        SubElement(kind, "Property", {"Name": column, "Type": edm_type, "Nullable": str(column not in key).lower(), **precise})
