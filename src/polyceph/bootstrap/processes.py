"""What the environment of a process that the platform starts may hold. Nothing is passed on that is not named here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from polyceph.core.model.domain import Domain
from polyceph.core.model.federation import Federation
from polyceph.errors import Misconfigured, NotFound
from polyceph.settings import Settings
from polyceph.store.keyring import Keyring
from polyceph.store.secrets import domain_environment

_PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "POLYCEPH_ENVIRONMENT", "POLYCEPH_TODAY", "SSL_CERT_FILE", "TMPDIR", "TZ")
_SERVING = ("POLYCEPH_STORE__", "POLYCEPH_WEB__")
_LIMITS, _STORAGE = "POLYCEPH_LIMITS__", "POLYCEPH_STORAGE__"
_PLATFORMS_OWN = ("DAGSTER_", "PG", "POLYCEPH_DOMAIN", *(f"POLYCEPH_{name.upper()}" for name in Settings.model_fields))
"""A domain that names one of these in its sources does not get it: the address of the store, with its administrator, is among them."""


def passed_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what every process may know of the platform's environment: where programs are, language, day, limits; no secret."""
    return {name: value for name, value in environment.items() if name in _PASSED_ON or name.startswith(_LIMITS)}


def storage_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the keys of object storage, which domains share until they have keys of their own."""
    return {name: value for name, value in environment.items() if name.startswith(_STORAGE)}


def serving_environment(federation: Federation, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what the process that serves people may know beyond that: its settings, the store's address, the providers' secrets."""
    named = {one.client_secret_env for one in federation.sign_in.providers.values() if one.client_secret_env}
    wanted = named | {f"{name}_FILE" for name in named}
    return {name: value for name, value in environment.items() if name in wanted or name.startswith(_SERVING)}


def named_environment(domain: Domain, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that the domain's sources name: `{env: NAME}`, or a key that ends in `_env`; of each also `NAME_FILE`."""
    return variables_named_in([source.options for source in domain.sources.values()], environment)


def variables_named_in(options: Iterable[object], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables that options of sources name, those of the platform's own left out."""
    named = {name for one in options for name in _names(one)}
    return {name: environment[name] for name in sorted(named) if name in environment and not name.startswith(_PLATFORMS_OWN)}


def source_environment(settings: Settings, domain: str, options: Mapping[str, object]) -> dict[str, str]:
    """Return the environment of a process that looks into one source: what its options name, the domain's secrets, no role of its own."""
    own = domain_environment(settings.state() / "secrets", domain, passphrase=settings.keyring.passphrase)
    secrets = {name: value.get_secret_value() for name, value in own.items()}
    return {**passed_environment(), **variables_named_in([options]), **secrets}


def keyring_of(settings: Settings, domain: str) -> Keyring:
    """Return the keyring of a domain.

    Raises:
        NotFound: there is no such domain.
        Misconfigured: no passphrase is set.
    """
    if not (settings.federation / "domains" / domain / "domain.yaml").is_file():
        known = sorted(path.parent.name for path in settings.federation.glob("domains/*/domain.yaml"))
        raise NotFound(f"domain {domain!r} does not exist", hint=f"there are: {', '.join(known) or 'none'}")
    if settings.keyring.passphrase is None:
        raise Misconfigured("no passphrase is set", hint="set POLYCEPH_KEYRING__PASSPHRASE; the platform needs the same one to start")
    return Keyring(settings.state() / "secrets" / f"{domain}.keyring", settings.keyring.passphrase)


def _names(options: object) -> Iterator[str]:
    if isinstance(options, Mapping):
        for key, value in options.items():
            if isinstance(value, str) and (key == "env" or str(key).endswith("_env")):
                yield from (value, f"{value}_FILE")
            else:
                yield from _names(value)
    elif isinstance(options, list | tuple):
        for one in options:
            yield from _names(one)
