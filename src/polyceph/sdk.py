"""All that the author of a connector or a policy imports."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, SecretStr, StringConstraints

from polyceph import plugins
from polyceph.core.model.access import FEDERATION, Action, Principal, Question, Role, Standing
from polyceph.core.model.classification import Classification
from polyceph.core.model.contract import Column, Contract, ValueRule
from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.decision import Decision
from polyceph.core.model.drift import Form, FormColumn, form_of
from polyceph.core.model.phonex import phonex
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
from polyceph.errors import Conflict, Denied, Invalid, Misconfigured, NotFound, PolycephError, Problem, Unavailable

__all__ = [
    "FEDERATION",
    "NO_REJECTS",
    "Action",
    "Admission",
    "Arrival",
    "ArrowStream",
    "Classification",
    "Column",
    "Conflict",
    "Connector",
    "ConnectorClass",
    "Contract",
    "DatasetId",
    "Decision",
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
    "PolycephError",
    "Principal",
    "Problem",
    "Pushdown",
    "Question",
    "Role",
    "Sample",
    "SecretName",
    "SecretStr",
    "SecretVault",
    "SourceColumn",
    "SourceTable",
    "Standing",
    "Tolerance",
    "Unavailable",
    "ValueRule",
    "Zone",
    "form_of",
    "phonex",
    "secret",
]


class Options(BaseModel):
    """Base of a connector's options: unknown keys are refused, values are frozen, each field has a description."""

    model_config = ConfigDict(extra="forbid", frozen=True)


SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
"""The name of an environment variable that holds a secret; declarations never hold the secret itself."""


class SecretVault(Protocol):
    """What the entry point `polyceph.vaults` names: a class built from the environment that gives secrets by name."""

    def get(self, name: str) -> str | None:
        """Return a secret, None when the vault has none of this name; raise `Denied` or `Unavailable` when it does not say."""
        ...


def secret(name: str, *, environment: Mapping[str, str] | None = None) -> SecretStr:
    """Return a secret: the environment variable `name`, the file that `name_FILE` names, or what the vault of this process holds.

    The vault is the one that `POLYCEPH_VAULT` names (an entry point of `polyceph.vaults`); it is asked each time, so that a changed
    secret counts at the next load.

    Raises:
        Misconfigured: it is set nowhere, the file cannot be read, or there is no such vault.
        Denied, Unavailable: the vault refuses, or does not answer.
    """
    around = os.environ if environment is None else environment
    value = around.get(name) or _of_file(name, around) or _of_vault(name, around)
    if not value:
        raise Misconfigured(
            f"secret {name} is not set",
            hint=f"set the variable {name} for this domain (.polyceph/secrets/<domain>.env), or keep it in the domain's keyring or vault",
        )
    return SecretStr(value)


def _of_file(name: str, environment: Mapping[str, str]) -> str | None:
    path = environment.get(f"{name}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(
            f"the file that {name}_FILE names cannot be read", hint="give the domain's account the right to read it"
        ) from error


def _of_vault(name: str, environment: Mapping[str, str]) -> str | None:
    kind = environment.get("POLYCEPH_VAULT")
    if not kind:
        return None
    vault: SecretVault = plugins.load(plugins.VAULTS, kind)(environment)
    return vault.get(name)


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
