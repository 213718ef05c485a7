"""A session of Arrow Flight SQL through ADBC: entering it, asking within a time, streaming from the declared server only, its errors."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from polyceph.connectors.denodo_flight_calls import Calls, Unanswered
from polyceph.connectors.sql.dialect import Row, Statement
from polyceph.connectors.sql.driver import missing_driver, refuse_unreachable, refused
from polyceph.connectors.sql.options import ServerAddress
from polyceph.sdk import Denied, Invalid, Misconfigured, Unavailable

_TITLE = "Denodo"
_MESSAGE_BYTES = 64 * 1024 * 1024
"""The largest record batch that is taken; gRPC's own limit of 16 MiB is less than wide rows may need."""
_CHUNK_ROWS = 1_000


@dataclass(frozen=True)
class FlightWay:
    """How the server is entered: encrypted or not, with which authority (PEM), how values travel, how long an answer may take."""

    is_encrypted: bool = True
    authority: str | None = None
    is_bound: bool = False
    answer_timeout_s: int = 300


class FlightSession:
    """A connection of ADBC; each call is waited for no longer than `answer_timeout_s`."""

    def __init__(self, calls: Calls, connection: Any, address: ServerAddress, write: Callable[[Statement], Statement]) -> None:
        self._calls = calls
        self._connection = connection
        self._address = address
        self._write = write

    def ask(self, statement: Statement) -> list[Row]:
        """Return a small answer whole."""
        rows: list[Row] = []
        for batch in self.batches(statement, rows=_CHUNK_ROWS):
            rows.extend(zip(*(column.to_pylist() for column in batch.columns), strict=True))
        return rows

    def describe(self, query: str) -> list[tuple[str, str]]:
        """Return name and type of the columns of a SELECT; none of its rows is read."""
        statement = Statement(f"SELECT * FROM (\n{query}\n) AS source LIMIT 0")  # noqa: S608 -- declared, checked
        with self._opened() as cursor:
            parts, schema = self._execute(cursor, statement)
            if schema is None and parts:
                schema = self._reader(cursor, parts[0]).schema
        return [(field.name, _name_of(field.type)) for field in schema or ()]

    def batches(self, statement: Statement, *, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches of at most so many; the driver holds a few batches of the server's size, not more."""
        with self._opened() as cursor:
            parts, _ = self._execute(cursor, self._write(statement))
            for part in parts:
                reader = self._reader(cursor, part)
                while (batch := self._call(partial(next, reader, None))) is not None:
                    for start in range(0, batch.num_rows, rows):
                        yield batch.slice(start, rows)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        cursor = self._call(self._connection.cursor)
        try:
            yield cursor
        finally:
            self._calls.leave(cursor.close)

    def _execute(self, cursor: Any, statement: Statement) -> tuple[list[bytes], pa.Schema | None]:
        found: tuple[list[bytes], pa.Schema | None] = self._call(partial(_run, cursor.adbc_statement, statement))
        return found

    def _reader(self, cursor: Any, part: bytes) -> Any:
        self._call(lambda: cursor.adbc_read_partition(here(part)))
        return self._call(cursor.fetch_record_batch)

    def _call(self, function: Callable[[], Any]) -> Any:
        with explaining(self._address):
            return self._calls.call(function)


def _run(driver: Any, statement: Statement) -> tuple[list[bytes], pa.Schema | None]:
    """Run a statement; only one with values is prepared, for ADBC's own cursor prepares all and ignores that a server cannot."""
    driver.set_sql_query(statement.text)
    if statement.values:
        driver.prepare()
        driver.bind(pa.RecordBatch.from_pylist([{str(at): value for at, value in enumerate(statement.values)}]))
    parts, schema, _ = driver.execute_partitions()
    return parts, pa.schema(schema) if schema is not None and schema.is_valid else None


def here(part: bytes) -> bytes:
    """Return a part of an answer without the places where the server says that it lies.

    The driver would go there with the user's password. Only the declared server is entered, so each ticket is redeemed there. What the
    driver asks by itself when it enters (GetSqlInfo) is out of reach: it follows the place of that answer, should the server give one.
    """
    from pyarrow import flight

    info = flight.FlightInfo.deserialize(part)
    ends = [flight.FlightEndpoint(end.ticket, []) for end in info.endpoints]
    stripped: bytes = flight.FlightInfo(info.schema, info.descriptor, ends, info.total_records, info.total_bytes).serialize()
    return stripped


@contextmanager
def entered(address: ServerAddress, way: FlightWay, *, write: Callable[[Statement], Statement]) -> Iterator[FlightSession]:
    """Enter the server.

    Raises:
        Misconfigured: the driver is not installed, or the server refuses the account, the password or the encryption.
        Unavailable: the server does not answer in time.
    """
    try:
        from adbc_driver_flightsql import dbapi
    except ImportError as error:
        raise missing_driver("adbc-driver-flightsql", "denodo") from error
    refuse_unreachable(address, _TITLE)
    scheme = "grpc+tls" if way.is_encrypted else "grpc+tcp"
    host = f"[{address.host}]" if ":" in address.host else address.host
    with Calls(way.answer_timeout_s) as calls, explaining(address):
        connection = calls.call(
            lambda: dbapi.connect(f"{scheme}://{host}:{address.port}", db_kwargs=_settings(address, way), autocommit=True),
            seconds=address.connect_timeout_s,
        )
        try:
            yield FlightSession(calls, connection, address, write)
        finally:
            calls.leave(connection.close)


def _settings(address: ServerAddress, way: FlightWay) -> dict[str, str]:
    from adbc_driver_flightsql import DatabaseOptions

    if not (address.database.isascii() and address.database.isprintable()):  # gRPC's rule for the value of a header
        hint = "choose another virtual database and name it in table and query, or protocol: postgresql"
        raise Misconfigured(f"the name of virtual database {address.database!r} is not plain ASCII, as Flight SQL needs it", hint=hint)
    settings = {
        "username": address.user,
        "password": address.password.get_secret_value(),
        f"{DatabaseOptions.RPC_CALL_HEADER_PREFIX.value}database": address.database,
        DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true",  # a load balancer may keep a session to one server
        DatabaseOptions.WITH_MAX_MSG_SIZE.value: str(_MESSAGE_BYTES),
        DatabaseOptions.TIMEOUT_QUERY.value: str(float(way.answer_timeout_s)),
        DatabaseOptions.TIMEOUT_UPDATE.value: str(float(way.answer_timeout_s)),
    }
    return settings | ({DatabaseOptions.TLS_ROOT_CERTS.value: way.authority} if way.authority else {})


def _name_of(kind: pa.DataType) -> str:
    is_of = pa.types
    if is_of.is_timestamp(kind):
        return "timestamptz" if kind.tz else "timestamp"
    names = (
        (is_of.is_signed_integer, "long"),
        (is_of.is_float32, "float"),
        (is_of.is_float64, "double"),
        (is_of.is_decimal, "decimal"),
        (is_of.is_boolean, "boolean"),
        (is_of.is_date, "localdate"),
        (is_of.is_time, "time"),
        (is_of.is_string, "text"),
        (is_of.is_large_string, "text"),
    )
    return next((name for is_it, name in names if is_it(kind)), "other")


@contextmanager
def explaining(address: ServerAddress) -> Iterator[None]:
    """Turn the driver's errors, and silence, into the six."""
    import adbc_driver_manager as adbc

    try:
        yield
    except Unanswered as error:
        hint = "check the server, raise answer_timeout_s or connect_timeout_s for slow views, or try later"
        raise Unavailable(f"{address.shown} stopped answering: nothing came for {error.seconds} s", hint=hint) from None
    except adbc.Error as error:
        raise explained(error, address) from None
    except pa.ArrowInvalid:  # from here on a stream that Arrow reads, whose errors have no status; their text may quote a row
        raise Invalid(f"{address.shown} finds a value that the query cannot take", hint="correct the query so no row breaks it") from None
    except (OSError, pa.ArrowException) as error:
        if "larger than max" in str(error):
            hint = f"batches of up to {_MESSAGE_BYTES // 1024**2} MiB are taken: leave out wide columns, or choose protocol: postgresql"
            raise Unavailable(f"{address.shown} sends a record batch that is too large", hint=hint) from None
        raise Unavailable(f"{address.shown} broke off in the middle of its answer", hint="check the server, or try later") from None


def explained(error: Any, address: ServerAddress) -> Exception:
    """Return an error of ADBC as one of the six, with neither password nor the header that holds it."""
    token = b64encode(f"{address.user}:{address.password.get_secret_value()}".encode()).decode().rstrip("=")
    said = address.without_password(str(error).replace(token, "***"))
    status, low = error.status_code.name, said.casefold()
    if any(word in low for word in ("tls:", "x509", "certificate", "authentication handshake failed")):
        hint = "check tls and ca_file: the certificate must name the host and come from that authority"
        return Misconfigured(f"the {_TITLE} server {address.shown} offers no such encryption: {said}", hint=hint)
    if status == "UNAUTHENTICATED":
        return refused(address, _TITLE, said)
    if status == "UNAUTHORIZED":
        return Denied(f"user {address.user} may not read this of {address.shown}: {said}", hint="ask for the privilege Execute on the view")
    if status in ("IO", "TIMEOUT", "CANCELLED"):
        return Unavailable(f"{address.shown} broke off: {said}", hint="check the server, or try later")
    if status == "NOT_IMPLEMENTED":
        return Misconfigured(f"{address.shown} cannot do this: {said}", hint="choose values: literals, or protocol: postgresql")
    if status == "INVALID_DATA":  # its text may quote the value
        return Invalid(f"{address.shown} finds a value that the query cannot take", hint="correct the query so that no row breaks it")
    return Invalid(f"{address.shown} refuses the statement: {said}")
