"""The connector `soap`: what an operation of a SOAP service answers, as rows. Queues of messages are none of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from polyceph.connectors.environment import FromEnvironment
from polyceph.connectors.soap_description import Operation, Shape, chosen, operations
from polyceph.connectors.soap_messages import answered, envelope, rows
from polyceph.connectors.soap_options import SoapDataset, SoapSource
from polyceph.connectors.validation import validated
from polyceph.connectors.web.bookmarks import Bookmarks
from polyceph.connectors.web.changes import source_name
from polyceph.connectors.web.client import Call, WebClient
from polyceph.connectors.web.links import own_link
from polyceph.connectors.web.options import ApiKeyAuth, BasicAuth, OAuth2Auth
from polyceph.connectors.web.records import RecordFile
from polyceph.connectors.web.samples import sampled
from polyceph.sdk import Delivery, Demand, Follows, Invalid, LoadMode, Options, Sample, SecretStr, SourceColumn, SourceTable, secret


class SoapConnector:
    """Calls one operation, page by page where it has pages, and takes the rows from its answer.

    The whole is compared by key with what is there; with `since` only rows from the newest known value on are asked for.
    """

    source_options: ClassVar[type[Options]] = SoapSource
    dataset_options: ClassVar[type[Options]] = SoapDataset
    summary: ClassVar[str] = "Operations of SOAP services (WSDL 1.1, SOAP 1.1 and 1.2), their answers as rows."

    def __init__(self, options: Options, *, base: Path) -> None:
        self._source = validated(SoapSource, options, "source of connector soap")
        self._base = base

    def deliveries(self, demand: Demand) -> Iterator[Delivery]:
        """Yield one delivery, or nothing when nothing is new.

        Raises:
            Invalid: options or arguments are wrong, the service refuses the call, or rows do not keep the contract.
            NotFound: there is no such service or operation.
            Denied: description or calls lead to a host that is not declared.
            Misconfigured: the extra is not installed, or the sign-in is not accepted.
            Unavailable: the service does not answer, or says that it failed.
        """
        dataset = validated(SoapDataset, demand.options, f"options of {demand.dataset}")
        with WebClient(self._source, base=self._base) as client:
            calls = self._calls(client, dataset)
            bookmarks = Bookmarks.of(demand.contract, dataset.operation, dataset.service, str(dataset.arguments), dataset.since)
            newest = _Newest(bookmarks.read("since", demand.cursor))
            with RecordFile(demand, _exact(dataset), self._source) as file:
                for page, found in enumerate(calls.pages(newest.begins)):
                    if dataset.since is not None:
                        newest.see(found, dataset.since)
                    file.add(_complete(found, calls.shape, demand), f"page {page + 1} of {dataset.operation}")
                delivery = _delivery(file, demand, dataset, cursor=bookmarks.write("since", newest.value) if newest.value else None)
            if delivery is not None:
                yield delivery

    def tables(self) -> Iterator[SourceTable]:
        """Yield the operations; what each takes is its description."""
        with WebClient(self._source, base=self._base) as client:
            found = operations(client, self._source)
        names = {(one.service, one.name): one for one in reversed(found)}
        several = len({one.service for one in found}) > 1
        for (service, name), one in sorted(names.items()):
            options = {"operation": name} | ({"service": service} if several else {})
            yield SourceTable(f"{service}/{name}" if several else name, options, f"takes {one.takes}")

    def sample(self, options: Mapping[str, object], *, rows: int, workspace: Path) -> Sample:  # noqa: ARG002  nothing is kept
        """Return the first rows that the operation answers to the declared arguments; raises like `deliveries`."""
        dataset = validated(SoapDataset, options, "options of the sample")
        with WebClient(self._source, base=self._base) as client:
            calls = self._calls(client, dataset)
            found = [row for row in next(calls.pages(None), [])[:rows] if isinstance(row, Mapping)]
        names = dict.fromkeys([*calls.shape.children, *(name for row in found for name in row)])
        return sampled([_column(name, calls.shape.children.get(name)) for name in names], found)

    def _calls(self, client: WebClient, dataset: SoapDataset) -> _Calls:
        operation = chosen(operations(client, self._source), dataset)
        path, shape = operation.rows_at(dataset.records)
        given = self._source.endpoint
        there = given.value() if isinstance(given, FromEnvironment) else given
        return _Calls(client, self._source, dataset, operation, own_link(client, there or operation.address), path, shape)


@dataclass(frozen=True)
class _Calls:
    """The calls of one load."""

    client: WebClient
    source: SoapSource
    dataset: SoapDataset
    operation: Operation
    address: str
    path: str
    shape: Shape

    def pages(self, since: str | None) -> Iterator[list[Any]]:
        """Yield the rows of each page; one page where the operation has none."""
        before: list[Any] | None = None
        for page in count():
            found = self._page(page, since)
            if self.dataset.is_paged() and found and found == before:
                raise Invalid(
                    f"page {page + 1} of {self.operation.name} is the one before", hint="check which argument is {page} or {offset}"
                )
            yield found
            size = self.dataset.page_size
            if not self.dataset.is_paged() or not found or (size is not None and len(found) < size):
                return
            before = found

    def _page(self, page: int, since: str | None) -> list[Any]:
        hidden = {name: secret(variable) for name, variable in self.dataset.secret_arguments.items()}
        arguments = self.dataset.filled(page, since) | {name: word.get_secret_value() for name, word in hidden.items()}
        content, headers = envelope(self.operation, arguments, self.source.username_token)
        call = Call(self.address, headers=headers, content=content)
        answer = answered(self.client, call, self.operation, [*hidden.values(), *_secrets(self.source)])
        return rows(answer, self.path, self.shape, self.operation.answer)


@dataclass
class _Newest:
    """The newest value of the member that `since` names."""

    begins: str | None
    value: str | None = None

    def __post_init__(self) -> None:
        self.value = self.begins

    def see(self, found: list[Any], name: str) -> None:
        for row in found:
            value = row.get(name) if isinstance(row, Mapping) else None
            if value is not None and (self.value is None or _rank(str(value), name) > _rank(self.value, name)):
                self.value = str(value)


def _rank(text: str, name: str) -> Any:
    try:
        return Decimal(text)
    except InvalidOperation:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"since: {name} has a value that is neither a number nor a moment", hint="name another member") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _delivery(file: RecordFile, demand: Demand, dataset: SoapDataset, *, cursor: str | None) -> Delivery | None:
    if dataset.since is None:
        found = file.delivery(dataset.operation)
        return replace(found, mode=LoadMode.DIFF) if found else None
    if not file.rows:
        return None
    found = file.delivery(dataset.operation, cursor=cursor, follows=Follows(demand.cursor))
    return replace(found, mode=LoadMode.NEW) if found else None


def _complete(found: list[Any], shape: Shape, demand: Demand) -> list[Any]:
    """Return the rows with what the contract promises and the description knows: an element without a value may be left out."""
    wanted = {source_name(column).split(".")[0] for column in demand.contract.columns}
    empty = {name: None for name in shape.children if name in wanted}
    return [empty | row if isinstance(row, dict) else row for row in found]


def _exact(dataset: SoapDataset) -> SoapDataset:
    """Return the dataset with how XML Schema writes numbers, where the declaration says nothing else."""
    return dataset.model_copy(update={"decimal": dataset.decimal or ".", "thousands": dataset.thousands or ""})


def _column(name: str, shape: Shape | None) -> SourceColumn:
    if shape is None:
        return SourceColumn(name, "")
    logical, physical = shape.logical()
    return SourceColumn(name, shape.kind or logical, logical, physical, not shape.is_optional)


def _secrets(source: SoapSource) -> Iterator[SecretStr]:
    """Yield what a fault must not repeat."""
    auth, token = source.auth, source.username_token
    if isinstance(auth, BasicAuth):
        yield secret(auth.password_env)
    elif isinstance(auth, ApiKeyAuth):
        yield secret(auth.key_env)
    elif isinstance(auth, OAuth2Auth):
        yield secret(auth.client_secret_env)
    if token is not None:
        yield secret(token.password_env)
