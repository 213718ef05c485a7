"""Options of the connector `soap`: the service and its description, and which operation with which arguments makes a dataset."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, model_validator

from polyceph.connectors.environment import FromEnvironment
from polyceph.connectors.web.options import WebSource
from polyceph.connectors.web.records import RecordsReading
from polyceph.sdk import Options, SecretName

PLACES = ("{page}", "{offset}", "{since}")
"""What stands in an argument for the number of the page, for the rows before it, and for where the last load stopped."""
_PLACE = re.compile(r"\{[^{}]*\}")


class UsernameToken(Options):
    """User and password inside the message (OASIS WS-Security UsernameToken Profile 1.1)."""

    user_env: SecretName = Field(description="variable with the user's name")
    password_env: SecretName = Field(description="variable with the password")
    is_digest: bool = Field(default=False, description="send a digest of the password with a nonce instead of its text")


class SoapSource(WebSource):
    """A SOAP service that WSDL 1.1 describes. HTTP's own sign-in is `auth`, mutual TLS `certificate`."""

    wsdl: str = Field(
        default="?wsdl", min_length=1, description="where the description is: ?wsdl behind url, or a path or address of its own"
    )
    endpoint: str | FromEnvironment | None = Field(
        default=None, description="where calls go, if not to the address that the description names: a path, an address or {env: NAME}"
    )
    username_token: UsernameToken | None = Field(default=None, description="WS-Security: user_env, password_env, is_digest")


class SoapDataset(RecordsReading):
    """The rows that an operation answers."""

    operation: str = Field(min_length=1, description="name of the operation")
    service: str | None = Field(default=None, description="name of the service, when the description has several")
    port: str | None = Field(default=None, description="name of the port; the first of the service when left out")
    arguments: dict[str, Any] = Field(
        default={}, description="arguments as the operation takes them; {page}, {offset} and {since} stand for what a load fills in"
    )
    secret_arguments: dict[str, SecretName] = Field(default={}, description="arguments that are secrets: name of the variable with each")
    records: str | None = Field(
        default=None, min_length=1, description="dotted path to the rows in the answer; needed when the description has several lists"
    )
    first_page: int = Field(default=1, ge=0, description="number of the first page")
    page_size: int | None = Field(
        default=None, ge=1, description="rows of a full page: a shorter one is the last; without it an empty one is"
    )
    since: str | None = Field(
        default=None, description="member of a row, with {since} as argument: only rows from its newest value on are asked for"
    )
    begin: str | None = Field(default=None, description="what {since} is at the very first load; the argument is left out when this is")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        found = {place for place in _PLACE.findall(str(self.arguments)) if place in PLACES}
        if (self.since is not None) != ("{since}" in found):
            raise ValueError("since and an argument {since} go together")
        if "{offset}" in found and self.page_size is None:
            raise ValueError("{offset} needs page_size")
        if set(self.arguments) & set(self.secret_arguments):
            raise ValueError("an argument stands in arguments and in secret_arguments")
        return self

    def is_paged(self) -> bool:
        """Tell whether the operation is called page by page."""
        return any(place in str(self.arguments) for place in PLACES[:2])

    def filled(self, page: int, since: str | None) -> dict[str, Any]:
        """Return the arguments of one call; one that stands for {since} is left out when there is nothing to say."""
        values = {"{page}": self.first_page + page, "{offset}": page * (self.page_size or 0), "{since}": since or self.begin}
        made = _filled(self.arguments, values)
        return made if isinstance(made, dict) else {}


def _filled(given: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(given, Mapping):
        made = {name: _filled(value, values) for name, value in given.items()}
        return {name: value for name, value in made.items() if value is not None}
    if isinstance(given, list):
        return [_filled(value, values) for value in given]
    return values[given] if isinstance(given, str) and given in values else given
