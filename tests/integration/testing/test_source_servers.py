"""Files, objects, databases and the process itself, with the clients that people use."""

from __future__ import annotations

import asyncio
import ftplib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncssh
import duckdb
import fsspec
import httpx
import psutil
import pytest
import s3fs
from duckdb_extension_mysql_scanner import __file__ as _scanner

from polyceph.testing.federation.servers.addresses import Running
from polyceph.testing.federation.servers.serving import command, serve

if TYPE_CHECKING:
    from conftest import Federation

NEEDS_MARIADB = pytest.mark.skipif(
    shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin") is None and os.environ.get("CI") != "true",
    reason="mariadbd is not installed: apt-get install mariadb-server-core mariadb-client-core",
)


def test_the_addresses_name_each_source_with_the_variables_of_its_kind(federation: Federation) -> None:
    expected = {
        "culture_libraries": {"FOLDER"},
        "education_transport": {"URL", "USER", "PASSWORD"},
        "sport_camps": {"URL", "USER", "PASSWORD", "HOST_KEY"},
        "education_sites": {"URL", "ENDPOINT", "USER", "PASSWORD"},
        "education_canteens": {"URL", "TOKEN_URL", "CLIENT_ID", "CLIENT_SECRET"},
        "culture_events": {"URL"},
        "data_office_portal": {"URL"},
        "data_office_finance": {"URL", "USER", "PASSWORD"},
        "higher_education_budget": {"URL"},
        "education_inspection": {"URL", "TOKEN_URL", "CLIENT_ID", "CLIENT_SECRET"},
    }
    assert {name: set(federation.of(name)) for name in expected} == expected
    assert (federation.folder / "running" / "addresses.json").stat().st_mode & 0o777 == 0o600
    assert (federation.folder / "running" / "remembered.json").stat().st_mode & 0o777 == 0o600


def test_everything_listens_on_loopback_alone(federation: Federation) -> None:
    main = psutil.Process(int(federation.of("control")["PID"]))
    listening = [
        address
        for process in (main, *main.children(recursive=True))
        for address in process.net_connections("inet")
        if address.status == "LISTEN"
    ]
    assert len(listening) > 5
    assert {address.laddr.ip for address in listening} == {"127.0.0.1"}


# FTP


def test_an_ftp_account_reads_its_own_folder(federation: Federation) -> None:
    own = federation.of("education_transport")
    address = urlsplit(own["URL"])
    files = fsspec.filesystem("ftp", host=address.hostname, port=address.port, username=own["USER"], password=own["PASSWORD"])
    assert files.find("/") == ["/2025/2025-10.csv"]
    assert files.cat("/2025/2025-10.csv") == b"trip;km\r\n1;12,5\r\n"
    late = federation.folder / "ftp/education_transport/2025/2025-11.csv"
    late.write_bytes(b"new")
    assert files.cat("/2025/2025-11.csv") == b"new"
    late.unlink()


def _ftp(federation: Federation) -> ftplib.FTP:
    client = ftplib.FTP()  # noqa: S321 -- it is what is tested
    client.connect("127.0.0.1", urlsplit(federation.of("education_transport")["URL"]).port or 0)
    return client


@pytest.mark.parametrize(("user", "password"), [("education_transport", "wrong"), ("anonymous", ""), ("education_canteens", "x")])
def test_ftp_refuses_a_wrong_account(federation: Federation, user: str, password: str) -> None:
    with _ftp(federation) as client, pytest.raises(ftplib.error_perm, match="530"):
        client.login(user, password)


def test_ftp_lets_nobody_out_and_nothing_in(federation: Federation) -> None:
    own = federation.of("education_transport")
    outside = federation.folder / "ftp/education_transport/outside"
    outside.symlink_to("/etc")
    with _ftp(federation) as client:
        client.login(own["USER"], own["PASSWORD"])
        for path in ("../youth_care_daycare/secret.csv", "/../../running/addresses.json", "outside/passwd", "/etc/passwd"):
            with pytest.raises(ftplib.error_perm):
                client.retrbinary(f"RETR {path}", lambda _: None)
        for order in ("DELE 2025/2025-10.csv", "MKD new", "STOR new.csv", "RNFR 2025", "SITE CHMOD 777 2025"):
            with pytest.raises(ftplib.error_perm):
                client.sendcmd(order)
    outside.unlink()


# SFTP


def _sftp(federation: Federation, name: str, *, host_key: str | None = None, password: str | None = None) -> asyncssh.SSHClientConnection:
    own = federation.of(name)
    address = urlsplit(own["URL"])
    known = f"[{address.hostname}]:{address.port} {host_key or own['HOST_KEY']}".encode()
    return asyncssh.connect(address.hostname, address.port, username=own["USER"], password=password or own["PASSWORD"], known_hosts=known)


def test_an_sftp_account_reads_its_own_folder(federation: Federation) -> None:
    async def read() -> tuple[list[str], bytes]:
        async with _sftp(federation, "sport_camps") as connection, connection.start_sftp_client() as client:
            names = [name for name in await client.listdir("/") if not name.startswith(".")]
            async with client.open("/camps.csv", "rb") as opened:
                return names, await opened.read()

    assert asyncio.run(read()) == (["camps.csv"], b"camp;places\n1;20\n")


def test_sftp_lets_nobody_out_and_nothing_in(federation: Federation) -> None:
    root = federation.folder / "sftp/sport_camps"
    (root / "link").symlink_to("/etc/passwd")
    (root / "folder").symlink_to(federation.folder)

    async def refused() -> list[str]:
        through = []
        async with _sftp(federation, "sport_camps") as connection, connection.start_sftp_client() as client:
            reads = (
                "../youth_care_foster/families.txt",
                "/etc/passwd",
                "link",
                "folder/running/addresses.json",
                "../../running/addresses.json",
            )
            changes = [
                client.remove("camps.csv"),
                client.mkdir("new"),
                client.rename("camps.csv", "c"),
                client.open("new", "wb"),
                client.setstat("camps.csv", asyncssh.SFTPAttrs(permissions=0o777)),
                client.symlink("/etc", "etc"),
                client.readlink("link"),
            ]
            for name, attempt in [*((path, _read(client, path)) for path in reads), *((str(n), one) for n, one in enumerate(changes))]:
                try:
                    await attempt
                    through.append(name)
                except asyncssh.SFTPError:
                    continue
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.run("id")
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.open_connection("127.0.0.1", 22)
        return through

    assert asyncio.run(refused()) == []
    assert (root / "camps.csv").exists()
    (root / "link").unlink()
    (root / "folder").unlink()


async def _read(client: asyncssh.SFTPClient, path: str) -> bytes:
    async with client.open(path, "rb") as opened:
        return await opened.read()


def test_sftp_refuses_a_wrong_password_and_shows_a_key_that_can_be_checked(federation: Federation) -> None:
    async def enter(**given: str) -> None:
        async with _sftp(federation, "sport_camps", **given):
            pass

    with pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(enter(password="wrong"))
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        asyncio.run(enter(host_key=other))


# S3


def _bucket(federation: Federation, name: str, **other: str) -> s3fs.S3FileSystem:
    own = {**federation.of(name), **other}
    return s3fs.S3FileSystem(
        key=own["USER"], secret=own["PASSWORD"], endpoint_url=own["ENDPOINT"], use_listings_cache=False, skip_instance_cache=True
    )


def test_an_s3_account_reads_its_own_bucket(federation: Federation) -> None:
    files = _bucket(federation, "education_sites")
    assert federation.of("education_sites")["URL"] == "s3://education-sites"
    assert files.find("education-sites") == ["education-sites/2025/10/sites + é.parquet"]
    assert files.cat("education-sites/2025/10/sites + é.parquet") == b"PAR1"


def test_an_s3_account_enters_no_other_bucket_and_writes_nowhere(federation: Federation) -> None:
    files = _bucket(federation, "education_sites")
    for attempt in (
        lambda: files.cat("higher-education-publications/p.ndjson"),
        lambda: files.ls("higher-education-publications"),
        lambda: files.pipe("education-sites/new", b"x"),
        lambda: files.rm_file("education-sites/2025/10/sites + é.parquet"),
        lambda: files.mkdir("another-bucket"),
    ):
        with pytest.raises(PermissionError):
            attempt()
    with pytest.raises(PermissionError):
        _bucket(federation, "education_sites", PASSWORD="wrong").ls("education-sites")
    endpoint = federation.of("education_sites")["ENDPOINT"]
    assert httpx.get(f"{endpoint}/education-sites").status_code == 403


def test_the_inner_services_of_s3_ask_for_tokens(federation: Federation) -> None:
    main = psutil.Process(int(federation.of("control")["PID"]))
    ports = {
        c.laddr.port for p in main.children(recursive=True) if p.name() == "weed" for c in p.net_connections("inet") if c.status == "LISTEN"
    }
    found = []
    for port in sorted(ports):
        for path in ("/buckets/education-sites/2025/10/sites%20%2B%20%C3%A9.parquet", "/1,01637037d6"):
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5)
            except httpx.HTTPError:
                continue  # speaks another protocol
            found.append((answer.status_code, b"PAR1" in answer.content))
    assert (401, False) in found
    assert not any(leaked for _, leaked in found)


def test_a_bucket_follows_the_folder_when_asked(federation: Federation) -> None:
    files = _bucket(federation, "higher_education_publications")
    root = federation.folder / "s3/higher_education_publications"
    (root / "p.ndjson").write_bytes(b"{1}\n")
    (root / "q.ndjson").write_bytes(b"{}\n")
    new = federation.folder / "s3/culture_heritage/h.json"
    new.parent.mkdir()
    new.write_bytes(b"[]")
    federation.sync()
    assert files.cat("higher-education-publications/p.ndjson") == b"{1}\n"
    assert files.find("higher-education-publications") == [
        "higher-education-publications/p.ndjson",
        "higher-education-publications/q.ndjson",
    ]
    (root / "q.ndjson").unlink()
    federation.sync()
    assert files.find("higher-education-publications") == ["higher-education-publications/p.ndjson"]
    own = Running(federation.folder / "running").read()["culture_heritage"].environment
    heritage = s3fs.S3FileSystem(key=own["USER"], secret=own["PASSWORD"], endpoint_url=own["ENDPOINT"])
    assert heritage.cat("culture-heritage/h.json") == b"[]"


# MariaDB


@contextmanager
def _mariadb(own: Mapping[str, str], tmp_path: Path, **other: str) -> Iterator[duckdb.DuckDBPyConnection]:
    extension = next(Path(_scanner).parent.glob("extensions/*/*.duckdb_extension"))
    words = {**own, **other}
    with duckdb.connect() as engine:
        engine.execute(f"LOAD '{extension}'")
        address = " ".join(f"{name.lower()}={words[name]}" for name in ("HOST", "PORT", "USER", "PASSWORD", "DATABASE"))
        engine.execute(f"ATTACH '{address}' AS source (TYPE mysql)")
        yield engine


@NEEDS_MARIADB
def test_mariadb_holds_what_the_folder_says(federation: Federation, tmp_path: Path) -> None:
    with _mariadb(federation.of("sport_licences"), tmp_path) as engine:
        clubs = engine.execute("SELECT club_id, name, active, updated_at::VARCHAR, fee::DOUBLE FROM source.clubs ORDER BY 1").fetchall()
        assert clubs == [(1, 'Élan, "A"', True, "2025-10-01 06:00:00", 12.5), (2, "B\nC", False, None, None)]
        assert engine.execute("SELECT * FROM source.licences ORDER BY 1").fetchall() == [(1, 1), (2, 99)]


@NEEDS_MARIADB
def test_a_mariadb_account_only_reads_its_database(federation: Federation, tmp_path: Path) -> None:
    with _mariadb(federation.of("sport_licences"), tmp_path) as engine:
        for statement in (
            "INSERT INTO clubs VALUES (3, ''c'', 0, NULL, NULL)",
            "DROP TABLE clubs",
            "CREATE DATABASE x",
            "SELECT LOAD_FILE(''/etc/passwd'') INTO OUTFILE ''/tmp/x''",
        ):
            with pytest.raises(duckdb.Error):
                engine.execute(f"CALL mysql_execute('source', '{statement}')")
        seen = engine.execute("SELECT * FROM mysql_query('source', 'SHOW DATABASES')").fetchall()
        assert {name for (name,) in seen} == {"information_schema", "sport_licences"}
    for wrong in ({"PASSWORD": "wrong"}, {"DATABASE": "mysql"}, {"USER": "root", "PASSWORD": ""}):
        with pytest.raises(duckdb.Error), _mariadb(federation.of("sport_licences"), tmp_path, **wrong):
            pass


@NEEDS_MARIADB
def test_mariadb_follows_the_folder_when_asked(federation: Federation, tmp_path: Path) -> None:
    (federation.folder / "mariadb/sport_licences/licences.csv").write_bytes(b"1,1\n2,99\n3,2\n")
    federation.sync()
    with _mariadb(federation.of("sport_licences"), tmp_path) as engine:
        assert engine.execute("SELECT count(*) FROM source.licences").fetchone() == (3,)
    (federation.folder / "mariadb/sport_licences/licences.csv").write_bytes(b"1,1\n2,99\n")
    federation.sync()


def test_a_machine_without_mariadb_says_so(systems: Path) -> None:
    (systems / "mariadb/sport_licences").mkdir(parents=True)
    program = (
        "import sys\nfrom polyceph.testing.federation.servers import mariadb, __main__\n"
        "mariadb.Programs.find = classmethod(lambda cls: None)\n"
        f"sys.argv = ['servers', '--folder', {str(systems)!r}]\n__main__.main()"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        found = _wait(systems, process)["sport_licences"]
        assert found.environment == {}
        assert "apt-get install mariadb-server-core mariadb-client-core" in found.missing
    finally:
        process.terminate()
        process.wait()


# The process


def _wait(folder: Path, process: subprocess.Popen[bytes]) -> dict[str, object]:
    running, end = Running(folder / "running"), time.monotonic() + 60
    while time.monotonic() < end:
        assert process.poll() is None
        found = running.read()
        if found and found["control"].environment["PID"] == str(process.pid):
            return found
        time.sleep(0.05)
    raise AssertionError("the servers are not ready")


def _family(pid: int) -> list[psutil.Process]:
    main = psutil.Process(pid)
    return [main, *main.children(recursive=True)]


def _are_gone(family: list[psutil.Process], seconds: float = 20) -> bool:
    _, alive = psutil.wait_procs(family, timeout=seconds)
    return not [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_a_restart_has_the_same_addresses(systems: Path) -> None:
    with serve(systems) as first:
        before = {name: dict(one.environment) for name, one in first.items() if name != "control"}
    assert not (systems / "running" / "addresses.json").exists()
    with serve(systems) as second:
        assert {name: dict(one.environment) for name, one in second.items() if name != "control"} == before


def test_nothing_is_left_when_it_ends(federation: Federation, systems: Path) -> None:
    shutil.copytree(federation.folder / "s3", systems / "s3")
    shutil.copytree(federation.folder / "mariadb", systems / "mariadb")
    with serve(systems) as addresses:
        family = _family(int(addresses["control"].environment["PID"]))
        assert len(family) >= 2
    assert _are_gone(family)


def test_programs_end_with_a_process_that_is_killed_and_the_next_start_waits_for_them(federation: Federation, systems: Path) -> None:
    shutil.copytree(federation.folder / "s3", systems / "s3")
    process = subprocess.Popen(command(systems))
    before = {name: one.environment for name, one in _wait(systems, process).items() if name != "control"}
    family = _family(process.pid)
    process.kill()
    process.wait()
    with serve(systems) as addresses:
        assert {name: one.environment for name, one in addresses.items() if name != "control"} == before
        assert _are_gone(family[1:], 0.1)


def test_it_ends_with_a_reason_when_a_program_ends_by_itself(federation: Federation, systems: Path) -> None:
    shutil.copytree(federation.folder / "s3", systems / "s3")
    process = subprocess.Popen(command(systems), stderr=subprocess.PIPE)
    _wait(systems, process)
    family = _family(process.pid)
    family[1].kill()
    _, error = process.communicate(timeout=30)
    assert process.returncode == 6
    assert "weed ended with -9" in error.decode()
    assert _are_gone(family)
    assert not list(Path("/tmp").glob(f"seaweedfs-*-{_ports(systems)['s3.port.grpc']}.sock"))


def _ports(folder: Path) -> dict[str, int]:
    return json.loads((folder / "running" / "remembered.json").read_text())["ports"]


def test_it_ends_with_its_parent(systems: Path) -> None:
    program = f"import subprocess, time; subprocess.Popen({command(systems)!r}); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", program])
    end = time.monotonic() + 30
    while not (found := Running(systems / "running").read()) and time.monotonic() < end:
        time.sleep(0.05)
    family = _family(int(found["control"].environment["PID"]))
    parent.kill()
    parent.wait()
    assert _are_gone(family, 10)
    assert not (systems / "running" / "addresses.json").exists()


def test_a_hangup_makes_it_follow_the_folder(systems: Path) -> None:
    with serve(systems) as addresses:
        (systems / "ftp/sport_other").mkdir()
        os.kill(int(addresses["control"].environment["PID"]), signal.SIGHUP)
        end = time.monotonic() + 10
        while "sport_other" not in Running(systems / "running").read() and time.monotonic() < end:
            time.sleep(0.05)
        assert "sport_other" in Running(systems / "running").read()


def test_two_processes_do_not_serve_one_folder(systems: Path) -> None:
    with serve(systems):
        # The lock is asked for twenty seconds; the second process is not waited for so long.
        second = subprocess.Popen(command(systems), stderr=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(3)
        assert Running(systems / "running").read()
        second.kill()
        second.wait()


def test_the_control_address_wants_its_token(systems: Path) -> None:
    with serve(systems) as addresses:
        control = addresses["control"].environment
        assert httpx.post(f"{control['URL']}/sync").status_code == 401
        assert httpx.get(f"{control['URL']}/received/mail", headers={"Authorization": "Bearer x"}).status_code == 401
        answer = httpx.post(f"{control['URL']}/sync", headers={"Authorization": f"Bearer {control['TOKEN']}"})
        assert {"education_transport", "education_canteens"} <= set(answer.json()["sources"])


@NEEDS_MARIADB
def test_a_broken_folder_ends_the_start_with_a_reason(systems: Path) -> None:
    broken = systems / "mariadb/sport_licences"
    broken.mkdir(parents=True)
    (broken / "schema.sql").write_text("CREATE TABLE clubs (club_id int);")
    (broken / "other.csv").write_text("1\n")
    process = subprocess.run(command(systems), capture_output=True, timeout=60, text=True)
    assert process.returncode == 2
    assert "schema.sql of sport_licences makes no table other" in process.stderr
