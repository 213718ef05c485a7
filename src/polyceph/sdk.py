"""All that the author of a connector imports."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, SecretStr, StringConstraints

from polyceph.core.model.contract import Column, Contract
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.drift import Form, FormColumn, form_of
from polyceph.core.source_ports import (
    NO_REJECTS,
    Admission,
    Arrival,
    ArrowStream,
    Connector,
    Delivery,
    Demand,
    Explorer,
    Follows,
    LoadMode,
    Note,
    Original,
    Pushdown,
    Sample,
    SourceColumn,
    SourceTable,
    Tolerance,
)
from polyceph.errors import Conflict, Denied, Invalid, Misconfigured, NotFound, Problem, Unavailable

__all__ = [
    "NO_REJECTS",
    "Admission",
    "Arrival",
    "ArrowStream",
    "Column",
    "Conflict",
    "Connector",
    "ConnectorClass",
    "Contract",
    "DatasetId",
    "Delivery",
    "Demand",
    "Denied",
    "Explorer",
    "Follows",
    "Form",
    "FormColumn",
    "Invalid",
    "LoadMode",
    "Misconfigured",
    "NotFound",
    "Note",
    "Options",
    "Original",
    "Problem",
    "Pushdown",
    "Sample",
    "SecretName",
    "SecretStr",
    "SourceColumn",
    "SourceTable",
    "Tolerance",
    "Unavailable",
    "Zone",
    "form_of",
    "secret",
]


class Options(BaseModel):
    """Base of a connector's options: unknown keys are refused, values are frozen, each field has a description."""

    model_config = ConfigDict(extra="forbid", frozen=True)


SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
"""The name of an environment variable that holds a secret; declarations never hold the secret itself."""


def secret(name: str, *, environment: Mapping[str, str] | None = None) -> SecretStr:
    """Return the secret that the environment variable `name` holds; raise `Misconfigured` when it is not set."""
    value = (os.environ if environment is None else environment).get(name)
    if not value:
        raise Misconfigured(
            f"secret {name} is not set", hint=f"set the environment variable {name} for this domain (.polyceph/secrets/<domain>.env)"
        )
    return SecretStr(value)


class ConnectorClass(Protocol):
    """What the entry point `polyceph.connectors` names: a class with two option models, built from the first."""

    source_options: ClassVar[type[Options]]
    """Options of a source in `domain.yaml`."""
    dataset_options: ClassVar[type[Options]]
    """Options of a dataset in an `Ingest` component."""
    summary: ClassVar[str]
    """One sentence for `polyceph connector list` and the Dagster UI."""

    def __call__(self, options: Options, *, base: Path) -> Connector:
        """Return a connector for one source; relative paths start at `base`."""
        ...
