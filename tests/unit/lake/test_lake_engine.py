"""The connection factory, quoting and the stamp's way through a connection string."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import duckdb
import pytest

from polyceph.core.model.commit import LakeCommit
from polyceph.errors import Misconfigured
from polyceph.lake.engine import _link, install_extensions, literal, open_engine, quote
from polyceph.lake.stamp import session_option


@pytest.mark.parametrize("name", ["plain", 'a"b', "a b", "é", "select", "x'; DROP TABLE y; --"])
def test_any_name_survives_quoting(name: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE {quote(name)} AS SELECT {literal(name)} AS {quote(name)}")
        assert connection.execute(f"SELECT {quote(name)} FROM {quote(name)}").fetchall() == [(name,)]


def test_a_zero_byte_in_a_name_is_refused() -> None:
    with pytest.raises(Misconfigured):
        quote("a\x00b")


def test_the_engine_has_its_limits_and_downloads_nothing(tmp_path: Path) -> None:
    extensions = install_extensions(tmp_path / "extensions")
    with open_engine(extensions=extensions, memory_mb=256, threads=1, temporary=tmp_path / "spill") as engine:
        found = dict(engine.execute("SELECT name, value FROM duckdb_settings()").fetchall())
        loaded = {row[0] for row in engine.execute("SELECT extension_name FROM duckdb_extensions() WHERE loaded").fetchall()}
        with pytest.raises(duckdb.Error):
            engine.execute("LOAD spatial")
    assert (found["memory_limit"], found["threads"], found["TimeZone"]) == ("256.0 MiB", "1", "UTC")
    assert (found["autoinstall_known_extensions"], found["ducklake_max_retry_count"]) == ("false", "100")
    assert {"ducklake", "postgres_scanner"} <= loaded


def test_installing_extensions_at_once_ends_in_whole_links(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = {future.result() for future in [pool.submit(install_extensions, tmp_path) for _ in range(8)]}
    assert folders == {tmp_path}
    links = list(tmp_path.rglob("*.duckdb_extension"))
    assert {link.name.split(".")[0] for link in links} >= {"ducklake", "postgres_scanner"}
    assert all(link.is_symlink() and link.is_file() for link in links)


def test_threads_that_link_the_same_extension_do_not_meet(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.touch()
    start = Barrier(8)

    def link(attempt: int) -> None:
        start.wait(10)
        _link(tmp_path / "links" / str(attempt), binary)

    (tmp_path / "links").mkdir()
    with ThreadPoolExecutor(8) as pool:
        for attempt in range(100):
            for future in [pool.submit(link, attempt) for _ in range(8)]:
                future.result()
    assert sorted(path.name for path in (tmp_path / "links").iterdir()) == sorted(map(str, range(100)))


def test_extensions_that_are_not_there_are_explained(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="extensions do not load"):
        open_engine(extensions=tmp_path / "empty")


def test_a_stamp_fits_a_startup_packet() -> None:
    contracts = {f"domain.gold.dataset_{number}": "1.0.0" for number in range(5000)}
    option = session_option(LakeCommit("é" * 50, "ü" * 5000, "run", "code", contracts))
    assert len(option.encode()) < 9000
