"""What commands print: tables and progress for people, one JSON object for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any


def as_json(value: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def line(text: str = "") -> None:
    """Print one line."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """Print one line where it does not disturb what a machine reads."""
    sys.stderr.write(text + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; numbers stand right."""
    from rich.console import Console  # rich costs a tenth of a second and --help does not need it
    from rich.table import Table

    filled = [[_cell(value) for value in row] for row in rows]
    shown = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for number, name in enumerate(columns):
        right = bool(filled) and all(row[number].replace(" ", "").replace(".", "").isdigit() for row in filled)
        shown.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in filled:
        shown.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 140, highlight=False).print(shown)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    if isinstance(value, float):
        return f"{value:.1f}"
    return "" if value is None else str(value)


def progress() -> Any:
    """Return a progress display on standard error for steps of unknown length."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=False)
