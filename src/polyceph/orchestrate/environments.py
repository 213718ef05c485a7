"""One Python environment per domain: the platform's packages below, the domain's own on top and first.

An overlay costs milliseconds where nothing of its own is asked for, and lets a domain pin another version of anything.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from polyceph.errors import Misconfigured

_SHOWN_LINES = 15


def python_of(state: Path, folder: Path, name: str) -> Path:
    """Return the interpreter of a domain's environment, made when it has no packages of its own.

    Raises:
        Misconfigured: the domain's `requirements.txt` is new or changed; installing is a step of its own, never done at run time.
    """
    root = _root(state, name)
    if _wanted(folder) != _have(root):
        if (folder / "requirements.txt").exists():
            raise Misconfigured(
                f"the environment of {name} does not hold what its requirements.txt asks for", hint=f"run polyceph domain install {name}"
            )
        install(state, folder, name)
    return root / "bin" / "python"


def install(state: Path, folder: Path, name: str) -> Path:
    """Make the domain's environment anew from its locked `requirements.txt` (hashes required) and return its folder."""
    root = _root(state, name)
    shutil.rmtree(root, ignore_errors=True)
    venv.EnvBuilder(symlinks=True, with_pip=False).create(root)
    _see_platform(root)
    lock = folder / "requirements.txt"
    if lock.exists():
        _sync(root, lock, name)
    (root / "digest").write_text(_wanted(folder))
    return root


def _root(state: Path, name: str) -> Path:
    return state / "environments" / name


def _wanted(folder: Path) -> str:
    lock = folder / "requirements.txt"
    own = lock.read_bytes() if lock.exists() else b""
    return hashlib.sha256(own + sys.executable.encode() + sys.version.encode()).hexdigest()


def _have(root: Path) -> str | None:
    digest = root / "digest"
    return digest.read_text() if digest.exists() else None


def _see_platform(root: Path) -> None:
    """Add the platform's packages after the environment's own; addsitedir also follows editable installations."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    line = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (root / "lib" / version / "site-packages" / "polyceph_platform.pth").write_text(line)


def _sync(root: Path, lock: Path, name: str) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{sysconfig.get_path('scripts')}") or shutil.which("uv")
    if uv is None:
        raise Misconfigured("uv is not installed", hint="install it with: python3 -m pip install uv")
    command = [uv, "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--python", str(root / "bin" / "python"), "-r", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_SHOWN_LINES:])
        raise Misconfigured(f"the packages of {name} cannot be installed:\n{said}", hint=f"mend {lock} (uv pip compile --generate-hashes)")
