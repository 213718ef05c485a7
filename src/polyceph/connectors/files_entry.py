"""Entering the place of a source: which file system, with which secrets, and how its server is known to be the right one."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import fsspec
from fsspec.asyn import sync
from fsspec.core import url_to_fs

from polyceph.connectors.environment import FromEnvironment
from polyceph.connectors.files_ftp import FtpFiles
from polyceph.connectors.files_options import FilesSource
from polyceph.connectors.files_places import FilePlace, Place, refused
from polyceph.connectors.files_web import WebPlace
from polyceph.connectors.web.egress import Egress
from polyceph.connectors.web.options import BasicAuth, NoAuth, WebSource
from polyceph.sdk import Invalid, Misconfigured, PolycephError, Unavailable, secret

_OBJECT_STORES = ("s3", "s3a", "az", "abfs", "abfss", "gs", "gcs")


def place_of(source: FilesSource, base: Path) -> Place:
    """Return the place of a source; local folders start at `base`.

    Raises:
        Misconfigured: a secret is not set, a host key is not declared, or the server is not the declared one.
        Invalid: the address has a scheme that is not installed.
        Denied, Unavailable: the server cannot be entered, or a folder that should be mounted is not.
    """
    folder = source.local_folder()
    if folder is not None:
        return _folder(folder, base, must_be_mounted=source.mounted)
    url = source.address()
    scheme = url.split("://", 1)[0]
    if scheme in ("http", "https"):
        return WebPlace(_web(source, url), base, source.disk_limit_mb << 20)
    try:
        if scheme in ("ftp", "ftps"):
            return _ftp(source, urlsplit(url), base)
        if scheme == "sftp":
            return _sftp(source, urlsplit(url))
        # Listings are never cached: the next file may have just arrived.
        system, root = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True, **source.entry())
    except PolycephError:
        raise
    except ssl.SSLError as error:  # a ValueError too
        raise refused(error, url, url) from error
    except (ValueError, ImportError) as error:
        raise Invalid(
            f"url {url} cannot be opened: {str(error).splitlines()[0]}", hint="install the extra of that storage: s3, azure or sftp"
        ) from error
    except Exception as error:  # each library raises errors of its own
        if isinstance(error, PermissionError) or type(error).__name__ == "error_perm":
            raise Misconfigured(f"{url} does not accept our sign-in", hint="check user, password or key") from error
        raise refused(error, url, url) from error
    protocols = system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)
    return FilePlace(system, str(root), url, "file" in protocols, system.mv, has_folders=scheme not in _OBJECT_STORES)


def _folder(folder: str, base: Path, *, must_be_mounted: bool) -> FilePlace:
    root = (base / folder).resolve()
    if must_be_mounted and not any(os.path.ismount(one) for one in (root, *root.parents) if one != Path("/")):
        raise Unavailable(f"folder {folder} is not mounted", hint="mount the share, or leave out mounted")
    system = fsspec.filesystem("file")
    return FilePlace(system, str(root), folder, is_local=True, rename=_renamed)


def _renamed(old: str, new: str) -> None:
    Path(old).rename(new)  # in one step, which a copy is not


def _web(source: FilesSource, url: str) -> WebSource:
    auth: NoAuth | BasicAuth = NoAuth()
    if source.key_env and source.secret_env:
        auth = BasicAuth(kind="basic", user_env=source.key_env, password_env=source.secret_env)
    return WebSource(url=url, auth=auth, hosts=source.hosts, authority=source.authority, timeout_s=source.timeout_s)


def _checked_host(parts: SplitResult, port: int) -> tuple[str, int]:
    """Return host and port; refuse a name that answers with an address which no source may have."""
    host, found = parts.hostname or "", parts.port or port
    try:
        Egress([host]).resolve(host, found)
    except OSError as error:
        raise Unavailable(f"{host} is not known", hint="check url and the name server") from error
    return host, found


class _FtpPlace(FilePlace):
    """Files come in one stream."""

    def _receive(self, path: str, take: Callable[[bytes], None]) -> None:
        self.system.receive(path, take)


def _ftp(source: FilesSource, parts: SplitResult, base: Path) -> FilePlace:
    host, port = _checked_host(parts, 21)
    context = None
    if parts.scheme == "ftps":
        try:
            context = ssl.create_default_context(cafile=str(base / source.authority_file()) if source.authority else None)
        except OSError as error:
            raise Misconfigured("the authority of the source cannot be read", hint="name a PEM file") from error
    user, word = source.sign_in()
    system = FtpFiles(
        host,
        context=context,
        port=port,
        username=user,
        password=word,
        timeout=source.timeout_s,
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    return _FtpPlace(system, unquote(parts.path) or "/", f"{parts.scheme}://{host}:{port}{parts.path}", False, system.mv)


def _sftp(source: FilesSource, parts: SplitResult) -> FilePlace:
    host, port = _checked_host(parts, 22)
    shown = f"sftp://{host}:{port}{parts.path}"
    if source.host_key is None:
        raise Misconfigured(f"{shown} needs host_key, the server's public key", hint="ask its owner; ssh-keyscan shows what answers now")
    try:
        import asyncssh  # the extra sftp
        from sshfs import SSHFileSystem
    except ImportError as error:
        raise Misconfigured("SFTP is not installed", hint="install polyceph with its extra: polyceph[sftp]") from error
    key = source.host_key.value() if isinstance(source.host_key, FromEnvironment) else source.host_key
    user, word = source.sign_in()
    try:
        known = asyncssh.import_known_hosts(f"[{host}]:{port} {key}\n" if port != 22 else f"{host} {key}\n")
        keys = _private_keys(source, asyncssh)
    except ValueError as error:
        raise Misconfigured("host_key or the private key cannot be read", hint="host_key is e.g. ssh-ed25519 AAAA…") from error
    # Nothing of the account that runs us is used: no configuration, no agent, no keys of its own.
    own = {"config": None, "agent_path": None, "client_keys": keys, "gss_host": (), "login_timeout": source.timeout_s}
    system = SSHFileSystem(
        host,
        port=port,
        username=user,
        password=word,
        known_hosts=known,
        skip_instance_cache=True,
        **own,
    )

    async def rename(old: str, new: str) -> None:
        # sshfs falls back on a shell and then removes the file even when nothing was copied.
        async with system.client.start_sftp_client() as client:
            await client.rename(old, new)

    return FilePlace(system, unquote(parts.path) or "/", shown, False, lambda old, new: sync(system.loop, rename, old, new))


def _private_keys(source: FilesSource, asyncssh: Any) -> list[Any] | None:
    if source.private_key_env is None:
        return None
    phrase = secret(source.passphrase_env).get_secret_value() if source.passphrase_env else None
    return [asyncssh.import_private_key(secret(source.private_key_env).get_secret_value(), phrase)]
