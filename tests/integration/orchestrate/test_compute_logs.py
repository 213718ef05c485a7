"""The platform finds the output of a run in the folder of the domain that runs it, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test

from polyceph.orchestrate.compute_logs import DomainComputeLogs


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def logs(instance: DagsterInstance, tmp_path: Path) -> DomainComputeLogs:
    """Return the platform's view on the folders of two domains."""
    for name in ("victim", "spy"):
        (tmp_path / name).mkdir()
    made = DomainComputeLogs(str(tmp_path))
    made.register_instance(instance)
    return made


def run_of(instance: DagsterInstance, domain: str) -> str:
    server = GrpcServerCodeLocationOrigin(host="localhost", socket=f"/at/{domain}/socket", location_name=domain)
    return create_run_for_test(
        instance, job_name="job", remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(server, "all"), "job")
    ).run_id


def write(folder: Path, run: str, text: str) -> Path:
    file = folder / run / "compute_logs" / "step.out"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


def test_what_another_domain_puts_under_the_same_run_is_not_shown(
    instance: DagsterInstance, logs: DomainComputeLogs, tmp_path: Path
) -> None:
    run = run_of(instance, "victim")
    write(tmp_path / "spy", run, "forged")
    assert logs.get_log_data([run, "compute_logs", "step"]).stdout is None
    write(tmp_path / "victim", run, "true")
    assert logs.get_log_data([run, "compute_logs", "step"]).stdout == b"true"


def test_a_link_out_of_a_domains_folder_is_not_followed(instance: DagsterInstance, logs: DomainComputeLogs, tmp_path: Path) -> None:
    other = write(tmp_path / "victim", run_of(instance, "victim"), "of the victim")
    run = run_of(instance, "spy")
    link = tmp_path / "spy" / run / "compute_logs" / "step.out"
    link.parent.mkdir(parents=True)
    link.symlink_to(other)
    with pytest.raises(ValueError, match="Invalid path"):
        logs.get_log_data([run, "compute_logs", "step"])


def test_a_domain_writes_into_its_own_folder_what_the_platform_then_reads(
    instance: DagsterInstance, logs: DomainComputeLogs, tmp_path: Path
) -> None:
    run = run_of(instance, "spy")
    own = DomainComputeLogs(str(tmp_path / "spy"))
    own.register_instance(instance)
    with own.capture_logs([run, "compute_logs", "step"]):
        sys.stdout.write("said in the run\n")
    assert (tmp_path / "spy" / run / "compute_logs" / "step.complete").exists()
    assert logs.is_capture_complete([run, "compute_logs", "step"])
    assert b"said in the run" in (logs.get_log_data([run, "compute_logs", "step"]).stdout or b"")


def test_output_of_a_sensor_is_found_by_its_own_key(logs: DomainComputeLogs, tmp_path: Path) -> None:
    file = tmp_path / "victim" / "all" / "often" / "12.err"
    file.parent.mkdir(parents=True)
    file.write_text("of a tick")
    assert logs.get_log_data(["all", "often", "12"]).stderr == b"of a tick"
