"""Names of tables as the option `table` takes them."""

from __future__ import annotations


def quoted_part(name: str) -> str:
    """Return a part of a table's name, quoted when it needs it."""
    plain = name and not any(c.isspace() or c in '".' for c in name)
    return name if plain else '"' + name.replace('"', '""') + '"'
