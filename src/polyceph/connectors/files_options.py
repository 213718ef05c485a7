"""Options of the source `files`: where the files are, how to enter there, and what the reading of one file may take."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from polyceph.connectors.environment import FromEnvironment
from polyceph.connectors.tabular.reading import Limits
from polyceph.sdk import Misconfigured, Options, SecretName, secret


class FilesSource(Options):
    """A folder, or an address that fsspec opens."""

    folder: str | FromEnvironment | None = Field(
        default=None, description="local folder, relative to the domain's folder, or {env: NAME} of a variable that holds it"
    )
    url: str | FromEnvironment | None = Field(
        default=None,
        description="address of a folder: s3://bucket/prefix, az://container/path, sftp://host/path, ftps:// or ftp://, https://;"
        " or {env: NAME}",
    )
    key_env: SecretName | None = Field(default=None, description="variable with the access key, account or user name")
    secret_env: SecretName | None = Field(default=None, description="variable with the secret key or password")
    endpoint: str | FromEnvironment | None = Field(
        default=None, description="address of an S3 or Azure service other than the public one; or {env: NAME}"
    )
    region: str | None = Field(default=None, description="region of the S3 service")
    host_key: str | FromEnvironment | None = Field(
        default=None, description="public key of the SFTP server, ssh-ed25519 AAAA…, which is the only one accepted; or {env: NAME}"
    )
    private_key_env: SecretName | None = Field(default=None, description="variable with our private key for SFTP, as OpenSSH writes it")
    passphrase_env: SecretName | None = Field(default=None, description="variable with the passphrase of that key")
    authority: str | FromEnvironment | None = Field(
        default=None, description="PEM file with the authority that signs the server of ftps or https, where the system does not know it"
    )
    hosts: tuple[str, ...] = Field(default=(), description="other hosts to which an https server may redirect")
    mounted: bool = Field(default=False, description="the folder is a mounted share (SMB, NFS): refuse to read where nothing is mounted")
    timeout_s: float = Field(default=30, gt=0, description="how long a server of ftp, ftps, sftp or https may be silent")
    memory_limit_mb: int = Field(default=4096, ge=512, description="address space for reading one file")
    time_limit_s: int = Field(default=900, ge=1, description="processor seconds for reading one file")
    disk_limit_mb: int = Field(default=65_536, ge=1, description="size of one unpacked or converted file")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.folder is None) == (self.url is None):
            raise ValueError("give exactly one of folder and url")
        if self.folder is not None and (self.key_env or self.secret_env or self.endpoint):
            raise ValueError("a folder needs no key_env, secret_env or endpoint")
        if self.mounted and self.folder is None:
            raise ValueError("mounted is for a folder")
        if self.passphrase_env and not self.private_key_env:
            raise ValueError("passphrase_env needs private_key_env")
        if isinstance(self.url, str):
            _checked(self.url)
        return self

    def local_folder(self) -> str | None:
        """Return the folder, taken from the environment when it is declared so; raise `Misconfigured` when it is not set there."""
        return self.folder.value() if isinstance(self.folder, FromEnvironment) else self.folder

    def address(self) -> str:
        """Return the address of a source with `url`; raise `Misconfigured` when it is to come from the environment and does not."""
        if not isinstance(self.url, FromEnvironment):
            return self.url or ""
        value = self.url.value()
        try:
            return _checked(value)
        except ValueError as error:
            raise Misconfigured(f"environment variable {self.url.env}: {error}", hint=f"correct {self.url.env}") from None

    def limits(self) -> Limits:
        """Return what the reading of one file may take."""
        return Limits(self.memory_limit_mb, self.time_limit_s, self.disk_limit_mb)

    def entry(self) -> dict[str, Any]:
        """Return fsspec's arguments with the secrets filled in; hand them to fsspec, never to a log."""
        key, word = self.sign_in()
        scheme = self.address().split("://", 1)[0]
        names = {"s3": ("key", "secret"), "s3a": ("key", "secret"), "az": ("account_name", "account_key")}
        names |= {"abfs": names["az"], "abfss": names["az"]}
        first, second = names.get(scheme, ("username", "password"))
        found: dict[str, Any] = {k: v for k, v in ((first, key), (second, word)) if v is not None}
        if scheme in ("s3", "s3a"):
            endpoint = self._endpoint()
            client = {k: v for k, v in (("endpoint_url", endpoint), ("region_name", self.region)) if v is not None}
            found |= {"client_kwargs": client} if client else {}
            found |= {"config_kwargs": {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 2}}}
        elif first == "account_name" and self.endpoint is not None:
            # adlfs takes another address than Azure's own in this form only.
            parts = {"AccountName": key, "AccountKey": word, "BlobEndpoint": self._endpoint()}
            return {"connection_string": ";".join(f"{name}={value}" for name, value in parts.items() if value)}
        return found

    def sign_in(self) -> tuple[str | None, str | None]:
        """Return user and password as the source's variables hold them; raise `Misconfigured` when one is not set."""
        key = secret(self.key_env).get_secret_value() if self.key_env else None
        return key, secret(self.secret_env).get_secret_value() if self.secret_env else None

    def authority_file(self) -> str:
        """Return the path of the authority's file."""
        return (self.authority.value() if isinstance(self.authority, FromEnvironment) else self.authority) or ""

    def _endpoint(self) -> str | None:
        return self.endpoint.value() if isinstance(self.endpoint, FromEnvironment) else self.endpoint


def _checked(url: str) -> str:
    """Return the address; raise `ValueError`, without the address where it may hold a password, when it is none."""
    if "://" not in url:
        raise ValueError(f"url {url!r} has no scheme; for a local folder use folder")
    if "@" in url.split("://", 1)[1].split("/", 1)[0]:
        raise ValueError("url holds a user or password; name variables with key_env and secret_env")
    return url
