"""Roles, databases and who may enter what."""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from pydantic import SecretStr

from polyceph.errors import Misconfigured, NotFound, Unavailable
from polyceph.settings import Databases, PostgresAddress, Settings, StoreSettings
from polyceph.store.connection import connect
from polyceph.store.migrate import migrate
from polyceph.store.server import StoreAddresses, joined_server, known_addresses, provision, running_server


def execute(address: PostgresAddress, statement: str) -> object:
    with connect(address) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def test_each_role_enters_what_is_meant_for_it(platform: StoreAddresses) -> None:
    meant = (platform.owner, platform.app, platform.dagster, platform.lake("education"), platform.output("culture"))
    assert [execute(address, "SELECT current_user || '@' || current_database()") for address in meant] == [
        f"polyceph_owner@{platform.databases.store}",
        f"polyceph_app@{platform.databases.store}",
        f"polyceph_dagster@{platform.databases.dagster}",
        f"domain_education@{platform.databases.lake}",
        f"domain_culture@{platform.databases.output}",
    ]


@pytest.mark.parametrize("database", ["store", "dagster"])
def test_a_domain_cannot_enter_the_store_nor_dagsters_storage(platform: StoreAddresses, database: str) -> None:
    with pytest.raises(Misconfigured, match="permission denied for database"):
        connect(platform.lake("education").at(getattr(platform.databases, database)))


@pytest.mark.parametrize("database", ["store", "lake", "output"])
def test_dagsters_role_enters_its_own_database_alone(platform: StoreAddresses, database: str) -> None:
    with pytest.raises(Misconfigured, match="permission denied for database"):
        connect(platform.dagster.at(getattr(platform.databases, database)))


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_no_role_enters_the_databases_of_the_administrator(platform: StoreAddresses, database: str) -> None:
    for address in (platform.owner, platform.app, platform.dagster, platform.lake("education")):
        with pytest.raises(Misconfigured, match="permission denied for database"):
            connect(address.at(database))


def test_the_application_cannot_enter_lakes_outputs_or_dagsters_storage(platform: StoreAddresses) -> None:
    names = platform.databases
    for database in (names.lake, names.output, names.dagster):
        with pytest.raises(Misconfigured, match="permission denied for database"):
            connect(platform.app.at(database))


def test_a_domain_writes_its_own_outputs_and_cannot_touch_anothers(provisioned: StoreAddresses) -> None:
    education, culture = provisioned.output("education"), provisioned.output("culture")
    execute(education, "CREATE TABLE education.pupils (n int)")

    for statement in (
        "SELECT * FROM education.pupils",
        "CREATE TABLE education.x (n int)",
        "CREATE TABLE public.x (n int)",
        "CREATE SCHEMA x",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            execute(culture, statement)


def test_a_domain_makes_nothing_in_the_lakes_database_by_itself(platform: StoreAddresses) -> None:
    for statement in ("CREATE SCHEMA x", "CREATE TABLE public.x (n int)", "CREATE TEMPORARY TABLE x (n int)"):
        with pytest.raises(errors.InsufficientPrivilege):
            execute(platform.lake("education"), statement)


def test_no_role_of_the_platform_may_make_roles_or_databases(bare_server: PostgresAddress, tmp_path: Path) -> None:
    postgres = bare_server
    provision(postgres, tmp_path / "secrets", domains=("education", "culture"))
    ours = "SELECT count(*) FROM pg_roles WHERE rolname ~ '^(polyceph_(owner|app|dagster)|domain_.*)$'"
    assert execute(postgres, ours) == 5
    assert execute(postgres, ours + " AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)") == 0


def test_provisioning_again_keeps_data_and_adds_domains(
    provisioned: StoreAddresses, postgres: PostgresAddress, role_secrets: Path, databases: Databases
) -> None:
    execute(provisioned.output("education"), "CREATE TABLE education.pupils AS SELECT 7 AS n")

    again = provision(postgres, role_secrets, domains=("education", "culture", "sport"), databases=databases)

    assert again.app == provisioned.app
    assert execute(again.output("education"), "SELECT n FROM education.pupils") == 7
    assert execute(again.output("sport"), "SELECT current_user") == "domain_sport"


def test_provisioning_at_the_same_moment_works(postgres: PostgresAddress, role_secrets: Path, databases: Databases) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: provision(postgres, role_secrets, domains=("education",), databases=databases), range(3)))
    assert found[0] == found[1] == found[2]


def test_a_new_password_in_the_file_becomes_the_roles_password(
    provisioned: StoreAddresses, postgres: PostgresAddress, tmp_path: Path, role_secrets: Path, databases: Databases
) -> None:
    other = provision(postgres, tmp_path / "other", databases=databases)
    try:
        assert execute(other.app, "SELECT 1") == 1
        with pytest.raises(Misconfigured, match="password authentication failed"):
            connect(provisioned.app)
    finally:
        provision(postgres, role_secrets, databases=databases)
    assert execute(provisioned.app, "SELECT 1") == 1


def test_the_server_never_sees_a_password(platform: StoreAddresses, postgres: PostgresAddress) -> None:
    words = execute(postgres, "SELECT string_agg(rolpassword, ' ') FROM pg_authid WHERE rolname LIKE 'polyceph%' OR rolname LIKE 'domain%'")
    assert platform.app.password.get_secret_value() not in str(words)
    assert str(words).count("SCRAM-SHA-256$") >= 5


def test_a_domain_that_was_not_provisioned_has_no_way_in(platform: StoreAddresses) -> None:
    with pytest.raises(NotFound, match="culture, education"):
        platform.lake("sport")


def test_a_managed_administrator_without_superuser_provisions_too(bare_server: PostgresAddress, tmp_path: Path) -> None:
    execute(bare_server, "CREATE ROLE managed LOGIN CREATEDB CREATEROLE PASSWORD 'managed-word'")
    execute(bare_server, "GRANT CONNECT ON DATABASE postgres TO managed")
    admin = bare_server.as_role("managed", SecretStr("managed-word"))

    addresses = provision(admin, tmp_path / "secrets", domains=("education", "culture"))
    assert provision(admin, tmp_path / "secrets", domains=("education", "culture")) == addresses
    migrate(addresses.owner)

    execute(addresses.output("education"), "CREATE TABLE education.pupils AS SELECT 1 AS n")
    with pytest.raises(errors.InsufficientPrivilege):
        execute(addresses.output("culture"), "SELECT n FROM education.pupils")
    assert execute(addresses.app, "SELECT count(*) FROM polyceph.event") == 0
    with pytest.raises(Misconfigured, match="permission denied for database"):
        connect(addresses.lake("education").at("polyceph"))


def test_a_managed_server_is_used_as_it_is(postgres: PostgresAddress, tmp_path: Path) -> None:
    settings = Settings(federation=tmp_path, store=StoreSettings(dsn=SecretStr(postgres.url())))
    server = running_server(settings)

    assert server.admin == postgres
    server.stop()
    with psycopg.connect(postgres.url()):
        assert not (tmp_path / ".polyceph").exists()


def test_a_managed_server_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    settings = Settings(federation=tmp_path, store=StoreSettings(dsn=SecretStr("postgresql://boss:hunter2@127.0.0.1:1/postgres")))
    with pytest.raises(Unavailable, match=r"boss@127\.0\.0\.1:1") as caught:
        running_server(settings)
    assert "hunter2" not in str(caught.value)


def test_the_embedded_server_is_the_platforms_when_no_dsn_is_given() -> None:
    state = Path(tempfile.mkdtemp(prefix="polyceph-test-"))
    state.chmod(0o711)
    settings = Settings(home=state)
    try:
        with pytest.raises(Unavailable, match="not running"):
            joined_server(settings)
        server = running_server(settings)
        other = running_server(settings)
        assert server.admin == other.admin == joined_server(settings).admin

        for not_ours in (other, joined_server(settings)):
            not_ours.stop()
            assert execute(server.admin, "SELECT 1") == 1
        server.stop()
        with pytest.raises(Unavailable, match="not running"):
            joined_server(settings)
    finally:
        shutil.rmtree(state)


def test_joining_finds_the_same_ways_in_and_makes_nothing(
    platform: StoreAddresses, postgres: PostgresAddress, role_secrets: Path, tmp_path: Path
) -> None:
    before = (role_secrets / "roles.json").read_bytes()
    assert known_addresses(postgres, role_secrets, domains=("education", "culture")) == platform
    assert sorted(known_addresses(postgres, role_secrets, domains=("education", "never_provisioned")).domains) == ["education"]
    assert (role_secrets / "roles.json").read_bytes() == before
    with pytest.raises(Unavailable, match="polyceph up"):
        known_addresses(postgres, tmp_path / "secrets")
    assert not (tmp_path / "secrets").exists()
