"""What a portal of CKAN says of its packages and resources, through its action API 3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from polyceph.connectors.tabular.options import Format
from polyceph.connectors.web.client import Call, WebClient
from polyceph.sdk import Invalid, NotFound, SourceColumn, SourceTable

API = "api/3/action"
_PAGE = 100
_FORMATS: Mapping[str, str] = {"jsonl": "ndjson", "xlsm": "xlsx", "xlsb": "xlsx", "excel": "xlsx", "txt": "csv", "tab": "tsv"}
_TYPES: Mapping[str, tuple[str, str | None]] = {
    "text": ("string", None),
    "int": ("integer", None),
    "int4": ("integer", None),
    "int8": ("integer", None),
    "float8": ("number", None),
    "numeric": ("number", None),
    "bool": ("boolean", None),
    "date": ("date", None),
    "timestamp": ("timestamp", None),
    "timestamptz": ("timestamp", "timestamptz"),
    "time": ("time", None),
    "json": ("object", None),
}
ROW_NUMBER = "_id"
"""The DataStore's own number of a row: not of the data, and new each time the portal loads them."""


@dataclass(frozen=True)
class Resource:
    """A resource as the portal shows it."""

    id: str
    name: str
    url: str
    format: str
    has_datastore: bool
    state: str | None
    """Changes when the file changes; None when the portal does not know."""

    def file_format(self) -> Format | None:
        """Return the format in polyceph's words; None when it is none that is read."""
        word = self.format.strip().casefold().removeprefix(".").rpartition("/")[2]
        word = _FORMATS.get(word, word)
        return word if word in get_args(Format) else None  # type: ignore[return-value]  # it is one of them


def act(client: WebClient, action: str, asked: Mapping[str, Any]) -> Any:
    """Return the result of an action that reads; raise `Invalid` when the answer is none of CKAN's."""
    call = Call(f"{API}/{action}", dict(asked))
    answer = client.json(call)[0]
    if not isinstance(answer, Mapping) or answer.get("success") is not True or "result" not in answer:
        raise Invalid(f"{client.shown(call)} is no answer of CKAN", hint="give the portal's address as url, without /api")
    return answer["result"]


def find(client: WebClient, package: str | None, wanted: str) -> Resource:
    """Return a resource by its identifier, or by its name within a package; raise `NotFound` or `Invalid` naming those there are."""
    if package is None:
        return _resource(act(client, "resource_show", {"id": wanted}))
    found = [_resource(one) for one in act(client, "package_show", {"id": package})["resources"]]
    for one in found:
        if one.id == wanted:
            return one
    named = [one for one in found if one.name.casefold() == wanted.casefold()]
    there = ", ".join(f"{one.name} ({one.id})" for one in named or found)
    if len(named) > 1:
        raise Invalid(f"package {package} has {len(named)} resources called {wanted}", hint=f"give the identifier: {there}")
    if not named:
        raise NotFound(f"package {package} has no resource {wanted!r}", hint=f"its resources are {there}")
    return named[0]


def catalogue(client: WebClient) -> Iterator[SourceTable]:
    """Yield the resources of all packages that can be read."""
    begin = 0
    while True:
        found = act(client, "package_search", {"rows": _PAGE, "start": begin, "sort": "name asc"})
        for package in found["results"]:
            yield from _tables(package)
        begin += len(found["results"])
        if not found["results"] or begin >= int(found["count"]):
            return


def columns_of(fields: Any) -> dict[str, SourceColumn]:
    """Return the columns of a DataStore answer, without the portal's own number of the row."""
    made = {}
    for field in fields:
        logical, physical = _TYPES.get(str(field.get("type")), (None, None))
        told = field.get("info") or {}
        words = [str(told[name]) for name in ("label", "notes") if told.get(name)]
        made[str(field["id"])] = SourceColumn(str(field["id"]), str(field.get("type")), logical, physical, description=": ".join(words))
    made.pop(ROW_NUMBER, None)
    return made


def _tables(package: Mapping[str, Any]) -> Iterator[SourceTable]:
    about = _description(package)
    for given in package.get("resources", []):
        one = _resource(given)
        if one.file_format() is None and not one.has_datastore:
            continue
        read = {} if one.file_format() is not None else {"read": "datastore"}
        said = "\n".join(part for part in (one.name, str(given.get("description") or ""), about) if part)
        yield SourceTable(one.id, {"package": package["name"], "resource": one.id, **read}, said)


def _description(package: Mapping[str, Any]) -> str:
    organisation = package.get("organization") or {}
    lines = [str(package.get("title") or ""), str(package.get("notes") or "")]
    told = {
        "Publisher": organisation.get("title") or package.get("author"),
        "Licence": package.get("license_title") or package.get("license_id"),
        "Keywords": ", ".join(str(tag.get("display_name") or tag.get("name")) for tag in package.get("tags") or ()),
        "Modified": package.get("metadata_modified"),
    }
    return "\n".join([*filter(None, lines), *(f"{word}: {text}" for word, text in told.items() if text)])


def _resource(given: Any) -> Resource:
    try:
        # Of a file that lies elsewhere the portal does not know when it changes.
        marks = [str(given.get(name) or "") for name in ("hash", "last_modified", "size")] if given.get("url_type") == "upload" else []
        return Resource(
            id=str(given["id"]),
            name=str(given.get("name") or given["id"]),
            url=str(given.get("url") or ""),
            format=str(given.get("format") or ""),
            has_datastore=bool(given.get("datastore_active")),
            state=" ".join(marks) if any(marks[:2]) else None,
        )
    except (KeyError, AttributeError) as error:
        raise Invalid("the portal describes a resource without an identifier", hint="check the portal's address") from error
