"""What the installed drivers of SQL Server, Oracle and Db2 can show without a server: they load, and a closed port is `Unavailable`."""

from __future__ import annotations

import importlib
import socket
from pathlib import Path
from typing import Any

import pytest

from polyceph.connectors.db2 import Db2Connector
from polyceph.connectors.db2_dialect import Db2Dialect
from polyceph.connectors.db2_dialect import explained as db2_explained
from polyceph.connectors.mssql import MsSqlConnector
from polyceph.connectors.oracle import OracleConnector
from polyceph.connectors.sql.database import DatabaseConnector
from polyceph.errors import Misconfigured, Unavailable

KINDS: list[tuple[str, type[DatabaseConnector], str]] = [
    ("mssql_python", MsSqlConnector, "arrow_reader"),
    ("oracledb", OracleConnector, "fetch_df_batches"),
    ("ibm_db_dbi", Db2Connector, "fetchmany"),
]


@pytest.mark.parametrize(("module", "kind", "way"), KINDS)
def test_the_driver_has_the_way_that_is_used(module: str, kind: type[DatabaseConnector], way: str) -> None:
    driver = importlib.import_module(module)
    places = [getattr(driver, name) for name in ("Cursor", "Connection")]
    assert any(hasattr(place, way) for place in places)
    assert issubclass(driver.Error, Exception)


@pytest.mark.parametrize(("module", "kind", "way"), KINDS)
def test_a_closed_port_is_unavailable(module: str, kind: type[DatabaseConnector], way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQL_WORD", "very-secret")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        given = {"host": "127.0.0.1", "port": closed.getsockname()[1], "database": "d", "user": "u", "password_env": "SQL_WORD"}
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1") as caught:
            list(kind(kind.source_options.model_validate(given), base=Path()).tables())
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize("option", [{"prot": 1}, {"port": "many"}, {"password": "x"}])
@pytest.mark.parametrize(("module", "kind", "way"), KINDS)
def test_wrong_options_are_refused(module: str, kind: type[DatabaseConnector], way: str, option: dict[str, Any]) -> None:
    given = {"host": "h", "database": "d", "user": "u", "password_env": "SQL_WORD", **option}
    with pytest.raises(ValueError, match="validation error"):
        kind.source_options.model_validate(given)


def test_a_password_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SQL_WORD", raising=False)
    options = OracleConnector.source_options.model_validate({"host": "h", "database": "d", "user": "u", "password_env": "SQL_WORD"})
    with pytest.raises(Misconfigured, match="SQL_WORD"):
        list(OracleConnector(options, base=Path()).tables())


def test_the_error_of_ibms_driver_at_a_closed_port_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    import ibm_db_dbi

    monkeypatch.setenv("SQL_WORD", "very-secret")
    options = {"host": "127.0.0.1", "port": 1, "database": "d", "user": "u", "password_env": "SQL_WORD", "connect_timeout_s": 2}
    address = Db2Connector(Db2Connector.source_options.model_validate(options), base=Path()).address()
    with pytest.raises(ibm_db_dbi.Error) as caught:
        ibm_db_dbi.connect(Db2Dialect(tls=False).words(address), "", "")
    assert isinstance(db2_explained(caught.value, address, is_open=False), Unavailable)
