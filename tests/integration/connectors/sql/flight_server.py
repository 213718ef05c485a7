"""A Flight SQL server of our own that speaks for Denodo, over a real DuckDB: no Denodo was available. Also a wire that can be cut.

It takes what the ADBC driver sends: the handshake (basic, then bearer), queries, prepared statements with parameters, GetSqlInfo. No
installed package ships the messages of FlightSql.proto, so their few fields are read and written here by hand. Every answer to a query
says that it lies at another place (`decoy`), where a client must not go.
"""

from __future__ import annotations

import base64
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pyarrow import flight

USER, PASSWORD = "reader", "s3cret-of-the-reader"
PROCEDURES = """
CREATE MACRO get_view_columns() AS TABLE SELECT table_schema AS database_name, table_name AS view_name, column_name,
 CASE WHEN data_type LIKE 'DECIMAL%' THEN 'decimal' ELSE CASE data_type WHEN 'INTEGER' THEN 'int' WHEN 'BIGINT' THEN 'long'
 WHEN 'DATE' THEN 'localdate' WHEN 'TIMESTAMP' THEN 'timestamp' WHEN 'TIMESTAMP WITH TIME ZONE' THEN 'timestamptz'
 WHEN 'DOUBLE' THEN 'double' WHEN 'FLOAT' THEN 'float' WHEN 'BOOLEAN' THEN 'boolean' WHEN 'TIME' THEN 'time' WHEN 'BLOB' THEN 'blob'
 ELSE 'text' END END AS column_vdp_type, table_schema AS input_database_name, table_name AS input_view_name
 FROM information_schema.columns WHERE table_schema NOT IN ('main', 'information_schema') ORDER BY table_name, ordinal_position;
CREATE MACRO get_views() AS TABLE SELECT DISTINCT database_name, view_name AS name, 'A view' AS description FROM get_view_columns();
"""
_MESSAGES = "type.googleapis.com/arrow.flight.protocol.sql."


def b64(password: str) -> str:
    """Return what stands in a header for the password."""
    return base64.b64encode(f"{USER}:{password}".encode()).decode().rstrip("=")


def certificate() -> tuple[bytes, bytes]:
    """Return the key and the certificate of an authority of its own, for localhost, in PEM."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    built = built.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return pem, built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def fields_of(message: bytes) -> dict[int, bytes]:
    """Return the length-delimited fields of a protobuf message, the last of each number; others are skipped."""
    at, found = 0, dict[int, bytes]()

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        tag = varint()
        size = varint()
        if tag & 7 == 2:
            found[tag >> 3] = message[at : at + size]
            at += size
        else:
            assert tag & 7 == 0, f"wire type {tag & 7}"
    return found


def message_of(fields: dict[int, bytes]) -> bytes:
    """Return a protobuf message of length-delimited fields."""

    def varint(value: int) -> bytes:
        return bytes([value & 0x7F | 0x80]) + varint(value >> 7) if value > 0x7F else bytes([value])

    return b"".join(varint(number << 3 | 2) + varint(len(value)) + value for number, value in fields.items())


def packed(name: str, fields: dict[int, bytes]) -> bytes:
    """Return a message in a google.protobuf.Any."""
    return message_of({1: (_MESSAGES + name).encode(), 2: message_of(fields)})


def unpacked(command: bytes) -> tuple[str, dict[int, bytes]]:
    """Return the name and the fields of a message in a google.protobuf.Any."""
    outer = fields_of(command)
    return outer[1].decode().removeprefix(_MESSAGES), fields_of(outer.get(2, b""))


class _Handshake(flight.ServerAuthHandler):
    """The middleware has decided already."""

    def authenticate(self, outgoing: Any, incoming: Any) -> None: ...

    def is_valid(self, token: bytes) -> bytes:
        return b""


class _Bearer(flight.ServerMiddleware):
    def __init__(self, token: str) -> None:
        self.token = token

    def sending_headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


class _Credentials(flight.ServerMiddlewareFactory):
    """Basic credentials once, for which a token is given; then the token. All headers are kept for tests to look at."""

    def __init__(self) -> None:
        self.tokens = set[str]()
        self.databases = set[str]()

    def start_call(self, info: Any, headers: dict[str, list[str]]) -> _Bearer:
        way, _, given = next(iter(headers.get("authorization", [""]))).partition(" ")
        self.databases.update(headers.get("database", []))
        if way == "Basic" and base64.b64decode(given + "==").decode() == f"{USER}:{PASSWORD}":
            self.tokens.add(token := secrets.token_hex(8))
            return _Bearer(token)
        if way == "Bearer" and given in self.tokens:
            return _Bearer(given)
        raise flight.FlightUnauthenticatedError(f"no such user or password: {given}")


@dataclass
class Prepared:
    """A prepared statement and the values it was given."""

    text: str
    values: list[Any] = field(default_factory=list)


class FlightServer(flight.FlightServerBase):
    """The server; `statements` are the texts it was asked to run, with the values that were bound."""

    def __init__(self, decoy: str, tls: tuple[bytes, bytes] | None = None) -> None:
        self.credentials = _Credentials()
        given = {"tls_certificates": [tls]} if tls else {}
        scheme = "grpc+tls" if tls else "grpc"
        super().__init__(f"{scheme}://127.0.0.1:0", auth_handler=_Handshake(), middleware={"credentials": self.credentials}, **given)
        self.data = duckdb.connect()
        self.data.execute(PROCEDURES)
        self.statements = list[tuple[str, list[Any]]]()
        self.batch_rows = 5_000
        self.takes_parameters = True
        self.prepared = 0
        self._decoy = decoy
        self._prepared = dict[bytes, Prepared]()
        self._answers = dict[bytes, pa.RecordBatchReader]()

    def get_flight_info(self, context: Any, descriptor: Any) -> flight.FlightInfo:
        name, fields = unpacked(descriptor.command)
        if name == "CommandStatementQuery":
            reader = self._run(fields[1].decode(), [])
        elif name == "CommandPreparedStatementQuery":
            prepared = self._prepared[fields[1]]
            reader = self._run(prepared.text, prepared.values)
        elif name == "CommandGetSqlInfo":
            reader = _sql_info().to_reader()
        else:
            raise NotImplementedError(name)
        handle = secrets.token_bytes(8)
        self._answers[handle] = reader
        places = [] if name == "CommandGetSqlInfo" else [self._decoy]  # that one the driver follows by itself
        ticket = flight.Ticket(packed("TicketStatementQuery", {1: handle}))
        return flight.FlightInfo(reader.schema, descriptor, [flight.FlightEndpoint(ticket, places)], -1, -1)

    def do_get(self, context: Any, ticket: Any) -> flight.RecordBatchStream:
        _, fields = unpacked(ticket.ticket)
        return flight.RecordBatchStream(self._answers.pop(fields[1]))

    def do_action(self, context: Any, action: Any) -> Iterator[bytes]:
        name, fields = unpacked(action.body.to_pybytes())
        if action.type == "CreatePreparedStatement":
            if not self.takes_parameters:
                raise NotImplementedError("parameterized queries are not supported")
            handle = secrets.token_bytes(8)
            self.prepared += 1
            self._prepared[handle] = Prepared(fields[1].decode())
            yield packed("ActionCreatePreparedStatementResult", {1: handle})
        elif action.type == "ClosePreparedStatement":
            self._prepared.pop(fields[1])
        else:
            raise NotImplementedError(f"{action.type} {name}")

    def do_put(self, context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        _, fields = unpacked(descriptor.command)
        [row] = reader.read_all().to_pylist()
        self._prepared[fields[1]].values = list(row.values())

    def _run(self, text: str, values: list[Any]) -> pa.RecordBatchReader:
        session = self.data.cursor()
        session.execute("SET TimeZone = 'Europe/Brussels'")  # each cursor is a session
        self.statements.append((text, values))
        try:
            if '."Fermé"' in text:
                raise flight.FlightUnauthorizedError("insufficient privileges")
            return session.execute(text, values).to_arrow_reader(self.batch_rows)
        except duckdb.Error as error:
            raise pa.ArrowInvalid(str(error)) from error


def _sql_info() -> pa.Table:
    """Say that there are no transactions: FLIGHT_SQL_SERVER_TRANSACTION (8) is none (0)."""
    kinds = (("string_value", pa.string()), ("bool_value", pa.bool_()), ("bigint_value", pa.int64()), ("int32_bitmask", pa.int32()))
    lists = (("string_list", pa.list_(pa.string())), ("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32()))))
    children = [pa.array([0] if name == "int32_bitmask" else [], kind) for name, kind in (*kinds, *lists)]
    names = [name for name, _ in (*kinds, *lists)]
    union = pa.UnionArray.from_dense(pa.array([3], pa.int8()), pa.array([0], pa.int32()), children, names)
    schema = pa.schema([pa.field("info_name", pa.uint32(), nullable=False), pa.field("value", union.type, nullable=False)])
    return pa.Table.from_arrays([pa.array([8], pa.uint32()), union], schema=schema)


class Wire:
    """A port in front of a server that hands bytes on until `after` of them have come from the server; then it `ends`: cut, or silent."""

    def __init__(self, port: int, *, after: int, ends: str) -> None:
        self._to, self._after, self._ends = port, after, ends
        self._sockets = list[socket.socket]()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.passed = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [near, far]
                threading.Thread(target=self._hand_on, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._hand_on, args=(far, near, True), daemon=True).start()

    def _hand_on(self, source: socket.socket, to: socket.socket, is_counted: bool) -> None:
        with suppress(OSError):
            while data := source.recv(16_384):
                if is_counted and self.passed + len(data) > self._after:
                    return self._end()
                self.passed += len(data) if is_counted else 0
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        return None

    def _end(self) -> None:
        if self._ends == "silent":
            time.sleep(30)
        self.close()

    def close(self) -> None:
        for one in (self._listener, *self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def decoy() -> Iterator[tuple[str, list[int]]]:
    """Yield the address of a place where nobody must go, and a list with an entry for each who came."""
    came: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def watch() -> None:
            with suppress(OSError):
                while True:
                    found, _ = listener.accept()
                    came.append(1)
                    found.close()

        threading.Thread(target=watch, daemon=True).start()
        yield f"grpc+tcp://127.0.0.1:{listener.getsockname()[1]}", came
        listener.shutdown(socket.SHUT_RDWR)
