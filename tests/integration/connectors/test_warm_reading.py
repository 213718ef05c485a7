"""Files are read by throw-away processes that a warm one forks: none sees what another did, and none outlives its job."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from polyceph.connectors.tabular import warm
from polyceph.connectors.tabular.options import FilesDataset
from polyceph.connectors.tabular.reading import Limits, SourceFile, job_of, read_file
from polyceph.errors import Invalid
from polyceph.sdk import Column

COLUMNS = (Column("id", "integer"), Column("name", "string"))
LIMITS = Limits(1024, 30, 100)


def read(folder: Path, text: str = "id,name\n1,a\n", limits: Limits = LIMITS) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.csv").write_text(text)
    file = SourceFile(folder / "rows.csv", "rows.csv", "csv")
    return read_file(file, COLUMNS, dataset=FilesDataset(path="rows.csv", format="csv"), folder=folder, limits=limits).count


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(autouse=True)
def _cold() -> Any:
    warm.close()
    yield
    warm.close()


def warm_pids() -> list[int]:
    """Return the warm processes that run; what has ended and is not waited for has no command line any more."""
    return [pid for pid in children_of(os.getpid()) if b"tabular.warm" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def warm_pid() -> int:
    [found] = warm_pids()
    return found


def test_one_process_serves_many_files_and_ends_when_it_is_let_go(tmp_path: Path) -> None:
    assert [read(tmp_path / str(number)) for number in range(3)] == [1, 1, 1]
    pid = warm_pid()
    assert read(tmp_path / "more") == 1
    assert warm_pid() == pid
    assert children_of(pid) == []
    warm.close()
    assert not Path(f"/proc/{pid}").exists()


def test_a_process_that_was_killed_is_replaced(tmp_path: Path) -> None:
    read(tmp_path / "one")
    first = warm_pid()
    os.kill(first, signal.SIGKILL)
    time.sleep(0.2)
    assert read(tmp_path / "two") == 1
    assert warm_pid() != first


def test_threads_read_side_by_side(tmp_path: Path) -> None:
    counts: list[int] = []

    def several(name: str) -> None:
        counts.extend(read(tmp_path / f"{name}{number}") for number in range(3))

    threads = [threading.Thread(target=several, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [1] * 9
    end = time.monotonic() + 20
    while warm_pids() and time.monotonic() < end:
        time.sleep(0.1)
    assert warm_pids() == [], "a warm process outlives its thread"


def test_a_fork_of_ours_does_not_share_the_pipes(tmp_path: Path) -> None:
    read(tmp_path / "before")
    child = os.fork()
    if child == 0:
        try:
            code = 0 if read(tmp_path / "child") == 1 else 1
            warm.close()
        except BaseException:  # noqa: BLE001 - the test looks at the code
            code = 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert read(tmp_path / "after") == 1


def test_limits_of_one_job_do_not_hold_for_the_next(tmp_path: Path) -> None:
    large = "id,name\n" + "".join(f"{number},{'x' * 100}\n" for number in range(20_000))
    with pytest.raises(Invalid, match="becomes larger than 1 MB on disk"):
        read(tmp_path / "small", large, Limits(1024, 30, 1))
    assert read(tmp_path / "large", large) == 20_000


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    read(tmp_path / "one")
    path, job = tmp_path / "never.csv", tmp_path / "job.json"
    os.mkfifo(path)  # opening it waits for a writer that never comes
    asked = job_of(SourceFile(path, path.name, "csv"), COLUMNS, FilesDataset(path=path.name, format="csv"))
    job.write_text(json.dumps(asked | {"memory_mb": 1024, "seconds": 9, "disk_mb": 1}))
    environment = warm._OWN.warm._environment  # type: ignore[union-attr]
    started = time.monotonic()
    ended = warm.run(job, 1.0, environment)
    assert ended.is_late
    assert time.monotonic() - started < 10
    assert read(tmp_path / "two") == 1
