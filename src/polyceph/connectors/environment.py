"""A value of a source that differs by machine: declared as `{env: NAME}`, taken from the environment. Secrets are not values."""

from __future__ import annotations

import os

from pydantic import Field

from polyceph.sdk import Misconfigured, Options, SecretName


class FromEnvironment(Options):
    """A value that stands in an environment variable."""

    env: SecretName = Field(description="name of the environment variable")

    def value(self) -> str:
        """Return the variable's value; raise `Misconfigured` when it is not set."""
        value = os.environ.get(self.env)
        if not value:
            raise Misconfigured(f"environment variable {self.env} is not set", hint=f"set {self.env} for this domain")
        return value
