"""The full cycle on object storage: a real local S3 server."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pyarrow as pa
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from polyceph.core.model.commit import LakeCommit
from polyceph.core.model.contract import Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.source_ports import Delivery, Original, Pushdown
from polyceph.lake.files import to_file
from polyceph.lake.lake import DomainLake, EngineLimits
from polyceph.lake.maintenance import Keep, maintain
from polyceph.lake.provision import provision_lake
from polyceph.settings import LakeAddress, ObjectStorage

if TYPE_CHECKING:
    from conftest import World


@pytest.fixture(scope="module")
def bucket() -> Iterator[tuple[ObjectStorage, object]]:
    """A bucket on a local S3 server, as settings and as a client."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="word")
    client.create_bucket(Bucket="lakes")
    yield ObjectStorage(endpoint=endpoint, key_id=SecretStr("key"), secret=SecretStr("word"), use_ssl=False), client
    server.stop()


@pytest.fixture(scope="module")
def remote(world: World, bucket: tuple[ObjectStorage, object]) -> Iterator[DomainLake]:
    own = world.address("meuse").catalogue.as_role("domain_vesdre", SecretStr("vesdre"))
    address = LakeAddress(
        domain="vesdre", catalogue=own, metadata_schema="lake_vesdre", data_path="s3://lakes/dev/vesdre", storage=bucket[0]
    )
    world.make_role("domain_vesdre", "vesdre")
    provision_lake(world.admin, address, {}, extensions=world.extensions)
    with DomainLake(address, extensions=world.extensions, limits=EngineLimits(temporary=world.folder / "temporary")) as lake:
        yield lake


def keys(bucket: tuple[ObjectStorage, object]) -> list[str]:
    listed = bucket[1].list_objects_v2(Bucket="lakes")  # type: ignore[attr-defined]
    return [entry["Key"] for entry in listed.get("Contents", [])]


def test_a_lake_in_a_bucket_loads_transforms_serves_and_is_kept(
    remote: DomainLake, bucket: tuple[ObjectStorage, object], contract: Callable[..., Contract], commit: LakeCommit, tmp_path: Path
) -> None:
    promise = contract(name="pupils")
    promise = Contract(**{**vars(promise), "dataset": DatasetId("vesdre", Zone.RAW, "pupils")})
    file = tmp_path / "pupils.csv"
    file.write_bytes(b"id;name\n1;a\n")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    original = Original(file, "pupils.csv", digest)
    delivery = Delivery("k1", pa.table({"id": [1, 2], "name": ["a", "b"]}), cursor="c1", originals=(original,))
    assert remote.load(delivery, promise, commit).rows == 2
    assert not remote.load(delivery, promise, commit).is_new
    select = "SELECT range + 10 AS id, md5(range::VARCHAR) || md5((range + 1)::VARCHAR) AS name FROM range(300000)"
    big = remote.load(Delivery("k2", Pushdown(lambda _: select), originals=(original,)), promise, commit)
    assert big.bytes > 4_000_000
    large = tmp_path / "large.bin"
    large.write_bytes(random.Random(7).randbytes(30_000_000))
    taken = Original(large, "large.bin", hashlib.sha256(large.read_bytes()).hexdigest())
    remote.load(Delivery("k3", pa.table({"id": [3], "name": ["c"]}), originals=(taken,)), promise, commit)
    stored = bucket[1].get_object(Bucket="lakes", Key=f"dev/vesdre/_originals/{taken.sha256[:2]}/{taken.sha256}")  # type: ignore[attr-defined]
    assert hashlib.sha256(stored["Body"].read()).hexdigest() == taken.sha256
    assert f"dev/vesdre/_originals/{digest[:2]}/{digest}" in keys(bucket)
    assert sum(key.startswith("dev/vesdre/raw/pupils/") for key in keys(bucket)) >= 2
    gold = DatasetId("vesdre", Zone.GOLD, "counted")
    remote.replace(gold, "SELECT count(*) AS n, count(DISTINCT name) AS names FROM vesdre.raw.pupils", commit)
    assert remote.query("SELECT n, names FROM vesdre.gold.counted").to_pylist() == [{"n": 300_003, "names": 300_003}]
    to_file(remote, gold, tmp_path / "counted.csv", file_format="csv", commit=commit)
    assert (tmp_path / "counted.csv").read_text().splitlines()[1] == "300003,300003"
    bucket[1].put_object(Bucket="lakes", Key="dev/vesdre/raw/pupils/orphan.parquet", Body=b"x")  # type: ignore[attr-defined]
    held = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets["lakes"].keys["dev/vesdre/raw/pupils/orphan.parquet"]
    held.last_modified = datetime(2026, 1, 1)  # noqa: DTZ001 -- the server keeps wall-clock times
    report = maintain(remote, commit, keep=Keep(snapshot_days=0, grace_hours=1))
    assert report.orphans_removed == 1
    assert f"dev/vesdre/_originals/{digest[:2]}/{digest}" in keys(bucket)
    assert remote.query("SELECT count(*) AS n FROM vesdre.raw.pupils").to_pylist() == [{"n": 300_003}]
