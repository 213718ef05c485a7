"""A real HTTP server for tests: each path answers with what the test wrote down for it, faults included, and keeps what it was asked."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, list[str]]
    raw_query: str
    headers: Mapping[str, str]
    body: bytes
    at: float


@dataclass
class Answer:
    """What goes back. `cut` closes after so many bytes, `reset` answers nothing; `silent_s` waits first, `drip_s` after each byte."""

    body: bytes = b"[]"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False
    silent_s: float = 0.0
    drip_s: float = 0.0


Answering = Callable[[Asked], Answer]


@dataclass
class Faulty:
    """The server: its address, what it was asked, and what it answers by path."""

    url: str
    port: int
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, list[Answer] | Answering] = field(default_factory=dict)

    def on(self, path: str, *answers: Answer) -> None:
        """Answer a path in turn; the last answer stays."""
        self.answers[path] = list(answers)

    def by(self, path: str, answering: Answering) -> None:
        """Answer a path by what is asked."""
        self.answers[path] = answering

    def paths(self) -> list[str]:
        """Return the paths that were asked for, oldest first."""
        return [one.path for one in self.asked]

    def answer(self, asked: Asked) -> Answer:
        """Return what goes back."""
        found = self.answers.get(asked.path)
        if found is None:
            return Answer(b"{}", 404)
        if callable(found):
            return found(asked)
        return found.pop(0) if len(found) > 1 else found[0]


def doc(content: Any, **more: Any) -> Answer:
    """Return an answer with a JSON document."""
    return Answer(json.dumps(content).encode(), **more)


@contextmanager
def serving(context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[Faulty]:
    """Serve on a free port of this machine until the end of the block."""
    server = _Server((host, 0), _Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    port = server.server_address[1]
    found = Faulty(f"{'https' if context else 'http'}://{host}:{port}", port)
    server.found = found  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  the tests break connections on purpose
        return


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        found: Faulty = self.server.found  # type: ignore[attr-defined]
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, parts.path, parse_qs(parts.query), parts.query, dict(self.headers.items()), body, time.monotonic())
        found.asked.append(asked)
        self._give(found.answer(asked))

    def do_POST(self) -> None:
        self.do_GET()

    def _give(self, answer: Answer) -> None:
        time.sleep(answer.silent_s)
        if answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        body = answer.body if answer.cut is None else answer.body[: answer.cut]
        try:
            if answer.drip_s:
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(answer.drip_s)
            else:
                self.wfile.write(body)
        except OSError:
            self.close_connection = True
        if answer.cut is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002  http.server's signature
        return
