"""The processes of a running federation: PostgreSQL, a code server per domain, the pages, the daemon."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import psutil

from polyceph.bootstrap.platform import Platform, open_platform
from polyceph.bootstrap.processes import passed_environment
from polyceph.errors import Conflict, Misconfigured, PolycephError, Unavailable
from polyceph.logs import log
from polyceph.orchestrate import child, code_keys, confinement, environments, instance
from polyceph.orchestrate.launcher import DagsterLauncher
from polyceph.orchestrate.supervisor import Service, Supervisor
from polyceph.settings import Settings

_READY_S = 180.0
Heard = Callable[[str], None]
Prepare = Callable[[Platform, Supervisor], None]
WEB, DAEMON = "web", "daemon"


@dataclass(frozen=True)
class Running:
    """A federation whose processes run. `left_out` says, by domain, why a domain could not be started."""

    platform: Platform
    supervisor: Supervisor
    launcher: DagsterLauncher
    address: str
    left_out: Mapping[str, str]
    held: IO[str]
    """The lock by which no second process runs this federation."""

    def stop(self) -> None:
        """Stop every process, PostgreSQL last; a second Ctrl-C does not interrupt it."""
        _stop(self.platform.settings, self.supervisor, self.platform, self.held)

    def record(self) -> None:
        """Record what happened since the last time; what cannot be recorded now is tried again at the next call."""
        known = self.platform
        taken = (known.record_readings, known.record_drifts, known.record_emergencies, known.journal.seal)
        for step in (known.record_snapshots, lambda: known.record_runs(self.launcher), *taken):
            try:
                step()
            except PolycephError as error:
                log.warning("not recorded yet: %s", error.message)


def start(settings: Settings, *, heard: Heard, prepare: Prepare | None = None) -> Running:
    """Start everything that the federation needs on this machine; `heard` is told each step.

    `prepare` is called once PostgreSQL is up and before anything reads a source; it may start services of its own.

    A domain whose declarations or environment are broken is left out and named; the others start.

    Raises:
        Conflict: this federation runs already.
        Invalid: what is broken concerns the federation as a whole.
    """
    held = _hold(settings)
    supervisor = Supervisor()
    platform: Platform | None = None
    try:
        heard("PostgreSQL")
        platform = open_platform(settings)
        _make_lakes(platform, supervisor, prepare, heard=heard)
        left_out = dict(platform.left_out)
        address = _start_services(platform, supervisor, left_out, heard=heard)
        heard("code locations")
        launcher = DagsterLauncher(platform_socket(settings))
        _wait_for_locations(launcher, frozenset(platform.federation.domains) - left_out.keys(), left_out)
        running = Running(platform, supervisor, launcher, address, left_out, held)
        _write_state(settings, address=address, left_out=left_out)
    except BaseException:
        _stop(settings, supervisor, platform, held)
        raise
    return running


def _make_lakes(platform: Platform, supervisor: Supervisor, prepare: Prepare | None, *, heard: Heard) -> None:
    """Make the lakes; what `prepare` has to do is done meanwhile."""
    heard("lakes" if prepare is None else "lakes and sources")
    with ThreadPoolExecutor(1) as beside:
        # Not the other way round: a service ends with the thread that started it.
        made = beside.submit(platform.provision_lakes)
        if prepare is not None:
            prepare(platform, supervisor)
        made.result()


def _hold(settings: Settings) -> IO[str]:
    """Take the federation's lock for the life of this process and say that it is starting; raise `Conflict` when it is taken."""
    refuse_second_start(settings)
    state = settings.state()
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o711 if os.getuid() == 0 else 0o700)  # under root the database's own account must pass through
    held = (state / "up.lock").open("a")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise Conflict("another process is starting or stopping this federation", hint="wait a moment, or see polyceph status") from None
    _write_state(settings, address=None, left_out={})
    return held


def _stop(settings: Settings, supervisor: Supervisor, platform: Platform | None, held: IO[str]) -> None:
    """Stop what runs, whatever fails on the way."""
    with _undisturbed():
        try:
            supervisor.stop()
        finally:
            try:
                state_file(settings).unlink(missing_ok=True)
                if platform is not None:
                    platform.close()
            finally:
                held.close()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Be deaf to a second Ctrl-C meanwhile; afterwards signals do what they did, also to the processes that are started then."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _start_services(platform: Platform, supervisor: Supervisor, left_out: dict[str, str], *, heard: Heard) -> str:
    settings = platform.settings
    state, home = settings.state(), settings.state() / "dagster"
    instance.write_instance(home)
    own = {**passed_environment(), **platform.server_environment(), **instance.instance_environment(home, platform.dagster)}
    instance.prepare_storage(home, own)
    address = _web_address(settings)
    folder = socket_folder(state)
    code_keys.make_places(folder, platform.federation.domains)
    is_confined = confinement.applies(settings, child.level())
    started: list[str] = []
    sockets = {name: code_keys.socket_of(folder, name) for name in platform.federation.domains}
    for name in sorted(platform.federation.domains.keys() - left_out.keys()):
        heard(f"code server of {name}")
        try:
            supervisor.start(_code_server(platform, name, sockets[name], is_confined=is_confined))
            started.append(name)
        except PolycephError as error:
            left_out[name] = str(error)
    workspace = home / "workspace.yaml"
    instance.write_workspace(workspace, {name: sockets[name] for name in started})
    _wait_for_code(supervisor, started, settings.limits.load_seconds, left_out)
    heard("pages and daemon")
    python, logs = Path(sys.executable), state / "logs"
    web = instance.web_command(python, workspace, socket=platform_socket(settings))
    serving = {**own, **platform.serving_environment(port=int(address.rpartition(":")[2]))}
    supervisor.start(Service(WEB, web, serving, logs / "web.log", home, lambda: _answers(address)))
    supervisor.start(Service(DAEMON, instance.daemon_command(python, workspace), own, logs / "daemon.log", home, lambda: True))
    supervisor.wait_ready(WEB, seconds=_READY_S)
    return address


def _code_server(platform: Platform, name: str, path: Path, *, is_confined: bool) -> Service:
    settings = platform.settings
    home, own = settings.state() / "dagster", path.parent
    folder = settings.federation.resolve() / platform.federation.domains[name].folder
    python = environments.python_of(settings.state(), folder, name)
    environment = {**platform.domain_environment(name), **instance.instance_environment(home, platform.dagster, name)}
    environment |= {code_keys.VARIABLE: str(code_keys.key_of(path)), "TMPDIR": str(own / "tmp"), "HOME": str(own / "tmp")}
    environment["PATH"] = f"{python.parent}:{Path(sys.executable).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}"
    path.unlink(missing_ok=True)
    grounds = confinement.Grounds(platform, socket_folder(settings.state()))
    rules = confinement.write_rules(grounds, name, python, environment) if is_confined else None
    return Service(
        _location(name),
        instance.code_server_command(python, path, name),
        environment,
        settings.state() / "logs" / f"{name}.log",
        folder,
        lambda: _accepts(path),
        settings.limits.process_memory_mb,
        rules,
    )


def _wait_for_code(supervisor: Supervisor, started: list[str], seconds: float, left_out: dict[str, str]) -> None:
    """Wait until each code server has loaded its code or given up; one that cannot is named and goes on being tried."""
    end = time.monotonic() + seconds
    for name in started:
        try:
            supervisor.wait_ready(_location(name), seconds=max(1.0, end - time.monotonic()))
        except Unavailable as error:
            left_out[name] = str(error)


def _location(domain: str) -> str:
    return f"code server of {domain}"


def _wait_for_locations(launcher: DagsterLauncher, wanted: frozenset[str], left_out: dict[str, str]) -> None:
    """Wait until every location is loaded or has said why not; one that cannot load does not stop the start."""
    end = time.monotonic() + _READY_S
    found: dict[str, str | None] = {}
    while time.monotonic() < end:
        found = launcher.locations()
        if wanted <= found.keys() and "still loading" not in found.values():
            break
        time.sleep(0.3)
    left_out.update({name: reason for name, reason in found.items() if reason is not None})
    left_out.update(dict.fromkeys(wanted - found.keys(), "its code server did not answer"))


def state_file(settings: Settings) -> Path:
    """Return the file that says under which process this federation runs."""
    return settings.state() / "running.json"


def running_process(settings: Settings) -> tuple[psutil.Process, dict[str, object]] | None:
    """Return the process under which the federation runs and what it wrote about itself, None when it does not run."""
    path = state_file(settings)
    if not path.exists():
        return None
    known = json.loads(path.read_text())
    try:
        process = psutil.Process(int(known["pid"]))
        alive = abs(process.create_time() - float(known["created"])) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return (process, known) if alive else None


def refuse_second_start(settings: Settings) -> None:
    """Raise `Conflict` when the federation runs already."""
    found = running_process(settings)
    if found is not None:
        process, known = found
        where = known["address"] or "still starting"
        raise Conflict(f"this federation runs already (process {process.pid}, {where})", hint="stop it with polyceph down")


def launcher_of(settings: Settings) -> DagsterLauncher:
    """Return a launcher for the running federation; raise `Unavailable` when it does not run."""
    found = running_process(settings)
    if found is None:
        raise Unavailable("this federation does not run", hint="start it with polyceph up")
    if found[1]["address"] is None:
        raise Unavailable("this federation is still starting", hint="wait until polyceph status says that it runs")
    return DagsterLauncher(platform_socket(settings))


def platform_socket(settings: Settings) -> Path:
    """Return the socket over which the platform itself reaches Dagster."""
    return socket_folder(settings.state()) / "platform.socket"


def _write_state(settings: Settings, *, address: str | None, left_out: Mapping[str, str]) -> None:
    """Write under which process the federation runs; an address of None says that it is still starting."""
    process = psutil.Process()
    known = {"pid": process.pid, "created": process.create_time(), "address": address, "left_out": dict(left_out)}
    fresh = state_file(settings).with_suffix(".new")
    fresh.write_text(json.dumps(known, indent=1))
    fresh.replace(state_file(settings))


def socket_folder(state: Path) -> Path:
    """Return a short private folder for sockets: a Unix socket's path may hold 107 bytes only.

    A folder that another account made is never used.
    """
    name = hashlib.sha256(str(state).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"polyceph-{os.getuid()}-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Misconfigured(f"{folder} belongs to another account", hint="remove it, or set TMPDIR to a folder of your own")
    folder.chmod(0o700)
    return folder


def _web_address(settings: Settings) -> str:
    """Return where the pages will be; raise `Conflict` when something else does already."""
    host, port = settings.web.host, settings.web.port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            hint = "set POLYCEPH_WEB__PORT to another port, or to 0 for any free one"
            raise Conflict(f"port {port} of {host} is taken by another program", hint=hint) from error
        return f"http://{host}:{probe.getsockname()[1]}"


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/sign-in", timeout=5.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
