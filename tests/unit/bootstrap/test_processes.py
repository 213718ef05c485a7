"""What the processes of a domain learn of the platform's environment."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from polyceph.bootstrap.declared import SystemClock, today
from polyceph.bootstrap.processes import named_environment, passed_environment, storage_environment
from polyceph.core.model.domain import Domain, Source
from polyceph.core.model.place import Place
from polyceph.settings import Settings

PLACE = Place("domains/education/domain.yaml")
ENVIRONMENT = {
    "PATH": "/bin",
    "POLYCEPH_TODAY": "2026-03-31",
    "POLYCEPH_LIMITS__DUCKDB_THREADS": "1",
    "POLYCEPH_STORE__DSN": "postgresql://admin:hunter2@db/postgres",
    "POLYCEPH_STORAGE__SECRET": "hunter3",
    "POLYCEPH_SHARED_DATA": "/data",
    "REGISTER_HOST": "db.example.org",
    "REGISTER_PASSWORD": "hunter4",
    "OTHER_PASSWORD": "hunter5",
}


def domain(**options: object) -> Domain:
    source = Source("register", "postgres", options, PLACE)
    return Domain("education", {}, "anne", "marc", None, "stewards", "domains/education", PLACE, sources={"register": source})


def test_no_secret_is_passed_on() -> None:
    assert passed_environment(ENVIRONMENT) == {k: ENVIRONMENT[k] for k in ("PATH", "POLYCEPH_TODAY", "POLYCEPH_LIMITS__DUCKDB_THREADS")}
    assert storage_environment(ENVIRONMENT) == {"POLYCEPH_STORAGE__SECRET": "hunter3"}


def test_a_domain_gets_exactly_the_variables_that_its_sources_name() -> None:
    asking = domain(host={"env": "REGISTER_HOST"}, password_env="REGISTER_PASSWORD", user={"env": "NOT_SET"}, places=[{"env": "PATH"}])
    assert named_environment(asking, ENVIRONMENT) == {"PATH": "/bin", "REGISTER_HOST": "db.example.org", "REGISTER_PASSWORD": "hunter4"}
    assert named_environment(domain(folder={"env": "POLYCEPH_SHARED_DATA"}), ENVIRONMENT) == {"POLYCEPH_SHARED_DATA": "/data"}


@pytest.mark.parametrize("name", ["POLYCEPH_STORE__DSN", "POLYCEPH_STORAGE__SECRET", "PGPASSWORD", "DAGSTER_PG_PASSWORD"])
def test_a_domain_that_names_the_platforms_own_variables_does_not_get_them(name: str) -> None:
    assert named_environment(domain(password_env=name), {**ENVIRONMENT, name: "hunter6"}) == {}


def test_the_day_is_the_one_of_the_settings_or_that_of_brussels(monkeypatch: pytest.MonkeyPatch) -> None:
    assert today(Settings(today=date(2026, 3, 31))) == date(2026, 3, 31)
    monkeypatch.setattr(SystemClock, "now", lambda self: datetime(2026, 6, 30, 22, 30, tzinfo=UTC))
    assert today(Settings()) == date(2026, 7, 1)
