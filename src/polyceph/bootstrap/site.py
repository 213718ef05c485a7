"""What a serving process has: settings, the federation as applied, ways into the store and the lakes' catalogues, who is who, the clock.

Light on purpose: neither DuckDB nor Arrow is loaded, and no connector. Whatever needs them is another process's work.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import Engine

from polyceph.bootstrap.deciding import informed_decider
from polyceph.bootstrap.declared import SystemClock, Usable, lake_address, served_federation
from polyceph.bootstrap.identity import Identity, public_address
from polyceph.core.model.access import Action, Principal, Question
from polyceph.core.model.dataset import DatasetId
from polyceph.core.model.decision import Decision
from polyceph.core.model.federation import Federation
from polyceph.core.model.sentence import said
from polyceph.core.policies.authorisation import Decide
from polyceph.core.ports import Clock
from polyceph.errors import NotFound, PolycephError
from polyceph.lake.history import RowCount, TableState, row_counts, table_states
from polyceph.logs import log
from polyceph.settings import Settings
from polyceph.store.connection import connect, engine, translated
from polyceph.store.overview import PostgresOverview
from polyceph.store.private_file import locked, read_private, write_private
from polyceph.store.queries import PostgresQueries
from polyceph.store.server import StoreAddresses, joined_server, known_addresses
from polyceph.store.unit_of_work import PostgresUnitOfWork

_LOOK_S = 2.0
"""How long a serving process may not see that other declarations were applied."""
_FACTS_S = 15.0
_KEY_FILE = "web.key"
Made = TypeVar("Made")


@dataclass(eq=False)
class Site:
    """What pages work with; safe to use from many threads."""

    settings: Settings
    engine: Engine
    addresses: StoreAddresses
    form_key: bytes
    clock: Clock = field(default_factory=SystemClock)
    load: Callable[[Settings], Usable] = served_federation
    identify: Callable[[Site], Identity] = field(default=lambda site: site.own_identity(), repr=False)
    identity: Identity = field(init=False, repr=False)
    """Who is who."""
    decide: Decide = field(init=False, repr=False)
    """What every door of this site asks."""
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _reading: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _declared: Usable | None = None
    _digest: str | None = None
    _looked: float = 0.0
    _kept: dict[object, tuple[float, Any]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.identity = self.identify(self)
        self.decide = informed_decider(lambda: self.federation)

    def own_identity(self) -> Identity:
        """Return who is who by this site's store and declarations."""
        return Identity(self.settings, self.engine, lambda: self.federation, self.address, clock=self.clock)

    @property
    def address(self) -> str:
        """Return the public address of the site, without a slash at its end."""
        return public_address(self.settings)

    def form_targets(self) -> tuple[str, ...]:
        """Return the origins of identity providers: a form of ours may lead there, as signing out does. No store is asked for it."""
        if self._declared is None:
            return ()
        providers = self._declared.federation.sign_in.providers.values()
        issuers = [urlsplit(one.issuer) for one in providers]
        hosts = {f"https://{host}" for one in providers for host in one.hosts}
        return tuple(sorted({f"{one.scheme}://{one.netloc}" for one in issuers} | hosts))

    @property
    def is_https(self) -> bool:
        """Tell whether people reach the site over https."""
        return (self.settings.web.address or "").startswith("https://")

    @property
    def federation(self) -> Federation:
        """Return the federation as it was applied last."""
        return self.declared().federation

    def title(self) -> Mapping[str, str]:
        """Return the federation's title by language; empty while the declarations cannot be read, so that an error page can be shown."""
        try:
            return self.federation.title
        except PolycephError:
            return {}

    def declared(self) -> Usable:
        """Return the federation and who is left out of it, read again when other declarations were applied.

        While the store does not answer, or the files are wrong at that moment, what was read before goes on being served.
        """
        if self._declared is None:
            with self._lock:
                if self._declared is None:
                    self._digest = self.overview().last_digest()
                    self._declared, self._looked = self.load(self.settings), time.monotonic()
        elif time.monotonic() - self._looked > _LOOK_S and self._reading.acquire(blocking=False):
            # One thread reads, which may take seconds in a large federation; the others go on with what there is.
            try:
                self._looked = time.monotonic()
                self._read_again()
            finally:
                self._reading.release()
        return self._declared

    def _read_again(self) -> None:
        try:
            digest = self.overview().last_digest()
            if digest != self._digest:
                self._declared, self._digest = self.load(self.settings), digest
                with self._lock:
                    self._kept.clear()
        except PolycephError as error:
            log.warning("the declarations could not be read again: %s", type(error).__name__)

    def now(self) -> datetime:
        """Return the aware UTC time."""
        return self.clock.now()

    def queries(self) -> PostgresQueries:
        """Return what the store can be asked."""
        return PostgresQueries(self.engine)

    def overview(self) -> PostgresOverview:
        """Return what pages ask the store."""
        return PostgresOverview(self.engine)

    def work(self) -> PostgresUnitOfWork:
        """Return a unit of work."""
        return PostgresUnitOfWork(self.engine)

    def principal_of(self, cookie: str | None, bearer: str | None) -> Principal:
        """Return who a session's cookie or a bearer token stands for."""
        return self.identity.principal_of(cookie, bearer)

    def may(self, who: Principal, action: Action, *, domain: str | None = None, **facts: Any) -> Decision:
        """Return whether somebody may do something now. `facts` are the other fields of `Question`."""
        return self.decide(who, Question(action, self.now(), domain=domain, **facts))

    def states(self, domain: str) -> Mapping[DatasetId, TableState]:
        """Return what the lake of a domain holds, at most some seconds old; empty while the lake cannot be asked or is not made yet."""
        return self.kept(("states", domain), lambda: self._ask_lake(domain, table_states)) or {}

    def row_counts(self, dataset: DatasetId) -> tuple[RowCount, ...]:
        """Return how the rows of a dataset grew, as `states` does."""
        asked = self.kept(
            ("rows", dataset), lambda: self._ask_lake(dataset.domain, lambda session, lake: row_counts(session, lake, dataset))
        )
        return asked or ()

    def _ask_lake(self, domain: str, ask: Callable[..., Made]) -> Made | None:
        try:
            with self._lake(domain) as lake:
                return ask(*lake)
        except PolycephError as error:
            log.warning("the lake of a domain could not be asked: %s", type(error).__name__)
            return None

    @contextmanager
    def _lake(self, domain: str) -> Iterator[tuple[psycopg.Connection[Any], Any]]:
        address = lake_address(self.settings, self.federation, domain, self.addresses.lake(domain))
        with translated("asking a lake's catalogue"), connect(address.catalogue, autocommit=True) as session:
            yield session, address

    def kept(self, key: object, make: Callable[[], Made], *, seconds: float = _FACTS_S) -> Made:
        """Return what was made under this key at most some seconds ago, or make it; other declarations make all of it anew."""
        with self._lock:
            at, value = self._kept.get(key, (0.0, None))
            if at and time.monotonic() - at < seconds:
                return value  # type: ignore[no-any-return]
        made = make()
        with self._lock:
            self._kept[key] = (time.monotonic(), made)
        return made

    def close(self) -> None:
        """Let go of the store."""
        self.engine.dispose()


def open_site(settings: Settings) -> Site:
    """Return the site on the platform that runs on this machine or on the server of the settings; nothing is started.

    Raises:
        Unavailable: the store does not run.
        Misconfigured: the key that signs forms is open to others, or a setting is wrong.
    """
    server = joined_server(settings)
    folder = settings.state() / "secrets"
    addresses = known_addresses(server.admin, folder, domains=served_federation(settings).federation.domains)
    return Site(settings, engine(addresses.app, pool_size=10), addresses, form_key(settings))


def form_key(settings: Settings) -> bytes:
    """Return the key that signs forms: of the settings, or kept in the state folder and made the first time."""
    given = settings.web.form_key
    if given is not None:
        return given.get_secret_value().encode()
    file = settings.state() / "secrets" / _KEY_FILE
    with locked(file.with_name(f"{_KEY_FILE}.lock")):
        if not file.exists():
            write_private(file, secrets.token_hex(32))
        return bytes.fromhex(read_private(file).strip())


def domain_of(site: Site, name: str) -> Any:
    """Return a declared domain; raise `NotFound` when there is none of this name."""
    found = site.federation.domains.get(name)
    if found is None:
        raise NotFound(said("there is no such domain"), hint=said("the list of domains shows those that are declared"))
    return found
