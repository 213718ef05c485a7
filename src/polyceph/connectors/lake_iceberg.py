"""Iceberg tables through pyiceberg: of an SQL catalogue in an SQLite file, or by their metadata file. Only read."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyceph.connectors.lake_engine import no_table, place, shown
from polyceph.connectors.lake_options import LakeDataset, LakeSource, text_of
from polyceph.sdk import Column, Invalid, Misconfigured, NotFound, PolycephError, Unavailable, secret


def table_names(source: LakeSource, base: Path) -> list[str]:
    """Return the tables of the catalogue, or the folders with metadata below the url."""
    with told(source):
        if source.file is None:
            root = Path(place(source, base))
            return sorted({path.parent.parent.relative_to(root).as_posix() for path in root.rglob("metadata/*.metadata.json")})
        catalogue = _catalogue(source, base)
        return sorted(".".join(table) for space in catalogue.list_namespaces() for table in catalogue.list_tables(space))


def iceberg_table(source: LakeSource, base: Path, name: str) -> Any:
    """Return pyiceberg's table; raise `NotFound` with the names there are when it is not there."""
    with told(source):
        if source.file is not None:
            known = table_names(source, base)
            if name not in known:
                raise no_table(name, known, shown(source))
            return _catalogue(source, base).load_table(name)
        from pyiceberg.table import StaticTable  # the extra tables

        return StaticTable.from_metadata(_metadata(source, base, name), _properties(source))


def _metadata(source: LakeSource, base: Path, name: str) -> str:
    """Return the metadata file: itself, or the newest in the folder of a table."""
    if name.startswith("/") or ".." in name.split("/") or "://" in name:
        raise Invalid(f"table {name!r} leaves {shown(source)}", hint="give a path below url")
    root = place(source, base)
    if name.endswith(".metadata.json") or "://" in root:
        return f"{root}/{name}"
    found = sorted(Path(root, name, "metadata").glob("*.metadata.json"))
    if not found:
        raise no_table(name, table_names(source, base), shown(source))
    return str(found[-1])


def _catalogue(source: LakeSource, base: Path) -> Any:
    try:
        from pyiceberg.catalog.sql import SqlCatalog  # the extra tables
    except ImportError as error:
        raise Misconfigured("Iceberg is not installed", hint="install polyceph with its extra: polyceph[tables]") from error
    path = (base / text_of(source.file)).resolve()
    if not path.is_file():
        raise NotFound(f"the catalogue {text_of(source.file)} does not exist", hint="correct file of the source")
    # SQLite's own read-only mode: nothing is made there, whatever pyiceberg would make.
    address = f"sqlite:///file:{path}?mode=ro&uri=true"
    return SqlCatalog(source.metadata_schema or "default", uri=address, init_catalog_tables="false", **_properties(source))


def _properties(source: LakeSource) -> dict[str, str]:
    found: dict[str, str] = {}
    if source.key_env and source.secret_env:
        found |= {"s3.access-key-id": secret(source.key_env).get_secret_value()}
        found |= {"s3.secret-access-key": secret(source.secret_env).get_secret_value()}
    found |= {"s3.endpoint": text_of(source.endpoint)} if source.endpoint is not None else {}
    return found | ({"s3.region": source.region} if source.region else {})


def condition(dataset: LakeDataset) -> Any:
    """Return the conditions as pyiceberg's expression."""
    from pyiceberg import expressions

    kinds = {"=": "EqualTo", "!=": "NotEqualTo", "<": "LessThan", "<=": "LessThanOrEqual", ">": "GreaterThan", ">=": "GreaterThanOrEqual"}
    parts = [getattr(expressions, kinds[one.op])(one.column, one.value) for one in dataset.where]
    return functools.reduce(expressions.And, parts) if parts else expressions.AlwaysTrue()


@dataclass(frozen=True)
class IcebergRows:
    """Rows of one snapshot of a table, read batch by batch, as often as needed."""

    source: LakeSource
    table: Any
    snapshot: int
    columns: tuple[tuple[Column, str], ...]
    dataset: LakeDataset
    limit: int | None = None

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a new stream with the contract's names."""
        import pyarrow as pa

        names = tuple(dict.fromkeys(name for _, name in self.columns))
        scan = self.table.scan(condition(self.dataset), names, snapshot_id=self.snapshot, limit=self.limit)
        with told(self.source):
            reader = scan.to_arrow_batch_reader()
        fields = [pa.field(column.name, reader.schema.field(name).type) for column, name in self.columns]

        def batches() -> Iterator[Any]:
            with told(self.source):
                for batch in reader:
                    yield pa.record_batch([batch.column(name) for _, name in self.columns], schema=pa.schema(fields))

        return pa.RecordBatchReader.from_batches(pa.schema(fields), batches()).__arrow_c_stream__(requested_schema)


@contextmanager
def told(source: LakeSource) -> Iterator[None]:
    """Errors of pyiceberg as what they mean, in our words: theirs may hold a secret."""
    try:
        yield
    except PolycephError:
        raise
    except FileNotFoundError as error:
        raise NotFound(f"a file of {shown(source)} is not there", hint="check file, url and table") from error
    except ImportError as error:
        raise Misconfigured("Iceberg is not installed", hint="install polyceph with its extra: polyceph[tables]") from error
    except Exception as error:  # each file system raises errors of its own
        raise Unavailable(f"{shown(source)} cannot be read: {type(error).__name__}", hint="check the source, or try later") from error
