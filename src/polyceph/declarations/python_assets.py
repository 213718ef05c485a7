"""Reads which datasets Python assets declare (`@asset(key=[domain, zone, name], deps=[…])`), without running their code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from polyceph.core.model.dataset import DatasetId, Zone
from polyceph.core.model.place import Place
from polyceph.core.policies.zones import ZONES, zone_is_built
from polyceph.declarations.facts import Produced, Read
from polyceph.declarations.findings import Findings
from polyceph.declarations.yaml_files import RawFile


@dataclass
class PythonAssets:
    """What the Python files of one domain make and read, as far as literal keys say it; computed keys are known when it runs."""

    domain: str
    findings: Findings
    produced: list[Produced] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)

    def read(self, raw: RawFile) -> None:
        """Read one Python file. What Python itself refuses is told when the domain's code is loaded, not here."""
        if b"asset" not in raw.data:
            return
        try:
            tree = ast.parse(raw.data)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in function.decorator_list:
                    if isinstance(decorator, ast.Call) and _name(decorator.func) == "asset":
                        self._asset(raw.file, function.name, decorator=decorator)

    def _asset(self, file: str, function: str, *, decorator: ast.Call) -> None:
        by = f"Python asset {function}"
        for keyword in decorator.keywords:
            if keyword.arg == "key":
                made = _dataset(keyword.value)
                place = _place(file, keyword.value)
                if made is not None and made.domain != self.domain:
                    message = f"{by} writes {made} of another domain"
                    self.findings.error(message, place, value=str(made), hint="a domain writes only its own datasets")
                elif made is not None and self.findings.refuse(zone_is_built(made.zone, by), place, value=str(made)):
                    self.produced.append(Produced(made, place, by))
            elif keyword.arg == "deps":
                self.reads += [Read(dataset, place, by) for dataset, place in _datasets(file, keyword.value)]


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _place(file: str, node: ast.expr) -> Place:
    return Place(file, node.lineno, node.col_offset + 1)


def _datasets(file: str, node: ast.expr) -> Iterator[tuple[DatasetId, Place]]:
    for item in node.elts if isinstance(node, ast.List | ast.Tuple) else ():
        dataset = _dataset(item)
        if dataset is not None:
            yield dataset, _place(file, item)


def _dataset(node: ast.expr) -> DatasetId | None:
    """Return the dataset that a literal key names: a list of three texts, "a/b/c", or AssetKey of either."""
    if isinstance(node, ast.Call) and _name(node.func) == "AssetKey" and len(node.args) == 1:
        return _dataset(node.args[0])
    if isinstance(node, ast.List | ast.Tuple):
        parts = [item.value for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
        is_literal = len(parts) == len(node.elts)
    else:
        parts = node.value.split("/") if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
        is_literal = True
    if not is_literal or len(parts) != 3 or parts[1] not in ZONES:
        return None
    return DatasetId(parts[0], Zone(parts[1]), parts[2])
