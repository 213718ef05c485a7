"""Answers with one JSON object a line: read from the file into which they were written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import simplejson as json

from polyceph.sdk import Invalid


def json_lines(path: Path, shown: str) -> Iterator[Any]:
    """Yield what stands on each line, numbers with a fraction as `Decimal`; raise `Invalid` for a line that is no JSON."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig"), use_decimal=True)
            except ValueError as error:  # texts in another encoding than UTF-8 among them
                hint = "check the address and the format; JSON is in UTF-8"
                raise Invalid(f"{shown}, line {number} is no JSON", hint=hint) from error
            yield row


class Lines:
    """The rows of such a file: counted once, read as often as needed, never all in memory."""

    def __init__(self, path: Path, shown: str) -> None:
        self._path, self._shown = path, shown
        with path.open("rb") as file:
            self._count = sum(1 for line in file if line.strip())

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        return json_lines(self._path, self._shown)
