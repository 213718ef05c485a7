"""What a domain's processes may touch on this machine: the rules that `child` gives the kernel, and whether the kernel can hold them.

Only what is named here can be opened: no secret of the platform, no folder, lake or environment of another domain.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import polyceph
from polyceph.bootstrap.declared import lake_address
from polyceph.bootstrap.platform import Platform
from polyceph.bootstrap.processes import variables_named_in
from polyceph.core.model.dataset import Zone
from polyceph.core.model.domain import Domain
from polyceph.errors import Misconfigured
from polyceph.logs import log
from polyceph.orchestrate import child
from polyceph.orchestrate.code_keys import place_of
from polyceph.settings import Settings

Rule = tuple[str, str]
"""A word of `child.RIGHTS` and a path."""

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/nix/store", "/proc", "/sys", "/run/systemd/resolve")
_MADE_AS = ("{}", "{}__dbt_tmp")
"""Folders of a dataset's files: DuckLake names them after the table when it is made, and dbt makes tables under another name."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108  Python's multiprocessing keeps its semaphores there


@dataclass(frozen=True)
class Grounds:
    """Where a federation's things are on this machine: `sockets` is the folder of `services.socket_folder`."""

    platform: Platform
    sockets: Path

    @property
    def guarded(self) -> tuple[Path, ...]:
        """Return the folders of which a domain sees only its own part, whatever else is opened to it."""
        settings = self.platform.settings
        own = (settings.state(), settings.federation.resolve(), self.sockets)
        lakes = [Path(self._lake(name)).parent for name in self.platform.federation.domains if "://" not in self._lake(name)]
        return tuple(dict.fromkeys((*own, *lakes)))

    def lake_folder(self, domain: str) -> Path | None:
        """Return the folder of a domain's lake, None when it is not on this machine."""
        return None if "://" in self._lake(domain) else Path(self._lake(domain))

    def _lake(self, domain: str) -> str:
        known = self.platform
        return lake_address(known.settings, known.federation, domain, known.addresses.dagster).data_path


def applies(settings: Settings, level: int) -> bool:
    """Tell whether domains are confined on a machine whose kernel offers this level of Landlock; the log says when they are not.

    Raises:
        Misconfigured: the settings require what the kernel does not offer.
    """
    if settings.confinement == "off":
        log.warning("domains are not confined, for POLYCEPH_CONFINEMENT is off: their code can read what the platform's account can")
        return False
    if level:
        return True
    if settings.confinement == "required":
        raise Misconfigured(
            "this kernel has no Landlock, so domains cannot be confined, and POLYCEPH_CONFINEMENT requires it",
            hint="use Linux 5.13 or newer with landlock among its security modules (the kernel's option lsm=), or set it to when-possible",
        )
    log.warning("domains are NOT confined: this kernel has no Landlock (Linux 5.13 or newer); their code can read what this account can")
    return False


def described(settings: Settings) -> str:
    """Return in a few words how domains are held apart on this machine."""
    if settings.confinement == "off":
        return "off: domains can read each other's files"
    found = child.level()
    return f"Landlock level {found}" if found else "impossible: this kernel has no Landlock; domains can read each other's files"


def write_rules(grounds: Grounds, domain: str, python: Path, environment: Mapping[str, str]) -> Path:
    """Make a domain's own folders, write the rules of its processes and return the file."""
    settings = grounds.platform.settings
    own = _own(grounds, domain)
    for folder in own:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state, federation = settings.state(), settings.federation.resolve()
    shared = (python.parent.parent, state / "extensions", state / "dagster/dagster.yaml", federation / "federation.yaml")
    rules = [
        *_system(grounds.guarded),
        *(("read", str(path)) for path in shared),
        ("list", str(federation / "domains")),
        *(("write", str(path)) for path in (*own, federation / grounds.platform.federation.domains[domain].folder)),
        *(("read", str(path)) for path in _consumed(grounds, domain)),
        *_named(grounds, domain, environment),
        *(("read", str(path)) for path in outside(settings.readable, grounds.guarded)),
    ]
    file = state / "confinement" / f"{domain}.json"
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.write_text(json.dumps(rules, indent=1), encoding="utf-8")
    return file


def own_folders(settings: Settings, domain: str) -> dict[str, Path]:
    """Return by its use each folder of the state that is one domain's alone."""
    state = settings.state()
    return {
        "artifacts": state / "dagster/artifacts" / domain,
        "cache": state / "cache/domains" / domain,
        "dbt": state / "dbt" / domain,
        "logs": state / "dagster/logs" / domain,
        "outputs": state / "outputs" / domain,
        "shell": state / "logs/shell" / domain,
        "temporary": state / "temporary" / domain,
    }


def _own(grounds: Grounds, domain: str) -> list[Path]:
    lake = grounds.lake_folder(domain)
    return [*own_folders(grounds.platform.settings, domain).values(), place_of(grounds.sockets, domain), *([lake] if lake else [])]


def _consumed(grounds: Grounds, domain: str) -> Iterator[Path]:
    """Yield the folders of the datasets that a domain declares to consume, and what their domains declare."""
    root = grounds.platform.settings.federation.resolve() / "domains"
    for dataset in grounds.platform.federation.domains[domain].consumes:
        lake = grounds.lake_folder(dataset.domain)
        if lake is not None and dataset.zone is not Zone.OUTPUT:
            for made_as in _MADE_AS:
                folder = lake / str(dataset.zone) / made_as.format(dataset.name)
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # a rule is about what exists; its owner may not have run yet
                yield folder
        yield from (root / dataset.domain / "domain.yaml", root / dataset.domain / "contracts")


def _named(grounds: Grounds, domain: str, environment: Mapping[str, str]) -> Iterator[Rule]:
    """Yield rules for what an administrator names by its path in a domain's environment.

    Shares of its sources may have an archive to write to; certificates and files of secrets are read.
    """
    declared: Domain = grounds.platform.federation.domains[domain]
    shares = variables_named_in([one.options for one in declared.sources.values()], environment)
    for name, value in environment.items():
        if value.startswith("/") and "\0" not in value and Path(value).exists():
            yield from (("write" if name in shares else "read", str(path)) for path in _unguarded(Path(value).resolve(), grounds))


def _unguarded(path: Path, grounds: Grounds) -> Iterator[Path]:
    """Yield a path unless it is, holds or lies in what other domains or the platform have; a share beside the domains may be named."""
    settings = grounds.platform.settings
    federation = settings.federation.resolve()
    kept = [
        *(one for one in grounds.guarded if one != federation),
        federation / "domains",
        federation / "federation.yaml",
        federation / ".git",
    ]
    if not any(path.is_relative_to(one) or one.is_relative_to(path) for one in kept):
        yield path


def _system(guarded: Sequence[Path]) -> list[Rule]:
    devices = [("use", path) for path in _DEVICES]
    return [*devices, ("write", _SHARED_MEMORY), *(("read", str(path)) for path in outside(_programs(), guarded))]


def _programs() -> Iterator[Path]:
    """Yield where the system, Python and the platform's packages are."""
    yield from map(Path, _SYSTEM)
    yield from public_in(Path("/etc"))
    yield from {Path(prefix) for prefix in (sys.prefix, sys.base_prefix)}
    packages = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib", "stdlib")}
    yield from packages
    yield Path(polyceph.__path__[0])
    for line in (line for folder in packages for file in folder.glob("*.pth") for line in file.read_text(errors="replace").splitlines()):
        if line.startswith("/") and Path(line).is_dir():
            yield Path(line)  # a package installed to be edited


def outside(paths: Iterable[Path], guarded: Sequence[Path]) -> Iterator[Path]:
    """Yield the paths; of one that holds a guarded folder only what is beside that folder."""
    for path in paths:
        real = path.resolve()
        if any(real.is_relative_to(one) for one in guarded) or not real.exists():
            continue
        if any(one.is_relative_to(real) for one in guarded):
            yield from outside(sorted(real.iterdir()), guarded)
        else:
            yield real


@cache
def public_in(folder: Path) -> tuple[Path, ...]:
    """Return what everybody may read in a folder: root, who reads everything, is to see no more of `/etc` than others do."""
    found: list[Path] = []
    whole = True
    for entry in os.scandir(folder):
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            continue
        if stat.S_ISDIR(mode) and mode & 0o005 == 0o005:
            inner = public_in(Path(entry.path))
            whole &= inner == (Path(entry.path),)
            found.extend(inner)
        elif stat.S_ISREG(mode) and mode & 0o004:
            found.append(Path(entry.path))
        else:
            whole = False
    return (folder,) if whole else tuple(found)
