"""A way to a server that drips, or leads nowhere: TCP, whatever is spoken through it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HOST = "127.0.0.1"
_PIECE, _PAUSE_S = 256, 0.002


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def silent() -> Iterator[int]:
    """Listen, take what comes, and never say a word."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen(64)
        yield listening.getsockname()[1]


@contextmanager
def dripping(target: int) -> Iterator[int]:
    """Lead to a server of this machine; its answers come in small pieces."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen(64)
        threading.Thread(target=_accept, args=(listening, target), daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.close()


def _accept(listening: socket.socket, target: int) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            server = socket.create_connection((HOST, target))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_pass, args=(client, server), daemon=True).start()
            threading.Thread(target=_drip, args=(server, client), daemon=True).start()


def _pass(giver: socket.socket, taker: socket.socket) -> None:
    with suppress(OSError):
        while piece := giver.recv(65_536):
            taker.sendall(piece)
    _end(taker)


def _drip(giver: socket.socket, taker: socket.socket) -> None:
    with suppress(OSError):
        while piece := giver.recv(_PIECE):
            taker.sendall(piece)
            time.sleep(_PAUSE_S)
    _end(taker)


def _end(taker: socket.socket) -> None:
    with suppress(OSError):
        taker.shutdown(socket.SHUT_WR)
