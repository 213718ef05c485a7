"""A DuckDB of our own that reads a DuckLake or a Delta table, and nothing else: read-only, without downloads, secrets in variables."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
from sqlglot import exp

from polyceph.connectors.lake_options import LakeSource, text_of
from polyceph.sdk import Denied, Invalid, Misconfigured, NotFound, PolycephError, Problem, SecretStr, Unavailable, secret

ALIAS = "source"
_EXTRAS = {"delta": "tables", "sqlite_scanner": "tables", "azure": "azure"}


def name_sql(*parts: str) -> str:
    """Return an identifier of one or several parts, quoted."""
    return ".".join(exp.to_identifier(part, quoted=True).sql(dialect="duckdb") for part in parts)


def text_sql(text: str) -> str:
    """Return a text literal, for the few statements that take no parameters."""
    return exp.Literal.string(text).sql(dialect="duckdb")


@contextmanager
def engine(source: LakeSource, base: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the lake read-only; errors come out as the six, without secrets.

    Raises:
        Misconfigured: an extension is not installed, or a secret is not set.
        NotFound: the catalogue's file or the table is not there.
        Denied, Unavailable: the lake cannot be entered or read.
    """
    connection = duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_persistent_secrets": "false",
            "memory_limit": f"{source.memory_limit_mb}MiB",
            "threads": "2",
            "arrow_lossless_conversion": "true",
        }
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        with told(source):
            _storage(connection, source)
            if source.kind == "ducklake":
                _attach_ducklake(connection, source, base)
            else:
                load(connection, "delta")
            yield connection
    finally:
        connection.close()


def load(connection: duckdb.DuckDBPyConnection, extension: str) -> None:
    """Load an extension from its wheel."""
    spec = importlib.util.find_spec(f"duckdb_extension_{extension}")
    found = sorted(Path(str(spec.origin)).parent.glob(f"extensions/v{duckdb.__version__}/*.duckdb_extension")) if spec else []
    if not found:
        extra = _EXTRAS.get(extension)
        raise Misconfigured(
            f"DuckDB's extension {extension} is not installed", hint=f"install polyceph[{extra}]" if extra else "install polyceph anew"
        )
    connection.load_extension(str(found[0]))


def _attach_ducklake(connection: duckdb.DuckDBPyConnection, source: LakeSource, base: Path) -> None:
    load(connection, "ducklake")
    options = ["READ_ONLY", "AUTOMATIC_MIGRATION false", "CREATE_IF_NOT_EXISTS false"]
    if source.metadata_schema:
        options.append(f"METADATA_SCHEMA {text_sql(source.metadata_schema)}")
    if source.url is not None:
        options += [f"DATA_PATH {text_sql(place(source, base))}", "OVERRIDE_DATA_PATH true"]
    if source.file is not None:
        path = (base / text_of(source.file)).resolve()
        if not path.is_file():
            raise NotFound(f"the catalogue {text_of(source.file)} does not exist", hint="correct file of the source")
        with path.open("rb") as file:
            is_sqlite = file.read(15) == b"SQLite format 3"
        if is_sqlite:
            load(connection, "sqlite_scanner")
        address = f"ducklake:sqlite:{path}" if is_sqlite else f"ducklake:{path}"
    else:
        load(connection, "postgres_scanner")
        session = "connect_timeout=10 application_name=polyceph options='-c default_transaction_read_only=on'"
        address = f"ducklake:postgres:{session}{f' sslmode={source.sslmode}' if source.sslmode else ''}"
        parts = {"HOST": source.host, "PORT": source.port, "DATABASE": source.database, "USER": source.user}
        given = ", ".join(f"{key} {text_sql(text_of(value))}" for key, value in parts.items())
        _secret(connection, "catalogue", "postgres", given, {"PASSWORD": secret(source.password_env or "")})
        options += ["META_SECRET 'catalogue'"]
    connection.execute(f"ATTACH {text_sql(address)} AS {name_sql(ALIAS)} ({', '.join(options)})")


def _storage(connection: duckdb.DuckDBPyConnection, source: LakeSource) -> None:
    if source.key_env is None or source.secret_env is None:
        return
    load(connection, "httpfs")
    given = ["URL_STYLE 'path'"] if source.endpoint is not None else []
    if source.endpoint is not None:
        address = urlsplit(text_of(source.endpoint))
        given += [f"ENDPOINT {text_sql(address.netloc)}", f"USE_SSL {'true' if address.scheme == 'https' else 'false'}"]
    given += [f"REGION {text_sql(source.region)}"] if source.region else []
    words = {"KEY_ID": secret(source.key_env), "SECRET": secret(source.secret_env)}
    _secret(connection, "storage", "s3", ", ".join(given), words)


def _secret(connection: duckdb.DuckDBPyConnection, name: str, kind: str, given: str, words: Mapping[str, SecretStr]) -> None:
    """Make a secret for this connection, its words taken from variables, so that they stand in no statement."""
    for key, word in words.items():
        connection.execute(f"SET VARIABLE {key.lower()} = $1", [word.get_secret_value()])
    taken = ", ".join(f"{key} getvariable({text_sql(key.lower())})" for key in words)
    connection.execute(f"CREATE TEMPORARY SECRET {name_sql(name)} (TYPE {kind}, {f'{given}, ' if given else ''}{taken})")
    for key in words:
        connection.execute(f"RESET VARIABLE {key.lower()}")


def place(source: LakeSource, base: Path) -> str:
    """Return the folder of the tables: an address, or a path from `base`."""
    text = text_of(source.url).rstrip("/")
    return text if "://" in text else str((base / text).resolve())


def shown(source: LakeSource) -> str:
    """Return a lake as messages name it."""
    if source.host is not None:
        return f"{source.kind} on {text_of(source.host)}/{text_of(source.database)}"
    return f"{source.kind} {text_of(source.file if source.file is not None else source.url)}"


@contextmanager
def told(source: LakeSource) -> Iterator[None]:
    """Errors of DuckDB as what they mean for the lake, without anything that may be a secret."""
    try:
        yield
    except PolycephError:
        raise
    except duckdb.Error as error:
        raise _meant(error, source) from None


def _meant(error: duckdb.Error, source: LakeSource) -> PolycephError:
    text, name = str(error), shown(source)
    if "password" in text.casefold() or "authentication" in text.casefold():
        return Misconfigured(f"{name} does not accept our sign-in", hint="check user and the variable of password_env")
    if "permission denied" in text.casefold() or "403" in text:
        return Denied(f"the role of the source may not read {name}", hint="ask its owner for the right to read")
    if isinstance(error, duckdb.ConversionException | duckdb.OutOfRangeException):
        return Invalid(f"a value of {name} cannot be read in the promised type", hint="correct the contract")
    reason = _without_words(text, source).strip().splitlines()[0][:200]
    return Unavailable(f"{name} cannot be read: {reason}", hint="check the source's address, or try later")


def _without_words(text: str, source: LakeSource) -> str:
    for variable in (source.password_env, source.secret_env, source.key_env):
        if variable:
            text = text.replace(secret(variable).get_secret_value(), "***")
    return text


@dataclass(frozen=True)
class Selected:
    """Rows of a SELECT with its parameters in a lake, as a stream that can be opened again."""

    source: LakeSource
    base: Path
    select: str
    parameters: tuple[Any, ...] = ()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a new stream; the lake is entered when it is read."""
        import pyarrow as pa  # 100 MB that only a run needs

        opened = ExitStack()
        connection = opened.enter_context(engine(self.source, self.base))
        with told(self.source):
            reader = connection.execute(self.select, list(self.parameters)).to_arrow_reader(65_536)

        def batches() -> Iterator[Any]:
            with opened, told(self.source):
                yield from reader

        return pa.RecordBatchReader.from_batches(reader.schema, batches()).__arrow_c_stream__(requested_schema)


def no_table(name: str, known: list[str], where: str) -> NotFound:
    """Return the error for a table that is not there."""
    return NotFound(f"{where} has no table {name}", problems=[Problem("no such table", value=name, allowed=tuple(known[:20]))])
