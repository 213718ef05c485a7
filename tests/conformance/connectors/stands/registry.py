"""All stands by name, and which of them show a behaviour. Imports no server and no connector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stands.behaviours import NUMBERS, Behaviour
from stands.ckan import CkanStand
from stands.denodo import DenodoStand
from stands.fake_only import Db2Stand, MsSqlStand, OracleStand
from stands.files import FilesStand
from stands.lake import LakeStand
from stands.mysql import MySqlStand
from stands.opendatasoft import OpendatasoftStand
from stands.postgres import PostgresStand
from stands.rest import RestStand
from stands.sap import SapStand
from stands.sharepoint import SharepointStand
from stands.soap import SoapStand
from stands.stand import Stand

STANDS: dict[str, type[Stand]] = {
    "postgres": PostgresStand,
    "mysql": MySqlStand,
    "mssql": MsSqlStand,
    "db2": Db2Stand,
    "oracle": OracleStand,
    "denodo": DenodoStand,
    "sap": SapStand,
    "rest": RestStand,
    "opendatasoft": OpendatasoftStand,
    "ckan": CkanStand,
    "soap": SoapStand,
    "files": FilesStand,
    "sharepoint": SharepointStand,
    "lake": LakeStand,
}
TESTED: dict[Behaviour, list[str]] = {}
"""By behaviour the tests that run it, as they are imported."""


def behaviour(one: Behaviour) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Run a test of a behaviour with every stand; one that has a reason not to is skipped with it."""

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        TESTED.setdefault(one, []).append(test.__name__)
        params = [_param(name, stand, one) for name, stand in STANDS.items()]
        return pytest.mark.parametrize("stand", params, indirect=True)(test)

    return decorate


def _param(name: str, stand: type[Stand], one: Behaviour) -> Any:
    reason = stand.reason(one)
    marks = [pytest.mark.skip(reason=f"({NUMBERS[one]}) {name}: {reason}")] if reason else []
    return pytest.param(name, marks=marks, id=name)
