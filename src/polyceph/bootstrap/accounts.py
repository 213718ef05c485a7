"""The one-time link of the local account: made at the first start, and when somebody at the machine asks for another."""

from __future__ import annotations

from sqlalchemy import Engine

from polyceph.bootstrap.declared import SystemClock
from polyceph.bootstrap.identity import is_this_machine_alone
from polyceph.bootstrap.platform import this_actor
from polyceph.core.model.federation import Federation
from polyceph.core.model.sentence import said
from polyceph.core.model.sign_in import LOCAL
from polyceph.core.policies.nearest import did_you_mean
from polyceph.core.usecases import accounts
from polyceph.errors import Conflict, NotFound
from polyceph.identity.secrets import new_secret
from polyceph.settings import Settings
from polyceph.store.identity_queries import PostgresIdentityQueries
from polyceph.store.unit_of_work import PostgresUnitOfWork


def first_link(settings: Settings, federation: Federation, store: Engine, address: str) -> str | None:
    """Return the one-time link to print at a start; None when the account has its password, or there is no local account here."""
    if federation.sign_in.providers or not is_this_machine_alone(settings, address):
        return None
    account = PostgresIdentityQueries(store).account(LOCAL)
    return _link(store, address, None) if account is None or account.password is None else None


def reset(settings: Settings, federation: Federation, store: Engine, address: str, *, person: str | None = None) -> str:
    """Return a new one-time link; the password of before counts no more. `person` is whom the account acts as from then on.

    Raises:
        Conflict: there is no local account here.
        NotFound: nobody has this id.
    """
    if federation.sign_in.providers:
        raise Conflict(said("there is no local account: providers are declared"), hint=said("sign in with one of them"))
    if not is_this_machine_alone(settings, address):
        hint = said("declare a provider under sign_in in federation.yaml")
        raise Conflict(said("there is no local account at {address}", address=address), hint=hint)
    if person is not None and person not in federation.people:
        known = ", ".join(sorted(federation.people)) or "none"
        hint = did_you_mean(person, federation.people) or said("there are: {people}", people=known)
        raise NotFound(said("nobody has the id {person!r}", person=person), hint=hint)
    return _link(store, address, person)


def _link(store: Engine, address: str, person: str | None) -> str:
    made = new_secret()
    accounts.make_link(PostgresUnitOfWork(store), made.hash, now=SystemClock().now(), actor=this_actor(), person=person)
    return f"{address}/sign-in/link/{made.text.get_secret_value()}"
