"""The MariaDB sources of the synthetic federation, loaded into a lake and compared with what was generated, row for row."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from polyceph.connectors.mysql import MySqlConnector
from polyceph.sdk import Column
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.servers.mariadb_program import Programs
from polyceph.testing.federation.servers.serving import serve
from polyceph.testing.federation.truth import Truth

TABLES = {
    "sport_licences": ("sport", {"licence_holders": "holder_id", "licences": "licence_id"}),
    "higher_education_students": (
        "higher_education",
        {"students": "student_id", "enrolments": "enrolment_id", "diplomas": "diploma_id"},
    ),
}


@pytest.fixture(scope="module")
def systems() -> Iterator[tuple[Path, Any]]:
    if Programs.find() is None:
        pytest.skip("mariadbd is not installed: apt-get install mariadb-server-core mariadb-client-core")
    with tempfile.TemporaryDirectory(prefix="polyceph-systems-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        for domain, _ in TABLES.values():
            for piece in import_module(f"polyceph.testing.federation.domains.{domain}").build(Scenario(), Truth()):
                if str(piece.path).startswith("mariadb/"):
                    path = folder / str(piece.path)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(piece.content)
        with serve(folder) as addresses:
            yield folder, addresses


def value(text: str, column: Column) -> Any:
    if text == "":
        return None
    kinds: dict[str, Any] = {
        "integer": int,
        "number": Decimal,
        "date": date.fromisoformat,
        "timestamp": lambda t: datetime.fromisoformat(t.removesuffix("Z")),
    }
    return kinds.get(column.logical_type, str)(text)


@pytest.mark.slow
@pytest.mark.parametrize("source", list(TABLES))
def test_every_row_of_the_federations_databases_is_in_the_lake(
    systems: tuple[Path, Any], loading: Any, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, addresses = systems
    own = addresses[source].environment
    for name, word in own.items():
        monkeypatch.setenv(f"THE_{name}", word)
    given = {name.lower(): {"env": f"THE_{name}"} for name in ("HOST", "PORT", "DATABASE", "USER")}
    connector = MySqlConnector(MySqlConnector.source_options.model_validate({**given, "password_env": "THE_PASSWORD"}), base=Path("/"))
    found = {t.name: t for t in connector.tables()}
    for table, key in TABLES[source][1].items():
        options = dict(found[f"{source}.{table}"].options)
        described = connector.sample(options, rows=1, workspace=Path()).columns
        columns = [
            Column(c.name, c.logical_type or "string", c.physical_type, required=c.required, primary_key=c.primary_key) for c in described
        ]
        contract = loading.contract(*columns, name=f"{loading.name}_{table}")
        rows = list(csv.reader(io.StringIO((folder / "mariadb" / source / f"{table}.csv").read_text(encoding="utf-8"))))
        [report] = loading.load(connector, contract, {**options, "cursor": "updated_at", "overlap": "1 day"})
        assert report.rows == len(rows)
        loaded = sorted(loading.rows(contract), key=lambda row: row[0])
        assert columns[0].name == key
        truth = sorted((tuple(value(v, c) for v, c in zip(row, columns, strict=True)) for row in rows), key=lambda row: row[0])
        assert loaded == truth
        assert [r.rows for r in loading.load(connector, contract, {**options, "cursor": "updated_at", "overlap": "1 day"})] == [0]
