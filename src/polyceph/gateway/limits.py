"""How much one request may ask: a document that is too deep, too long or too wide is refused before anything of it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)

TOO_MUCH = "TOO_MUCH"


@dataclass(frozen=True)
class Limits:
    """The most that one request may hold. Dagster's own pages stay far below: its largest query has 3,000 fields, 30 deep."""

    body_bytes: int = 4 * 1024 * 1024
    tokens: int = 20_000
    roots: int = 100
    fields: int = 20_000
    """Counted with every fragment where it is used."""
    depth: int = 50
    directives: int = 500


def parsed(query: str, limits: Limits) -> DocumentNode:
    """Return the document of a request.

    Raises:
        GraphQLError: it is not GraphQL, or asks for more than is answered.
    """
    try:
        document = parse(query, max_tokens=limits.tokens, no_location=False)
    except RecursionError as error:
        raise too_much("the document is nested too deeply") from error
    except GraphQLSyntaxError as error:
        if "max" not in str(error.message).lower() or "tokens" not in str(error.message).lower():
            raise
        raise too_much(f"the document has more than {limits.tokens} tokens") from error
    _measure(document, limits)
    return document


def too_much(what: str) -> GraphQLError:
    """Return the refusal of a request that asks for too much."""
    return GraphQLError(f"{what}: ask for less at once", extensions={"code": TOO_MUCH})


@dataclass
class _Size:
    fields: int = 0
    depth: int = 0
    directives: int = 0


class _Measure:
    """Sizes of selections: each fragment is measured once, so that a bomb of fragments is not unfolded."""

    def __init__(self, document: DocumentNode, limits: Limits) -> None:
        self._limits = limits
        self._fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
        self._known: dict[str, _Size] = {}
        self._open: set[str] = set()

    def of(self, selections: SelectionSetNode | None, level: int = 0) -> _Size:
        total = _Size()
        if selections is None:
            return total
        if level > self._limits.depth * 2:
            raise too_much("the document is nested too deeply")
        for one in selections.selections:
            size = self._one(one, level)
            total.fields += size.fields
            total.directives += size.directives + len(one.directives or ())
            total.depth = max(total.depth, size.depth)
            if total.fields > self._limits.fields:
                raise too_much(f"the request asks for more than {self._limits.fields} fields")
        return total

    def _one(self, one: Any, level: int) -> _Size:
        if isinstance(one, FieldNode):
            inner = self.of(one.selection_set, level + 1)
            return _Size(inner.fields + 1, inner.depth + 1, inner.directives)
        if isinstance(one, InlineFragmentNode):
            return self.of(one.selection_set, level + 1)
        return self._fragment(one, level) if isinstance(one, FragmentSpreadNode) else _Size()

    def _fragment(self, one: FragmentSpreadNode, level: int) -> _Size:
        name = one.name.value
        if name in self._open or name not in self._fragments:
            return _Size()  # validation says so
        if name not in self._known:
            self._open.add(name)
            self._known[name] = self.of(self._fragments[name].selection_set, level + 1)
            self._open.discard(name)
        return self._known[name]

    def roots(self, selections: SelectionSetNode, seen: frozenset[str] = frozenset()) -> int:
        found = 0
        for one in selections.selections:
            if isinstance(one, FieldNode):
                found += 1
            elif isinstance(one, InlineFragmentNode):
                found += self.roots(one.selection_set, seen)
            elif isinstance(one, FragmentSpreadNode) and one.name.value in self._fragments and one.name.value not in seen:
                found += self.roots(self._fragments[one.name.value].selection_set, seen | {one.name.value})
            if found > self._limits.roots:
                raise too_much(f"the request has more than {self._limits.roots} fields at its root")
        return found


def _measure(document: DocumentNode, limits: Limits) -> None:
    measure = _Measure(document, limits)
    total = _Size()
    for one in document.definitions:
        if not isinstance(one, OperationDefinitionNode):
            continue
        measure.roots(one.selection_set)
        size = measure.of(one.selection_set)
        total = _Size(total.fields + size.fields, max(total.depth, size.depth), total.directives + size.directives)
    if total.depth > limits.depth:
        raise too_much(f"the request is nested {total.depth} deep, {limits.depth} are answered")
    if total.fields > limits.fields:
        raise too_much(f"the request asks for {total.fields} fields, {limits.fields} are answered")
    if total.directives > limits.directives:
        raise too_much(f"the request has {total.directives} directives, {limits.directives} are answered")
