"""A migrated store a test, a federation of two domains, a provider that signs what tests want, and a real one."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from sqlalchemy import Engine

sys.path.insert(0, str(Path(__file__).parent))
from identities import CLIENT, SECRET, Signing, World, provider

from polyceph.declarations.federation import load_federation
from polyceph.settings import Databases, PostgresAddress, Settings
from polyceph.store.connection import connect, engine
from polyceph.store.migrate import migrate
from polyceph.store.server import StoreAddresses, provision
from polyceph.testing.small_federation import federation_files, write_federation

ROOT = Path(__file__).parents[3]
MODULES = ROOT / "requirements" / "node" / "node_modules"
ROLES = """
roles:
  - {role: auditor, groups: [auditors]}
  - {role: platform engineer, people: [marc.leroy]}
"""


@pytest.fixture(scope="session")
def migrated(postgres: PostgresAddress, role_secrets: Path) -> StoreAddresses:
    mark = secrets.token_hex(4)
    names = Databases(f"identity_{mark}", f"dagster_{mark}", f"lake_{mark}", f"output_{mark}")
    addresses = provision(postgres, role_secrets, domains=("education", "data_office"), databases=names)
    migrate(addresses.owner)
    return addresses


@pytest.fixture(scope="module")
def make_store(postgres: PostgresAddress, migrated: StoreAddresses) -> Iterator[Callable[[], Engine]]:
    """Make stores, each a copy of the migrated one."""
    made: list[tuple[str, Engine]] = []

    def make() -> Engine:
        name = f"identity_{secrets.token_hex(5)}"
        with connect(postgres, autocommit=True) as connection:
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER polyceph_owner")
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(migrated.databases.store)))
        made.append((name, engine(migrated.app.at(name), pool_size=10)))
        return made[-1][1]

    yield make
    for name, pool in made:
        pool.dispose()
        with connect(postgres, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def make_world(make_store: Callable[[], Engine], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., World]:
    """Make a world: anne owns education, eva owns data_office, marc stewards both and looks after the platform, luc has left."""

    def make(**settings: Any) -> World:
        folder = tmp_path_factory.mktemp("federation")
        files = federation_files()
        write_federation(folder, {**files, "federation.yaml": files["federation.yaml"] + ROLES})
        found = load_federation(folder, today=date(2026, 11, 22))
        return World(make_store(), found, Settings(federation=folder, home=folder / ".polyceph", **settings))

    return make


@pytest.fixture(scope="module")
def only_world(make_world: Callable[..., World]) -> World:
    return make_world()


@pytest.fixture
def world(only_world: World, postgres: PostgresAddress) -> World:
    """A world with an empty store: emptied by who owns the server, which is much quicker than another copy."""
    with only_world.store.begin() as connection:
        name = str(connection.exec_driver_sql("SELECT current_database()").scalar_one())
    with connect(postgres.at(name)) as session:
        question = "SELECT tgrelid::regclass::text, quote_ident(tgname) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A'"
        triggers = session.execute(question).fetchall()
        for table, trigger in triggers:
            session.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}".encode())
        tables = ", ".join(sorted({table for table, _ in triggers}))
        session.execute(f"TRUNCATE {tables}, polyceph.pending_sign_in, polyceph.seen_token CASCADE".encode())
        for table, trigger in triggers:
            session.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}".encode())
    return World(only_world.store, only_world.federation, only_world.settings)


@pytest.fixture(scope="module")
def signing() -> Iterator[Signing]:
    """A provider of the tests' own."""
    made = Signing()
    yield made
    made.close()


@pytest.fixture
def asked_world(world: World, signing: Signing) -> World:
    """A world whose people sign in at the tests' own provider."""
    world.declare(provider("sso", signing.issuer))
    return world


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


ACCOUNTS = {
    "anne": {"email": "Anne.Dupont@example.org", "email_verified": True, "name": "Anne Dupont", "locale": "fr-BE", "groups": ["staff"]},
    "outsider": {"email": "eva.simon@example.org", "email_verified": False, "name": "Not Eva", "groups": ["guests"]},
    "auditor": {"email": "audit@example.net", "email_verified": True, "name": "Ada Audit", "locale": "nl", "groups": ["auditors"]},
}


@pytest.fixture(scope="module")
def real_provider(cannot: Callable[[str], None]) -> Iterator[tuple[str, int]]:
    """Npm's oidc-provider on this machine; yields its issuer and the port on which the site that it knows must listen."""
    if shutil.which("node") is None or subprocess.run([str(ROOT / "requirements" / "node.sh")], capture_output=True).returncode:
        cannot("npm is not installed, so there is no oidc-provider: sudo apt-get install npm")
    port, site = free_port(), free_port()
    at = f"http://127.0.0.1:{site}"
    polyceph = {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uris": [f"{at}/sign-in/callback/sso"],
        "post_logout_redirect_uris": [f"{at}/signed-out"],
        "backchannel_logout_uri": f"{at}/sign-out/provider/sso",
        "backchannel_logout_session_required": True,
    }
    service = {"client_id": "reports", "client_secret": SECRET, "grant_types": ["client_credentials"], "response_types": []}
    given = {"modules": str(MODULES), "port": port, "clients": [polyceph, {**service, "redirect_uris": []}], "accounts": ACCOUNTS}
    program = ["node", str(Path(__file__).parent / "provider.mjs")]
    process = subprocess.Popen(
        program, env={**os.environ, "TEST_PROVIDER": json.dumps(given)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                pytest.fail(f"the provider does not start: {process.stderr.read().decode() if process.stderr else ''}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", site
    finally:
        process.terminate()
        process.wait(10)
