"""How a process runs: values from the environment (`POLYCEPH_…`), frozen. What is governed is in declarations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from polyceph.errors import Misconfigured, Problem


@dataclass(frozen=True)
class Databases:
    """The names of the platform's databases on its server."""

    store: str = "polyceph"
    dagster: str = "polyceph_dagster"
    lake: str = "polyceph_lake"
    output: str = "polyceph_output"


class PostgresAddress(BaseModel):
    """Where a PostgreSQL database is and as whom to enter it. `host` may be a socket directory.

    `sslmode` and `sslrootcert` are libpq's; None leaves libpq's own default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    port: int = 5432
    database: str
    user: str
    password: SecretStr
    sslmode: str | None = None
    sslrootcert: str | None = None

    def at(self, database: str) -> PostgresAddress:
        """Return the same server and role in another database."""
        return self.model_copy(update={"database": database})

    def as_role(self, user: str, password: SecretStr) -> PostgresAddress:
        """Return the same server and database entered as another role."""
        return self.model_copy(update={"user": user, "password": password})

    def url(self, scheme: str = "postgresql") -> str:
        """Return a URL that holds the password: hand it to a driver, never to a log."""
        name, word = quote(self.user, safe=""), quote(self.password.get_secret_value(), safe="")
        tls = urlencode(self._tls(), quote_via=quote)
        if self.host.startswith("/"):
            return f"{scheme}://{name}:{word}@/{self.database}?host={quote(self.host)}&port={self.port}{tls and '&' + tls}"
        return f"{scheme}://{name}:{word}@{self.host}:{self.port}/{self.database}{tls and '?' + tls}"

    def arguments(self) -> dict[str, Any]:
        """Return libpq's keywords, as psycopg takes them. They hold the password: hand them to a driver, never to a log."""
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password.get_secret_value(),
            **self._tls(),
        }

    def tls_environment(self) -> dict[str, str]:
        """Return the variables by which every libpq of a process enters this server over TLS as the address says."""
        return {f"PG{name.upper()}": value for name, value in self._tls().items()}

    def _tls(self) -> dict[str, str]:
        return {name: value for name, value in (("sslmode", self.sslmode), ("sslrootcert", self.sslrootcert)) if value}

    def shown(self) -> str:
        """Return the address without the password."""
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"


class ObjectStorage(BaseModel):
    """Keys and address of an S3 or Azure store that holds lake data; empty for a local folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str | None = None
    region: str = "us-east-1"
    key_id: SecretStr | None = None
    secret: SecretStr | None = None
    url_style: str = "path"
    use_ssl: bool = True
    azure_connection_string: SecretStr | None = None


class LakeAddress(BaseModel):
    """One domain's lake: its DuckLake catalogue in PostgreSQL and the folder or bucket of its files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    domain: str
    catalogue: PostgresAddress
    metadata_schema: str
    data_path: str
    storage: ObjectStorage = ObjectStorage()


class StoreSettings(BaseModel):
    """A managed PostgreSQL server (`POLYCEPH_STORE__DSN`); without it the embedded one is started."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dsn: SecretStr | None = None


class WebSettings(BaseModel):
    """Where the pages are served, and under which address people reach them. Beyond this machine only where a provider signs people in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"

    @field_validator("host")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value != "localhost":
            ip_address(value)
        return value

    port: int = Field(default=3000, ge=0, le=65535, description="0 takes any free port")
    address: str | None = Field(
        default=None, description="public address, such as https://data.example.org; without it the loopback names alone"
    )
    hosts: tuple[str, ...] = Field(default=(), description="further names (`Host`) under which it is served, as a JSON list")
    proxies: tuple[str, ...] = Field(
        default=(), description="addresses or networks of proxies in front, as a JSON list: from these alone X-Forwarded-For is believed"
    )
    form_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="secret that signs forms, the same on every replica; without it one is kept in the state folder",
    )
    sign_ins_per_minute: int = Field(default=20, ge=1, description="attempts to sign in that one address may make")
    requests_per_minute: int = Field(default=1200, ge=1, description="requests that one person or service may make")
    body_kib: int = Field(default=1024, ge=1, description="most that one form may hold, in KiB")

    @field_validator("proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(one)) for one in value)

    @field_validator("address")
    @classmethod
    def _is_an_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
            raise ValueError("it is not written like https://data.example.org")
        if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("only https protects sessions on the way; http is for this machine alone")
        return f"{parts.scheme}://{parts.netloc}"


class LimitSettings(BaseModel):
    """What one domain's processes may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    process_memory_mb: int = Field(
        default=4096, ge=512, description="data that each process of a domain may hold: its code server, each run"
    )
    duckdb_memory_mb: int = Field(default=1024, ge=128)
    duckdb_threads: int = Field(default=2, ge=1)
    runs_at_once: int = Field(
        default=0, ge=0, description="domains that polyceph run works on side by side; 0 means as many as there are processors, at least 2"
    )
    load_seconds: int = Field(default=90, ge=1, description="time a domain's code may take to load before its process is ended")
    orphan_grace_hours: int = Field(default=24, ge=1, description="age at which files of killed loads are removed")


class JournalSettings(BaseModel):
    """How often the journal is sealed and shown to the world outside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head_seconds: int = Field(default=60, ge=1, description="time between two signed heads, when there is something new")


class MailSettings(BaseModel):
    """The server that takes mail from the platform, such as heads of the journal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str | None = Field(default=None, description="without it no mail is sent")
    port: int = Field(default=587, ge=1, le=65535)
    starttls: bool = True
    user: str | None = None
    password: SecretStr | None = None
    sender: str = "polyceph@localhost"


class KeyringSettings(BaseModel):
    """The passphrase that opens the domains' keyrings (`.polyceph/secrets/<domain>.keyring`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passphrase: SecretStr | None = Field(default=None, description="needed where a domain keeps its secrets in a keyring")


class Settings(BaseSettings):
    """All settings of a polyceph process."""

    model_config = SettingsConfigDict(
        env_prefix="POLYCEPH_", env_nested_delimiter="__", frozen=True, extra="ignore", nested_model_default_partial_update=True
    )

    federation: Path = Path()
    home: Path | None = Field(default=None, description="state folder; <federation>/.polyceph when empty")
    environment: str = "dev"
    today: date | None = Field(default=None, description="the day (YYYY-MM-DD) to live on; the clock's, in Europe/Brussels, when empty")
    store: StoreSettings = StoreSettings()
    storage: ObjectStorage = ObjectStorage()
    web: WebSettings = WebSettings()
    limits: LimitSettings = LimitSettings()
    journal: JournalSettings = JournalSettings()
    mail: MailSettings = MailSettings()
    keyring: KeyringSettings = KeyringSettings()
    confinement: Literal["required", "when-possible", "off"] = Field(
        default="when-possible",
        description="whether a domain's processes must be kept from everything that is not theirs, by the kernel's Landlock",
    )
    readable: tuple[Path, ...] = Field(
        default=(), description="further folders and files that every confined domain may read, such as a driver's, as a JSON list"
    )

    def state(self) -> Path:
        """Return the absolute folder that holds everything a running federation keeps on this machine."""
        return (self.home or self.federation / ".polyceph").resolve()

    def shown(self) -> dict[str, str]:
        """Return every setting that has a value by its variable; of a secret only that it is set."""
        return dict(_shown(self, "POLYCEPH_"))


def _shown(model: BaseModel, prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in model:
        if isinstance(value, BaseModel):
            yield from _shown(value, f"{prefix}{name.upper()}__")
        elif value is not None:
            yield f"{prefix}{name.upper()}", "set" if isinstance(value, SecretStr) else str(value)


def load_settings(**overrides: Any) -> Settings:
    """Return the settings of the environment; what is given here wins over it.

    Raises:
        Misconfigured: variables hold what they may not; all are named, with what is good, and no value is shown.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = [_problem(part["loc"], part["type"], part["msg"]) for part in error.errors(include_input=False, include_url=False)]
    except SettingsError as error:
        raise Misconfigured(f"the settings cannot be read: {error}", hint="give each setting as a variable of its own") from None
    # pydantic's own error repeats values, and a value may be a secret: it is not passed on.
    raise Misconfigured("the settings of this process are wrong", problems=problems, hint="see docs/reference/settings.md") from None


def _problem(where: tuple[int | str, ...], kind: str, message: str) -> Problem:
    variable = "__".join(("POLYCEPH_" + str(where[0]).upper(), *(str(part).upper() for part in where[1:])))
    if kind != "extra_forbidden":
        return Problem(f"{variable}: {message}")
    section = Settings.model_fields[str(where[0])].annotation
    known = section.model_fields if isinstance(section, type) and issubclass(section, BaseModel) else {}
    names = tuple(f"POLYCEPH_{str(where[0]).upper()}__{name.upper()}" for name in sorted(known))
    return Problem(f"{variable} is not a setting", allowed=names)


class DomainProcess(BaseSettings):
    """What a domain's own process is told about itself (`POLYCEPH_DOMAIN__…`): its role and nothing of the platform's."""

    model_config = SettingsConfigDict(env_prefix="POLYCEPH_DOMAIN__", frozen=True, extra="ignore")

    name: str
    host: str
    port: int
    user: str
    password: SecretStr
    code: str = "uncommitted"
    """Git commit of the domain's folder."""

    def address(self, database: str) -> PostgresAddress:
        """Return the domain's way into a database of the platform's server."""
        return PostgresAddress(host=self.host, port=self.port, database=database, user=self.user, password=self.password)
