"""The code server of a domain: Dagster's own, behind a key. The domain's interpreter runs this, so it imports little of ours.

Dagster's code servers have no sign-in, and all domains run under one account: without a key any domain could ask another's server
to launch runs, to evaluate its sensors, to stop.
"""

from __future__ import annotations

import argparse
import hmac
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from dagster._core.origin import get_python_environment_entry_point
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.utils import FuturesAwareThreadPoolExecutor
from dagster._grpc.__generated__.dagster_api_pb2_grpc import add_DagsterApiServicer_to_server
from dagster._grpc.server import DagsterApiServer, DagsterGrpcServer
from dagster._grpc.utils import max_rx_bytes, max_send_bytes
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster._utils.log import configure_loggers
from grpc_health.v1 import health, health_pb2_grpc

from polyceph.orchestrate.code_keys import HEADER, VARIABLE

LOCATION = "polyceph.orchestrate.location"


class KeyRequired(grpc.ServerInterceptor):  # type: ignore[misc]
    """Refuses every call, whatever its method, that does not carry the key."""

    def __init__(self, key: str) -> None:
        if not key:
            raise ValueError("a code server without a key would answer everybody")
        self._key = key.encode()
        self._refusal = grpc.unary_unary_rpc_method_handler(_refuse)

    def intercept_service(self, continuation: Callable[..., Any], handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Let a call through when its metadata hold the key."""
        given = dict(handler_call_details.invocation_metadata or ()).get(HEADER, "")
        held = given if isinstance(given, bytes) else given.encode()
        return continuation(handler_call_details) if hmac.compare_digest(held, self._key) else self._refusal


class KeyedServer(DagsterGrpcServer):
    """Dagster's server on a Unix socket with the key asked for before any of its methods; its own constructor takes no interceptor."""

    def __init__(
        self, servicer: DagsterApiServer, *, socket: Path, key: str, pool: FuturesAwareThreadPoolExecutor, stop: threading.Event
    ) -> None:
        self._logger = logging.getLogger("dagster.code_server")
        self._enable_metrics = False
        self._threadpool_executor = pool
        self._server_termination_event = stop
        self._api_servicer = servicer
        self._health_servicer = health.HealthServicer()
        sizes = [("grpc.max_send_message_length", max_send_bytes()), ("grpc.max_receive_message_length", max_rx_bytes())]
        self.server = grpc.server(pool, interceptors=(KeyRequired(key),), compression=grpc.Compression.Gzip, options=sizes)
        health_pb2_grpc.add_HealthServicer_to_server(self._health_servicer, self.server)
        add_DagsterApiServicer_to_server(servicer, self.server)  # type: ignore[no-untyped-call]
        if self.server.add_insecure_port(f"unix:{socket}") != 1:
            raise OSError(f"the code server cannot listen at {socket}")


def _refuse(_request: Any, context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "this code server answers to the platform alone")


def serve(socket: Path, location: str, key: str, *, module: str = LOCATION) -> None:
    """Serve the definitions of a module as a code location until told to stop; answers even when the domain's code does not import."""
    setup_interrupt_handlers()
    configure_loggers(formatter="colored", log_level="WARNING")
    stop, pool = threading.Event(), FuturesAwareThreadPoolExecutor()
    servicer = DagsterApiServer(
        server_termination_event=stop,
        logger=logging.getLogger("dagster.code_server"),
        server_threadpool_executor=pool,
        loadable_target_origin=LoadableTargetOrigin(executable_path=sys.executable, working_directory=str(Path.cwd()), module_name=module),
        lazy_load_user_code=True,
        entry_point=get_python_environment_entry_point(sys.executable),
        location_name=location,
    )
    try:
        KeyedServer(servicer, socket=socket, key=key, pool=pool, stop=stop).serve()  # type: ignore[no-untyped-call]
    except KeyboardInterrupt:
        logging.getLogger("dagster.code_server").info("stopped")


def main(arguments: list[str]) -> None:
    """Run the command; the key comes in the environment and leaves it before any code of the domain is loaded."""
    parser = argparse.ArgumentParser(prog="polyceph.orchestrate.code_server", description="The code server of a domain.")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--location", required=True)
    parser.add_argument("--module", default=LOCATION, help="where its definitions are")
    asked = parser.parse_args(arguments)
    serve(asked.socket, asked.location, os.environ.pop(VARIABLE), module=asked.module)


if __name__ == "__main__":
    main(sys.argv[1:])
