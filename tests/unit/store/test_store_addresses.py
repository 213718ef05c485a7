"""DSNs of a managed server, and names of roles."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from polyceph.errors import Invalid, Misconfigured
from polyceph.store.connection import address_of
from polyceph.store.server import domain_role


@pytest.mark.parametrize(
    "dsn",
    ["postgresql://boss:p%40ss@db.example.org:6432/postgres", "host=db.example.org port=6432 user=boss password=p@ss"],
)
def test_a_dsn_is_read_in_both_notations(dsn: str) -> None:
    address = address_of(SecretStr(dsn))
    assert (address.host, address.port, address.database, address.user) == ("db.example.org", 6432, "postgres", "boss")
    assert address.password.get_secret_value() == "p@ss"


def test_tls_reaches_every_way_into_the_server() -> None:
    given = "postgresql://boss:hunter2@db/postgres?sslmode=verify-full&sslrootcert=%2Fetc%2Fca%20of%20ours.crt"
    address = address_of(SecretStr(given)).at("polyceph").as_role("app", SecretStr("x"))
    assert address.url() == "postgresql://app:x@db:5432/polyceph?sslmode=verify-full&sslrootcert=%2Fetc%2Fca%20of%20ours.crt"
    assert (address.arguments()["sslmode"], address.arguments()["sslrootcert"]) == ("verify-full", "/etc/ca of ours.crt")
    assert address.tls_environment() == {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/etc/ca of ours.crt"}


def test_an_address_that_says_nothing_of_tls_leaves_it_to_libpq() -> None:
    address = address_of(SecretStr("postgresql://boss:hunter2@db/postgres"))
    assert address.tls_environment() == {}
    assert "sslmode" not in address.arguments()
    assert address.url() == "postgresql://boss:hunter2@db:5432/postgres"


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://boss@db.example.org/x", "lacks password"),
        ("postgresql:///x", "lacks host, user, password"),
        ("postgresql://boss:hunter2@db/x?sslkey=/k", "sslkey; it may hold host, port"),
        ("hunter2 is not a dsn", "cannot be read"),
        ("postgresql://boss:hunter2@[db/x", "cannot be read"),
    ],
)
def test_a_wrong_dsn_is_explained_without_its_password(dsn: str, expected: str) -> None:
    with pytest.raises(Misconfigured, match=expected) as caught:
        address_of(SecretStr(dsn))
    assert "POLYCEPH_STORE__DSN" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["public", "pg_catalog", "information_schema", "x" * 57])
def test_a_domain_that_cannot_be_a_role_and_schema_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        domain_role(name)


def test_the_longest_name_of_a_domain_fits() -> None:
    assert len(domain_role("x" * 56)) == 63
