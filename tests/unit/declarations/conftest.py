from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field, model_validator

from polyceph.sdk import Options, SecretName


class Variable(Options):
    env: SecretName


class DatabaseSource(Options):
    host: str | Variable = Field(description="Server.")
    port: int = Field(default=5432, description="Port.")
    password_env: SecretName = Field(description="Variable with the password.")


class DatabaseDataset(Options):
    table: str | None = Field(default=None, description="Table.")
    query: str | None = Field(default=None, description="Query.")
    mode: Literal["snapshot", "incremental"] = Field(default="snapshot", description="How.")

    @model_validator(mode="after")
    def _one_of(self):
        if (self.table is None) == (self.query is None):
            raise ValueError("give exactly one of table and query")
        return self


class FolderSource(Options):
    path: str = Field(description="Folder.")


class FolderDataset(Options):
    file: str = Field(description="File.")


@pytest.fixture
def connectors():
    return {"database": (DatabaseSource, DatabaseDataset), "folder": (FolderSource, FolderDataset)}
